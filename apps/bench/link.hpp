// One connection of the load generator: plain sockets and the codecs of protocol/, nothing between
// them, so that the client costs little and the same against every server.
//
// Blocking while it is set up (`connect`, `ask`), then non-blocking (`start`). Not thread-safe.
#pragma once

#include "protocol/buffer.hpp"
#include "protocol/kafka/codec.hpp"
#include "protocol/native/codec.hpp"
#include "protocol/native/messages.hpp"
#include "protocol/result.hpp"

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>

namespace aqueduct::bench {

/// The protocol that a connection speaks.
enum class wire : std::uint8_t { native, kafka };

/// Reads a response of Kafka's protocol from behind its correlation id.
template <protocol::kafka::message Response>
[[nodiscard]] result<Response> read_kafka(const buffer& payload, std::int16_t version) {
  // The header of a flexible response ends with its tags: a node sends none.
  const std::size_t tags =
      protocol::kafka::describe(Response::api).is_flexible(version) && !payload.empty() ? 1 : 0;
  return protocol::kafka::decode<Response>(payload.slice(tags, payload.size() - tags), version);
}

class link {
public:
  /// Connects to a port of this machine and, in the native protocol, says hello.
  [[nodiscard]] static result<link> connect(std::uint16_t port, wire speaks = wire::native);

  link(link&& other) noexcept;
  link& operator=(link&&) = delete;
  ~link();

  [[nodiscard]] int descriptor() const { return descriptor_; }
  [[nodiscard]] wire speaks() const { return speaks_; }

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
  /// The same in Kafka's protocol, whose errors are in the responses.
  template <protocol::kafka::message Response, protocol::kafka::message Request>
  [[nodiscard]] result<Response> ask(const Request& request, std::int16_t version) {
    const auto body = protocol::kafka::encode(request, version).flatten();
    const auto correlation = next_correlation_++;
    const auto payload =
        exchange(kafka_head(Request::api, version, correlation, body.size()), correlation, body);
    if (!payload)
      return payload.propagate();
    return read_kafka<Response>(*payload, version);
  }

  // -- non-blocking ------------------------------------------------------------------------------

  [[nodiscard]] result<void> start();
  /// Queues a request; `flush` sends it.
  void queue(protocol::api_key key, std::uint32_t correlation_id, const buffer& payload);
  void queue(protocol::kafka::api_key key, std::int16_t version, std::uint32_t correlation_id,
             const buffer& payload);
  /// Sends what the socket takes. False if some is left: wait until it is writable.
  [[nodiscard]] result<bool> flush();

  using frame_handler =
      std::function<result<void>(const protocol::frame_header&, const buffer& payload)>;
  /// Reads what is there, once, and gives each whole frame to `handle`; a payload is valid during
  /// the call only. In Kafka's protocol the header has nothing but the correlation id, and the
  /// payload is what `read_kafka` takes.
  [[nodiscard]] result<void> receive(const frame_handler& handle);

private:
  /// What stands before the payload of a request.
  struct head {
    std::array<std::byte, 32> bytes;
    std::size_t size = 0;

    [[nodiscard]] byte_span span() const { return byte_span(bytes).first(size); }
  };
  struct pending {
    head header;
    buffer payload;
  };
  /// A whole frame that was received.
  struct received {
    protocol::frame_header header;
    std::size_t header_size = 0;
    std::size_t size = 0;
  };

  link(int descriptor, wire speaks) : descriptor_(descriptor), speaks_(speaks) {}
  [[nodiscard]] static head native_head(protocol::api_key key, std::uint32_t correlation_id,
                                        std::size_t payload_size);
  [[nodiscard]] static head kafka_head(protocol::kafka::api_key key, std::int16_t version,
                                       std::uint32_t correlation_id, std::size_t payload_size);
  [[nodiscard]] result<buffer> exchange(const head& header, std::uint32_t correlation_id,
                                        const buffer& payload);
  /// The next frame, if it is here as a whole.
  [[nodiscard]] result<std::optional<received>> next_frame() const;
  [[nodiscard]] result<void> send_all(byte_span bytes);
  void make_room();

  int descriptor_;
  wire speaks_;
  std::uint32_t next_correlation_ = 0;
  std::deque<pending> out_;
  /// Of the first frame of out_.
  std::size_t out_sent_ = 0;
  mutable_buffer in_;
  std::size_t in_begin_ = 0;
  std::size_t in_end_ = 0;
};

} // namespace aqueduct::bench
