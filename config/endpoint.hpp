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

/// An address that has a name, which is unique among those that it is listed with.
struct named_endpoint {
  /// 1 to 32 lower-case letters, digits and '-'.
  std::string name;
  endpoint address;

  friend bool operator==(const named_endpoint&, const named_endpoint&) = default;
  friend auto operator<=>(const named_endpoint&, const named_endpoint&) = default;
};

/// Reads `host:port` or `[ipv6]:port`; the error (`invalid_config`) says what is wrong with it.
[[nodiscard]] result<endpoint> parse_endpoint(std::string_view text);
/// The form that `parse_endpoint` reads.
[[nodiscard]] std::string to_string(const endpoint& address);

/// Reads `name=host:port` or `name=[ipv6]:port`; errors as above.
[[nodiscard]] result<named_endpoint> parse_named_endpoint(std::string_view text);
[[nodiscard]] std::string to_string(const named_endpoint& named);

} // namespace aqueduct::config
