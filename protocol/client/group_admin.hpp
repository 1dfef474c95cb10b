// Looking at consumer groups, and changing them from outside.
#pragma once

#include "protocol/client/cluster.hpp"
#include "protocol/client/group_consumer.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace aqueduct::client {

struct group_listing {
  std::string group;
  /// "consumer"; empty if it never had members.
  std::string protocol_type;
  /// Empty, PreparingRebalance, CompletingRebalance or Stable.
  std::string state;
  std::int32_t members = 0;
};

struct group_member_description {
  std::string member_id;
  /// Of a static member.
  std::string instance_id;
  std::string client_id;
  std::string client_host;
  milliseconds session_timeout{};
  std::vector<std::string> topics;
  std::string user_data;
  std::vector<topic_partition> assigned;
};

struct group_description {
  std::string group;
  std::string state;
  std::string protocol_type;
  std::string assignor;
  std::int32_t generation = 0;
  std::string leader;
  std::vector<group_member_description> members;
};

struct group_offset {
  topic_partition partition;
  offset_t offset;
  std::string metadata;
  timestamp_ms committed{-1};
};

/// How far a group is behind in a partition.
struct group_lag {
  topic_partition partition;
  /// Nothing: it has committed nothing.
  std::optional<offset_t> offset;
  offset_t log_start;
  offset_t end;
  /// Records that it has yet to consume.
  std::int64_t records = 0;
  /// How long the oldest of them has been waiting. Nothing: there are none, or it could not be
  /// read.
  std::optional<milliseconds> time;
  /// Whose the partition is; empty: nobody's.
  std::string member_id;
};

/// Where offsets are set to.
struct offset_target {
  enum class kind : std::uint8_t { earliest, latest, offset, timestamp, shift };
  kind to = kind::earliest;
  /// The offset, the timestamp in milliseconds since the epoch, or how many records forward
  /// (negative: back).
  std::int64_t value = 0;
};

struct offset_move {
  topic_partition partition;
  std::optional<offset_t> from;
  offset_t to;
};

/// Where a partition's offset ends up: within the records that are there. `found` is the first
/// offset with the timestamp or later; nothing: there is none.
[[nodiscard]] AQUEDUCT_CLIENT_API offset_t target_offset(const offset_target& target,
                                                         std::optional<offset_t> committed,
                                                         offset_t log_start, offset_t end,
                                                         std::optional<offset_t> found);

/// Thread-safe. Cheap to make and to copy. Errors of every function: as those of `admin`, and
/// invalid_group.
class AQUEDUCT_CLIENT_API group_admin {
public:
  using timeout_t = std::optional<milliseconds>;

  explicit group_admin(cluster on) : cluster_(std::move(on)) {}

  /// All groups, ordered by name, as far as their brokers answer.
  [[nodiscard]] result<std::vector<group_listing>> list(timeout_t timeout = {});
  /// Errors: unknown_group.
  [[nodiscard]] result<group_description> describe(std::string_view group, timeout_t timeout = {});
  /// Everything that the group has committed, ordered. Nothing for a group that is not known.
  [[nodiscard]] result<std::vector<group_offset>> offsets(std::string_view group,
                                                          timeout_t timeout = {});
  /// Of the partitions that the group has committed or that its members have. Errors:
  /// unknown_group.
  [[nodiscard]] result<std::vector<group_lag>> lag(std::string_view group, timeout_t timeout = {});

  /// Sets offsets of a group without members. Errors: unknown_member (it has some), those of single
  /// partitions.
  [[nodiscard]] result<void> set_offsets(std::string_view group,
                                         std::span<const offset_commit> offsets,
                                         timeout_t timeout = {});
  /// Works out where the offsets of these partitions go and, unless it is a dry run, sets them.
  [[nodiscard]] result<std::vector<offset_move>> reset(std::string_view group,
                                                       std::span<const topic_partition> partitions,
                                                       const offset_target& target, bool dry_run,
                                                       timeout_t timeout = {});
  /// Errors: unknown_group; group_not_empty (it has members of another protocol type);
  /// group_subscribed.
  [[nodiscard]] result<void> delete_offsets(std::string_view group,
                                            std::span<const topic_partition> partitions,
                                            timeout_t timeout = {});
  /// Errors: unknown_group, group_not_empty.
  [[nodiscard]] result<void> delete_group(std::string_view group, timeout_t timeout = {});
  /// Puts members out, each named by its member id, or a static one by its instance id. Errors:
  /// unknown_member: the first that is none; the others are put out.
  [[nodiscard]] result<void> remove_members(std::string_view group,
                                            std::span<const std::string> members,
                                            timeout_t timeout = {});

private:
  cluster cluster_;
};

} // namespace aqueduct::client
