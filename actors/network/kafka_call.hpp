// One request of the Kafka protocol: what came, and the place for its answer.
#pragma once

#include "actors/network/connection.hpp"
#include "actors/network/native_call.hpp"
#include "actors/network/reply_order.hpp"
#include "protocol/kafka/codec.hpp"
#include "protocol/kafka/error_code.hpp"

#include <atomic>
#include <memory>
#include <string>
#include <utility>

namespace aqueduct::actors::network {

/// The place of an answer among those of its connection, and the form that it has to have.
struct kafka_answer {
  std::shared_ptr<reply_order> order;
  reply_order::place place = 0;
  protocol::kafka::api_key api{};
  std::int16_t version = 0;
  std::int32_t correlation_id = 0;

  /// Call one of these, once.
  template <protocol::kafka::message M>
  void send(const M& response) const {
    order->fill(place, protocol::kafka::encode_response(response, version, correlation_id));
  }
  void send_nothing() const { order->fill(place, {}); }
  void end_connection() const { order->fill_with_end(place); }

  /// The number for `code` in an answer of this form.
  [[nodiscard]] std::int16_t error(errc code) const {
    return number_of(protocol::kafka::kafka_error(code, api, version));
  }
};

/// A request that was taken off the wire.
struct kafka_request {
  kafka_answer answer;
  std::shared_ptr<connection> client;
  std::string client_id;
  mutable_buffer frame;
  bool whole_allocation = false;
  /// The message in the frame.
  buffer payload;
  /// Bytes that count as under way until the answer.
  std::size_t charged = 0;

  [[nodiscard]] std::int16_t version() const { return answer.version; }
  /// So much more is under way for it.
  void charge(std::size_t bytes) {
    client->charge_request(bytes);
    charged += bytes;
  }
  /// Answers at once.
  template <protocol::kafka::message M>
  void respond(const M& response) const {
    answer.send(response);
    client->finish_request(charged);
  }
  /// The same request in the native protocol's terms.
  [[nodiscard]] native_request as_native(std::shared_ptr<answer_translator> translator) const {
    return {client, {}, charged, std::move(translator)};
  }
};

/// A request whose answer needs several outcomes; the last one sends it, or the end of the call.
/// What stands in `response` before an outcome came has to be an answer too.
template <protocol::kafka::message M>
class kafka_call {
public:
  explicit kafka_call(const kafka_request& request)
      : client_(request.client), charged_(request.charged), answer_(request.answer) {}
  virtual ~kafka_call() { finish(); }

  kafka_call(const kafka_call&) = delete;
  kafka_call& operator=(const kafka_call&) = delete;

protected:
  /// Before the first question is asked.
  void expect(std::size_t outcomes) {
    left_ = outcomes;
    if (outcomes == 0)
      finish();
  }
  void arrived() {
    if (left_.fetch_sub(1) == 1)
      finish();
  }
  [[nodiscard]] const kafka_answer& answer() const { return answer_; }

  M response;

private:
  void finish() {
    if (finished_.exchange(true))
      return;
    answer_.send(response);
    client_->finish_request(charged_);
  }

  std::shared_ptr<connection> client_;
  std::size_t charged_;
  kafka_answer answer_;
  std::atomic<std::size_t> left_{0};
  std::atomic<bool> finished_{false};
};

} // namespace aqueduct::actors::network
