// Managing topics and looking at the cluster. Every call waits for its answer, at most until its
// timeout (the cluster's request timeout unless given), and retries what can be retried within it.
#pragma once

#include "protocol/client/cluster.hpp"
#include "protocol/client/types.hpp"

#include <memory>
#include <string>
#include <vector>

namespace aqueduct::client {

/// A setting to set or, without a value, to reset to the cluster's default.
struct setting {
  std::string name;
  std::optional<std::string> value;
};

struct new_topic {
  std::string name;
  /// Nothing: the cluster's default.
  std::optional<std::int32_t> partitions{};
  std::optional<std::int16_t> replication{};
  std::vector<setting> settings{};
  /// Check everything, create nothing.
  bool validate_only = false;
};

struct created_topic {
  /// Nil if it was only validated.
  uuid id;
  std::int32_t partitions = 0;
  std::int16_t replication = 0;
};

struct topic_summary {
  std::string name;
  uuid id;
  std::int32_t partitions = 0;
  std::int16_t replication = 0;
  timestamp_ms created;
};

struct partition_description {
  partition_id partition;
  /// `none`, or why the partition cannot be described.
  errc error = errc::none;
  std::optional<node_id> leader;
  leader_epoch epoch;
  std::vector<node_id> replicas;
  /// First offset that can be read.
  offset_t log_start;
  /// Offset after the last committed record.
  offset_t high_watermark;
  /// Offset below which no transaction is open.
  offset_t last_stable;
  std::int64_t size_bytes = 0;
  /// Of the first record; -1 if there is none.
  timestamp_ms oldest;
};

struct setting_description {
  std::string name;
  std::string value;
  bool is_default = true;
};

struct topic_description {
  std::string name;
  uuid id;
  std::int16_t replication = 0;
  timestamp_ms created;
  std::vector<setting_description> settings;
  std::vector<partition_description> partitions;
};

struct offset_query {
  enum class kind : std::uint8_t { earliest, latest, timestamp };

  topic_partition partition;
  kind at = kind::latest;
  /// With `timestamp`: the first record at or after it.
  timestamp_ms time{};
};

struct offset_answer {
  topic_partition partition;
  /// Or why nothing was looked up. Nothing: no record is that late.
  result<std::optional<offset_t>> offset = std::optional<offset_t>{};
  /// Of the record found, or -1.
  timestamp_ms timestamp{-1};
  leader_epoch epoch{-1};
};

struct records_deletion {
  partition_id partition;
  /// All records before it go; nothing: all that are committed.
  std::optional<offset_t> before{};
};

struct deletion_answer {
  partition_id partition;
  /// The first offset that can be read now, or why nothing was deleted.
  result<offset_t> log_start = offset_t{};
};

struct api_version {
  std::uint16_t key = 0;
  /// Empty for a request that this library does not know.
  std::string name;
  std::uint16_t version_min = 0;
  std::uint16_t version_max = 0;
};

/// What to change of a topic; what is not named stays as it is.
struct topic_change {
  /// A setting without a value is reset to the cluster's default.
  std::vector<setting> settings{};
  /// The number of partitions from now on: never fewer than there are. Keys that were hashed to a
  /// partition may go to another one afterwards.
  std::optional<std::int32_t> partitions{};
  /// Check everything, change nothing.
  bool validate_only = false;
};

/// Who answered.
struct broker_versions {
  node_id node;
  /// Name and version of the broker's software.
  std::string software;
  uuid cluster;
  std::size_t frame_bytes_max = 0;
  std::vector<api_version> apis;
};

/// Thread-safe. Cheap to make and to copy: it holds the cluster and nothing else. Errors of every
/// function: broker_unavailable and timed_out when nobody answers in time, unauthorized,
/// unsupported_api, and invalid_request from a callback of the library.
class AQUEDUCT_CLIENT_API admin {
public:
  using timeout_t = std::optional<milliseconds>;

  explicit admin(cluster on) : cluster_(std::move(on)) {}

  /// Returns when the topic serves. Errors: topic_exists, invalid_topic, invalid_partitions,
  /// invalid_replication, invalid_config.
  [[nodiscard]] result<created_topic> create_topic(const new_topic& topic, timeout_t timeout = {});
  /// Errors: unknown_topic.
  [[nodiscard]] result<uuid> delete_topic(std::string_view name, timeout_t timeout = {});
  /// Errors: unknown_topic, invalid_config.
  [[nodiscard]] result<uuid> alter_topic(std::string_view name, std::span<const setting> settings,
                                         bool validate_only = false, timeout_t timeout = {});
  /// Settings and the number of partitions in one change, all of it or nothing. Errors:
  /// unknown_topic, invalid_config, invalid_partitions; unsupported_version from a broker that
  /// cannot add partitions.
  [[nodiscard]] result<uuid> alter_topic(std::string_view name, const topic_change& change,
                                         timeout_t timeout = {});
  /// All topics, ordered by name.
  [[nodiscard]] result<std::vector<topic_summary>> list_topics(bool include_internal = false,
                                                               timeout_t timeout = {});
  /// Errors: unknown_topic.
  [[nodiscard]] result<topic_description> describe_topic(std::string_view name,
                                                         timeout_t timeout = {});
  /// One answer per query, in their order, each with an error of its own.
  [[nodiscard]] result<std::vector<offset_answer>>
  list_offsets(std::span<const offset_query> queries, timeout_t timeout = {});
  /// One answer per partition, in their order, each with an error of its own.
  [[nodiscard]] result<std::vector<deletion_answer>>
  delete_records(std::string_view topic, std::span<const records_deletion> partitions,
                 timeout_t timeout = {});
  /// What any broker that answers says of itself.
  [[nodiscard]] result<broker_versions> versions(timeout_t timeout = {});
  /// All brokers, the controller, all topics with their leaders.
  [[nodiscard]] result<cluster_layout> describe_cluster(timeout_t timeout = {}) {
    return cluster_.describe(timeout);
  }

private:
  cluster cluster_;
};

} // namespace aqueduct::client
