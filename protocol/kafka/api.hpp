// The requests of the Kafka protocol that this codec knows, with their versions.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace aqueduct::protocol::kafka {

/// Numbers of the requests on the wire.
enum class api_key : std::int16_t {
  produce = 0,
  fetch = 1,
  list_offsets = 2,
  metadata = 3,
  offset_commit = 8,
  offset_fetch = 9,
  find_coordinator = 10,
  join_group = 11,
  heartbeat = 12,
  leave_group = 13,
  sync_group = 14,
  describe_groups = 15,
  list_groups = 16,
  api_versions = 18,
  create_topics = 19,
  delete_topics = 20,
  delete_records = 21,
  init_producer_id = 22,
  offset_for_leader_epoch = 23,
  add_partitions_to_txn = 24,
  add_offsets_to_txn = 25,
  end_txn = 26,
  txn_offset_commit = 28,
  describe_configs = 32,
  alter_configs = 33,
  describe_log_dirs = 35,
  create_partitions = 37,
  delete_groups = 42,
  elect_leaders = 43,
  incremental_alter_configs = 44,
  alter_partition_reassignments = 45,
  list_partition_reassignments = 46,
  offset_delete = 47,
  describe_client_quotas = 48,
  alter_client_quotas = 49,
  describe_cluster = 60,
  describe_producers = 61,
  describe_transactions = 65,
  list_transactions = 66,
};

/// A request as the codec knows it.
struct api_info {
  api_key key;
  std::string_view name;
  /// Versions that can be decoded and encoded.
  std::int16_t version_min;
  std::int16_t version_max;
  /// First version with compact lengths and tag sections.
  std::int16_t flexible_since;

  [[nodiscard]] bool has(std::int16_t version) const {
    return version >= version_min && version <= version_max;
  }
  [[nodiscard]] bool is_flexible(std::int16_t version) const { return version >= flexible_since; }
};

/// All rows, ordered by key.
[[nodiscard]] std::span<const api_info> api_table();
/// The row of the API with this number, or null.
[[nodiscard]] const api_info* find_api(std::int16_t key);
/// The row of `key`.
[[nodiscard]] const api_info& describe(api_key key);

} // namespace aqueduct::protocol::kafka
