// The way to one broker: a connection that is opened when it is needed and opened again after
// back-off when it broke, the table of requests that wait for an answer, and their deadlines.
//
//   idle -> connecting -> hello -> ready -> idle (unused for long)
//             ^  |          |        |
//             |  +----------+--------+--> waiting (back-off), requests under way fail
//             +------------------------------+
//
// Lives on the I/O thread; no function may be called from another. Handlers are called from the I/O
// loop, never from within a call to the link, and exactly once each (push handlers: until they are
// told of a failure, or forgotten).
#pragma once

#include "protocol/client/internal/backoff.hpp"
#include "protocol/client/internal/call.hpp"
#include "protocol/client/internal/connection.hpp"

#include <boost/asio/steady_timer.hpp>

#include <deque>
#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

namespace aqueduct::client {

struct link_settings {
  std::string client_id;
  std::string rack;
  milliseconds connect_timeout{};
  milliseconds backoff_min{};
  milliseconds backoff_max{};
  milliseconds idle_timeout{};
  std::size_t frame_bytes_max = 0;
  std::size_t in_flight_bytes_max = 0;
  /// Called when an answer is late, and again now and then while it is. May be empty.
  std::function<void()> stalled{};
};

class broker_link final : public std::enable_shared_from_this<broker_link>,
                          private connection::sink {
public:
  broker_link(boost::asio::io_context& io, link_settings settings, endpoint peer,
              std::uint64_t seed);
  ~broker_link();

  /// Sends the request, now or when the connection is up. A failed attempt to connect fails what
  /// waits for it; it is for the caller to try again or elsewhere. Returns the correlation id.
  template <class Request>
  std::uint32_t call(Request message, call_options options,
                     answer_handler<response_of<Request>> done);

  /// Pushes with this correlation id are ignored from now on.
  void forget_pushes(std::uint32_t id) { pushes_.erase(id); }

  /// Ends everything: what is under way fails with `why`, and so does every later call.
  void shut_down(error why);

  [[nodiscard]] const endpoint& peer() const { return peer_; }
  [[nodiscard]] bool is_ready() const { return state_ == state::ready; }
  /// An answer is later than `call_options::stalled_at`.
  [[nodiscard]] bool is_stalled() const;
  /// Gives the connection up: requests under way end with `why`, which leaves open what became of
  /// them.
  void give_up(error why) { down(std::move(why), true); }
  /// In back-off after a failure.
  [[nodiscard]] bool is_waiting() const { return state_ == state::waiting; }
  /// What the broker said of itself; from the last connection, if there was one.
  [[nodiscard]] const std::optional<protocol::hello_response>& hello() const { return hello_; }

private:
  enum class state : std::uint8_t { idle, connecting, hello, ready, waiting, shut_down };

  struct raw_answer {
    std::optional<failure> fail;
    buffer payload;
    std::uint16_t version = protocol::current_version;
    bool is_one_way = false;
  };
  struct pending {
    protocol::api_key key{};
    std::uint16_t version_min = 1;
    call_options options;
    std::function<buffer_chain(const protocol::frame_header&)> encode;
    std::function<void(raw_answer)> done;
    bool is_sent = false;
    std::size_t bytes = 0;
  };

  void connected() override;
  void received(const protocol::frame_header& header, buffer payload) override;
  void written(std::uint32_t id) override;
  void closed(const error& why) override;

  void submit(std::uint32_t id, pending request);
  void transmit(std::uint32_t id, pending& request);
  /// Calls the handler from the loop.
  void refuse(std::uint32_t id, errc code, std::string message);
  void complete(std::uint32_t id, raw_answer outcome);
  void received_response(const protocol::frame_header& header, buffer payload);
  void received_push(const protocol::frame_header& header, const buffer& payload);
  void received_hello(const protocol::frame_header& header, const buffer& payload);
  void connect();
  void greet();
  /// The connection, or the attempt to make one, is over.
  void down(error why, bool back_off);
  void fail_all(const error& why);
  /// The broker sent something that is not what it should be: closes the connection.
  void distrust(const error& why);
  [[nodiscard]] static failure failure_of(const protocol::frame_header& header,
                                          const buffer& payload);
  /// The newest version of the request that both sides speak, from `version_min` on; else why the
  /// broker cannot be asked this.
  [[nodiscard]] result<std::uint16_t> version_of(protocol::api_key key,
                                                 std::uint16_t version_min) const;

  void wake_by(time_point when);
  void on_timer();
  void expire_requests(time_point now);
  [[nodiscard]] time_point next_wake(time_point now) const;

  boost::asio::io_context& io_;
  link_settings settings_;
  endpoint peer_;
  state state_ = state::idle;
  std::shared_ptr<connection> connection_;
  std::optional<protocol::hello_response> hello_;
  backoff backoff_;
  error last_error_;

  time_point next_alarm_{};
  std::uint32_t next_id_ = 1;
  std::uint32_t hello_id_ = 0;
  std::unordered_map<std::uint32_t, pending> requests_;
  /// Requests that wait for the connection, in order. Invariant: their ids are in `requests_`,
  /// unless they expired.
  std::deque<std::uint32_t> unsent_;
  std::unordered_map<std::uint32_t, push_handler> pushes_;
  /// Bytes of requests in `requests_` that are sent.
  std::size_t bytes_in_flight_ = 0;

  boost::asio::steady_timer timer_;
  /// When the timer fires. Invariant: no later than next_wake(now).
  time_point armed_for_ = never;
  /// End of the attempt or of the back-off, by state.
  time_point state_deadline_ = never;
  time_point last_use_{};
  time_point ready_since_{};
};

template <class Request>
std::uint32_t broker_link::call(Request message, call_options options,
                                answer_handler<response_of<Request>> done) {
  using response = response_of<Request>;
  pending request;
  request.key = api_of<Request>::key;
  request.version_min = version_needed(message);
  request.options = std::move(options);
  request.encode = [message = std::move(message)](const protocol::frame_header& header) {
    return protocol::encode_frame(header, message);
  };
  request.done = [this, done = std::move(done)](raw_answer outcome) {
    if (outcome.fail)
      return done({{}, std::move(*outcome.fail)});
    if (outcome.is_one_way)
      return done({response{}, {}});
    auto decoded = protocol::decode<response>(outcome.payload, outcome.version);
    if (decoded)
      return done({std::move(*decoded), {}});
    distrust(decoded.error());
    auto broken = failure::of(errc::connection_lost, decoded.error().message);
    broken.uncertain = true;
    done({{}, std::move(broken)});
  };
  const auto id = next_id_++;
  submit(id, std::move(request));
  return id;
}

} // namespace aqueduct::client
