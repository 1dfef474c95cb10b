#include "apps/aq/broker_introduction.hpp"

#include "apps/aq/dial.hpp"
#include "protocol/native/codec.hpp"
#include "protocol/native/messages.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <span>

namespace aqueduct::aq {

namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

/// Of an answer: that many brokers no cluster has.
constexpr std::size_t frame_bytes_max = std::size_t{8} << 20;

unexpected lost(int code) {
  return unexpected(errc::connection_lost, std::strerror(code));
}

/// One request at a time, all of them until one deadline. Owns the socket.
class conversation {
public:
  conversation(int socket, steady_clock::time_point deadline)
      : socket_(socket), deadline_(deadline) {}
  ~conversation() { ::close(socket_); }
  conversation(const conversation&) = delete;
  conversation& operator=(const conversation&) = delete;

  [[nodiscard]] result<void> send(byte_span bytes) const {
    while (!bytes.empty()) {
      const auto sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent >= 0) {
        bytes = bytes.subspan(static_cast<std::size_t>(sent));
      } else if (auto ready = retry(errno, POLLOUT); !ready) {
        return ready;
      }
    }
    return {};
  }

  template <protocol::defined Response, protocol::defined Request>
  [[nodiscard]] result<Response> ask(protocol::api_key key, std::uint16_t version,
                                     const Request& request) {
    const auto payload = exchange(key, version, protocol::encode(request, version));
    if (!payload)
      return payload.propagate();
    return protocol::decode<Response>(*payload, version);
  }

private:
  [[nodiscard]] result<buffer> exchange(protocol::api_key key, std::uint16_t version,
                                        const buffer& payload) {
    protocol::frame_header header;
    header.length = static_cast<std::uint32_t>(protocol::frame_header_size - 4 + payload.size());
    header.key = key;
    header.version = version;
    header.correlation_id = next_correlation_++;
    std::array<std::byte, protocol::frame_header_size> head;
    protocol::write_frame_header(head.data(), header);
    if (auto sent = send(head); !sent)
      return sent.propagate();
    if (auto sent = send(payload.bytes()); !sent)
      return sent.propagate();
    if (auto got = receive(head); !got)
      return got.propagate();
    const auto answer = protocol::read_frame_header(head.data(), frame_bytes_max);
    if (!answer)
      return answer.propagate();
    if (answer->kind != protocol::frame_kind::response ||
        answer->correlation_id != header.correlation_id)
      return unexpected(errc::invalid_request, "answers something that was not asked");
    mutable_buffer body(answer->payload_size());
    if (auto got = receive({body.data(), answer->payload_size()}); !got)
      return got.propagate();
    const auto all = body.freeze().slice(0, answer->payload_size());
    if (answer->status != errc::none)
      return unexpected(protocol::decode_error(*answer, all));
    return all;
  }

  [[nodiscard]] result<void> receive(std::span<std::byte> to) const {
    while (!to.empty()) {
      const auto got = ::recv(socket_, to.data(), to.size(), 0);
      if (got == 0)
        return unexpected(errc::connection_lost, "closes the connection");
      if (got > 0) {
        to = to.subspan(static_cast<std::size_t>(got));
      } else if (auto ready = retry(errno, POLLIN); !ready) {
        return ready;
      }
    }
    return {};
  }

  /// Waits, if `code` means that this helps.
  [[nodiscard]] result<void> retry(int code, short events) const {
    if (code != EAGAIN && code != EINTR)
      return lost(code);
    const auto left = std::chrono::ceil<milliseconds>(deadline_ - steady_clock::now()).count();
    pollfd ready{socket_, events, 0};
    const int found = left > 0 ? ::poll(&ready, 1, static_cast<int>(left)) : 0;
    if (found == 0)
      return unexpected(errc::timed_out, "takes the connection and does not answer");
    if (found < 0 && errno != EINTR)
      return lost(errno);
    return {};
  }

  int socket_;
  steady_clock::time_point deadline_;
  std::uint32_t next_correlation_ = 0;
};

/// The newest version of a request that both know.
std::uint16_t version_of(const protocol::hello_response& hello, protocol::api_key key) {
  const auto row =
      std::ranges::find(hello.apis, static_cast<std::uint16_t>(key), &protocol::api_range::key);
  return row == hello.apis.end() ? protocol::current_version
                                 : std::min(protocol::current_version, row->version_max);
}

result<broker_introduction> introduce(conversation& with, bool with_brokers) {
  if (auto sent = with.send(std::as_bytes(std::span(protocol::native_preface))); !sent)
    return sent.propagate();
  protocol::hello_request hello;
  hello.client_id = "aq";
  hello.software = "aq";
  const auto greeted = with.ask<protocol::hello_response>(protocol::api_key::hello,
                                                          protocol::current_version, hello);
  if (!greeted)
    return greeted.propagate();
  broker_introduction told{greeted->node, greeted->cluster, {}};
  if (!with_brokers)
    return told;
  protocol::metadata_request request;
  request.topics.emplace();
  const auto metadata = with.ask<protocol::metadata_response>(
      protocol::api_key::metadata, version_of(*greeted, protocol::api_key::metadata), request);
  if (!metadata)
    return metadata.propagate();
  for (const auto& each : metadata->brokers)
    told.brokers.push_back({each.node, {each.host, each.port}});
  return told;
}

} // namespace

result<broker_introduction> ask_broker(const config::endpoint& at, milliseconds patience,
                                       bool with_brokers) {
  const auto socket = dial(at, patience);
  if (!socket)
    return socket.propagate();
  conversation with(*socket, steady_clock::now() + patience);
  auto told = introduce(with, with_brokers);
  if (told)
    return told;
  const auto& why = told.error();
  if (why.code == errc::invalid_request || why.code == errc::message_too_large)
    return unexpected(errc::invalid_request, "what listens there is no broker: " + why.message);
  return told;
}

} // namespace aqueduct::aq
