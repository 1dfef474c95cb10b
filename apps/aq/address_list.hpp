// Addresses of a host, as the system resolves them.
#pragma once

#include "config/endpoint.hpp"

#include <netdb.h>
#include <sys/socket.h>

#include <string>

namespace aqueduct::aq {

/// What a host and a port resolve to.
class address_list {
public:
  address_list(const config::endpoint& to, bool passive) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = passive ? AI_PASSIVE : 0;
    const auto port = std::to_string(to.port);
    const int code = ::getaddrinfo(to.host.c_str(), port.c_str(), &hints, &first);
    if (code != 0)
      problem = ::gai_strerror(code);
  }
  ~address_list() {
    if (first != nullptr)
      ::freeaddrinfo(first);
  }
  address_list(const address_list&) = delete;
  address_list& operator=(const address_list&) = delete;

  addrinfo* first = nullptr;
  std::string problem;
};

} // namespace aqueduct::aq
