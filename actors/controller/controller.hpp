// THE CONTROLLER actor: the shell of `controller_core`. Proposes what the core decides, replays
// what the controller group commits, writes the cluster's state, and has `topic_host` keep this
// node's partitions in step with it.
#pragma once

#include "actors/controller/topic_host.hpp"

#include <caf/fwd.hpp>

#include <atomic>
#include <functional>
#include <memory>

namespace aqueduct::actors {

struct controller_config {
  std::shared_ptr<const partition_services> services;
  std::shared_ptr<topic_directory> directory;
  /// Kept up to date for the front ends.
  std::shared_ptr<std::atomic<std::shared_ptr<const cluster_view>>> view;
  controller_core::limits limits;
  broker_record self;
  std::shared_ptr<spdlog::logger> log;
  /// Called once, from the actor: the node is registered in a cluster and its topics are known; or
  /// it cannot be.
  std::function<void(result<void>)> ready;
};

[[nodiscard]] controller_actor spawn_controller(caf::actor_system& system,
                                                controller_config config);

} // namespace aqueduct::actors
