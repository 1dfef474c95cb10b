// THE ETCD DISCOVERY actor: carries out what `etcd_core` wants, over HTTP and the links to other
// nodes. As long as etcd is away it waits; the cluster does not need it for anything but finding
// nodes.
#pragma once

#include "actors/discovery/discovery.hpp"
#include "actors/discovery/etcd_core.hpp"
#include "actors/discovery/http_caller.hpp"

#include <caf/allowed_unsafe_message_type.hpp>
#include <caf/fwd.hpp>
#include <caf/replies_to.hpp>
#include <caf/typed_actor.hpp>

#include <functional>
#include <memory>
#include <variant>
#include <vector>

namespace aqueduct::actors {

struct etcd_answered {
  std::uint64_t number = 0;
  result<http_reply> reply;
};
struct etcd_watch_line {
  std::uint64_t number = 0;
  std::string text;
};
struct etcd_watch_closed {
  std::uint64_t number = 0;
  error why;
};
/// Which alarm went off; only the one that was set last counts.
struct etcd_alarm {
  std::uint64_t number = 0;
};
struct etcd_reminder {};
/// The node belongs to this cluster from here on.
struct cluster_joined {
  uuid cluster;
};
struct etcd_event {
  std::variant<etcd_answered, etcd_watch_line, etcd_watch_closed, etcd_alarm, etcd_reminder,
               stranger_seen, cluster_joined, discovery_stop>
      what;
};
using etcd_discovery_actor = caf::typed_actor<caf::reacts_to<etcd_event>>;

struct etcd_discovery_config {
  /// Without a slash at its end.
  std::string prefix;
  std::int64_t ttl_ms = 10'000;
  /// Addresses of etcd's clients; at least one.
  std::vector<config::endpoint> members;
  std::shared_ptr<http_caller> http;
  std::shared_ptr<peer_transport> transport;
  std::shared_ptr<environment> env;
  std::shared_ptr<spdlog::logger> log;
  /// As in discovery_config.
  std::function<void(survey_outcome)> decided;
};

[[nodiscard]] etcd_discovery_actor spawn_etcd_discovery(caf::actor_system& system,
                                                        etcd_discovery_config config);

} // namespace aqueduct::actors

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(aqueduct::actors::etcd_event)
