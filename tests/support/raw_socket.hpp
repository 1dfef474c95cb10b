// Blocking TCP sockets on loopback for tests that send what no good program would. Everything gives
// up after half a minute.
#pragma once

#include "protocol/buffer.hpp"
#include "protocol/native/frame.hpp"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <optional>
#include <stdexcept>
#include <string_view>
#include <utility>
#include <vector>

namespace aqueduct::test {

class raw_socket {
public:
  struct frame {
    protocol::frame_header header;
    buffer payload;
  };

  explicit raw_socket(int descriptor) : descriptor_(descriptor) {
    if (descriptor_ < 0)
      throw std::runtime_error("no socket");
    const timeval patience{30, 0};
    ::setsockopt(descriptor_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    ::setsockopt(descriptor_, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  }
  raw_socket(raw_socket&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  ~raw_socket() {
    if (descriptor_ >= 0)
      ::close(descriptor_);
  }

  [[nodiscard]] static raw_socket connected_to(std::uint16_t port) {
    raw_socket made(::socket(AF_INET, SOCK_STREAM, 0));
    const auto address = loopback(port);
    if (::connect(made.descriptor_, reinterpret_cast<const sockaddr*>(&address), sizeof address) !=
        0)
      throw std::runtime_error("cannot connect");
    return made;
  }

  void write(const buffer& bytes) { write(bytes.text()); }
  void write(std::string_view bytes) {
    while (!bytes.empty()) {
      const auto sent = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0)
        throw std::runtime_error("cannot write");
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
  }

  /// Nothing at the end of the stream.
  [[nodiscard]] std::optional<frame> read_frame() {
    std::vector<std::byte> header(protocol::frame_header_size);
    if (!read_exactly(header))
      return std::nullopt;
    const auto read = protocol::read_frame_header(header.data(), std::size_t{64} << 20);
    if (!read)
      throw std::runtime_error("not a frame: " + read.error().message);
    std::vector<std::byte> payload(read->payload_size());
    if (!read_exactly(payload))
      return std::nullopt;
    return frame{*read, buffer::from(std::move(payload))};
  }

  /// Reads and forgets; returns when the other side has closed.
  void read_to_end() {
    std::vector<std::byte> any(1);
    while (read_exactly(any)) {
    }
  }

  [[nodiscard]] bool read_exactly(std::vector<std::byte>& into) {
    for (std::size_t got = 0; got < into.size();) {
      const auto count = ::recv(descriptor_, into.data() + got, into.size() - got, 0);
      if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        throw std::runtime_error("nothing came");
      if (count <= 0)
        return false;
      got += static_cast<std::size_t>(count);
    }
    return true;
  }

  void finish_sending() { ::shutdown(descriptor_, SHUT_WR); }

  /// Closes with a reset instead of an end.
  void reset() {
    const linger now{1, 0};
    ::setsockopt(descriptor_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    ::close(std::exchange(descriptor_, -1));
  }

  [[nodiscard]] static sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    return address;
  }

private:
  int descriptor_;
};

/// Accepts on a free port of loopback.
class raw_listener {
public:
  raw_listener() : descriptor_(::socket(AF_INET, SOCK_STREAM, 0)) {
    auto address = raw_socket::loopback(0);
    socklen_t size = sizeof address;
    auto* at = reinterpret_cast<sockaddr*>(&address);
    if (descriptor_ < 0 || ::bind(descriptor_, at, size) != 0 || ::listen(descriptor_, 16) != 0 ||
        ::getsockname(descriptor_, at, &size) != 0)
      throw std::runtime_error("cannot listen");
    port_ = ntohs(address.sin_port);
    const timeval patience{30, 0};
    ::setsockopt(descriptor_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  }
  raw_listener(const raw_listener&) = delete;
  raw_listener& operator=(const raw_listener&) = delete;
  ~raw_listener() { ::close(descriptor_); }

  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] raw_socket accept() { return raw_socket(::accept(descriptor_, nullptr, nullptr)); }

private:
  int descriptor_;
  std::uint16_t port_ = 0;
};

} // namespace aqueduct::test
