// Who holds a port: for the sentence that refuses a start.
#pragma once

#include "actors/network/stream.hpp"

#include <string>

namespace aqueduct::actors::network {

/// "process PID (NAME)" of a process that listens on `address`, found in /proc; empty when there is
/// none that this process may look into. Reads the descriptors of every process once: for errors,
/// not for traffic.
[[nodiscard]] std::string port_owner(const tcp::endpoint& address);

} // namespace aqueduct::actors::network
