// One request on its way to an answer, in the terms of the native protocol. Whoever drops the last
// reference without an answer makes the call answer for itself: no client waits for an actor that
// is gone. What another dialect asks takes the same way; a translator then says the answer in its
// terms.
#pragma once

#include "actors/network/connection.hpp"
#include "protocol/native/codec.hpp"
#include "protocol/native/messages.hpp"
#include "protocol/sentence.hpp"

#include <algorithm>
#include <atomic>
#include <memory>
#include <type_traits>
#include <utility>
#include <variant>

namespace aqueduct::actors::network {

/// The answers that dialects share.
using shared_answer =
    std::variant<const protocol::produce_response*, const protocol::fetch_response*,
                 const protocol::list_offsets_response*, const protocol::metadata_response*,
                 const protocol::init_producer_id_response*>;

/// Says the answer to one request in another dialect. One of its functions is called, once, by any
/// thread.
class answer_translator {
public:
  virtual ~answer_translator() = default;
  virtual void respond(const shared_answer& answer) = 0;
  virtual void fail(const error& why) = 0;
  /// The request wanted no answer; it may have failed all the same.
  virtual void finish_silently(bool failed) = 0;
};

/// Who asks and for whom the answer is.
struct native_request {
  std::shared_ptr<connection> client;
  protocol::frame_header header;
  /// Charged to the connection for this request.
  std::size_t frame_bytes = 0;
  /// Null: the client speaks the native protocol.
  std::shared_ptr<answer_translator> translator{};
};

class native_call {
public:
  explicit native_call(native_request request)
      : client_(std::move(request.client)),
        request_(request.header),
        frame_bytes_(request.frame_bytes),
        translator_(std::move(request.translator)) {}
  native_call(std::shared_ptr<connection> client, const protocol::frame_header& request,
              std::size_t frame_bytes)
      : native_call(native_request{std::move(client), request, frame_bytes}) {}

  virtual ~native_call() {
    if (!answered_)
      fail({errc::shutting_down, "the part of the broker that had the request is gone"});
  }

  native_call(const native_call&) = delete;
  native_call& operator=(const native_call&) = delete;

  /// Answers; later answers are ignored. Thread-safe.
  template <protocol::defined M>
  void respond(const M& message) {
    if (answered_.exchange(true))
      return;
    if constexpr (std::is_constructible_v<shared_answer, const M*>) {
      if (translator_) {
        translator_->respond(&message);
        settle();
        return;
      }
    }
    send(protocol::encode_frame(response_header(errc::none), message));
  }

  /// `leader` is the node to try instead, and `address` where it is reached.
  void fail(const error& why, std::int32_t leader = -1, std::string address = {}) {
    if (answered_.exchange(true))
      return;
    if (translator_) {
      translator_->fail(why);
      settle();
      return;
    }
    protocol::error_response response;
    response.leader = leader;
    response.leader_address = std::move(address);
    response.message =
        cut_sentence(why.message.empty() ? std::string(describe(why.code).meaning) : why.message);
    response.retriable = is_retriable(why.code);
    send(protocol::encode_frame(response_header(why.code), response));
  }

  /// Needs no answer (acks none), though it may have failed.
  void finish_silently(bool failed = false) {
    if (answered_.exchange(true))
      return;
    if (translator_)
      translator_->finish_silently(failed);
    settle();
  }

  /// The answer may have `bytes`: until it is there, or `expect_no_more`, they count as queued, so
  /// that no more requests are begun than a connection may have answers. Call once at most.
  void expect_answer(std::size_t bytes) {
    client_->expect_answer(bytes);
    expected_bytes_ = bytes;
  }
  void expect_no_more() {
    if (const auto bytes = expected_bytes_.exchange(0); bytes > 0)
      client_->answer_came(bytes);
  }

  [[nodiscard]] bool is_answered() const { return answered_; }
  [[nodiscard]] const std::shared_ptr<connection>& client() const { return client_; }
  [[nodiscard]] std::uint32_t correlation_id() const { return request_.correlation_id; }

private:
  [[nodiscard]] protocol::frame_header response_header(errc status) const {
    auto header = request_;
    header.kind = protocol::frame_kind::response;
    header.status = status;
    // An error is told in a version that has its fields, also to who asked for one that never was.
    if (status != errc::none)
      header.version = std::max(header.version, protocol::current_version);
    return header;
  }

  void send(buffer_chain frame) {
    client_->reply(std::move(frame));
    settle();
  }
  void settle() {
    expect_no_more();
    client_->finish_request(frame_bytes_);
  }

  std::shared_ptr<connection> client_;
  protocol::frame_header request_;
  std::size_t frame_bytes_;
  std::shared_ptr<answer_translator> translator_;
  std::atomic<std::size_t> expected_bytes_{0};
  std::atomic<bool> answered_{false};
};

} // namespace aqueduct::actors::network
