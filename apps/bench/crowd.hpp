// Members of consumer groups, a connection each, that do what clients do: they join, join again
// when they are told to, say that they are there, and commit offsets.
#pragma once

#include "apps/bench/load.hpp"
#include "apps/bench/poller.hpp"
#include "protocol/result.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace aqueduct::bench {

struct crowd_plan {
  std::uint16_t port = 0;
  wire speaks = wire::native;
  /// The groups are called by this and their number.
  std::string name;
  int groups = 1;
  int members_each = 1;
  std::string topic;
  std::int32_t session_timeout_ms = 10'000;
};

struct commit_plan {
  double seconds = 1;
  /// Commits that a member has under way.
  int window = 1;
  /// Partitions of one commit; member i of its group commits those from i times so many on.
  int partitions = 1;
};

class crowd {
public:
  /// Connects all and lets them join until no group is rebalanced any more.
  [[nodiscard]] static result<crowd> join(const crowd_plan& plan);

  /// Every member says that it is there once per `interval_seconds`, spread over that time. Error:
  /// a member was put out of its group, or asked to join again.
  [[nodiscard]] result<load_outcome> beat(double seconds, double interval_seconds);
  /// Each answer is followed by the next commit. `requests` and `bytes` of the outcome count
  /// commits and offsets.
  [[nodiscard]] result<load_outcome> commit(const commit_plan& plan);

private:
  enum class step : std::uint8_t { joining, syncing, beating, stable };
  struct member {
    std::string group;
    /// In its group.
    int number = 0;
    std::string id;
    std::int32_t generation = -1;
    step at = step::joining;
  };

  crowd(crowd_plan plan, poller links) : plan_(std::move(plan)), links_(std::move(links)) {}
  [[nodiscard]] result<void> settle();
  [[nodiscard]] result<void> settle(std::size_t i, const protocol::frame_header& header,
                                    const buffer& payload);
  [[nodiscard]] result<void> settle_native(std::size_t i, const protocol::frame_header& header,
                                           const buffer& payload);
  [[nodiscard]] result<void> settle_kafka(std::size_t i, const buffer& payload);
  void send_join(std::size_t i);
  void send_beat(std::size_t i, std::uint32_t correlation_id);
  void send_commit(std::size_t i, std::uint32_t correlation_id, int partitions,
                   std::int64_t offset);
  /// Error unless the answer says that all is well.
  [[nodiscard]] result<void> check_beat(const protocol::frame_header& header,
                                        const buffer& payload) const;
  [[nodiscard]] result<void> check_commit(const protocol::frame_header& header,
                                          const buffer& payload) const;
  [[nodiscard]] result<void> flush_all();

  crowd_plan plan_;
  poller links_;
  std::vector<member> members_;
};

} // namespace aqueduct::bench
