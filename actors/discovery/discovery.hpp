// THE DISCOVERY actor: asks the nodes at the seed addresses who they are. Before the node belongs
// to a cluster that decides which one (`seed_survey`); afterwards it keeps the links to nodes that
// moved.
//
//   a node without data:  surveying --outcome--> told once, then as below
//   a node of a cluster:  asks, now and then, the seeds that it has no link to
//
// The seeds are a list that was given, or the nodes of one process, as they come and go.
#pragma once

#include "actors/discovery/memory_registry.hpp"
#include "actors/discovery/seed_survey.hpp"
#include "actors/environment.hpp"
#include "actors/peer/link.hpp"
#include "actors/peer/peer_transport.hpp"

#include <caf/allowed_unsafe_message_type.hpp>
#include <caf/fwd.hpp>
#include <caf/replies_to.hpp>
#include <caf/typed_actor.hpp>

#include <functional>
#include <memory>
#include <variant>
#include <vector>

namespace aqueduct::actors {

struct seed_opened {
  std::uint64_t probe = 0;
};
struct seed_answered {
  std::uint64_t probe = 0;
  link_frame frame;
};
struct seed_closed {
  std::uint64_t probe = 0;
  error why;
};
struct discovery_tick {};
/// Another node introduced itself.
struct stranger_seen {
  protocol::cluster::hello hello;
};
struct discovery_stop {};
struct discovery_event {
  std::variant<seed_opened, seed_answered, seed_closed, discovery_tick, stranger_seen,
               discovery_stop>
      what;
};
using discovery_actor = caf::typed_actor<caf::reacts_to<discovery_event>>;

struct discovery_config {
  std::vector<config::endpoint> seeds;
  /// Where the seeds are those that are there, in place of `seeds`. Empty: those of `seeds`.
  std::shared_ptr<memory_registry::seat> seat;
  std::shared_ptr<link_dialler> dialler;
  std::shared_ptr<peer_transport> transport;
  std::shared_ptr<environment> env;
  std::shared_ptr<spdlog::logger> log;
  /// The node belongs to no cluster yet and has to know which one: called once, from the actor.
  /// Empty: it knows.
  std::function<void(survey_outcome)> decided;
};

[[nodiscard]] discovery_actor spawn_discovery(caf::actor_system& system, discovery_config config);

} // namespace aqueduct::actors

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(aqueduct::actors::discovery_event)
