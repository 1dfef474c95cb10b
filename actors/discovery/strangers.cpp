#include "actors/discovery/strangers.hpp"

#include <cstddef>

namespace aqueduct::actors {

namespace {

/// Links beyond which no stranger gets one.
constexpr std::size_t strangers_max = 128;

} // namespace

void meet_stranger(peer_transport& transport, const protocol::cluster::hello& hello) {
  const auto us = transport.identity();
  if (hello.host.empty() || hello.node == us.self.node.value)
    return;
  if (!us.cluster.is_nil() && !hello.cluster.is_nil() && us.cluster != hello.cluster)
    return;
  if (transport.status().size() < strangers_max)
    transport.add_peer(raft::node_id(hello.node), {hello.host, hello.port});
}

} // namespace aqueduct::actors
