// THE ADMIN actor: serves operators over CAF remote actors (admin_interface.hpp). Detached: it may
// wait for the answers of others without holding up anybody.
#pragma once

#include "actors/admin_interface.hpp"
#include "actors/directory.hpp"
#include "actors/environment.hpp"
#include "actors/partition/tail_cache.hpp"
#include "actors/peer/peer_core.hpp"
#include "actors/replica/group_registry.hpp"
#include "actors/scrub/scrubber.hpp"
#include "protocol/result.hpp"

#include <caf/fwd.hpp>

#include <functional>
#include <memory>
#include <string>

namespace spdlog {
class logger;
}

namespace aqueduct::actors {

/// What the admin actor needs of the node.
struct admin_services {
  std::int32_t node = 0;
  std::string software;
  std::string address;
  std::string data_dir;
  std::int64_t started_ms = 0;
  std::shared_ptr<topic_directory> directory;
  std::shared_ptr<known_cluster> view;
  std::shared_ptr<cache_budget> cache;
  std::shared_ptr<storage::disk> disk;
  std::shared_ptr<scrub_board> scrubs;
  std::function<std::size_t()> connections;
  std::function<bool()> is_draining;
  /// Thread-safe.
  std::function<result<void>()> flush;
  std::function<void()> drain;
  std::function<void()> shut_down;
  /// As `scrub_start`: an empty topic is everything, partition -1 all of the topic.
  std::function<result<void>(const std::string& topic, std::int32_t partition)> scrub;
  std::function<result<void>()> stop_scrub;
  /// The Raft groups that are open here, the links to other nodes, and who does what is asked of
  /// the cluster.
  std::shared_ptr<group_registry> groups;
  std::function<std::vector<peer_status>()> links;
  controller_actor controller;
  std::shared_ptr<environment> env;
  std::shared_ptr<spdlog::logger> log;
};

[[nodiscard]] admin_actor spawn_admin(caf::actor_system& system, admin_services services);

} // namespace aqueduct::actors
