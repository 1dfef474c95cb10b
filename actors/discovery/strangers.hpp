// Nodes that introduce themselves, whatever else finds them.
#pragma once

#include "actors/peer/peer_transport.hpp"

namespace aqueduct::actors {

/// Gives the node a link if it says where it is and may belong together with this one. Only so many
/// nodes are believed.
void meet_stranger(peer_transport& transport, const protocol::cluster::hello& hello);

} // namespace aqueduct::actors
