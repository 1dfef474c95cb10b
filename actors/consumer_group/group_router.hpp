// The way of a front end to the coordinators of consumer groups: finds the partition of the
// internal topic that has a group, and has that topic created when the first group of the cluster
// is used.
#pragma once

#include "actors/directory.hpp"
#include "actors/environment.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace aqueduct::actors {

/// Thread-safe.
class group_router : public std::enable_shared_from_this<group_router> {
public:
  struct options {
    std::int32_t node = 0;
    std::shared_ptr<topic_directory> directory;
    std::shared_ptr<const known_cluster> view;
    controller_actor controller;
    std::shared_ptr<environment> env;
    /// Of the internal topic, if it has to be created.
    std::int32_t partitions = 1;
    std::int16_t replication = 1;
    std::int64_t timeout_ms = 10'000;
    /// Longest that `find` waits for replicas that elect: by then a leader that was lost has its
    /// successor.
    std::int64_t election_ms = 1500;
  };

  explicit group_router(options opts) : options_(std::move(opts)) {}

  /// Passes a question on to the coordinator of `group`, if a replica of its partition is on this
  /// node; else, and by a replica that does not lead, it is answered not_coordinator with the node
  /// that does. A heartbeat to which the coordinator's board has the answer is answered before this
  /// returns. Precondition: the question is about `group`.
  void ask(const std::string& group, group_call call) const;
  /// The node that coordinates the group, as soon as it is known; where the group has no replica,
  /// a node that knows. Errors: coordinator_loading (there was none for `election_ms`), and those
  /// of creating a topic. `done` is called at most once, from any thread.
  void find(const std::string& group, std::function<void(result<std::int32_t>)> done) const;
  /// All coordinators on this node, whether they lead or not.
  [[nodiscard]] std::vector<group_partition_actor> here() const;

private:
  using waiter = std::function<void(result<std::shared_ptr<partition_route>>)>;

  [[nodiscard]] std::shared_ptr<partition_route> look_up(std::string_view group) const;
  /// The route of the group's partition.
  void with_route(const std::string& group, waiter done) const;
  /// Of a group without a replica here: a node that has one. It is there, if any is.
  [[nodiscard]] std::int32_t who_knows(std::string_view group) const;
  /// Passes a question on, or names who is to be asked.
  void pass_on(const partition_route& route, std::string_view group, group_call call) const;

  options options_;
};

} // namespace aqueduct::actors
