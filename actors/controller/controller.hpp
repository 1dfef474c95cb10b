// THE CONTROLLER actor: the shell of `controller_core`. Every node has one. Each replays what the
// controller group commits, writes the cluster's state, and has `topic_host` keep its node's
// partitions in step with it. The one that leads proposes what the core decides, watches which
// brokers are there, and makes brokers members of the group; the others ask it.
#pragma once

#include "actors/controller/topic_host.hpp"
#include "actors/peer/node_calls.hpp"

#include <caf/fwd.hpp>

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <vector>

namespace aqueduct::actors {

struct controller_config {
  std::shared_ptr<const partition_services> services;
  std::shared_ptr<topic_directory> directory;
  /// Kept up to date for the front ends.
  std::shared_ptr<known_cluster> view;
  /// The same for clients of listeners that have names, by name.
  std::map<std::string, std::shared_ptr<known_cluster>> listener_views;
  controller_core::limits limits;
  /// For the coordinators of consumer groups on this node.
  group_limits groups;
  /// How this broker is to be registered.
  broker_record self;
  /// The first members of the controller's group: this node when it founds a cluster, nobody when
  /// it joins one.
  raft::membership founders;
  std::int64_t heartbeat_ms = 500;
  std::int64_t session_timeout_ms = 5000;
  /// How long a move waits for a broker that is gone before it is taken back.
  std::int64_t move_timeout_ms = 600'000;
  std::shared_ptr<spdlog::logger> log;
  /// The log keeps at least so many entries behind its end, and at most twice as many: who lacks
  /// more takes over the state instead.
  std::uint64_t entries_kept = 4096;
  /// Called once, from the actor: the node is registered in a cluster and its topics are known; or
  /// it cannot be.
  std::function<void(result<void>)> ready;
  /// Called once after `ready`, from the actor: the node may be counted on, as the metadata does
  /// not depend on others alone. It votes on the metadata, or as many as may do already; and so do
  /// `voters_wanted` nodes. timed_out: that is not so after `settle_ms_max`, said in a sentence.
  std::function<void(result<void>)> settled;
  /// A founder's: how many nodes the cluster is meant to begin with.
  std::size_t voters_wanted = 1;
  std::int64_t settle_ms_max = 10'000;

  /// To the other nodes; empty: there are none.
  std::shared_ptr<node_caller> caller;
  /// Nodes that can be asked now. From the actor.
  std::function<std::vector<raft::node_id>()> contacts;
  /// What room the disk of this node has; does not wait for it. From the actor; may be empty.
  std::function<disk_room()> disk;
  /// A damaged replica of this node was replaced by a sound one. From any thread; may be empty.
  std::function<void(const group_id&)> repaired;
  /// A broker is registered: it gets a link. From the actor.
  std::function<void(const broker_record&)> meet;
};

/// Gives the questions of other nodes to a controller.
[[nodiscard]] std::shared_ptr<call_handler> make_controller_gate(controller_actor to);

[[nodiscard]] controller_actor spawn_controller(caf::actor_system& system,
                                                controller_config config);

} // namespace aqueduct::actors
