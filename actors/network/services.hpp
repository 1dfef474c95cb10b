// What a dialect needs of the node.
#pragma once

#include "actors/consumer_group/group_router.hpp"
#include "actors/directory.hpp"
#include "actors/environment.hpp"
#include "actors/network/fetch_session.hpp"
#include "config/node_config.hpp"
#include "config/topic_config.hpp"

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

namespace spdlog {
class logger;
}

namespace aqueduct::actors {
class leader_elections;
}

namespace aqueduct::actors::network {

/// Settings that may change while the node runs.
struct live_settings {
  std::atomic<bool> auto_create{true};
  /// To say which settings of a topic are defaults.
  std::atomic<std::shared_ptr<const config::topic_config>> topic_defaults;
};

/// Shared by all connections; immutable but for what is atomic.
struct front_services {
  std::int32_t node = 0;
  std::string software;
  /// Where the data lies.
  std::string data_dir;
  std::shared_ptr<topic_directory> directory;
  std::shared_ptr<known_cluster> view;
  controller_actor controller;
  std::shared_ptr<const group_router> groups;
  std::shared_ptr<const leader_elections> elections;
  std::shared_ptr<environment> env;
  std::shared_ptr<spdlog::logger> log;
  config::limit_settings limits;
  std::shared_ptr<const live_settings> live;
  /// Partitions that all connections together subscribe to.
  std::shared_ptr<std::atomic<std::int64_t>> subscribed =
      std::make_shared<std::atomic<std::int64_t>>(0);
  std::shared_ptr<fetch_session_cache> fetch_sessions = std::make_shared<fetch_session_cache>();
};

} // namespace aqueduct::actors::network
