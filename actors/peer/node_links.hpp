// The links of a node as a whole: its cluster port and the transport over it, from its settings.
#pragma once

#include "actors/network/cluster_end.hpp"
#include "actors/peer/node_calls.hpp"
#include "actors/peer/peer_transport.hpp"
#include "config/node_config.hpp"

#include <caf/fwd.hpp>

#include <memory>

namespace aqueduct::actors {

/// All calls from one thread. Must outlive the actors of the links.
class node_links {
public:
  /// Binds `cluster.listen`; nothing is accepted before `serve`. Error conflict names the address
  /// that is in use.
  [[nodiscard]] static result<std::unique_ptr<node_links>>
  open(const config::node_config& settings);
  ~node_links();

  /// The address that was bound, with the port that was taken for port 0.
  [[nodiscard]] const config::endpoint& address() const { return end_->address(); }

  /// Who the node is and whom it tells.
  struct owner {
    uuid cluster;
    raft::replica_id self;
    std::string software;
    /// What other nodes are told to connect to.
    config::endpoint address;
    std::shared_ptr<environment> env;
    std::shared_ptr<raft_receiver> receiver;
    /// Answers the calls of other nodes. May be empty: they are refused.
    std::shared_ptr<call_handler> calls;
    /// See peer_transport_options.
    std::function<void(raft::node_id, bool is_up)> changed;
    std::function<void(const protocol::cluster::hello&)> stranger;
  };
  /// Accepts from here on; peers are added to the transport.
  std::shared_ptr<peer_transport> serve(caf::actor_system& system, owner node);

  /// Opens connections of the cluster port's kind.
  [[nodiscard]] std::shared_ptr<link_dialler> dialler() const { return end_; }

  /// Ends all links: their actors close their connections and end.
  void stop_links();
  /// Closes the port and what is left, once the actors are gone.
  void stop();

private:
  node_links(const config::node_config& settings, std::shared_ptr<network::cluster_end> end);

  std::int64_t election_timeout_ms_;
  std::uint64_t send_window_bytes_;
  std::uint32_t frame_bytes_max_;
  std::shared_ptr<network::cluster_end> end_;
  std::shared_ptr<peer_transport> transport_;
};

} // namespace aqueduct::actors
