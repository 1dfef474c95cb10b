#include "protocol/client/internal/connection.hpp"

#include <boost/asio/connect.hpp>
#include <boost/asio/post.hpp>

#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace aqueduct::client {

namespace asio = boost::asio;
using boost::system::error_code;

namespace {

/// Kernel limits are higher; more pieces than this gain nothing.
constexpr std::size_t pieces_max = 128;

/// Programs that the user starts do not inherit the socket. A peer that vanished without a word is
/// noticed after half a minute of silence, or when sent bytes stay unacknowledged as long.
void prepare(int socket) {
  const int on = 1;
  const int idle_s = 15;
  const int interval_s = 5;
  const int probes = 3;
  const unsigned unacknowledged_ms = 30'000;
  ::fcntl(socket, F_SETFD, FD_CLOEXEC);
  ::setsockopt(socket, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  ::setsockopt(socket, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof idle_s);
  ::setsockopt(socket, IPPROTO_TCP, TCP_KEEPINTVL, &interval_s, sizeof interval_s);
  ::setsockopt(socket, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
  ::setsockopt(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, &unacknowledged_ms, sizeof unacknowledged_ms);
}

} // namespace

connection::connection(asio::io_context& io, sink& to)
    : io_(io),
      sink_(&to),
      resolver_(io),
      socket_(io),
      reader_(protocol::handshake_frame_bytes_max) {}

void connection::open(const endpoint& to) {
  peer_ = to;
  error_code code;
  const auto address = asio::ip::make_address(to.host, code);
  if (!code) {
    const tcp::endpoint known(address, to.port);
    connect(tcp::resolver::results_type::create(known, to.host, std::to_string(to.port)));
    return;
  }
  // Names are looked up on a thread that Asio keeps for it.
  resolver_.async_resolve(
      to.host, std::to_string(to.port),
      [self = shared_from_this()](error_code failed, tcp::resolver::results_type addresses) {
        if (!self->sink_)
          return;
        if (failed)
          return self->fail(errc::broker_unavailable, "cannot look up: " + failed.message());
        self->connect(addresses);
      });
}

void connection::connect(const tcp::resolver::results_type& addresses) {
  asio::async_connect(
      socket_, addresses, [self = shared_from_this()](error_code failed, const tcp::endpoint&) {
        if (!self->sink_)
          return;
        if (failed)
          return self->fail(errc::broker_unavailable, "cannot connect: " + failed.message());
        self->established();
      });
}

void connection::established() {
  error_code ignored;
  socket_.set_option(tcp::no_delay(true), ignored);
  socket_.native_non_blocking(true, ignored);
  prepare(socket_.native_handle());
  is_open_ = true;
  read();
  sink_->connected();
  if (sink_ && !queue_.empty())
    schedule_flush();
}

void connection::write(buffer_chain bytes, std::optional<std::uint32_t> notify) {
  queue_.push_back({std::move(bytes), notify});
  if (is_open_)
    schedule_flush();
}

void connection::schedule_flush() {
  if (flush_scheduled_)
    return;
  flush_scheduled_ = true;
  asio::post(io_, [self = shared_from_this()] {
    self->flush_scheduled_ = false;
    self->flush();
  });
}

void connection::flush() {
  while (sink_ && !queue_.empty()) {
    std::array<iovec, pieces_max> pieces;
    std::size_t count = 0;
    for (auto item = queue_.begin(); item != queue_.end() && count < pieces_max; ++item) {
      const auto& parts = item->bytes.parts();
      auto offset = item->offset;
      for (auto part = item->part; part < parts.size() && count < pieces_max; ++part) {
        auto* start = const_cast<std::byte*>(parts[part].data()) + offset;
        pieces[count++] = {start, parts[part].size() - offset};
        offset = 0;
      }
    }
    msghdr message{};
    message.msg_iov = pieces.data();
    message.msg_iovlen = count;
    const auto sent = ::sendmsg(socket_.native_handle(), &message, MSG_NOSIGNAL);
    if (sent >= 0)
      consume(static_cast<std::size_t>(sent));
    else if (errno == EAGAIN || errno == EWOULDBLOCK)
      return wait_writable();
    else if (errno != EINTR)
      return fail(errc::connection_lost, std::string("write failed: ") + std::strerror(errno));
  }
}

void connection::consume(std::size_t bytes) {
  while (!queue_.empty()) {
    auto& item = queue_.front();
    const auto& parts = item.bytes.parts();
    while (item.part < parts.size()) {
      const auto left = parts[item.part].size() - item.offset;
      if (bytes < left) {
        item.offset += bytes;
        return;
      }
      bytes -= left;
      ++item.part;
      item.offset = 0;
    }
    const auto notify = item.notify;
    queue_.pop_front();
    if (notify && sink_)
      sink_->written(*notify);
    if (bytes == 0)
      return;
  }
}

void connection::wait_writable() {
  flush_scheduled_ = true;
  socket_.async_wait(tcp::socket::wait_write, [self = shared_from_this()](error_code failed) {
    self->flush_scheduled_ = false;
    if (!failed)
      self->flush();
  });
}

void connection::read() {
  const auto space = reader_.prepare();
  const std::array<asio::mutable_buffer, 2> into{asio::buffer(space[0].data(), space[0].size()),
                                                 asio::buffer(space[1].data(), space[1].size())};
  socket_.async_read_some(into, [self = shared_from_this()](error_code failed, std::size_t bytes) {
    if (!self->sink_)
      return;
    if (failed)
      return self->fail(errc::connection_lost, failed == asio::error::eof
                                                   ? "the broker closed the connection"
                                                   : "read failed: " + failed.message());
    self->reader_.commit(bytes);
    self->deliver();
  });
}

void connection::deliver() {
  while (sink_) {
    auto frame = reader_.next();
    if (!frame)
      return fail(errc::connection_lost,
                  "the broker sent what is not a frame: " + frame.error().message);
    if (!*frame)
      return read();
    sink_->received((*frame)->header, std::move((*frame)->payload));
  }
}

void connection::fail(errc code, const std::string& what) {
  if (!sink_)
    return;
  auto* told = sink_;
  const auto self = shared_from_this();
  close();
  told->closed({code, to_string(peer_) + ": " + what});
}

void connection::close() {
  sink_ = nullptr;
  is_open_ = false;
  queue_.clear();
  error_code ignored;
  resolver_.cancel();
  socket_.close(ignored);
}

} // namespace aqueduct::client
