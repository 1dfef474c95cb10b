#include "protocol/client/internal/accumulator.hpp"

#include "protocol/client/partitioner.hpp"

#include <algorithm>
#include <array>

namespace aqueduct::client {

using namespace protocol;

namespace {

/// Builders that are kept for the next batches, with their memory.
constexpr std::size_t builders_max = 16;
/// What a record takes in a batch besides its bytes, about: lengths, deltas, attributes.
constexpr std::size_t record_overhead = 24;

timestamp_ms wall_clock() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return timestamp_ms(std::chrono::duration_cast<milliseconds>(now).count());
}

std::size_t bytes_of(const record& rec) {
  auto size = record_overhead;
  size += rec.key ? rec.key->size() : 0;
  size += rec.value ? rec.value->size() : 0;
  for (const auto& each : rec.headers)
    size += each.name.size() + (each.value ? each.value->size() : 0) + 8;
  return size;
}

/// The headers in the form of the builder, which has its own type for the same thing. Valid until
/// the next call on this thread.
std::span<const record_header> wire_headers(std::span<const header> headers) {
  if (headers.empty())
    return {};
  thread_local std::vector<record_header> scratch;
  scratch.clear();
  for (const auto& each : headers)
    scratch.push_back(
        {each.name, each.value ? std::optional<byte_span>(*each.value) : std::nullopt});
  return scratch;
}

} // namespace

accumulator::accumulator(const producer_config& config, std::uint64_t seed,
                         std::function<void()> wake)
    : config_(config), wake_(std::move(wake)), random_(seed) {}

// -- appending ------------------------------------------------------------------------------------

result<void> accumulator::append(const record& rec, told& done, const append_options& options) {
  const auto bytes = bytes_of(rec);
  const auto timestamp = rec.timestamp ? *rec.timestamp : wall_clock();
  const record_to_write wire{timestamp, rec.key ? std::optional<byte_span>(*rec.key) : std::nullopt,
                             rec.value ? std::optional<byte_span>(*rec.value) : std::nullopt,
                             wire_headers(rec.headers)};
  std::array<batch_ptr, 2> full;
  bool is_to_wake = false;
  {
    std::unique_lock lock(mutex_);
    if (auto room = wait_for_memory(lock, bytes, options.block_until); !room)
      return room;
    auto* topic = find_topic(rec.topic);
    if (!topic)
      return unexpected(errc::unknown_topic, "topic '" + std::string(rec.topic) + "' is not known");
    const auto chosen = choose(*topic, rec);
    if (!chosen)
      return chosen.propagate();
    auto& queue = **chosen;
    if (!queue.filling)
      begin_batch(queue, rec);
    if (!queue.filling->builder->append(wire)) {
      if (!queue.filling->builder->empty()) {
        full[0] = seal(queue, clock::now());
        begin_batch(queue, rec);
      }
      if (!queue.filling->builder->append(wire)) {
        // Larger than a batch: it travels alone, in as large a batch as it needs.
        queue.filling->builder = std::make_unique<batch_builder>(compression_bytes_max);
        queue.filling->is_oversize = true;
        if (!queue.filling->builder->append(wire)) {
          queue.filling->builder = take_builder();
          return unexpected(errc::message_too_large,
                            "no batch can hold a record of " + std::to_string(bytes) + " bytes");
        }
      }
    }
    auto& batch = *queue.filling;
    if (auto* callback = std::get_if<send_callback>(&done))
      batch.completions.push_back(
          {static_cast<std::uint32_t>(batch.records), timestamp, std::move(*callback)});
    else if (auto* promise = std::get_if<send_promise>(&done))
      batch.completions.push_back(
          {static_cast<std::uint32_t>(batch.records), timestamp, std::move(*promise)});
    ++batch.records;
    batch.memory += bytes;
    memory_ += bytes;
    if (options.at_once || batch.linger_deadline == time_point{} ||
        batch.records >= config_.batch_records || batch.builder->size() >= config_.batch_bytes)
      full[1] = seal(queue, clock::now());
    else if (batch.linger_deadline < announced_) {
      announced_ = batch.linger_deadline;
      is_to_wake = true;
    }
  }
  for (const auto& batch : full)
    if (batch) {
      finish(batch);
      is_to_wake = true;
    }
  if (is_to_wake)
    wake_();
  return {};
}

result<void> accumulator::wait_for_memory(std::unique_lock<std::mutex>& lock, std::size_t bytes,
                                          time_point until) {
  if (closed_)
    return unexpected(*closed_);
  if (bytes > config_.memory_bytes)
    return unexpected(errc::message_too_large,
                      "a record of " + std::to_string(bytes) + " bytes is over the producer's " +
                          "memory_bytes of " + std::to_string(config_.memory_bytes));
  const auto is_free = [&] { return closed_ || memory_ + bytes <= config_.memory_bytes; };
  if (is_free())
    return {};
  ++memory_waiters_;
  const bool done = until != time_point{} && memory_freed_.wait_until(lock, until, is_free);
  --memory_waiters_;
  if (closed_)
    return unexpected(*closed_);
  if (!done)
    return unexpected(errc::overloaded, "the producer's memory_bytes are used up by records that "
                                        "the brokers have not taken yet");
  return {};
}

accumulator_topic* accumulator::find_topic(std::string_view name) {
  if (last_topic_ && last_topic_->name == name)
    return last_topic_;
  const auto found = topics_.find(std::string(name));
  if (found == topics_.end())
    return nullptr;
  return last_topic_ = found->second.get();
}

result<partition_queue*> accumulator::choose(accumulator_topic& topic, const record& rec) {
  const auto count = static_cast<std::int32_t>(topic.partitions.size());
  std::int32_t chosen = 0;
  if (rec.partition)
    chosen = rec.partition->value;
  else if (config_.partitioner)
    chosen = config_.partitioner(rec, count);
  else if (config_.partitioning == partitioning::round_robin)
    chosen = static_cast<std::int32_t>(topic.round_robin++ % static_cast<std::uint32_t>(count));
  else if (rec.key)
    chosen = partition_for_key(*rec.key, count);
  else
    chosen = topic.sticky;
  if (chosen < 0 || chosen >= count)
    return unexpected(errc::unknown_partition,
                      "topic '" + topic.name + "' has " + std::to_string(count) +
                          " partitions, from 0; there is no " + std::to_string(chosen));
  return topic.partitions[static_cast<std::size_t>(chosen)].get();
}

bool accumulator::goes_anywhere(const record& rec) const {
  return !rec.partition && !rec.key && !config_.partitioner &&
         config_.partitioning == partitioning::by_key;
}

void accumulator::begin_batch(partition_queue& queue, const record& first) {
  const auto now = clock::now();
  queue.filling = std::make_shared<producer_batch>();
  queue.filling->builder = take_builder();
  queue.filling->delivery_deadline = after(now, config_.delivery_timeout);
  queue.filling->generation = first_generation_ + unsettled_.size() - 1;
  count(queue.filling->generation, 1);
  // A partition that was left alone for as long as `linger` does not wait: the zero time says so.
  // It is not idle for records that may go anywhere and come to it from the one before: while more
  // than a batch of others is under way they follow each other closely, and travel together.
  const bool is_stream = goes_anywhere(first) && memory_ >= config_.batch_bytes;
  const auto last = is_stream ? now : queue.last_seal;
  const auto deadline = after(last, config_.linger);
  const bool is_idle = last == time_point{} || deadline <= now;
  queue.filling->linger_deadline = is_idle ? time_point{} : deadline;
  if (!queue.is_lingering) {
    queue.is_lingering = true;
    lingering_.push_back(&queue);
  }
}

std::unique_ptr<batch_builder> accumulator::take_builder() {
  if (builders_.empty())
    return std::make_unique<batch_builder>(config_.batch_bytes);
  auto builder = std::move(builders_.back());
  builders_.pop_back();
  return builder;
}

batch_ptr accumulator::seal(partition_queue& queue, time_point now) {
  auto batch = std::exchange(queue.filling, nullptr);
  queue.last_seal = now;
  queue.sealed.push_back(batch);
  if (!queue.has_sealed) {
    queue.has_sealed = true;
    with_sealed_.push_back(&queue);
  }
  // KIP-480: records without a key move on to another partition with every batch.
  auto& topic = *queue.topic;
  const auto count = topic.partitions.size();
  if (count > 1 && queue.partition.partition.value == topic.sticky) {
    const auto step = 1 + random_.next() % (count - 1);
    topic.sticky =
        static_cast<std::int32_t>((static_cast<std::size_t>(topic.sticky) + step) % count);
  }
  return batch;
}

void accumulator::finish(const batch_ptr& batch) {
  batch_options how;
  how.compression = static_cast<codec>(config_.codec);
  how.level = config_.compression_level;
  auto wire = batch->builder->finish(how);
  if (wire)
    batch->wire = std::move(*wire);
  else
    batch->broken = std::move(wire.error());
  batch->builder->clear();
  {
    const std::lock_guard lock(mutex_);
    if (builders_.size() < builders_max && !batch->is_oversize)
      builders_.push_back(std::move(batch->builder));
  }
  batch->builder = nullptr;
  batch->is_finished.store(true, std::memory_order_release);
}

void accumulator::learn(const std::string& topic, std::size_t partitions) {
  const std::lock_guard lock(mutex_);
  auto& entry = topics_[topic];
  if (!entry) {
    entry = std::make_unique<accumulator_topic>();
    entry->name = topic;
    entry->sticky = partitions == 0 ? 0 : static_cast<std::int32_t>(random_.next() % partitions);
  }
  while (entry->partitions.size() < partitions) {
    auto queue = std::make_unique<partition_queue>();
    queue->partition = {topic, partition_id(static_cast<std::int32_t>(entry->partitions.size()))};
    queue->topic = entry.get();
    entry->partitions.push_back(std::move(queue));
  }
}

std::vector<std::string> accumulator::topics() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> names;
  for (const auto& [name, topic] : topics_)
    names.push_back(name);
  return names;
}

// -- taking ---------------------------------------------------------------------------------------

std::vector<accumulator::taken> accumulator::take(time_point now) {
  std::vector<batch_ptr> due;
  {
    const std::lock_guard lock(mutex_);
    std::erase_if(lingering_, [&](partition_queue* queue) {
      if (queue->filling && queue->filling->linger_deadline > now)
        return false;
      queue->is_lingering = false;
      if (queue->filling)
        due.push_back(seal(*queue, now));
      return true;
    });
  }
  for (const auto& batch : due)
    finish(batch);
  std::vector<taken> all;
  const std::lock_guard lock(mutex_);
  std::erase_if(with_sealed_, [&](partition_queue* queue) {
    // Those behind one that is being finished wait: its thread wakes us again.
    while (!queue->sealed.empty() &&
           queue->sealed.front()->is_finished.load(std::memory_order_acquire)) {
      all.push_back({queue, std::move(queue->sealed.front())});
      queue->sealed.pop_front();
    }
    queue->has_sealed = !queue->sealed.empty();
    return !queue->has_sealed;
  });
  announced_ = never;
  for (const auto* queue : lingering_)
    if (queue->filling)
      announced_ = std::min(announced_, queue->filling->linger_deadline);
  return all;
}

time_point accumulator::next_linger() const {
  const std::lock_guard lock(mutex_);
  return announced_;
}

std::vector<accumulator::taken> accumulator::take_all() {
  std::vector<batch_ptr> due;
  {
    const std::lock_guard lock(mutex_);
    for (auto* queue : std::exchange(lingering_, {})) {
      queue->is_lingering = false;
      if (queue->filling)
        due.push_back(seal(*queue, queue->last_seal));
    }
  }
  for (const auto& batch : due)
    finish(batch);
  const std::lock_guard lock(mutex_);
  std::vector<taken> all;
  std::erase_if(with_sealed_, [&](partition_queue* queue) {
    std::erase_if(queue->sealed, [&](const batch_ptr& batch) {
      if (!batch->is_finished.load(std::memory_order_acquire))
        return false;
      all.push_back({queue, batch});
      return true;
    });
    queue->has_sealed = !queue->sealed.empty();
    return !queue->has_sealed;
  });
  return all;
}

// -- settling -------------------------------------------------------------------------------------

void accumulator::count(std::uint64_t generation, int change) {
  if (generation < first_generation_)
    return;
  auto& entry = unsettled_[generation - first_generation_];
  entry = static_cast<std::size_t>(static_cast<std::ptrdiff_t>(entry) + change);
  while (unsettled_.size() > 1 && unsettled_.front() == 0) {
    unsettled_.pop_front();
    ++first_generation_;
  }
}

void accumulator::release(const producer_batch& batch) {
  bool is_waited_for = false;
  {
    const std::lock_guard lock(mutex_);
    memory_ -= batch.memory;
    is_waited_for = memory_waiters_ > 0;
  }
  if (is_waited_for)
    memory_freed_.notify_all();
}

void accumulator::settled(const producer_batch& batch, const error* lost) {
  {
    const std::lock_guard lock(mutex_);
    count(batch.generation, -1);
    if (lost && !lost_)
      lost_ = *lost;
  }
  settled_.notify_all();
}

void accumulator::split(std::uint64_t generation) {
  const std::lock_guard lock(mutex_);
  count(generation, 1);
}

result<void> accumulator::flush(time_point deadline) {
  std::vector<batch_ptr> due;
  std::uint64_t generation = 0;
  {
    const std::lock_guard lock(mutex_);
    const auto now = clock::now();
    for (auto* queue : std::exchange(lingering_, {})) {
      queue->is_lingering = false;
      if (queue->filling)
        due.push_back(seal(*queue, now));
    }
    generation = first_generation_ + unsettled_.size() - 1;
    unsettled_.push_back(0);
    count(generation, 0);
  }
  for (const auto& batch : due)
    finish(batch);
  wake_();
  std::unique_lock lock(mutex_);
  const auto is_done = [&] { return first_generation_ > generation; };
  if (!settled_.wait_until(lock, deadline, is_done))
    return unexpected(errc::timed_out, "records are still under way");
  if (auto lost = std::exchange(lost_, std::nullopt))
    return unexpected(std::move(*lost));
  return {};
}

void accumulator::close(const error& why) {
  {
    const std::lock_guard lock(mutex_);
    if (!closed_)
      closed_ = why;
  }
  memory_freed_.notify_all();
}

std::size_t accumulator::memory_used() const {
  const std::lock_guard lock(mutex_);
  return memory_;
}

} // namespace aqueduct::client
