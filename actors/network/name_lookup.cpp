#include "actors/network/name_lookup.hpp"

#include <netdb.h>
#include <sys/socket.h>

#include <cstring>
#include <thread>
#include <utility>

namespace aqueduct::actors::network {

namespace {

result<std::vector<tcp::endpoint>> look_up(const std::string& host, const std::string& port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const auto failed = ::getaddrinfo(host.c_str(), port.c_str(), &hints, &found);
  if (failed != 0)
    return unexpected(errc::broker_unavailable,
                      "cannot resolve '" + host + "': " + ::gai_strerror(failed));
  std::vector<tcp::endpoint> endpoints;
  for (const auto* each = found; each != nullptr; each = each->ai_next) {
    tcp::endpoint endpoint;
    if (each->ai_addrlen > endpoint.capacity())
      continue;
    std::memcpy(endpoint.data(), each->ai_addr, each->ai_addrlen);
    endpoint.resize(each->ai_addrlen);
    endpoints.push_back(endpoint);
  }
  ::freeaddrinfo(found);
  return endpoints;
}

} // namespace

name_lookup::~name_lookup() {
  const std::lock_guard lock(pending_->mutex);
  pending_->waiting.clear();
}

void name_lookup::find(const config::endpoint& of, answer then) {
  boost::system::error_code no_number;
  const auto number = asio::ip::make_address(of.host, no_number);
  if (!no_number) {
    then(std::vector<tcp::endpoint>{tcp::endpoint(number, of.port)});
    return;
  }
  const auto name = to_string(of);
  const std::lock_guard lock(pending_->mutex);
  auto& waiting = pending_->waiting[name];
  waiting.push_back(std::move(then));
  if (waiting.size() > 1)
    return;
  std::thread([of, name, weak = std::weak_ptr(pending_)] {
    const auto found = look_up(of.host, std::to_string(of.port));
    const auto pending = weak.lock();
    if (!pending)
      return;
    // Called under the lock: whoever ends the lookup knows that no answer is on its way.
    const std::lock_guard locked(pending->mutex);
    for (const auto& each : std::exchange(pending->waiting[name], {}))
      each(found);
    pending->waiting.erase(name);
  }).detach();
}

} // namespace aqueduct::actors::network
