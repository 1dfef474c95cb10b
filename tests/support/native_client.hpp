// A client of the native protocol that does nothing by itself: one blocking connection, frames out,
// frames in. It can send what no good client would. For what a good client does, see
// tests/support/native_calls.hpp.
#pragma once

#include "protocol/native/codec.hpp"
#include "protocol/native/messages.hpp"
#include "tests/support/child_process.hpp"
#include "tests/support/node_process.hpp"

#include <deque>
#include <optional>
#include <stdexcept>
#include <string_view>

namespace aqueduct::test {

/// The node closed the connection, or it broke.
struct connection_ended : std::runtime_error {
  using std::runtime_error::runtime_error;
};
/// Nothing came in time.
struct nothing_came : std::runtime_error {
  using std::runtime_error::runtime_error;
};
/// The node refused a request that the test needs.
struct refused : std::runtime_error {
  explicit refused(const error& why) : std::runtime_error(to_string(why)), code(why.code) {}
  errc code;
};

struct received_frame {
  protocol::frame_header header;
  buffer payload;
};

/// Which request a message is and which message answers it.
template <class Request>
struct exchange_of;

template <protocol::api_key Key, class Response>
struct exchange_is {
  static constexpr auto key = Key;
  using response = Response;
};
template <>
struct exchange_of<protocol::hello_request>
    : exchange_is<protocol::api_key::hello, protocol::hello_response> {};
template <>
struct exchange_of<protocol::api_versions_request>
    : exchange_is<protocol::api_key::api_versions, protocol::api_versions_response> {};
template <>
struct exchange_of<protocol::metadata_request>
    : exchange_is<protocol::api_key::metadata, protocol::metadata_response> {};
template <>
struct exchange_of<protocol::controller_discover_request>
    : exchange_is<protocol::api_key::controller_discover, protocol::controller_discover_response> {
};
template <>
struct exchange_of<protocol::produce_request>
    : exchange_is<protocol::api_key::produce, protocol::produce_response> {};
template <>
struct exchange_of<protocol::fetch_request>
    : exchange_is<protocol::api_key::fetch, protocol::fetch_response> {};
template <>
struct exchange_of<protocol::batch_fetch_request>
    : exchange_is<protocol::api_key::batch_fetch, protocol::batch_fetch_response> {};
template <>
struct exchange_of<protocol::subscribe_request>
    : exchange_is<protocol::api_key::subscribe, protocol::subscribe_response> {};
template <>
struct exchange_of<protocol::credit_request>
    : exchange_is<protocol::api_key::credit, protocol::error_response> {};
template <>
struct exchange_of<protocol::unsubscribe_request>
    : exchange_is<protocol::api_key::unsubscribe, protocol::unsubscribe_response> {};
template <>
struct exchange_of<protocol::list_offsets_request>
    : exchange_is<protocol::api_key::list_offsets, protocol::list_offsets_response> {};
template <>
struct exchange_of<protocol::delete_records_request>
    : exchange_is<protocol::api_key::delete_records, protocol::delete_records_response> {};
template <>
struct exchange_of<protocol::init_producer_id_request>
    : exchange_is<protocol::api_key::init_producer_id, protocol::init_producer_id_response> {};
template <>
struct exchange_of<protocol::list_topics_request>
    : exchange_is<protocol::api_key::list_topics, protocol::list_topics_response> {};
template <>
struct exchange_of<protocol::get_topic_info_request>
    : exchange_is<protocol::api_key::get_topic_info, protocol::get_topic_info_response> {};
template <>
struct exchange_of<protocol::create_topic_request>
    : exchange_is<protocol::api_key::create_topic, protocol::create_topic_response> {};
template <>
struct exchange_of<protocol::alter_topic_request>
    : exchange_is<protocol::api_key::alter_topic, protocol::alter_topic_response> {};
template <>
struct exchange_of<protocol::delete_topic_request>
    : exchange_is<protocol::api_key::delete_topic, protocol::delete_topic_response> {};

/// The value, or `refused`.
template <class T>
T must(result<T> outcome) {
  if (!outcome)
    throw refused(outcome.error());
  return std::move(*outcome);
}

/// Not thread-safe. Waits end after `patience` with nothing_came; a broken connection is
/// connection_ended.
class native_client {
public:
  enum class greeting { none, preface, hello };

  explicit native_client(const address& to, greeting says = greeting::hello);
  ~native_client();
  native_client(native_client&& other) noexcept;
  native_client& operator=(native_client&& other) noexcept;

  /// Sends `request` and waits for its answer; frames that come first are kept for `receive`.
  template <class Request>
  result<typename exchange_of<Request>::response> call(const Request& request) {
    const auto frame = receive_answer(send(request));
    if (frame.header.status != errc::none)
      return unexpected(protocol::decode_error(frame.header, frame.payload));
    return protocol::decode<typename exchange_of<Request>::response>(frame.payload,
                                                                     frame.header.version);
  }

  /// Sends `request` and returns its correlation id.
  template <class Request>
  std::uint32_t send(const Request& request) {
    protocol::frame_header header;
    header.key = exchange_of<Request>::key;
    header.version = protocol::find_api(static_cast<std::uint16_t>(header.key))->version_max;
    header.correlation_id = next_correlation_++;
    write(protocol::encode_frame(header, request).flatten().bytes());
    return header.correlation_id;
  }

  /// Any bytes. Blocks while the node does not read, at most for `patience`.
  void write(byte_span bytes);
  void write(std::string_view text) { write(std::as_bytes(std::span(text))); }
  /// The client will send no more, which the node sees as the end.
  void finish_sending();
  /// As much of `bytes` as the system takes at once; returns how much.
  [[nodiscard]] std::size_t write_some(byte_span bytes);

  /// The next frame, be it an answer or a push.
  [[nodiscard]] received_frame receive(test_clock::time_point deadline);
  [[nodiscard]] received_frame receive() { return receive(test_clock::now() + patience); }
  /// The answer with this correlation id.
  [[nodiscard]] received_frame receive_answer(std::uint32_t correlation);
  /// Bytes until the node closes the connection; throws nothing_came when it does not.
  [[nodiscard]] std::vector<std::byte> read_to_end();

private:
  [[nodiscard]] received_frame read_frame(test_clock::time_point deadline);
  /// Appends to `unread_`; false when the node has closed the connection.
  [[nodiscard]] bool read_some(test_clock::time_point deadline);
  void close();

  int socket_ = -1;
  std::uint32_t next_correlation_ = 1;
  std::vector<std::byte> unread_;
  /// Bytes of unread_ that were used already.
  std::size_t used_ = 0;
  std::deque<received_frame> kept_;
};

} // namespace aqueduct::test
