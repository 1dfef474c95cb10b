// The partitions of this node, kept in step with the cluster's metadata: spawns what appears, stops
// and removes what goes, and tells the directory. A plain class, owned by the `controller` actor.
#pragma once

#include "actors/consumer_group/group_partition.hpp"
#include "actors/controller/controller_core.hpp"
#include "actors/directory.hpp"
#include "actors/partition/partition.hpp"

#include <caf/fwd.hpp>

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace aqueduct::actors {

class topic_host {
public:
  struct options {
    std::shared_ptr<const partition_services> services;
    std::shared_ptr<topic_directory> directory;
    config::topic_config topic_defaults;
    group_limits groups;
    /// Who the replicas of a partition are to be.
    std::function<std::vector<node_life>(const replica_set&)> lives;
    /// The replicas of a partition that is led here are those that were wanted by the decision of
    /// that number. From any thread.
    std::function<void(const group_id&, std::int32_t)> moved;
    /// The disk lost or changed what a replica of this node wrote. From any thread.
    std::function<void(const group_id&, const error&)> damaged;
    /// A replica has taken the place of a damaged one. From any thread; may be empty.
    std::function<void(const group_id&)> repaired;
    /// Makes durable what this node knows of the cluster's metadata, up to now. The answer may come
    /// from any thread.
    std::function<void(std::function<void(result<void>)>)> record;
    /// Asks the cluster whether the decision of that number is its last about the replicas of this
    /// group: `released` is to be called with the answer.
    std::function<void(const group_id&, std::int32_t)> ask;
    /// A step of a removal ended: `step_ended` is to be called. From any thread.
    std::function<void(const group_id&, result<void>)> stepped;
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
  /// it who the others are, or removes it with its files. One that was given up before is opened
  /// when nothing of it is left.
  void change_replicas(const topic_record& topic, std::int32_t partition);
  /// Removes everything of a deleted topic from this node; `purged` is called once, from here, when
  /// nothing is left.
  void remove(const topic_record& topic, std::function<void()> purged);
  /// A step of a removal ended. One that failed is tried again later, and nothing of the group is
  /// opened until nothing of it is left; after the last one the replica that is to be here by now
  /// is opened, unless the node stops. Returns the decision (`replica_set::changes`) by which a
  /// damaged replica was set aside, if it was.
  std::optional<std::int32_t> step_ended(const group_id& group, const result<void>& status,
                                         std::int64_t now_ms);
  /// The answer to `options::ask`. Errors conflict and unknown_topic: it is not, so that the files
  /// stay for whatever was decided since.
  void released(const group_id& group, std::int32_t changes, const result<void>& answer,
                std::int64_t now_ms);
  /// Tries again what failed some time ago. Steady time, in milliseconds.
  void retry_removals(std::int64_t now_ms);
  /// Removals that will end by themselves.
  [[nodiscard]] std::size_t removals_under_way() const;

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
  /// A replica that is on its way out. Its files may only go when the node will know of it after a
  /// crash too, and when the cluster has not decided anew: a node that learns late of old decisions
  /// would forget what its replica promised since.
  struct removal {
    enum class step : std::uint8_t {
      /// The partition closes.
      stopping,
      /// The decision becomes durable here.
      recording,
      /// The cluster says whether it still holds.
      asking,
      removing,
    };
    storage::removal_kind kind = storage::removal_kind::delete_files;
    /// The decision that is carried out.
    std::int32_t changes = 0;
    step at = step::stopping;
    bool is_under_way = true;
    /// The topic is deleted: nothing of it comes back.
    bool is_final = false;
    /// The step failed; when it is tried again.
    std::int64_t retry_ms = 0;
    std::string last_error{};
    std::vector<std::function<void()>> waiting{};
  };

  [[nodiscard]] config::topic_config config_of(const topic_record& topic) const;
  [[nodiscard]] std::vector<raft::replica_id> wanted_of(const replica_set& placed) const;
  [[nodiscard]] std::shared_ptr<partition_route> open_partition(const topic_route& route,
                                                                std::size_t number);
  /// Gives the route the partitions of its record that it lacks.
  void add_partitions(topic_route& route);
  [[nodiscard]] partition_members members_of(const replica_set& placed) const;
  void set_aside(const group_id& group, const replica_set& placed, const partition_actor& running);
  [[nodiscard]] bool is_to_be_set_aside(const replica_set& placed) const;
  /// Removes a replica, which runs or not. Precondition: its removal is not under way.
  void begin_removal(const group_id& group, const partition_actor& running,
                     storage::removal_kind kind, std::int32_t changes);
  /// Removes a replica of a deleted topic.
  removal& begin_final_removal(const group_id& group, const partition_actor& running);
  void take_step(const group_id& group, removal& entry);
  void note_failure(const group_id& group, removal& entry, const error& why, std::int64_t now_ms);
  std::optional<std::int32_t> end_removal(const group_id& group);
  /// Nothing was removed yet and something else was decided.
  void drop_outdated_removal(const group_id& group, const replica_set& placed);
  /// Opens or removes what is to be here, or not, by what is known.
  void follow(const group_id& group);
  [[nodiscard]] std::function<void(result<void>)> tell_stepped(const group_id& group) const;

  caf::actor_system& system_;
  options options_;
  std::map<uuid, std::shared_ptr<const topic_route>> topics_;
  /// Invariant: no partition of these groups runs, but one that was told to stop for it.
  std::map<group_id, removal> removals_;
  /// Damaged replicas that are out of the way, by which decision.
  std::map<group_id, std::int32_t> set_aside_;
  std::deque<partition_actor> to_wake_;
  /// Nothing is opened any more.
  bool is_stopping_ = false;
  std::size_t partition_count_ = 0;
};

} // namespace aqueduct::actors
