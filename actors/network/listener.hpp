// Taking a port.
#pragma once

#include "actors/network/stream.hpp"
#include "config/endpoint.hpp"
#include "protocol/result.hpp"

#include <string_view>

namespace aqueduct::actors::network {

/// A socket that listens on `address`, the value of `setting`. Blocks while a name is resolved.
/// Errors, each naming address and setting: conflict when the port is taken, with its owner where
/// that can be found out; invalid_config when the address cannot be used;
/// internal when the machine has no socket left.
[[nodiscard]] result<tcp::acceptor> listen_on(asio::io_context& io, const config::endpoint& address,
                                              std::string_view setting);

} // namespace aqueduct::actors::network
