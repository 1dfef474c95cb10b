// Whether somebody listens at an address.
#pragma once

#include "config/endpoint.hpp"

#include <chrono>
#include <string>

namespace aqueduct::aq {

/// Empty if a TCP connection can be made within `timeout` per address of the name, else why not.
[[nodiscard]] std::string try_connect(const config::endpoint& to,
                                      std::chrono::milliseconds timeout);

} // namespace aqueduct::aq
