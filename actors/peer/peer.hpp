// THE PEER actor: one per other node. Carries the effects of its core to the link's connections and
// the link's events to the core; what arrives goes to the receiver of the node, calls to who
// answers them. It decides nothing itself.
#pragma once

#include "actors/environment.hpp"
#include "actors/peer/peer_core.hpp"
#include "actors/peer/peer_inbox.hpp"

#include <caf/allowed_unsafe_message_type.hpp>
#include <caf/fwd.hpp>
#include <caf/replies_to.hpp>
#include <caf/typed_actor.hpp>

#include <functional>
#include <memory>
#include <mutex>
#include <variant>

namespace spdlog {
class logger;
}

namespace aqueduct::actors {

/// What a peer actor last said of itself, for whoever asks. Thread-safe.
class peer_board {
public:
  void write(peer_status status) {
    const std::lock_guard lock(mutex_);
    status_ = std::move(status);
  }
  [[nodiscard]] peer_status read() const {
    const std::lock_guard lock(mutex_);
    return status_;
  }

private:
  mutable std::mutex mutex_;
  peer_status status_;
};

// -- the messages of the actor --------------------------------------------------------------------

/// The inbox is no longer empty.
struct peer_wake {};
/// Due at this time of the steady clock; one that was scheduled before an earlier one is ignored.
struct peer_tick {
  std::int64_t due_ms = 0;
};
struct peer_opened {
  connection_id id = 0;
};
struct peer_arrived {
  connection_id id = 0;
  link_frames frames;
};
struct peer_sent {
  connection_id id = 0;
};
struct peer_closed {
  connection_id id = 0;
  error why;
};
/// The other node opened a connection and introduced itself.
struct peer_accepted {
  connection_id id = 0;
  std::shared_ptr<link> from;
  protocol::cluster::hello hello;
};
struct peer_readdress {
  config::endpoint address;
};
struct peer_join {
  uuid cluster;
};
/// Close the link and end.
struct peer_stop {};
struct peer_event {
  std::variant<peer_wake, peer_tick, peer_opened, peer_arrived, peer_sent, peer_closed,
               peer_accepted, peer_readdress, peer_join, peer_stop>
      what;
};
using peer_actor = caf::typed_actor<caf::reacts_to<peer_event>>;

struct peer_config {
  peer_core_options core;
  config::endpoint address;
  std::shared_ptr<environment> env;
  std::shared_ptr<link_dialler> dialler;
  std::shared_ptr<raft_receiver> receiver;
  /// Answers the other node's calls. May be empty: they are refused.
  std::shared_ptr<call_handler> calls;
  std::shared_ptr<spdlog::logger> log;
  std::shared_ptr<peer_inbox> inbox;
  std::shared_ptr<peer_board> board;
  /// Called when the link comes up or goes down.
  std::function<void(raft::node_id, bool is_up)> changed;
};

[[nodiscard]] peer_actor spawn_peer(caf::actor_system& system, peer_config config);

/// Passes a connection's events on to the actor.
[[nodiscard]] std::shared_ptr<link_sink> make_peer_sink(peer_actor to, connection_id id);

} // namespace aqueduct::actors

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(aqueduct::actors::peer_event)
