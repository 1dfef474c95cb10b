// One connection of the load generator: plain sockets and the codecs of protocol/, nothing between
// them, so that the client costs little and the same against every server.
//
// Blocking while it is set up (`connect`, `ask`), then non-blocking (`start`). Not thread-safe.
#pragma once

#include "protocol/buffer.hpp"
#include "protocol/native/codec.hpp"
#include "protocol/native/messages.hpp"
#include "protocol/result.hpp"

#include <array>
#include <cstdint>
#include <deque>
#include <functional>

namespace aqueduct::bench {

class link {
public:
  /// Connects to a port of this machine and says hello.
  [[nodiscard]] static result<link> connect(std::uint16_t port);

  link(link&& other) noexcept;
  link& operator=(link&&) = delete;
  ~link();

  [[nodiscard]] int descriptor() const { return descriptor_; }

  // -- blocking ----------------------------------------------------------------------------------

  /// Sends a frame and waits for the response with its correlation id, whose payload is valid until
  /// the next call. Errors: the response's status; connection_lost.
  [[nodiscard]] result<buffer> exchange(protocol::api_key key, const buffer& payload);

  template <protocol::defined Response, protocol::defined Request>
  [[nodiscard]] result<Response> ask(protocol::api_key key, const Request& request) {
    const auto payload = exchange(key, protocol::encode(request));
    if (!payload)
      return payload.propagate();
    return protocol::decode<Response>(*payload);
  }

  // -- non-blocking ------------------------------------------------------------------------------

  [[nodiscard]] result<void> start();
  /// Queues a request; `flush` sends it.
  void queue(protocol::api_key key, std::uint32_t correlation_id, const buffer& payload);
  /// Sends what the socket takes. False if some is left: wait until it is writable.
  [[nodiscard]] result<bool> flush();

  using frame_handler =
      std::function<result<void>(const protocol::frame_header&, const buffer& payload)>;
  /// Reads what is there, once, and gives each whole frame to `handle`; a payload is valid during
  /// the call only.
  [[nodiscard]] result<void> receive(const frame_handler& handle);

private:
  struct pending {
    std::array<std::byte, protocol::frame_header_size> header;
    buffer payload;
  };

  explicit link(int descriptor) : descriptor_(descriptor) {}
  [[nodiscard]] result<void> send_all(byte_span bytes);
  void make_room();

  int descriptor_;
  std::uint32_t next_correlation_ = 0;
  std::deque<pending> out_;
  /// Of the first frame of out_.
  std::size_t out_sent_ = 0;
  mutable_buffer in_;
  std::size_t in_begin_ = 0;
  std::size_t in_end_ = 0;
};

} // namespace aqueduct::bench
