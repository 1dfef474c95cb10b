#include "tests/client_node/answer_thief.hpp"

#include "protocol/native/frame.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <stdexcept>

namespace aqueduct::test {

namespace {

constexpr std::size_t frame_bytes_max = std::size_t{100} << 20;

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in where{};
  where.sin_family = AF_INET;
  where.sin_port = htons(port);
  where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return where;
}

bool write_all(int fd, const std::byte* bytes, std::size_t count) {
  while (count > 0) {
    const auto sent = ::send(fd, bytes, count, MSG_NOSIGNAL);
    if (sent <= 0)
      return false;
    bytes += sent;
    count -= static_cast<std::size_t>(sent);
  }
  return true;
}

} // namespace

answer_thief::answer_thief() {
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  wake_ = ::eventfd(0, EFD_CLOEXEC);
  auto where = loopback(0);
  socklen_t size = sizeof where;
  if (::bind(listener_, reinterpret_cast<sockaddr*>(&where), size) != 0 ||
      ::listen(listener_, 16) != 0 ||
      ::getsockname(listener_, reinterpret_cast<sockaddr*>(&where), &size) != 0)
    throw std::runtime_error("no port for the relay");
  port_ = ntohs(where.sin_port);
  thread_ = std::thread([this] { run(); });
}

answer_thief::~answer_thief() {
  const std::uint64_t one = 1;
  (void)!::write(wake_, &one, sizeof one);
  thread_.join();
  for (const auto& on : relays_) {
    ::close(on.client);
    ::close(on.node);
  }
  ::close(listener_);
  ::close(wake_);
}

std::string answer_thief::address() const {
  return "127.0.0.1:" + std::to_string(port_);
}

void answer_thief::run() {
  for (;;) {
    std::vector<pollfd> waiting{{wake_, POLLIN, 0}, {listener_, POLLIN, 0}};
    for (const auto& on : relays_) {
      waiting.push_back({on.client, POLLIN, 0});
      waiting.push_back({on.node, POLLIN, 0});
    }
    if (::poll(waiting.data(), waiting.size(), -1) < 0)
      continue;
    if (waiting[0].revents != 0)
      return;
    auto ready = waiting.begin() + 2;
    for (auto on = relays_.begin(); on != relays_.end();) {
      const bool asks = (ready++)->revents != 0;
      const bool answers = (ready++)->revents != 0;
      if ((!asks || pass_requests(*on)) && (!answers || pass_answers(*on))) {
        ++on;
        continue;
      }
      ::close(on->client);
      ::close(on->node);
      on = relays_.erase(on);
    }
    if (waiting[1].revents != 0)
      accept();
  }
}

void answer_thief::accept() {
  relay on;
  on.client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
  if (on.client < 0)
    return;
  on.node = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const auto where = loopback(node_port_);
  if (::connect(on.node, reinterpret_cast<const sockaddr*>(&where), sizeof where) != 0) {
    ::close(on.client);
    ::close(on.node);
    return;
  }
  relays_.push_back(std::move(on));
}

bool answer_thief::pass_requests(relay& on) {
  std::array<std::byte, 65536> bytes;
  const auto got = ::recv(on.client, bytes.data(), bytes.size(), 0);
  return got > 0 && write_all(on.node, bytes.data(), static_cast<std::size_t>(got));
}

bool answer_thief::pass_answers(relay& on) {
  auto& bytes = on.answers;
  const auto before = bytes.size();
  bytes.resize(before + 65536);
  const auto got = ::recv(on.node, bytes.data() + before, 65536, 0);
  if (got <= 0)
    return false;
  bytes.resize(before + static_cast<std::size_t>(got));
  std::size_t at = 0;
  while (bytes.size() - at >= protocol::frame_header_size) {
    const auto header = protocol::read_frame_header(bytes.data() + at, frame_bytes_max);
    if (!header)
      return false;
    const auto size = protocol::frame_header_size + header->payload_size();
    if (bytes.size() - at < size)
      break;
    auto kind = static_cast<int>(header->key);
    if (header->kind == protocol::frame_kind::response &&
        wanted_.compare_exchange_strong(kind, -1)) {
      ++stolen_;
      return false;
    }
    if (!write_all(on.client, bytes.data() + at, size))
      return false;
    at += size;
  }
  bytes.erase(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(at));
  return true;
}

} // namespace aqueduct::test
