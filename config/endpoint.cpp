#include "config/endpoint.hpp"

#include <algorithm>
#include <charconv>

namespace aqueduct::config {

namespace {

constexpr std::size_t host_size_max = 253; // RFC 1035, without the final dot

bool is_alphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/// Letters, digits, '-', '_' and '.': covers DNS names, container names, IPv4 addresses and zones.
bool is_host_name(std::string_view host) {
  return !host.empty() && host.size() <= host_size_max && host.front() != '.' &&
         host.find("..") == std::string_view::npos && std::ranges::all_of(host, [](char c) {
           return is_alphanumeric(c) || c == '-' || c == '_' || c == '.';
         });
}

/// Only tells an IPv6 address from something else; whether it exists is found out on binding.
bool looks_like_ipv6(std::string_view host) {
  const auto zone = host.find('%');
  const auto address = host.substr(0, zone);
  if (zone != std::string_view::npos && !is_host_name(host.substr(zone + 1)))
    return false;
  return std::ranges::count(address, ':') >= 2 && address.size() <= 45 &&
         std::ranges::all_of(address, [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') ||
                  c == ':' || c == '.';
         });
}

unexpected bad(std::string why) {
  return {errc::invalid_config, std::move(why)};
}

} // namespace

result<endpoint> parse_endpoint(std::string_view text) {
  const auto colon = text.rfind(':');
  const bool bracketed = text.starts_with('[');
  if (colon == std::string_view::npos || (bracketed && text.substr(0, colon).back() != ']'))
    return bad("has no port; write host:port");
  auto host = text.substr(0, colon);
  if (host.empty())
    return bad("has no host; write 0.0.0.0:port to listen on all addresses");
  if (bracketed) {
    host = host.substr(1, host.size() - 2);
    if (!looks_like_ipv6(host))
      return bad("is not an IPv6 address in brackets");
  } else if (host.find(':') != std::string_view::npos) {
    return bad("has several colons; write an IPv6 address as [address]:port");
  } else if (!is_host_name(host)) {
    return bad("has a host that is neither a name nor an address");
  }
  const auto digits = text.substr(colon + 1);
  endpoint address{std::string(host), 0};
  const auto [end, ec] =
      std::from_chars(digits.data(), digits.data() + digits.size(), address.port);
  if (digits.empty() || ec != std::errc() || end != digits.data() + digits.size())
    return bad("has a port that is not a number from 0 to 65535");
  return address;
}

std::string to_string(const endpoint& address) {
  const bool ipv6 = address.host.find(':') != std::string::npos;
  auto text = ipv6 ? "[" + address.host + "]" : address.host;
  return text.append(":").append(std::to_string(address.port));
}

result<named_endpoint> parse_named_endpoint(std::string_view text) {
  constexpr std::size_t name_size_max = 32;
  const auto equals = text.find('=');
  if (equals == std::string_view::npos)
    return bad("has no name; write name=host:port");
  const auto name = text.substr(0, equals);
  const bool is_name =
      !name.empty() && name.size() <= name_size_max && std::ranges::all_of(name, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
      });
  if (!is_name)
    return bad("has a name that is not 1 to 32 lower-case letters, digits and '-'");
  auto address = parse_endpoint(text.substr(equals + 1));
  if (!address)
    return address.propagate();
  return named_endpoint{std::string(name), *std::move(address)};
}

std::string to_string(const named_endpoint& named) {
  return named.name + "=" + to_string(named.address);
}

} // namespace aqueduct::config
