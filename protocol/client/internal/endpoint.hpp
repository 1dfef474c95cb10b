// An address as users write it.
#pragma once

#include "protocol/result.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace aqueduct::client {

inline constexpr std::uint16_t default_port = 9092;

struct endpoint {
  std::string host;
  std::uint16_t port = default_port;

  friend bool operator==(const endpoint&, const endpoint&) = default;
};

/// "host:port", or "[host]:port" if the host has colons.
[[nodiscard]] std::string to_string(const endpoint& address);

/// Reads "host", "host:port", "[v6]", "[v6]:port". Error: invalid_config, naming what is wrong.
[[nodiscard]] result<endpoint> parse_endpoint(std::string_view text);

} // namespace aqueduct::client
