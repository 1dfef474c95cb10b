#include "protocol/client/internal/endpoint.hpp"

#include <charconv>

namespace aqueduct::client {

namespace {

unexpected malformed(std::string_view text, std::string_view why) {
  return unexpected(errc::invalid_config, "broker address '" + std::string(text) + "' " +
                                              std::string(why) +
                                              "; write host:port, or [address]:port for IPv6");
}

} // namespace

std::string to_string(const endpoint& address) {
  const bool v6 = address.host.find(':') != std::string::npos;
  return (v6 ? "[" + address.host + "]" : address.host) + ":" + std::to_string(address.port);
}

result<endpoint> parse_endpoint(std::string_view text) {
  endpoint parsed;
  std::string_view port;
  if (text.starts_with('[')) {
    const auto close = text.find(']');
    if (close == std::string_view::npos)
      return malformed(text, "has no closing bracket");
    parsed.host = text.substr(1, close - 1);
    const auto rest = text.substr(close + 1);
    if (!rest.empty() && rest.front() != ':')
      return malformed(text, "has something other than a port after the bracket");
    port = rest.empty() ? rest : rest.substr(1);
    if (!rest.empty() && port.empty())
      return malformed(text, "has no port after the colon");
  } else {
    const auto colon = text.find(':');
    if (colon != std::string_view::npos && text.find(':', colon + 1) != std::string_view::npos)
      return malformed(text, "has more than one colon");
    parsed.host = text.substr(0, colon);
    if (colon != std::string_view::npos) {
      port = text.substr(colon + 1);
      if (port.empty())
        return malformed(text, "has no port after the colon");
    }
  }
  if (parsed.host.empty())
    return malformed(text, "has no host");
  if (parsed.host.find_first_of(" \t/,[]") != std::string::npos)
    return malformed(text, "has a character that no host has");
  if (!port.empty()) {
    unsigned value = 0;
    const auto [end, code] = std::from_chars(port.data(), port.data() + port.size(), value);
    if (code != std::errc() || end != port.data() + port.size() || value == 0 || value > 65535)
      return malformed(text, "has a port that is not a number from 1 to 65535");
    parsed.port = static_cast<std::uint16_t>(value);
  }
  return parsed;
}

} // namespace aqueduct::client
