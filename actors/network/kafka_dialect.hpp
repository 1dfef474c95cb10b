// The Kafka protocol on one connection: decodes requests, has them answered by the actors that
// answer those of the native protocol too, and sends the answers in the order of the requests.
#pragma once

#include "actors/network/connection.hpp"
#include "actors/network/deadline_queue.hpp"
#include "actors/network/kafka_call.hpp"
#include "actors/network/produce_intake.hpp"
#include "actors/network/reply_order.hpp"
#include "actors/network/services.hpp"

#include <memory>
#include <optional>

namespace aqueduct::actors::network {

/// Size of the frame, prefix included, that begins with these four bytes. Error invalid_request if
/// it is smaller than any request or larger than `bytes_max`.
[[nodiscard]] result<std::size_t> kafka_frame_size(const std::byte* prefix, std::size_t bytes_max);

class kafka_dialect : public dialect {
public:
  kafka_dialect(std::weak_ptr<connection> client, std::shared_ptr<const front_services> node,
                std::shared_ptr<deadline_queue> deadlines);

  [[nodiscard]] std::size_t header_size() const override;
  [[nodiscard]] result<std::size_t> frame_size(const std::byte* header) override;
  /// An error for what the protocol has no answer to: the connection ends.
  [[nodiscard]] result<void> frame(const mutable_buffer& bytes, bool whole_allocation) override;
  void end_of_chunk() override { intake_.send_all(); }
  void closed() override;
  void hurry() override { deadlines_->expire_all_of(this); }
  void refuse(const error& why) override;
  /// The first request is in the hands of the dialect before anybody can ask.
  [[nodiscard]] bool is_established() const override { return true; }

private:
  [[nodiscard]] result<void> dispatch(kafka_request& request);
  /// Decodes the message and charges for it.
  template <class M>
  [[nodiscard]] result<M> take_message(kafka_request& request);
  /// Has `serve_kafka` answer the message.
  template <class M>
  [[nodiscard]] result<void> served(kafka_request& request);

  std::weak_ptr<connection> client_;
  std::shared_ptr<const front_services> node_;
  std::shared_ptr<deadline_queue> deadlines_;
  std::shared_ptr<reply_order> replies_;
  produce_intake intake_;
};

} // namespace aqueduct::actors::network
