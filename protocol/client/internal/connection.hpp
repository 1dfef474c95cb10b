// One TCP connection: frames out by gathered writes, frames in. It knows nothing of requests; the
// broker_link above it does. Lives on the I/O thread; no function may be called from another.
#pragma once

#include "protocol/client/internal/endpoint.hpp"
#include "protocol/client/internal/frame_reader.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <deque>
#include <memory>
#include <utility>

namespace aqueduct::client {

class connection : public std::enable_shared_from_this<connection> {
public:
  /// Told what happens, from the I/O loop and never from within a call to the connection.
  class sink {
  public:
    virtual void connected() = 0;
    virtual void received(const protocol::frame_header& header, buffer payload) = 0;
    /// All bytes of the write with this id are with the kernel.
    virtual void written(std::uint32_t id) = 0;
    /// The end: nothing follows.
    virtual void closed(const error& why) = 0;

  protected:
    ~sink() = default;
  };

  connection(boost::asio::io_context& io, sink& to);

  void open(const endpoint& to);
  /// Queues bytes. What is queued until the I/O thread gets around to it leaves in one write.
  void write(buffer_chain bytes, std::optional<std::uint32_t> notify = {});
  /// Frames up to this length are taken from now on; before, those of a handshake.
  void frame_bytes_max(std::size_t bytes) { reader_.frame_bytes_max(bytes); }
  /// Ends the connection. The sink hears nothing more.
  void close();

private:
  struct outgoing {
    buffer_chain bytes;
    std::optional<std::uint32_t> notify;
    /// The first part that is not all written, and how much of it is.
    std::size_t part = 0;
    std::size_t offset = 0;
  };
  using tcp = boost::asio::ip::tcp;

  void connect(const tcp::resolver::results_type& addresses);
  void established();
  void schedule_flush();
  void flush();
  /// Drops `bytes` written bytes off the front of the queue.
  void consume(std::size_t bytes);
  void wait_writable();
  void read();
  void deliver();
  void fail(errc code, const std::string& what);

  boost::asio::io_context& io_;
  sink* sink_;
  endpoint peer_;
  tcp::resolver resolver_;
  tcp::socket socket_;
  frame_reader reader_;
  std::deque<outgoing> queue_;
  bool is_open_ = false;
  /// A flush is on its way, by a posted handler or a wait for the socket.
  bool flush_scheduled_ = false;
};

} // namespace aqueduct::client
