#include "tests/support/native_client.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace aqueduct::test {

namespace {

constexpr std::size_t read_bytes = 256 * 1024;
/// Answers of a node are no larger than its default limit.
constexpr std::size_t frame_bytes_max = std::size_t{100} << 20;

[[noreturn]] void end(const std::string& what) {
  throw connection_ended(what + ": " + std::strerror(errno));
}

bool wait_for(int fd, short events, test_clock::time_point deadline) {
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - test_clock::now());
    pollfd waiting{fd, events, 0};
    const auto ready =
        ::poll(&waiting, 1, static_cast<int>(std::max<std::int64_t>(left.count(), 0)));
    if (ready >= 0)
      return ready > 0;
    if (errno != EINTR)
      end("poll");
  }
}

} // namespace

native_client::native_client(const address& to, greeting says) {
  socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in where{};
  where.sin_family = AF_INET;
  where.sin_port = htons(to.port);
  ::inet_pton(AF_INET, to.host.c_str(), &where.sin_addr);
  if (::connect(socket_, reinterpret_cast<const sockaddr*>(&where), sizeof where) != 0) {
    const auto why = errno;
    close();
    errno = why;
    end("connect to " + to.host + ":" + std::to_string(to.port));
  }
  const int on = 1;
  ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  try {
    if (says != greeting::none)
      write(std::as_bytes(std::span(protocol::native_preface)));
    if (says == greeting::hello) {
      protocol::hello_request hello;
      hello.client_id = "test";
      (void)must(call(hello));
    }
  } catch (...) {
    close();
    throw;
  }
}

native_client::~native_client() {
  close();
}

native_client::native_client(native_client&& other) noexcept
    : socket_(std::exchange(other.socket_, -1)),
      next_correlation_(other.next_correlation_),
      unread_(std::move(other.unread_)),
      used_(other.used_),
      kept_(std::move(other.kept_)) {}

native_client& native_client::operator=(native_client&& other) noexcept {
  std::swap(socket_, other.socket_);
  std::swap(next_correlation_, other.next_correlation_);
  std::swap(unread_, other.unread_);
  std::swap(used_, other.used_);
  std::swap(kept_, other.kept_);
  return *this;
}

void native_client::close() {
  if (socket_ >= 0)
    ::close(std::exchange(socket_, -1));
}

std::size_t native_client::write_some(byte_span bytes) {
  const auto sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent < 0 && errno != EAGAIN && errno != EINTR)
    end("send");
  return sent < 0 ? 0 : static_cast<std::size_t>(sent);
}

void native_client::write(byte_span bytes) {
  const auto deadline = test_clock::now() + patience;
  while (!bytes.empty()) {
    const auto sent = write_some(bytes);
    bytes = bytes.subspan(sent);
    if (sent == 0 && !wait_for(socket_, POLLOUT, deadline))
      throw nothing_came("the node does not take bytes");
  }
}

void native_client::finish_sending() {
  ::shutdown(socket_, SHUT_WR);
}

bool native_client::read_some(test_clock::time_point deadline) {
  if (!wait_for(socket_, POLLIN, deadline))
    throw nothing_came("the node does not answer");
  unread_.erase(unread_.begin(), unread_.begin() + static_cast<std::ptrdiff_t>(used_));
  used_ = 0;
  const auto before = unread_.size();
  unread_.resize(before + read_bytes);
  const auto got = ::recv(socket_, unread_.data() + before, read_bytes, 0);
  unread_.resize(before + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
  if (got < 0)
    end("recv");
  return got > 0;
}

received_frame native_client::read_frame(test_clock::time_point deadline) {
  std::size_t size = protocol::frame_header_size;
  for (;;) {
    const auto there = unread_.size() - used_;
    if (there >= size) {
      const auto* at = unread_.data() + used_;
      const auto header = protocol::read_frame_header(at, frame_bytes_max);
      if (!header)
        throw std::runtime_error("the node sent no frame: " + to_string(header.error()));
      const auto whole = header->length + sizeof header->length;
      if (there >= whole) {
        used_ += whole;
        return {*header, buffer::copy_of(
                             byte_span(at + protocol::frame_header_size, header->payload_size()))};
      }
      size = whole;
    }
    errno = 0;
    if (!read_some(deadline))
      end("the node closed the connection");
  }
}

received_frame native_client::receive(test_clock::time_point deadline) {
  if (kept_.empty())
    return read_frame(deadline);
  auto frame = std::move(kept_.front());
  kept_.pop_front();
  return frame;
}

received_frame native_client::receive_answer(std::uint32_t correlation) {
  const auto deadline = test_clock::now() + patience;
  const auto is_it = [&](const received_frame& frame) {
    return frame.header.kind == protocol::frame_kind::response &&
           frame.header.correlation_id == correlation;
  };
  if (const auto it = std::ranges::find_if(kept_, is_it); it != kept_.end()) {
    auto frame = std::move(*it);
    kept_.erase(it);
    return frame;
  }
  for (;;) {
    auto frame = read_frame(deadline);
    if (is_it(frame))
      return frame;
    kept_.push_back(std::move(frame));
  }
}

std::vector<std::byte> native_client::read_to_end() {
  const auto deadline = test_clock::now() + patience;
  try {
    while (read_some(deadline)) {
    }
  } catch (const connection_ended&) {
    // A reset is an end as well: the node had bytes that it did not want to read.
  }
  return {unread_.begin() + static_cast<std::ptrdiff_t>(used_), unread_.end()};
}

} // namespace aqueduct::test
