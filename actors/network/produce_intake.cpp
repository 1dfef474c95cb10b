#include "actors/network/produce_intake.hpp"

#include "actors/network/topic_lookup.hpp"
#include "protocol/record_batch.hpp"

#include <caf/send.hpp>

#include <algorithm>
#include <cstring>

namespace aqueduct::actors::network {

namespace {

/// Batches below this size are copied out of memory that they share with other frames: a small
/// batch in the tail cache must not keep a whole read alive.
constexpr std::size_t copy_below_bytes = 32 * 1024;

produce_outcome refused(errc code, std::string message) {
  produce_outcome outcome;
  outcome.error = code;
  outcome.message = std::move(message);
  return outcome;
}

} // namespace

produce_outcome produce_intake::check_batch(const produce_frame& request,
                                            const protocol::produce_partition& partition,
                                            const topic_route& topic, produce_item& item) const {
  const auto records = partition.records.flatten();
  protocol::batch_limits limits;
  limits.batch_bytes_max = topic.config.message_bytes_max;
  const auto header = protocol::validate_batch(records.bytes(), limits);
  if (!header)
    return refused(header.error().code, header.error().message);
  protocol::records_limits inner;
  inner.records_bytes_max = node_->limits.decompressed_bytes_max;
  const auto deep = protocol::validate_records(protocol::batch_view(records.bytes()), inner);
  if (!deep)
    return refused(deep.error().code, deep.error().message);
  const auto at = static_cast<std::size_t>(records.data() - request.bytes.data());
  const auto slice = request.bytes.slice(at, records.size());
  const bool lonely = request.whole_allocation && records.size() >= request.bytes.size() / 4;
  if (lonely || records.size() >= copy_below_bytes) {
    item.batch = slice;
  } else {
    item.batch = mutable_buffer(slice.size());
    std::memcpy(item.batch.data(), slice.data(), slice.size());
  }
  item.header = *header;
  return {};
}

void produce_intake::take_partition(const produce_frame& request,
                                    const std::shared_ptr<produce_call>& call, std::uint32_t slot,
                                    const protocol::produce_request& message, topic_lookup& topic,
                                    const protocol::produce_partition& partition) {
  auto found = topic.partition(partition.partition);
  const auto& target = found.route;
  if (!target) {
    auto outcome = refused(found.why.code, std::move(found.why.message));
    outcome.leader = found.leader;
    call->produced(slot, std::move(outcome));
    return;
  }
  produce_item item;
  auto outcome = check_batch(request, partition, *topic.topic(), item);
  if (outcome.error != errc::none) {
    call->produced(slot, std::move(outcome));
    return;
  }
  item.sink = call;
  item.slot = slot;
  item.acks = message.acks;
  item.expected_offset = partition.expected_offset;
  item.deadline_ms = node_->env->steady_ms() + std::max(message.timeout_ms, 1);
  for (auto& [to, items] : gathered_)
    if (to == target) {
      items.push_back(std::move(item));
      return;
    }
  gathered_.emplace_back(target, std::vector<produce_item>()).second.push_back(std::move(item));
}

void produce_intake::take(const protocol::produce_request& message, const produce_frame& frame,
                          const std::shared_ptr<produce_call>& call) {
  std::uint32_t slot = 0;
  for (const auto& topic : message.topics) {
    topic_lookup found(*node_->directory, topic.name);
    for (const auto& partition : topic.partitions)
      take_partition(frame, call, slot++, message, found, partition);
  }
}

void produce_intake::send_all() {
  for (auto& [to, items] : gathered_)
    caf::anon_send(to->handle, produce_message{std::move(items)});
  gathered_.clear();
}

} // namespace aqueduct::actors::network
