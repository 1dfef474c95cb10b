// The links of a node to all others: routes Raft messages and calls to the peer actors, and
// connections that other nodes open to the actor of the node that they introduce themselves as.
#pragma once

#include "actors/environment.hpp"
#include "actors/peer/peer.hpp"

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <shared_mutex>
#include <string>
#include <unordered_map>
#include <vector>

namespace aqueduct::actors {

struct peer_transport_options {
  /// `session` is drawn by the transport.
  node_identity us;
  std::int64_t election_timeout_ms = 1000;
  /// Bytes that wait for one peer on the bulk connection; an eighth, but at least 1 MiB, on the
  /// control connection.
  std::size_t send_window_bytes = std::size_t{32} << 20;
  std::shared_ptr<environment> env;
  std::shared_ptr<link_dialler> dialler;
  std::shared_ptr<raft_receiver> receiver;
  /// Answers the calls of other nodes. May be empty: they are refused.
  std::shared_ptr<call_handler> calls;
  std::shared_ptr<spdlog::logger> log;
  /// A peer came up or went down; from any thread, must not block. May be empty.
  std::function<void(raft::node_id, bool is_up)> changed;
  /// A node of this cluster, or one that has none, introduced itself and is not a peer; it was
  /// refused, unless it only asked who this is.
  /// From any thread, must not block. May be empty.
  std::function<void(const protocol::cluster::hello&)> stranger;
};

/// Thread-safe. Lives in a shared_ptr.
class peer_transport final : public raft_transport,
                             public node_caller,
                             public link_acceptor,
                             public std::enable_shared_from_this<peer_transport> {
public:
  /// `system` must outlive the transport.
  peer_transport(caf::actor_system& system, peer_transport_options options);
  ~peer_transport() override;

  /// Begins a link to a node, or tells its actor where the node is now. This node itself is
  /// ignored.
  void add_peer(raft::node_id node, const config::endpoint& address);
  /// Ends the link. Messages to the node are lost from here on, its connections refused.
  void remove_peer(raft::node_id node);
  /// The node learned which cluster it belongs to.
  void join(const uuid& cluster);
  /// Ends all links; nothing is taken any more.
  void stop();

  void send(const group_id& group, raft::replica_id from,
            std::vector<raft::outgoing> messages) override;
  void call(raft::node_id to, call_kind what, buffer question, std::int64_t timeout_ms,
            std::function<void(result<buffer>)> answered) override;
  [[nodiscard]] std::shared_ptr<link_sink> accepted(std::shared_ptr<link> from) override;

  /// What this node says of itself now.
  [[nodiscard]] node_identity identity() const;
  /// Of all peers, by node.
  [[nodiscard]] std::vector<peer_status> status() const;

private:
  class incoming;
  struct route {
    peer_actor actor;
    std::shared_ptr<peer_inbox> inbox;
    std::shared_ptr<peer_board> board;
  };

  /// Refuses a connection, or passes it to its peer and returns the sink for what follows.
  [[nodiscard]] std::shared_ptr<link_sink> greet(const std::shared_ptr<link>& from,
                                                 const link_frame& first);
  [[nodiscard]] std::optional<route> find(raft::node_id node) const;
  void answer(link& from, const protocol::cluster::hello_answer& answer);
  void refuse(link& from, const hello_refusal& why);

  caf::actor_system& system_;
  peer_transport_options options_;
  std::atomic<std::uint64_t> accepted_count_{0};
  mutable std::shared_mutex mutex_;
  // Guarded by mutex_, as is options_.us.
  std::unordered_map<raft::node_id, route> peers_;
  bool stopped_ = false;
  /// What was last said to a connection that was not taken.
  std::string last_refusal_;
};

} // namespace aqueduct::actors
