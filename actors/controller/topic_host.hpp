// The partitions of this node, kept in step with the cluster's metadata: spawns what appears, stops
// and removes what goes, and tells the directory. A plain class, owned by the `controller` actor.
#pragma once

#include "actors/controller/controller_core.hpp"
#include "actors/directory.hpp"
#include "actors/partition/partition.hpp"

#include <caf/fwd.hpp>

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>

namespace aqueduct::actors {

class topic_host {
public:
  struct options {
    std::shared_ptr<const partition_services> services;
    std::shared_ptr<topic_directory> directory;
    config::topic_config topic_defaults;
    /// Who the replicas of a partition are to be.
    std::function<std::vector<node_life>(const replica_set&)> lives;
    /// The replicas of a partition that is led here are those that are wanted. From any thread.
    std::function<void(const group_id&)> moved;
  };

  topic_host(caf::actor_system& system, options opts)
      : system_(system), options_(std::move(opts)) {}

  /// A topic is there: its partitions on this node sleep until somebody asks for them.
  void add(const topic_record& topic);
  /// Takes over settings, and adds the partitions that are new. Returns how many there were.
  std::size_t alter(const topic_record& topic);
  /// Settings that topics do not override are these from now on.
  void change_defaults(const config::topic_config& defaults);
  /// A broker came with another disk: the partitions that it shares with this node are told who
  /// their replicas are to be.
  void change_lives(std::int32_t node);
  /// The replicas of one partition are, or are to be, elsewhere: opens the one of this node, tells
  /// it who the others are, or removes it with its files.
  void change_replicas(const topic_record& topic, std::int32_t partition);
  /// Removes everything of a deleted topic from this node; `purged` is called once, from any
  /// thread, with whether nothing is left.
  void remove(const topic_record& topic, std::function<void(bool)> purged);

  /// Remembers which of these groups to wake; unknown ones are returned.
  [[nodiscard]] std::vector<group_id> plan_wake(const std::vector<group_id>& groups);
  /// Wakes up to `count` of them.
  void wake_some(std::size_t count);

  /// Stops the partitions of a topic from number `first` on; `stopped` is called for each, from any
  /// thread. Returns how many. Precondition: the topic was added and not removed.
  std::size_t stop(const uuid& topic, std::size_t first,
                   const std::function<void(group_id)>& stopped);
  /// Stops every partition likewise.
  std::size_t stop_all(const std::function<void(group_id)>& stopped);

  [[nodiscard]] std::size_t partition_count() const { return partition_count_; }

private:
  [[nodiscard]] config::topic_config config_of(const topic_record& topic) const;
  [[nodiscard]] std::vector<raft::replica_id> wanted_of(const replica_set& placed) const;
  [[nodiscard]] std::shared_ptr<partition_route> open_partition(const topic_route& route,
                                                                std::size_t number);
  /// Gives the route the partitions of its record that it lacks.
  void add_partitions(topic_route& route);

  caf::actor_system& system_;
  options options_;
  std::map<uuid, std::shared_ptr<const topic_route>> topics_;
  std::deque<partition_actor> to_wake_;
  std::size_t partition_count_ = 0;
};

} // namespace aqueduct::actors
