#include "protocol/client/internal/producer_core.hpp"

#include "protocol/client/internal/conditional_appender.hpp"

#include <algorithm>

namespace aqueduct::client {

using namespace protocol;

producer_core::producer_core(std::shared_ptr<cluster_core> on, producer_config config)
    : cluster_(std::move(on)),
      config_(std::move(config)),
      accumulator_(config_, static_cast<std::uint64_t>(clock::now().time_since_epoch().count()),
                   [this] { wake(); }),
      identity_backoff_(config_.backoff_min, config_.backoff_max, 1),
      timer_(std::make_unique<boost::asio::steady_timer>(cluster_->context())) {
  conditional_ = std::make_unique<conditional_appender>(cluster_, config_, is_idempotent());
}

producer_core::~producer_core() = default;

bool producer_core::is_idempotent() const {
  return config_.idempotent.value_or(config_.acks != client::acks::none);
}

result<std::shared_ptr<producer_core>> producer_core::create(std::shared_ptr<cluster_core> on,
                                                             producer_config config) {
  if (auto valid = config.validate(); !valid)
    return valid.propagate();
  const std::shared_ptr<producer_core> core(new producer_core(std::move(on), std::move(config)));
  if (core->is_idempotent()) {
    auto reply = core->cluster_->ask_any(init_producer_id_request{},
                                         after(clock::now(), core->config_.request_timeout), true);
    if (!reply)
      return reply.propagate();
    core->identity_ = {producer_id(reply->producer_id), reply->producer_epoch};
  }
  if (!core->cluster_->post([core] { core->start(); }))
    return unexpected(errc::cancelled, "the cluster object is closed");
  return core;
}

// -- any thread -----------------------------------------------------------------------------------

result<void> producer_core::send(const record& rec, accumulator::told& done, bool at_once) {
  accumulator::append_options options;
  options.at_once = at_once;
  const bool may_wait = !cluster_->is_io_thread();
  // The clock is only read where something has to wait.
  auto appended = accumulator_.append(rec, done, options);
  if (!appended && (appended.error().code == errc::unknown_topic ||
                    (appended.error().code == errc::overloaded && may_wait))) {
    options.block_until = after(clock::now(), config_.block_max);
    const auto topic =
        cluster_->wait_for_topic(std::string(rec.topic), options.block_until, config_.auto_create);
    if (!topic)
      return topic.propagate();
    accumulator_.learn((*topic)->name, (*topic)->partitions.size());
    if (!may_wait)
      options.block_until = {};
    appended = accumulator_.append(rec, done, options);
  }
  if (appended)
    counters_.sent.fetch_add(1, std::memory_order_relaxed);
  return appended;
}

result<record_metadata> producer_core::append_at(const topic_partition& to, offset_t expected,
                                                 std::span<const record> records,
                                                 offset_t* end_offset) {
  if (is_closing_)
    return unexpected(errc::cancelled, "the producer is closed");
  if (records.empty())
    return unexpected(errc::invalid_message, "there is no record to append");
  return conditional_->append(to, expected, records, end_offset);
}

result<void> producer_core::flush(std::optional<milliseconds> timeout) {
  if (cluster_->is_io_thread())
    return unexpected(errc::invalid_request,
                      "this function waits and cannot be called from a callback");
  return accumulator_.flush(timeout ? after(clock::now(), *timeout) : never);
}

result<void> producer_core::close(std::optional<milliseconds> timeout) {
  if (is_closing_.exchange(true))
    return {};
  accumulator_.close({errc::cancelled, "the producer is closed"});
  auto flushed = cluster_->is_io_thread() ? result<void>() : flush(timeout);
  abandon();
  return flushed;
}

void producer_core::abandon() {
  is_closing_ = true;
  const error why{errc::cancelled, "the producer was closed before the record was stored"};
  accumulator_.close({errc::cancelled, "the producer is closed"});
  if (cluster_->is_io_thread())
    return end(why);
  auto slot = std::make_shared<sync_slot<bool>>();
  if (cluster_->post([self = shared_from_this(), slot, why] {
        self->end(why);
        slot->put(true);
      }))
    (void)slot->take();
}

producer_stats producer_core::stats() const {
  producer_stats now;
  now.records_sent = counters_.sent;
  now.records_acked = counters_.acked;
  now.records_failed = counters_.failed;
  now.batches_acked = counters_.batches;
  now.batches_retried = counters_.retried;
  now.batches_split = counters_.split;
  now.bytes_acked = counters_.bytes;
  now.memory_bytes = accumulator_.memory_used();
  return now;
}

void producer_core::wake() {
  if (wake_pending_.exchange(true))
    return;
  const bool posted = cluster_->post([weak = weak_from_this()] {
    if (const auto self = weak.lock())
      self->drain();
  });
  if (posted)
    return;
  // The I/O thread is gone, and with it everybody who could send this.
  const error why{errc::cancelled, "the cluster object was closed"};
  accumulator_.close(why);
  for (const auto& [queue, batch] : accumulator_.take_all())
    tell_failed(*batch, queue->partition, why);
}

// -- the I/O thread -------------------------------------------------------------------------------

void producer_core::start() {
  listener_ = cluster_->add_listener([weak = weak_from_this()] {
    if (const auto self = weak.lock())
      self->metadata_changed();
  });
}

void producer_core::metadata_changed() {
  if (cluster_->is_closed())
    return end({errc::cancelled, "the cluster object was closed"});
  for (const auto& name : accumulator_.topics())
    if (const auto topic = cluster_->known_topic(name))
      accumulator_.learn(name, topic->partitions.size());
  drain();
}

void producer_core::end(const error& why) {
  if (!ended_) {
    ended_ = why;
    accumulator_.close(why);
    if (listener_ != 0)
      cluster_->remove_listener(listener_);
    timer_->cancel();
  }
  for (auto* queue : std::exchange(active_, {})) {
    queue->is_active = false;
    for (const auto& batch : queue->pipeline->take_all())
      tell_failed(*batch, queue->partition, why);
  }
  for (const auto& [queue, batch] : accumulator_.take_all())
    tell_failed(*batch, queue->partition, why);
}

void producer_core::drain() {
  wake_pending_ = false;
  const auto now = clock::now();
  if (ended_)
    return end(*ended_);
  take_batches(now);
  expire(now);
  if (ended_)
    return end(*ended_);
  send_ready(now);
  if (ended_)
    return;
  std::erase_if(active_, [](partition_queue* queue) {
    queue->is_active = !queue->pipeline->empty();
    return !queue->is_active;
  });
  arm_timer(now);
}

void producer_core::take_batches(time_point now) {
  for (auto& [queue, batch] : accumulator_.take(now)) {
    if (batch->broken) {
      tell_failed(*batch, queue->partition, *batch->broken);
      continue;
    }
    if (!queue->pipeline)
      open_pipeline(*queue);
    queue->pipeline->push(std::move(batch));
    if (!std::exchange(queue->is_active, true))
      active_.push_back(queue);
  }
}

void producer_core::open_pipeline(partition_queue& queue) {
  partition_pipeline::settings how;
  how.backoff_min = config_.backoff_min;
  how.backoff_max = config_.backoff_max;
  how.records_bytes_max = compression_bytes_max;
  how.seed = cluster_->random();
  how.identity = identity_;
  // Without sequence numbers only one at a time keeps the order; without answers there is no order
  // to keep.
  const bool is_ordered = is_idempotent() || config_.acks == client::acks::none;
  how.in_flight_max = is_ordered ? config_.in_flight_per_partition : 1;
  queue.pipeline.emplace(how);
  cluster_->follow(queue.partition.topic);
}

void producer_core::expire(time_point now) {
  // Their users are told afterwards: a callback may close the producer.
  cargo over;
  for (auto* queue : active_)
    for (auto& batch : queue->pipeline->expire(now))
      over.push_back({queue, std::move(batch)});
  for (const auto& [queue, batch] : over) {
    auto why = to_string(queue->partition) +
               ": not stored within the delivery timeout; it may or may not be stored";
    if (queue->last_failure)
      why += "; the last attempt failed: " + to_string(*queue->last_failure);
    tell_failed(*batch, queue->partition, {errc::timed_out, std::move(why)});
  }
}

void producer_core::arm_timer(time_point now) {
  auto wake_at = accumulator_.next_linger();
  for (const auto* queue : active_)
    wake_at = std::min(wake_at, queue->pipeline->next_wake());
  const bool waits_for_identity = std::ranges::any_of(
      active_, [](const auto* queue) { return queue->pipeline->needs_identity(); });
  if (waits_for_identity && !identity_asked_)
    wake_at = std::min(wake_at, std::max(identity_not_before_, now));
  if (wake_at >= armed_for_)
    return;
  armed_for_ = wake_at;
  timer_->expires_at(wake_at);
  timer_->async_wait([weak = weak_from_this()](boost::system::error_code cancelled) {
    const auto self = weak.lock();
    if (!self || cancelled)
      return;
    self->armed_for_ = never;
    self->drain();
  });
}

// -- what became of it ----------------------------------------------------------------------------

void producer_core::tell_stored(producer_batch& batch, partition_id partition, offset_t base,
                                timestamp_ms append_time) {
  counters_.acked.fetch_add(static_cast<std::uint64_t>(batch.records), std::memory_order_relaxed);
  counters_.batches.fetch_add(1, std::memory_order_relaxed);
  counters_.bytes.fetch_add(batch.wire.size(), std::memory_order_relaxed);
  accumulator_.release(batch);
  for (auto& each : std::exchange(batch.completions, {})) {
    record_metadata where;
    where.partition = partition;
    where.offset = base.value < 0 ? offset_t(-1) : offset_t(base.value + each.index);
    where.timestamp = append_time.value >= 0 ? append_time : each.timestamp;
    each.tell(where);
  }
  accumulator_.settled(batch, nullptr);
}

void producer_core::tell_failed(producer_batch& batch, const topic_partition& tp,
                                const error& why) {
  const auto asked = batch.completions.size();
  const auto lost = static_cast<std::size_t>(batch.records) - asked;
  counters_.failed.fetch_add(static_cast<std::uint64_t>(batch.records), std::memory_order_relaxed);
  accumulator_.release(batch);
  for (auto& each : std::exchange(batch.completions, {}))
    each.tell(unexpected(why));
  if (lost > 0 && config_.on_lost)
    config_.on_lost(tp, why, lost);
  accumulator_.settled(batch, lost > 0 ? &why : nullptr);
}

} // namespace aqueduct::client
