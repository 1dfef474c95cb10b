// Between the consensus core's messages and those of the cluster protocol. The bodies of entries
// are shared on the way out; on the way in small ones are copied out of the frame, so that an entry
// that is kept for long does not keep a whole read alive.
#pragma once

#include "actors/peer/transport.hpp"
#include "protocol/cluster/messages.hpp"

#include <cstddef>

namespace aqueduct::actors {

/// A message on its way to another node.
struct raft_parcel {
  group_id group;
  raft::replica_id from;
  raft::replica_id to;
  raft::message body;
};

/// About what a message takes in a frame and in memory, its entries' bodies included.
[[nodiscard]] std::size_t wire_size(const raft::message& message);

[[nodiscard]] protocol::cluster::raft_envelope to_wire(raft_parcel&& parcel);
/// Precondition: `protocol::cluster::check` passed.
[[nodiscard]] raft_delivery from_wire(protocol::cluster::raft_envelope&& envelope);

} // namespace aqueduct::actors
