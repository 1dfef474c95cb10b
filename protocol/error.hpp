// The one error table of Aqueduct: what can go wrong, as a number on the native protocol, with a
// sentence and whether a retry can help. A code exists only where some caller reacts differently.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace aqueduct {

/// Error codes of the native protocol. Numbers are for ever; 1 to 40 keep the numbers that
/// Go-Queue gave them.
enum class errc : std::uint16_t {
  none = 0,
  invalid_request = 1,
  invalid_topic = 2,
  unknown_partition = 3,
  invalid_message = 4,
  message_too_large = 5,
  offset_out_of_range = 6,
  out_of_order_sequence = 7,
  broker_unavailable = 10,
  not_leader = 13,
  internal = 14,
  unauthorized = 20,
  quota_exceeded = 21,
  unknown_group = 30,
  unknown_member = 31,
  rebalance_in_progress = 32,
  generation_mismatch = 33,
  unknown_topic = 50,
  topic_exists = 51,
  topic_not_ready = 52,
  unsupported_api = 53,
  unsupported_version = 54,
  corrupt_batch = 55,
  unsupported_codec = 56,
  decompression_limit = 57,
  invalid_config = 58,
  invalid_partitions = 59,
  invalid_replication = 60,
  storage_full = 61,
  storage_failed = 62,
  storage_damaged = 63,
  timed_out = 64,
  overloaded = 65,
  shutting_down = 66,
  offset_conflict = 67,
  fenced_epoch = 68,
  duplicate_sequence = 69,
  invalid_timestamp = 70,
  unknown_subscription = 71,
  not_found = 72,
  conflict = 73,
  connection_lost = 74,
  cancelled = 75,
  not_coordinator = 76,
  coordinator_loading = 77,
  invalid_group = 78,
  group_not_empty = 79,
  fenced_member = 80,
  member_id_required = 81,
  group_full = 82,
  inconsistent_protocol = 83,
  invalid_session_timeout = 84,
  metadata_too_large = 85,
  group_subscribed = 86,
};

/// A row of the error table.
struct error_info {
  errc code;
  std::string_view name;
  bool retriable;
  /// What happened.
  std::string_view meaning;
  /// What the caller can do.
  std::string_view remedy;
};

/// All rows, ordered by number.
[[nodiscard]] std::span<const error_info> error_table();
/// The row of `code`; numbers that this version does not know give the row of `internal`.
[[nodiscard]] const error_info& describe(errc code);
[[nodiscard]] std::string_view to_string(errc code);
[[nodiscard]] bool is_retriable(errc code);

/// A code, and a sentence that says what was wrong and what would be right.
struct error {
  errc code = errc::internal;
  std::string message;

  friend bool operator==(const error&, const error&) = default;
};

/// "name: message".
[[nodiscard]] std::string to_string(const error& err);

} // namespace aqueduct
