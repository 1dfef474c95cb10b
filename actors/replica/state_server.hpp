// Answers other nodes that take over the state of a group: finds the replica that they ask and
// passes the question on to it.
#pragma once

#include "actors/peer/node_calls.hpp"
#include "actors/replica/group_registry.hpp"

#include <memory>

namespace aqueduct::actors {

/// Takes calls of kind fetch_state; all others are refused. Thread-safe.
class state_server final : public call_handler {
public:
  state_server(raft::replica_id self, std::shared_ptr<group_registry> groups)
      : self_(self), groups_(std::move(groups)) {}

  /// Errors: not_found: the group does not belong to this node, or another life of it was asked;
  /// topic_not_ready: it is not open, and is woken; those of `storage::log_store::read_state`.
  void asked(raft::node_id from, call_kind what, buffer question,
             std::function<void(result<buffer>)> answer) override;

private:
  raft::replica_id self_;
  std::shared_ptr<group_registry> groups_;
};

} // namespace aqueduct::actors
