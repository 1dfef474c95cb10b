// A host and a port as they are written in settings. No name is resolved here.
#pragma once

#include "protocol/result.hpp"

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

namespace aqueduct::config {

struct endpoint {
  /// A DNS name, an IPv4 address, or an IPv6 address without brackets.
  std::string host;
  std::uint16_t port = 0;

  friend bool operator==(const endpoint&, const endpoint&) = default;
  friend auto operator<=>(const endpoint&, const endpoint&) = default;
};

/// Reads `host:port` or `[ipv6]:port`; the error (`invalid_config`) says what is wrong with it.
[[nodiscard]] result<endpoint> parse_endpoint(std::string_view text);
/// The form that `parse_endpoint` reads.
[[nodiscard]] std::string to_string(const endpoint& address);

} // namespace aqueduct::config
