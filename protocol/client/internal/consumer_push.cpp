// Push mode: one subscription per partition, so that a partition that the user is slow with takes
// no credit from the others.
#include "protocol/client/internal/consumer_core.hpp"

#include <algorithm>

namespace aqueduct::client {

using namespace protocol;

std::size_t consumer_core::push_window() const {
  constexpr std::size_t least = 4096;
  const auto share = config_.prefetch_bytes / std::max<std::size_t>(turns_.size(), 1);
  return std::clamp(share, std::min(least, config_.partition_bytes_max),
                    config_.partition_bytes_max);
}

void consumer_core::subscribe(node_id leader, const task& one) {
  const auto& tp = one.partition->tp;
  const auto number = next_subscription_++;
  const auto link = cluster_->link(leader, lane::waiting);
  if (!link)
    return subscribed(one, number,
                      {{}, failure::of(errc::broker_unavailable, "no address is known")});
  subscribe_request request;
  request.subscription = number;
  request.topic = tp.topic;
  request.partitions.push_back({tp.partition.value, one.value});
  {
    // What still waits for the user counts against the window from the start.
    const std::lock_guard lock(mutex_);
    const auto window = push_window() - std::min(one.partition->buffered, push_window());
    request.credit_bytes = static_cast<std::int64_t>(std::max<std::size_t>(window, 1));
  }
  request.push_bytes_max = static_cast<std::int32_t>(config_.partition_bytes_max);
  call_options options;
  options.deadline = after(clock::now(), config_.request_timeout);
  options.on_push = [self = shared_from_this(), one, number](answer<delivery> push) {
    self->delivered(one, number, std::move(push));
  };
  const auto id =
      link->call(std::move(request), std::move(options),
                 [self = shared_from_this(), one, number](answer<subscribe_response> reply) {
                   self->subscribed(one, number, std::move(reply));
                 });
  const std::lock_guard lock(mutex_);
  if (is_current(one))
    one.partition->pushed = {link, id, number, 0};
  else
    to_unsubscribe_.push_back({link, id, number, 0});
}

void consumer_core::subscribed(const task& one, std::uint32_t number,
                               answer<subscribe_response> reply) {
  {
    locked lock(mutex_);
    if (!is_current(one))
      return;
    auto& partition = *one.partition;
    partition.is_busy = false;
    if (partition.pushed && partition.pushed->number != number)
      return;
    std::optional<failure> why;
    if (!reply)
      why = reply.fail;
    else if (reply.value->partitions.size() != 1)
      why = failure::of(errc::connection_lost, "the broker left the partition out");
    else if (const auto& got = reply.value->partitions[0]; got.error != errc::none)
      why = failure::of(got.error, got.message);
    if (why) {
      partition.pushed.reset();
      failed(lock, one.partition, *why);
    }
  }
  ready_.notify_all();
  pump();
}

void consumer_core::delivered(const task& one, std::uint32_t number, answer<delivery> push) {
  {
    locked lock(mutex_);
    auto& partition = *one.partition;
    // Pushes that were under way when the subscription ended come again with the next one.
    if (!is_current(one) || !partition.pushed || partition.pushed->number != number)
      return;
    if (push && push.value->error == errc::none) {
      if (push.value->high_watermark >= 0)
        partition.high_watermark = offset_t(push.value->high_watermark);
      received(partition, push.value->records.flatten());
      if (partition.failed)
        to_unsubscribe_.push_back(*std::exchange(partition.pushed, std::nullopt));
    } else {
      const auto ended = *std::exchange(partition.pushed, std::nullopt);
      if (push)
        to_unsubscribe_.push_back(ended);
      failed(lock, one.partition,
             push ? failure::of(push.value->error, push.value->message) : push.fail);
    }
    if (partition.pushed) {
      lock.unlock();
      ready_.notify_all();
      return;
    }
  }
  ready_.notify_all();
  pump();
}

void consumer_core::unsubscribe(const consumer_partition::subscription& old) {
  const auto link = old.link.lock();
  if (!link)
    return;
  link->forget_pushes(old.id);
  if (!link->is_ready())
    return;
  call_options options;
  options.deadline = after(clock::now(), config_.request_timeout);
  options.close_on_timeout = false;
  link->call(unsubscribe_request{old.number}, std::move(options), [](const auto&) {});
}

} // namespace aqueduct::client
