// THE PARTITION actor: the shell of one `partition_core`. A partition with one replica sleeps
// without an open file until somebody asks for it; then it opens the group, and closes it again
// when nobody used it for a while. Asleep it has a timer only if retention may have something to
// do. A partition with several replicas is open as long as the node runs: the others count on its
// voice. The one that leads sees to it that the members of the group are those that are wanted.
//
//            <------------- group_closed -------------- falling asleep
//   asleep --question, wake--> opening --group_opened--> running --idle--^
//      \------------------------\--------------------------\--stop--> closing --> gone
#pragma once

#include "actors/directory.hpp"
#include "actors/environment.hpp"
#include "actors/messages.hpp"
#include "actors/replica/group_registry.hpp"
#include "actors/replica/replica.hpp"

#include <caf/fwd.hpp>

#include <memory>

namespace aqueduct::actors {

/// What all partitions of a node share.
struct partition_services {
  std::int32_t node = 0;
  raft::replica_id replica;
  std::shared_ptr<environment> env;
  std::shared_ptr<spdlog::logger> log;
  std::shared_ptr<spdlog::logger> raft_log;
  std::shared_ptr<cache_budget> cache;
  std::vector<storage_actor> storage;
  std::vector<reader_actor> readers;
  /// To replicas on other nodes, and from there; nothing when there are none.
  std::shared_ptr<raft_transport> transport;
  std::shared_ptr<node_caller> calls;
  std::shared_ptr<catch_up_pacer> pacer;
  std::shared_ptr<group_registry> registry;
  /// Of all replicas on this node; nothing when nobody watches.
  std::shared_ptr<replica_watch> watch;
  ticker_actor ticker;
  std::uint32_t election_timeout_ticks = 20;
  std::uint32_t heartbeat_ticks = 3;
  std::int64_t tick_ms = 1000;
  std::int64_t quiet_tick_ms = 30'000;
  /// A partition that nobody used for so long goes to sleep; each waits up to a quarter longer, at
  /// random, so that many do not close at once. 0: never.
  std::int64_t idle_timeout_ms = 0;
  /// Whether replicas that do not lead answer fetches that allow it.
  bool follower_reads = true;

  [[nodiscard]] const storage_actor& storage_of(const group_id& group) const;
  [[nodiscard]] const reader_actor& reader_of(const group_id& group) const;
};

/// The Raft settings of a group on this node; every call gives a new life.
[[nodiscard]] raft::core_options core_options_of(const partition_services& services);

struct partition_config {
  group_id group;
  config::topic_config topic;
  std::shared_ptr<partition_route> route;
  std::shared_ptr<const partition_services> services;
  /// The first members of the group.
  raft::membership founders;
  /// Who the replicas are to be now, the preferred leader first.
  partition_members members;
  /// They are, by the decision of that number (`replica_set::changes`), as the cluster waits to
  /// hear. From the actor; may be empty.
  std::function<void(const group_id&, std::int32_t)> moved;
  /// The disk lost or changed what this replica wrote. From the actor, once; may be empty.
  std::function<void(const group_id&, const error&)> damaged;
  /// It has taken the place of a damaged one. From the actor; may be empty.
  std::function<void(const group_id&)> repaired;
};

[[nodiscard]] partition_actor spawn_partition(caf::actor_system& system, partition_config config);

} // namespace aqueduct::actors
