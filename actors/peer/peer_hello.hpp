// Who nodes are to each other: making and judging the first messages of a connection.
#pragma once

#include "config/node_config.hpp"
#include "protocol/cluster/messages.hpp"
#include "protocol/native/frame.hpp"
#include "protocol/result.hpp"
#include "raft/types.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace aqueduct::actors {

/// What a node says of itself.
struct node_identity {
  /// Nil while it does not know.
  uuid cluster;
  raft::replica_id self;
  /// Drawn at random when the process began.
  std::uint64_t session = 0;
  /// Name and version.
  std::string software;
  /// Largest frame length that this node takes.
  std::uint32_t frame_bytes_max = 0;
  /// Where other nodes reach its cluster port.
  config::endpoint address;
};

/// Why a connection is not taken, for the other node and for the log.
struct hello_refusal {
  protocol::cluster::refusal why = protocol::cluster::refusal::malformed;
  std::string message;
};

[[nodiscard]] protocol::cluster::hello make_hello(const node_identity& us, raft::node_id target,
                                                  protocol::cluster::purpose what);
/// Takes the connection, with the newest protocol version that both speak.
[[nodiscard]] protocol::cluster::hello_answer make_answer(const node_identity& us,
                                                          const protocol::cluster::hello& to);
[[nodiscard]] protocol::cluster::hello_answer make_refusal(const node_identity& us,
                                                           const hello_refusal& refused);

/// Reads the first frame of a connection that another node opened.
[[nodiscard]] result<protocol::cluster::hello> read_hello(const protocol::frame_header& header,
                                                          const buffer& payload);
/// Nothing when `them` may connect to `us`, as far as this node alone can tell.
[[nodiscard]] std::optional<hello_refusal> judge(const node_identity& us,
                                                 const protocol::cluster::hello& them);
/// Reads the answer to a hello whatever it says: also a refusal tells who answered.
[[nodiscard]] result<protocol::cluster::hello_answer>
decode_answer(const protocol::frame_header& header, const buffer& payload);
/// Reads the answer to a hello and judges it; `expected` is the node that was dialled.
[[nodiscard]] result<protocol::cluster::hello_answer>
read_hello_answer(const node_identity& us, raft::node_id expected,
                  const protocol::frame_header& header, const buffer& payload);

} // namespace aqueduct::actors
