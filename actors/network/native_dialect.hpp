// The native protocol on one connection: decodes requests and sends them to the actors.
#pragma once

#include "actors/network/connection.hpp"
#include "actors/network/native_data_calls.hpp"
#include "actors/network/produce_intake.hpp"
#include "actors/network/services.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>

namespace aqueduct::actors::network {

/// Waits for the first bytes of a connection and chooses the dialect by them.
[[nodiscard]] std::unique_ptr<dialect>
make_first_dialect(std::weak_ptr<connection> client, std::shared_ptr<const front_services> node,
                   std::shared_ptr<deadline_queue> deadlines);

class native_dialect : public dialect {
public:
  native_dialect(std::weak_ptr<connection> client, std::shared_ptr<const front_services> node,
                 std::shared_ptr<deadline_queue> deadlines);

  [[nodiscard]] std::size_t header_size() const override { return protocol::frame_header_size; }
  [[nodiscard]] result<std::size_t> frame_size(const std::byte* header) override;
  [[nodiscard]] result<void> frame(const mutable_buffer& bytes, bool whole_allocation) override;
  void end_of_chunk() override { intake_.send_all(); }
  void closed() override;
  void relieved() override;
  void hurry() override { deadlines_->expire_all_of(this); }
  void refuse(const error& why) override;
  [[nodiscard]] bool is_established() const override { return greeted_; }

private:
  /// A request that was taken off the wire.
  struct incoming {
    protocol::frame_header header;
    buffer payload;
    mutable_buffer frame;
    /// Bytes that count as under way until the answer.
    std::size_t charged = 0;
    bool whole_allocation = false;
  };

  void dispatch(incoming& request);
  /// Decodes the message and charges for it; answers what cannot be decoded, or names too much.
  template <class M>
  [[nodiscard]] std::optional<M> take_message(incoming& request);
  /// Hands the message to `handle`.
  template <class M>
  void decoded(incoming& request, void (native_dialect::*handle)(const incoming&, M));

  /// Has `serve` answer the message.
  template <class M>
  void served(incoming& request);

  void on_hello(const incoming& request, protocol::hello_request message);
  void on_api_versions(const incoming& request, protocol::api_versions_request message);
  void on_produce(const incoming& request, protocol::produce_request message);
  void on_fetch(const incoming& request, protocol::fetch_request message);
  void on_batch_fetch(const incoming& request, protocol::batch_fetch_request message);
  void on_subscribe(const incoming& request, protocol::subscribe_request message);
  void on_credit(const incoming& request, protocol::credit_request message);
  void on_unsubscribe(const incoming& request, protocol::unsubscribe_request message);

  /// Counts `count` more partitions as subscribed to, if they may be.
  [[nodiscard]] result<void> take_subscriptions(std::int64_t count);
  void return_subscriptions(std::int64_t count);
  [[nodiscard]] std::shared_ptr<connection> client() const { return client_.lock(); }
  [[nodiscard]] static std::size_t charged(const incoming& request) { return request.charged; }

  std::weak_ptr<connection> client_;
  std::shared_ptr<const front_services> node_;
  std::shared_ptr<deadline_queue> deadlines_;
  bool greeted_ = false;
  std::map<std::uint32_t, std::shared_ptr<native_subscription>> subscriptions_;
  /// Partitions in subscriptions_.
  std::int64_t subscribed_ = 0;
  produce_intake intake_;
};

} // namespace aqueduct::actors::network
