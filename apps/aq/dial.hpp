// Whether somebody listens at an address, and a connection to whoever does.
#pragma once

#include "config/endpoint.hpp"
#include "protocol/result.hpp"

#include <chrono>
#include <string>

namespace aqueduct::aq {

/// A TCP connection, non-blocking, which the caller closes. Tries the addresses of the name one
/// after the other, each for at most `timeout`; looking the name up takes as long as the system's
/// resolver takes. Error: broker_unavailable, with the system's words alone.
[[nodiscard]] result<int> dial(const config::endpoint& to, std::chrono::milliseconds timeout);

/// Empty if `dial` makes a connection, else why not.
[[nodiscard]] std::string try_connect(const config::endpoint& to,
                                      std::chrono::milliseconds timeout);

} // namespace aqueduct::aq
