#include "tests/support/cluster_network.hpp"

#include "protocol/cluster/messages.hpp"
#include "protocol/native/codec.hpp"
#include "protocol/native/frame.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <stdexcept>

namespace aqueduct::test {

namespace {

/// A side that takes so little is not read for: as a full socket would do.
constexpr std::size_t queued_bytes_max = std::size_t{8} << 20;
constexpr std::size_t read_bytes = 65536;
/// What a connection between nodes begins with, ahead of its first message.
constexpr std::size_t preface_bytes = 8;
constexpr std::size_t greeting_bytes_max = std::size_t{1} << 20;

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in where{};
  where.sin_family = AF_INET;
  where.sin_port = htons(port);
  where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return where;
}

} // namespace

cluster_network::cluster_network(std::vector<std::uint16_t> ports) : node_ports_(std::move(ports)) {
  wake_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  for (std::size_t i = 0; i < node_ports_.size(); ++i) {
    const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    auto where = loopback(0);
    socklen_t size = sizeof where;
    if (::bind(listener, reinterpret_cast<sockaddr*>(&where), size) != 0 ||
        ::listen(listener, 64) != 0 ||
        ::getsockname(listener, reinterpret_cast<sockaddr*>(&where), &size) != 0)
      throw std::runtime_error("no port for the network of the cluster");
    listeners_.push_back(listener);
    ports_.push_back(ntohs(where.sin_port));
  }
  thread_ = std::thread([this] { run(); });
}

cluster_network::~cluster_network() {
  {
    const std::lock_guard lock(mutex_);
    is_over_ = true;
  }
  wake();
  thread_.join();
  for (const auto& on : connections_)
    for (const auto& each : on.sides)
      if (each.fd >= 0)
        ::close(each.fd);
  for (const int listener : listeners_)
    ::close(listener);
  ::close(wake_);
}

std::string cluster_network::address(int node) const {
  return "127.0.0.1:" + std::to_string(ports_.at(static_cast<std::size_t>(node - 1)));
}

void cluster_network::cut(int from, int to) {
  const std::lock_guard lock(mutex_);
  cuts_.insert({from, to});
}

void cluster_network::isolate(int node) {
  const std::lock_guard lock(mutex_);
  for (int other = 1; other <= static_cast<int>(ports_.size()); ++other)
    if (other != node) {
      cuts_.insert({node, other});
      cuts_.insert({other, node});
    }
}

void cluster_network::delay(int node, std::chrono::milliseconds by) {
  const std::lock_guard lock(mutex_);
  delays_[node] = by;
}

void cluster_network::reset(int node) {
  {
    const std::lock_guard lock(mutex_);
    for (auto& on : connections_)
      if (on.sides[0].node == node || on.sides[1].node == node)
        on.is_over = true;
  }
  wake();
}

void cluster_network::heal() {
  {
    const std::lock_guard lock(mutex_);
    cuts_.clear();
    delays_.clear();
    for (auto& on : connections_)
      on.is_over = on.is_over || on.has_lost;
  }
  wake();
}

void cluster_network::wake() const {
  const std::uint64_t one = 1;
  (void)!::write(wake_, &one, sizeof one);
}

int cluster_network::wait_ms() const {
  auto first = clock::time_point::max();
  for (const auto& on : connections_)
    for (const auto& each : on.sides)
      if (!each.queue.empty() && !each.is_blocked)
        first = std::min(first, each.queue.front().due);
  if (first == clock::time_point::max())
    return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(first - clock::now()).count();
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, 1000));
}

void cluster_network::run() {
  std::unique_lock lock(mutex_);
  while (!is_over_) {
    std::vector<pollfd> waiting{{wake_, POLLIN, 0}};
    for (const int listener : listeners_)
      waiting.push_back({listener, POLLIN, 0});
    for (const auto& on : connections_)
      for (std::size_t i = 0; i < 2; ++i) {
        const auto& each = on.sides[i];
        const bool reads = !each.has_ended && on.sides[1 - i].queued_bytes < queued_bytes_max;
        const int events = (reads ? POLLIN : 0) | (each.is_blocked ? POLLOUT : 0);
        waiting.push_back({each.fd, static_cast<short>(events), 0});
      }
    const int patience_ms = wait_ms();
    lock.unlock();
    ::poll(waiting.data(), waiting.size(), patience_ms);
    lock.lock();
    std::uint64_t count = 0;
    (void)!::read(wake_, &count, sizeof count);
    auto ready = waiting.begin() + 1 + static_cast<std::ptrdiff_t>(listeners_.size());
    const auto now = clock::now();
    for (auto& on : connections_) {
      for (std::size_t i = 0; i < 2; ++i, ++ready)
        if (ready->revents != 0)
          serve(on, i, ready->revents);
      for (std::size_t i = 0; i < 2; ++i)
        write_due(on, i, now);
    }
    connections_.remove_if([](const connection& on) {
      if (on.is_over)
        for (const auto& each : on.sides)
          if (each.fd >= 0)
            ::close(each.fd);
      return on.is_over;
    });
    for (std::size_t i = 0; i < listeners_.size(); ++i)
      if (waiting[1 + i].revents != 0)
        accept(i);
  }
}

void cluster_network::accept(std::size_t node) {
  connection on;
  on.sides[0].fd = ::accept4(listeners_[node], nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (on.sides[0].fd < 0)
    return;
  on.sides[1].node = static_cast<int>(node) + 1;
  on.sides[1].fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  const auto where = loopback(node_ports_[node]);
  if (::connect(on.sides[1].fd, reinterpret_cast<const sockaddr*>(&where), sizeof where) != 0 &&
      errno != EINPROGRESS) {
    ::close(on.sides[0].fd);
    ::close(on.sides[1].fd);
    return;
  }
  connections_.push_back(std::move(on));
}

void cluster_network::serve(connection& on, std::size_t from, short events) {
  if ((events & POLLOUT) != 0)
    on.sides[from].is_blocked = false;
  if ((events & POLLIN) != 0)
    read(on, from);
  else if ((events & (POLLERR | POLLHUP)) != 0)
    ended(on, from);
}

void cluster_network::read(connection& on, std::size_t from) {
  std::array<std::byte, read_bytes> bytes;
  const auto got = ::recv(on.sides[from].fd, bytes.data(), bytes.size(), 0);
  if (got < 0 && errno == EAGAIN)
    return;
  if (got <= 0) {
    ended(on, from);
    return;
  }
  const byte_span all(bytes.data(), static_cast<std::size_t>(got));
  if (from == 0 && !on.is_known)
    greet(on, all);
  else
    pass(on, from, all);
}

void cluster_network::greet(connection& on, byte_span bytes) {
  // The node answers what comes first before the dialler says who it is.
  const auto ahead = std::min(bytes.size(), preface_bytes - on.preface_passed);
  if (ahead > 0)
    pass(on, 0, bytes.first(ahead));
  on.preface_passed += ahead;
  bytes = bytes.subspan(ahead);
  auto& greeting = on.greeting;
  greeting.insert(greeting.end(), bytes.begin(), bytes.end());
  if (greeting.size() < protocol::frame_header_size)
    return;
  const auto header = protocol::read_frame_header(greeting.data(), greeting_bytes_max);
  if (header) {
    const auto size = protocol::frame_header_size + header->payload_size();
    if (greeting.size() < size)
      return;
    const auto payload =
        byte_span(greeting).subspan(protocol::frame_header_size, header->payload_size());
    const auto hello =
        protocol::decode<protocol::cluster::hello>(buffer::copy_of(payload), header->version);
    if (hello)
      on.sides[0].node = hello->node;
  }
  on.is_known = true;
  pass(on, 0, greeting);
}

bool cluster_network::is_cut(const connection& on, std::size_t from) const {
  return cuts_.contains({on.sides[from].node, on.sides[1 - from].node});
}

void cluster_network::pass(connection& on, std::size_t from, byte_span bytes) {
  if (is_cut(on, from) || on.sides[1 - from].fd < 0) {
    on.has_lost = true;
    return;
  }
  auto& to = on.sides[1 - from];
  auto due = clock::now();
  for (const auto& each : on.sides)
    if (const auto found = delays_.find(each.node); found != delays_.end())
      due += found->second;
  // What was sent first arrives first, also when a delay is taken back.
  if (!to.queue.empty())
    due = std::max(due, to.queue.back().due);
  to.queue.push_back({due, {bytes.begin(), bytes.end()}});
  to.queued_bytes += bytes.size();
}

void cluster_network::ended(connection& on, std::size_t from) {
  auto& side = on.sides[from];
  if (is_cut(on, from) && on.sides[1 - from].fd >= 0) {
    ::close(side.fd);
    side.fd = -1;
    side.is_blocked = false;
    side.queue.clear();
    side.queued_bytes = 0;
    on.has_lost = true;
    return;
  }
  // An error: nothing is left to be read, nor can anything be written.
  if (side.has_ended || on.sides[1 - from].queue.empty())
    on.is_over = true;
  side.has_ended = true;
}

void cluster_network::write_due(connection& on, std::size_t to, clock::time_point now) {
  auto& side = on.sides[to];
  while (!on.is_over && !side.is_blocked && !side.queue.empty() && side.queue.front().due <= now) {
    auto& next = side.queue.front();
    const auto sent =
        ::send(side.fd, next.bytes.data() + next.sent, next.bytes.size() - next.sent, MSG_NOSIGNAL);
    if (sent < 0) {
      side.is_blocked = errno == EAGAIN;
      on.is_over = !side.is_blocked;
      return;
    }
    next.sent += static_cast<std::size_t>(sent);
    side.queued_bytes -= static_cast<std::size_t>(sent);
    if (next.sent == next.bytes.size())
      side.queue.pop_front();
  }
  if (side.queue.empty() && on.sides[1 - to].has_ended)
    on.is_over = true;
}

} // namespace aqueduct::test
