#include "apps/bench/link.hpp"

#include "protocol/bytes.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace aqueduct::bench {

namespace {

constexpr std::size_t frame_bytes_max = std::size_t{8} << 20;
constexpr std::size_t read_bytes = std::size_t{256} << 10;
constexpr int gather_max = 64;
constexpr std::string_view client_name = "aqueduct-bench";

unexpected lost(const char* what) {
  return unexpected(errc::connection_lost, std::string(what) + ": " + std::strerror(errno));
}

} // namespace

link::head link::native_head(protocol::api_key key, std::uint32_t correlation_id,
                             std::size_t payload_size) {
  protocol::frame_header header;
  header.length = static_cast<std::uint32_t>(protocol::frame_header_size - 4 + payload_size);
  header.key = key;
  header.correlation_id = correlation_id;
  head made;
  made.size = protocol::frame_header_size;
  static_assert(protocol::frame_header_size <= sizeof made.bytes);
  protocol::write_frame_header(made.bytes.data(), header);
  return made;
}

link::head link::kafka_head(protocol::kafka::api_key key, std::int16_t version,
                            std::uint32_t correlation_id, std::size_t payload_size) {
  const bool is_flexible = protocol::kafka::describe(key).is_flexible(version);
  head made;
  made.size = 4 + 2 + 2 + 4 + 2 + client_name.size() + (is_flexible ? 1 : 0);
  auto* at = made.bytes.data();
  const auto put = [&at](auto value) {
    store_be(at, value);
    at += sizeof value;
  };
  put(static_cast<std::int32_t>(made.size - 4 + payload_size));
  put(static_cast<std::int16_t>(key));
  put(version);
  put(static_cast<std::int32_t>(correlation_id));
  put(static_cast<std::int16_t>(client_name.size()));
  std::memcpy(at, client_name.data(), client_name.size());
  at += client_name.size();
  // No tags.
  if (is_flexible)
    *at = std::byte{0};
  return made;
}

link::link(link&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)),
      speaks_(other.speaks_),
      next_correlation_(other.next_correlation_),
      out_(std::move(other.out_)),
      out_sent_(other.out_sent_),
      in_(std::move(other.in_)),
      in_begin_(other.in_begin_),
      in_end_(other.in_end_) {}

link::~link() {
  if (descriptor_ >= 0)
    ::close(descriptor_);
}

result<link> link::connect(std::uint16_t port, wire speaks) {
  link made(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), speaks);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(made.descriptor_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return lost("connect");
  const int on = 1;
  ::setsockopt(made.descriptor_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (speaks == wire::kafka)
    return made;
  if (auto sent = made.send_all(std::as_bytes(std::span(protocol::native_preface))); !sent)
    return sent.propagate();
  protocol::hello_request hello;
  hello.client_id = client_name;
  hello.software = client_name;
  if (auto greeted = made.ask<protocol::hello_response>(protocol::api_key::hello, hello); !greeted)
    return greeted.propagate();
  return made;
}

result<void> link::send_all(byte_span bytes) {
  while (!bytes.empty()) {
    const auto sent = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR)
      continue;
    if (sent < 0)
      return lost("send");
    bytes = bytes.subspan(static_cast<std::size_t>(sent));
  }
  return {};
}

result<buffer> link::exchange(protocol::api_key key, const buffer& payload) {
  const auto correlation = next_correlation_++;
  return exchange(native_head(key, correlation, payload.size()), correlation, payload);
}

result<buffer> link::exchange(const head& header, std::uint32_t correlation,
                              const buffer& payload) {
  const iovec parts[] = {{const_cast<std::byte*>(header.bytes.data()), header.size},
                         {const_cast<std::byte*>(payload.data()), payload.size()}};
  msghdr message{};
  message.msg_iov = const_cast<iovec*>(parts);
  message.msg_iovlen = 2;
  const auto sent = ::sendmsg(descriptor_, &message, MSG_NOSIGNAL);
  if (sent < 0)
    return lost("send");
  const auto past = static_cast<std::size_t>(sent) - std::min<std::size_t>(sent, header.size);
  if (static_cast<std::size_t>(sent) < header.size)
    return unexpected(errc::connection_lost, "a header was sent in parts");
  if (auto rest = send_all(payload.bytes().subspan(past)); !rest)
    return rest.propagate();
  result<buffer> answer = buffer();
  bool is_answered = false;
  while (!is_answered) {
    auto got = receive([&](const protocol::frame_header& header, const buffer& body) {
      if (header.kind == protocol::frame_kind::response && header.correlation_id == correlation) {
        is_answered = true;
        if (header.status == errc::none)
          answer = body;
        else
          answer = unexpected(protocol::decode_error(header, body));
      }
      return result<void>();
    });
    if (!got)
      return got.propagate();
  }
  return answer;
}

result<void> link::start() {
  if (::fcntl(descriptor_, F_SETFL, ::fcntl(descriptor_, F_GETFL) | O_NONBLOCK) != 0)
    return lost("fcntl");
  return {};
}

void link::queue(protocol::api_key key, std::uint32_t correlation_id, const buffer& payload) {
  out_.push_back({native_head(key, correlation_id, payload.size()), payload});
}

void link::queue(protocol::kafka::api_key key, std::int16_t version, std::uint32_t correlation_id,
                 const buffer& payload) {
  out_.push_back({kafka_head(key, version, correlation_id, payload.size()), payload});
}

result<bool> link::flush() {
  while (!out_.empty()) {
    iovec parts[gather_max];
    int count = 0;
    auto skip = out_sent_;
    for (const auto& frame : out_) {
      if (count + 2 > gather_max)
        break;
      if (skip < frame.header.size) {
        parts[count++] = {const_cast<std::byte*>(frame.header.bytes.data()) + skip,
                          frame.header.size - skip};
        skip = frame.header.size;
      }
      const auto past = skip - frame.header.size;
      parts[count++] = {const_cast<std::byte*>(frame.payload.data()) + past,
                        frame.payload.size() - past};
      skip = 0;
    }
    msghdr message{};
    message.msg_iov = parts;
    message.msg_iovlen = static_cast<std::size_t>(count);
    const auto sent = ::sendmsg(descriptor_, &message, MSG_NOSIGNAL);
    if (sent < 0 && errno == EAGAIN)
      return false;
    if (sent < 0)
      return lost("send");
    out_sent_ += static_cast<std::size_t>(sent);
    while (!out_.empty() && out_sent_ >= out_.front().header.size + out_.front().payload.size()) {
      out_sent_ -= out_.front().header.size + out_.front().payload.size();
      out_.pop_front();
    }
  }
  return true;
}

void link::make_room() {
  auto wanted = read_bytes;
  const auto have = in_end_ - in_begin_;
  if (have >= 4)
    wanted = std::max<std::size_t>(wanted, load_be<std::uint32_t>(in_.data() + in_begin_) + 4);
  if (have == 0)
    in_begin_ = in_end_ = 0;
  if (in_begin_ + wanted <= in_.size() && in_end_ < in_.size())
    return;
  auto to = in_;
  if (wanted + read_bytes > in_.size())
    to = mutable_buffer(wanted + read_bytes);
  if (have > 0)
    std::memmove(to.data(), in_.data() + in_begin_, have);
  in_ = to;
  in_begin_ = 0;
  in_end_ = have;
}

result<void> link::receive(const frame_handler& handle) {
  make_room();
  const auto got = ::recv(descriptor_, in_.data() + in_end_, in_.size() - in_end_, 0);
  if (got < 0 && (errno == EAGAIN || errno == EINTR))
    return {};
  if (got < 0)
    return lost("recv");
  if (got == 0)
    return unexpected(errc::connection_lost, "the server closed the connection");
  in_end_ += static_cast<std::size_t>(got);
  while (true) {
    const auto frame = next_frame();
    if (!frame)
      return frame.propagate();
    if (!*frame)
      return {};
    const auto payload = in_.freeze().slice(in_begin_ + (*frame)->header_size,
                                            (*frame)->size - (*frame)->header_size);
    in_begin_ += (*frame)->size;
    if (auto handled = handle((*frame)->header, payload); !handled)
      return handled;
  }
}

result<std::optional<link::received>> link::next_frame() const {
  constexpr std::size_t kafka_header_size = 8;
  received frame;
  frame.header_size = speaks_ == wire::kafka ? kafka_header_size : protocol::frame_header_size;
  const auto* begin = in_.data() + in_begin_;
  if (in_end_ - in_begin_ < frame.header_size)
    return std::optional<received>();
  if (speaks_ == wire::kafka) {
    frame.header.kind = protocol::frame_kind::response;
    frame.header.length = load_be<std::uint32_t>(begin);
    frame.header.correlation_id = load_be<std::uint32_t>(begin + 4);
    if (frame.header.length < 4 || frame.header.length > frame_bytes_max)
      return unexpected(errc::invalid_request, "a response has an impossible size");
  } else {
    const auto header = protocol::read_frame_header(begin, frame_bytes_max);
    if (!header)
      return header.propagate();
    frame.header = *header;
  }
  frame.size = frame.header.length + 4;
  if (in_end_ - in_begin_ < frame.size)
    return std::optional<received>();
  return std::optional(frame);
}

} // namespace aqueduct::bench
