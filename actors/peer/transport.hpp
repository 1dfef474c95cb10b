// How Raft messages leave a node and arrive on one. The replicas know nothing but these two
// interfaces; behind them are the peer actors of a node, or the simulated network of a test.
#pragma once

#include "protocol/ids.hpp"
#include "raft/messages.hpp"

#include <vector>

namespace aqueduct::actors {

/// Takes messages of this node's replicas to other nodes. Thread-safe, never blocks. May lose,
/// repeat, delay and reorder messages, and does whenever memory or a link is short; never alters
/// them. Messages to a node that is not known are lost.
class raft_transport {
public:
  virtual ~raft_transport() = default;
  virtual void send(const group_id& group, raft::replica_id from,
                    std::vector<raft::outgoing> messages) = 0;
};

/// A message of another node's replica, as it arrived.
struct raft_delivery {
  group_id group;
  raft::replica_id from;
  /// The life of this node's replica that is meant: a message to an earlier one is not delivered.
  raft::replica_id to;
  raft::message body;
};

/// Where arrived messages go. Thread-safe, never blocks.
class raft_receiver {
public:
  virtual ~raft_receiver() = default;
  virtual void deliver(std::vector<raft_delivery> messages) = 0;
};

} // namespace aqueduct::actors
