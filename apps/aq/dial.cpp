#include "apps/aq/dial.hpp"

#include "apps/aq/address_list.hpp"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace aqueduct::aq {

result<int> dial(const config::endpoint& to, std::chrono::milliseconds timeout) {
  const address_list addresses(to, false);
  std::string problem = addresses.problem;
  for (auto* each = addresses.first; each != nullptr; each = each->ai_next) {
    const int fd = ::socket(each->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
      problem = std::strerror(errno);
      continue;
    }
    int code = ::connect(fd, each->ai_addr, each->ai_addrlen) == 0 ? 0 : errno;
    if (code == EINPROGRESS) {
      pollfd ready{fd, POLLOUT, 0};
      socklen_t size = sizeof code;
      if (::poll(&ready, 1, static_cast<int>(timeout.count())) <= 0)
        code = ETIMEDOUT;
      else
        ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &size);
    }
    if (code == 0)
      return fd;
    ::close(fd);
    problem = std::strerror(code);
  }
  return unexpected(errc::broker_unavailable, problem);
}

std::string try_connect(const config::endpoint& to, std::chrono::milliseconds timeout) {
  const auto connected = dial(to, timeout);
  if (!connected)
    return connected.error().message;
  ::close(*connected);
  return {};
}

} // namespace aqueduct::aq
