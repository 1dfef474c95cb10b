// Reading topics as a member of a consumer group: the group's coordinator shares the partitions out
// among the members, and keeps how far they are consumed. A thread of the library keeps the
// membership; what belongs to whom changes within `poll` alone, so that nobody works on a partition
// that is another member's already.
#pragma once

#include "protocol/client/consumer.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace aqueduct::client {

/// Where a partition begins of which the group has committed nothing.
enum class group_start : std::uint8_t { earliest, latest };

using partition_span = std::span<const topic_partition>;

struct group_consumer_config {
  /// Name of the group: 1 to 255 bytes.
  std::string group;
  /// Topics to share; they may be created later.
  std::vector<std::string> topics{};
  /// And those whose whole names match one of these (ECMAScript), those among them that come later.
  std::vector<std::string> patterns{};
  /// Makes the member static: a new process with the same id, which must be the only one, takes
  /// over what the old one had, without a rebalance.
  std::string instance_id{};
  /// The best first: cooperative-sticky, sticky, range, roundrobin. With cooperative-sticky,
  /// partitions that do not move are never given up; with the others all are, before each
  /// rebalance.
  std::vector<std::string> assignors = {"cooperative-sticky"};
  /// Opaque bytes that `group_admin::describe` shows.
  std::string user_data{};
  group_start start = group_start::earliest;

  /// Silence after which the coordinator takes the member for gone. 1 s to 30 minutes, as the
  /// brokers allow.
  milliseconds session_timeout{10'000};
  /// Between two signs of life. At most a third of `session_timeout`.
  milliseconds heartbeat_interval{1'000};
  /// Who does not poll for so long leaves the group until the next poll. At least 1 s.
  milliseconds poll_interval_max{300'000};
  /// How often patterns are compared with the topics that there are.
  milliseconds topics_interval{5'000};

  /// Commits what is finished: what `poll` returned before its last call, or the handlers of `run`
  /// have done.
  bool auto_commit = true;
  milliseconds auto_commit_interval{1'000};

  consumer_config reading{};

  /// Called within `poll`, `run` and `close`; a poll from there is refused. First what is taken,
  /// which the member may commit still, then what is new. `on_lost` in place of `on_revoked`: the
  /// partitions are others' already, and nothing can be committed any more. What they throw comes
  /// out of the call, after it has been acted on as if they had returned.
  std::function<void(partition_span)> on_assigned{};
  std::function<void(partition_span)> on_revoked{};
  std::function<void(partition_span)> on_lost{};

  /// Names the first setting that is out of range. Error: invalid_config.
  [[nodiscard]] AQUEDUCT_CLIENT_API result<void> validate() const;
};

/// How far a partition is consumed.
struct offset_commit {
  topic_partition partition;
  /// The next record to read.
  offset_t offset;
  /// Words to keep with it, at most 4096 bytes.
  std::string metadata{};
};

struct run_options {
  /// Partitions that are worked on at a time. At least 1.
  std::size_t threads = 1;
  /// Wait before a record whose handler failed is given to it again.
  milliseconds retry_after{1'000};
};

class group_consumer_core;

/// A member of a group. `poll`, `run` and `commit` are for one thread at a time; everything else is
/// thread-safe, also during a poll.
class AQUEDUCT_CLIENT_API group_consumer {
public:
  /// Begins to join; partitions come with the polls. Errors: invalid_config.
  [[nodiscard]] static result<group_consumer> create(const cluster& on,
                                                     group_consumer_config config);

  group_consumer(group_consumer&&) noexcept;
  group_consumer& operator=(group_consumer&&) noexcept;
  /// As `close`, whose errors nobody hears of.
  ~group_consumer();

  /// As `consumer::poll`; and takes part in rebalances, in which the callbacks are called. Errors,
  /// besides those: fenced_member (another process has the instance id), inconsistent_protocol,
  /// group_full, unauthorized ...: the member is not in the group, and the next poll tries again;
  /// unknown_topic, unknown_partition: for `reading.request_timeout` it could not be looked up
  /// where the group is in a partition, which is not read before that succeeds.
  [[nodiscard]] result<record_set> poll(milliseconds timeout, poll_limits limits = {});

  /// Polls until `stop` and has the handler work on each record: those of a partition in order,
  /// those of up to `threads` partitions at a time. A record whose handler returns an error is
  /// given to it again, as are those of its partition after it; with auto commit, only what went
  /// well is committed. Errors: those of `poll`.
  using handler = std::function<result<void>(const record_view&)>;
  [[nodiscard]] result<void> run(const handler& work, const run_options& options = {});
  /// Ends `run` after the records that are being worked on. Safe in a handler.
  void stop();

  /// Commits everything that was returned by polls, and waits until it is durable. Errors:
  /// rebalance_in_progress (try again after the next poll), generation_mismatch, unknown_member
  /// (the partitions are others' now), timed_out ...
  [[nodiscard]] result<void> commit();
  /// Commits these. The first row that is refused decides about the error. What is too much for one
  /// request goes in several: when one of them fails, those before it are committed.
  [[nodiscard]] result<void> commit(std::span<const offset_commit> offsets);

  /// What is the member's now.
  [[nodiscard]] std::vector<topic_partition> assigned() const;
  /// As those of `consumer`, for partitions that are the member's.
  [[nodiscard]] result<void> seek(const topic_partition& tp, start_position to);
  [[nodiscard]] result<void> pause(const topic_partition& tp);
  [[nodiscard]] result<void> resume(const topic_partition& tp);
  [[nodiscard]] result<offset_t> position(const topic_partition& tp) const;
  [[nodiscard]] result<std::int64_t> lag(const topic_partition& tp) const;
  [[nodiscard]] std::optional<topic_partition> failed_partition() const;

  /// The id under which the coordinator knows the member; empty while it is in no group.
  [[nodiscard]] std::string member_id() const;
  /// Of the last assignment; -1 before.
  [[nodiscard]] std::int32_t generation() const;

  /// Commits what is finished, if auto commit is on, calls `on_revoked`, and leaves the group, but
  /// for a static member. Safe to call twice.
  [[nodiscard]] result<void> close();

private:
  explicit group_consumer(std::shared_ptr<group_consumer_core> core);

  std::shared_ptr<group_consumer_core> core_;
};

} // namespace aqueduct::client
