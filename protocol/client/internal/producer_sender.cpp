// The sending half of the producer: batches into requests, answers into outcomes, and the identity
// of the idempotent producer.
#include "protocol/client/internal/producer_core.hpp"

#include <algorithm>
#include <map>

namespace aqueduct::client {

using namespace protocol;

namespace {

/// Batches for one broker share requests up to this size.
constexpr std::size_t request_bytes_wanted = std::size_t{4} << 20;

/// The broker gives up a little before the client does, so that its answer explains more.
std::int32_t broker_timeout(milliseconds request_timeout) {
  const auto all = request_timeout.count();
  return static_cast<std::int32_t>(
      std::clamp<std::int64_t>(all - std::min<std::int64_t>(all / 10, 1000), 1, 0x7fffffff));
}

} // namespace

void producer_core::send_ready(time_point now) {
  const bool is_wanted = std::ranges::any_of(
      active_, [](const auto* queue) { return queue->pipeline->needs_identity(); });
  if (is_wanted)
    adopt_identity();
  while (send_round(now)) {
  }
}

bool producer_core::send_round(time_point now) {
  struct load {
    cargo batches;
    std::size_t bytes = 0;
    std::size_t bytes_max = 0;
  };
  std::map<node_id, load> loads;
  bool is_leaderless = false;
  bool is_any = false;
  for (auto* queue : active_) {
    const auto leader = cluster_->leader(queue->partition);
    if (!leader) {
      is_leaderless = true;
      continue;
    }
    auto batch = queue->pipeline->next(now, *leader);
    if (!batch)
      continue;
    is_any = true;
    auto& to = loads[*leader];
    if (to.bytes_max == 0)
      to.bytes_max = request_bytes_max(*leader);
    if (to.bytes > 0 && to.bytes + batch->wire.size() > to.bytes_max) {
      send_request(*leader, std::move(to.batches));
      to.batches.clear();
      to.bytes = 0;
    }
    to.bytes += batch->wire.size();
    to.batches.push_back({queue, std::move(batch)});
  }
  for (auto& [leader, to] : loads)
    send_request(leader, std::move(to.batches));
  if (is_leaderless)
    cluster_->refresh();
  return is_any;
}

std::size_t producer_core::request_bytes_max(node_id leader) const {
  const auto link = cluster_->link(leader, lane::direct);
  if (!link || !link->hello())
    return 1;
  // Something is left for names and lengths.
  return std::min<std::size_t>(request_bytes_wanted, link->hello()->frame_bytes_max / 10 * 9);
}

void producer_core::send_request(node_id leader, cargo batches) {
  produce_request request;
  request.acks = static_cast<protocol::acks>(config_.acks);
  request.timeout_ms = broker_timeout(config_.request_timeout);
  for (const auto& [queue, batch] : batches) {
    if (request.topics.empty() || request.topics.back().name != queue->partition.topic)
      request.topics.push_back({queue->partition.topic, {}});
    request.topics.back().partitions.push_back(
        {queue->partition.partition.value, -1, buffer_chain(batch->wire)});
  }
  const auto link = cluster_->link(leader, lane::direct);
  if (!link) {
    // Answered from the loop, like any other request.
    const auto why =
        failure::of(errc::broker_unavailable,
                    "the address of broker " + std::to_string(leader.value) + " is not known");
    (void)cluster_->post([self = shared_from_this(), batches = std::move(batches), why] {
      self->answered(batches, {{}, why});
    });
    return;
  }
  call_options options;
  options.deadline = after(clock::now(), config_.request_timeout);
  options.one_way = config_.acks == client::acks::none;
  options.if_reachable = true;
  options.stalled_at = after(clock::now(), answer_patience);
  link->call(std::move(request), std::move(options),
             [self = shared_from_this(), batches = std::move(batches)](
                 answer<produce_response> reply) { self->answered(batches, std::move(reply)); });
}

void producer_core::answered(const cargo& batches, answer<produce_response> reply) {
  if (ended_)
    return;
  if (!reply) {
    for (const auto& one : batches)
      if (!ended_)
        failed(one, reply.fail);
    return drain();
  }
  if (config_.acks == client::acks::none) {
    for (const auto& one : batches) {
      one.queue->pipeline->stored(one.batch);
      one.queue->last_failure.reset();
      if (!one.batch->is_abandoned)
        tell_stored(*one.batch, one.queue->partition.partition, offset_t(-1), timestamp_ms(-1));
    }
    return drain();
  }
  // The answer has the order of the request.
  std::size_t at = 0;
  for (const auto& topic : reply.value->topics)
    for (const auto& outcome : topic.partitions) {
      if (at == batches.size() || ended_)
        break;
      const auto& one = batches[at];
      const auto& tp = one.queue->partition;
      if (topic.name != tp.topic || outcome.partition != tp.partition.value)
        continue;
      ++at;
      settle(one, outcome, is_retriable(outcome.error));
    }
  auto missing = failure::of(errc::connection_lost, "the broker left a batch out of its answer");
  missing.uncertain = true;
  for (; at < batches.size() && !ended_; ++at)
    failed(batches[at], missing);
  drain();
}

void producer_core::settle(const sent& one, const produce_partition_result& outcome,
                           bool is_retriable) {
  if (outcome.error == errc::none || outcome.error == errc::duplicate_sequence) {
    one.queue->pipeline->stored(one.batch);
    one.queue->last_failure.reset();
    if (!one.batch->is_abandoned)
      tell_stored(*one.batch, one.queue->partition.partition, offset_t(outcome.base_offset),
                  timestamp_ms(outcome.append_time_ms));
    return;
  }
  failure why{{outcome.error, outcome.message}, is_retriable};
  if (outcome.leader >= 0)
    why.leader = node_id(outcome.leader);
  failed(one, why);
}

void producer_core::failed(const sent& one, const failure& why) {
  auto& queue = *one.queue;
  if (is_about_leader(why.err.code) || why.leader)
    cluster_->leader_failed(queue.partition, why);
  // Without answers nobody can tell what a repeat would repeat, unless nothing was sent at all.
  const bool is_again = why.retriable && (config_.acks != client::acks::none || !why.uncertain);
  const partition_pipeline::attempt_failure attempt{why.err.code, is_again, why.leader.has_value()};
  switch (queue.pipeline->failed(one.batch, attempt, clock::now())) {
  case partition_pipeline::verdict::retry:
    queue.last_failure = why.err;
    counters_.retried.fetch_add(1, std::memory_order_relaxed);
    return;
  case partition_pipeline::verdict::split:
    counters_.split.fetch_add(1, std::memory_order_relaxed);
    accumulator_.split(one.batch->generation);
    return;
  case partition_pipeline::verdict::needs_identity:
    return adopt_identity();
  case partition_pipeline::verdict::dropped:
    return;
  case partition_pipeline::verdict::stored:
    return tell_stored(*one.batch, queue.partition.partition, offset_t(-1), timestamp_ms(-1));
  case partition_pipeline::verdict::given_up:
    break;
  }
  const error told{why.err.code,
                   to_string(queue.partition) + ": " +
                       (why.err.message.empty() ? std::string(describe(why.err.code).meaning)
                                                : why.err.message)};
  // Whoever hears of a fenced producer finds it closed.
  if (why.err.code == errc::fenced_epoch)
    accumulator_.close(told);
  tell_failed(*one.batch, queue.partition, told);
  if (why.err.code == errc::fenced_epoch)
    end(told);
}

// -- identity -------------------------------------------------------------------------------------

void producer_core::adopt_identity() {
  // Those whose identity is older than the newest take it, once nothing of theirs is under way.
  bool is_new_needed = false;
  for (auto* queue : active_) {
    auto& pipeline = *queue->pipeline;
    if (!pipeline.needs_identity() || pipeline.in_flight() > 0)
      continue;
    if (pipeline.identity() != identity_)
      pipeline.adopt(*identity_);
    else
      is_new_needed = true;
  }
  if (is_new_needed)
    ask_identity();
}

void producer_core::ask_identity() {
  const auto to = cluster_->any_link();
  if (identity_asked_ || clock::now() < identity_not_before_ || !to)
    return;
  identity_asked_ = true;
  init_producer_id_request request;
  request.producer_id = identity_->id.value;
  request.producer_epoch = identity_->epoch;
  call_options options;
  options.deadline = after(clock::now(), config_.request_timeout);
  to->call(request, std::move(options),
           [self = shared_from_this()](answer<init_producer_id_response> reply) {
             self->identity_answered(std::move(reply));
           });
}

void producer_core::identity_answered(answer<init_producer_id_response> reply) {
  identity_asked_ = false;
  if (ended_)
    return;
  if (reply) {
    identity_ = {producer_id(reply.value->producer_id), reply.value->producer_epoch};
    identity_backoff_.reset();
    identity_not_before_ = {};
  } else if (!reply.fail.retriable) {
    return end(reply.fail.err);
  } else {
    identity_not_before_ = after(clock::now(), identity_backoff_.next());
  }
  drain();
}

} // namespace aqueduct::client
