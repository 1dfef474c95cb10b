// The user's side of the consumer: assignment, positions, polling.
#include "protocol/client/internal/consumer_core.hpp"

#include <algorithm>
#include <set>

namespace aqueduct::client {

namespace {

bool is_topic_name(std::string_view name) {
  constexpr std::string_view allowed =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
  return !name.empty() && name.size() <= 249 && name != "." && name != ".." &&
         name.find_first_not_of(allowed) == std::string_view::npos;
}

unexpected not_assigned(const topic_partition& tp) {
  return unexpected(errc::not_found, to_string(tp) + " is not assigned to this consumer");
}

} // namespace

result<std::shared_ptr<consumer_core>> consumer_core::create(std::shared_ptr<cluster_core> on,
                                                             consumer_config config) {
  if (auto valid = config.validate(); !valid)
    return valid.propagate();
  const std::shared_ptr<consumer_core> core(new consumer_core(std::move(on), std::move(config)));
  core->timer_ = std::make_unique<boost::asio::steady_timer>(core->cluster_->context());
  if (!core->cluster_->post([core] { core->start(); }))
    return unexpected(errc::cancelled, "the cluster object is closed");
  return core;
}

// -- assignment -----------------------------------------------------------------------------------

result<void> consumer_core::assign(std::vector<assignment> wanted, bool keeps_common) {
  std::set<topic_partition> seen;
  for (const auto& each : wanted) {
    const auto& tp = each.partition;
    if (!is_topic_name(tp.topic))
      return unexpected(errc::invalid_topic, "'" + tp.topic + "' is not a topic name");
    if (tp.partition.value < 0)
      return unexpected(errc::unknown_partition, to_string(tp) + ": partitions count from 0");
    if (!seen.insert(tp).second)
      return unexpected(errc::invalid_request, to_string(tp) + " is named twice");
    if (each.start.type() == start_position::kind::offset && each.start.value() < 0)
      return unexpected(errc::offset_out_of_range, to_string(tp) + ": offsets count from 0");
  }
  {
    const std::lock_guard lock(mutex_);
    auto before = std::exchange(partitions_, {});
    turns_.clear();
    turn_ = 0;
    for (auto& each : wanted) {
      const auto kept = keeps_common ? before.find(each.partition) : before.end();
      auto added =
          kept != before.end() ? std::move(before.extract(kept).mapped()) : new_partition(each);
      partitions_.emplace(each.partition, added);
      turns_.push_back(std::move(added));
    }
    for (const auto& [tp, old] : before) {
      ++old->generation;
      forget_buffered(*old);
      if (old->pushed)
        to_unsubscribe_.push_back(*std::exchange(old->pushed, std::nullopt));
    }
  }
  wake();
  return {};
}

partition_ptr consumer_core::new_partition(const assignment& wanted) {
  auto added = std::make_shared<consumer_partition>(
      wanted.partition, wanted.start,
      backoff(config_.backoff_min, config_.backoff_max,
              std::hash<std::string>{}(to_string(wanted.partition))));
  move_to(*added, wanted.start);
  return added;
}

result<void> consumer_core::assign_topic(std::string_view topic, start_position start) {
  const auto deadline = after(clock::now(), config_.request_timeout);
  const auto known = cluster_->wait_for_topic(std::string(topic), deadline, false);
  if (!known)
    return known.propagate();
  std::vector<assignment> all;
  for (const auto& each : (*known)->partitions)
    all.push_back({{(*known)->name, each.partition}, start});
  return assign(std::move(all));
}

std::vector<topic_partition> consumer_core::assigned() const {
  const std::lock_guard lock(mutex_);
  std::vector<topic_partition> all;
  for (const auto& each : turns_)
    all.push_back(each->tp);
  return all;
}

result<partition_ptr> consumer_core::find(const topic_partition& tp) const {
  const auto found = partitions_.find(tp);
  if (found == partitions_.end())
    return not_assigned(tp);
  return found->second;
}

void consumer_core::move_to(consumer_partition& partition, start_position to) {
  ++partition.generation;
  forget_buffered(partition);
  if (partition.pushed)
    to_unsubscribe_.push_back(*std::exchange(partition.pushed, std::nullopt));
  partition.start = to;
  partition.position.reset();
  partition.epoch = leader_epoch(-1);
  partition.failed.reset();
  partition.is_told = false;
  partition.is_busy = false;
  partition.not_before = {};
  if (to.type() == start_position::kind::offset) {
    partition.position = offset_t(to.value());
    partition.fetch_offset = offset_t(to.value());
  }
}

void consumer_core::forget_buffered(consumer_partition& partition) {
  partition.ready.clear();
  partition.cursor = nullptr;
  buffered_ -= partition.buffered;
  partition.buffered = 0;
}

result<void> consumer_core::seek(const topic_partition& tp, start_position to) {
  if (to.type() == start_position::kind::offset && to.value() < 0)
    return unexpected(errc::offset_out_of_range, to_string(tp) + ": offsets count from 0");
  {
    const std::lock_guard lock(mutex_);
    auto found = find(tp);
    if (!found)
      return found.propagate();
    move_to(**found, to);
  }
  wake();
  return {};
}

result<void> consumer_core::pause(const topic_partition& tp, bool is_paused) {
  {
    const std::lock_guard lock(mutex_);
    auto found = find(tp);
    if (!found)
      return found.propagate();
    auto& partition = **found;
    partition.is_paused = is_paused;
    // Pushes would go on; the subscription is made again where it ended.
    if (is_paused && partition.pushed)
      to_unsubscribe_.push_back(*std::exchange(partition.pushed, std::nullopt));
  }
  ready_.notify_all();
  wake();
  return {};
}

// -- positions ------------------------------------------------------------------------------------

result<offset_t> consumer_core::position(const topic_partition& tp) const {
  const std::lock_guard lock(mutex_);
  auto found = find(tp);
  if (!found)
    return found.propagate();
  if (!(*found)->position)
    return unexpected(errc::topic_not_ready, to_string(tp) + ": the start is being looked up");
  return *(*found)->position;
}

result<offset_t> consumer_core::high_watermark(const topic_partition& tp) const {
  const std::lock_guard lock(mutex_);
  auto found = find(tp);
  if (!found)
    return found.propagate();
  if ((*found)->high_watermark.value < 0)
    return unexpected(errc::topic_not_ready, to_string(tp) + ": nothing was fetched yet");
  return (*found)->high_watermark;
}

result<answer_origin> consumer_core::last_answer(const topic_partition& tp) const {
  const std::lock_guard lock(mutex_);
  auto found = find(tp);
  if (!found)
    return found.propagate();
  if (!(*found)->origin)
    return unexpected(errc::topic_not_ready, to_string(tp) + ": nothing was fetched yet");
  return *(*found)->origin;
}

result<std::int64_t> consumer_core::lag(const topic_partition& tp) const {
  const auto at = position(tp);
  if (!at)
    return at.propagate();
  const auto end = high_watermark(tp);
  if (!end)
    return end.propagate();
  return std::max<std::int64_t>(end->value - at->value, 0);
}

std::optional<topic_partition> consumer_core::failed_partition() const {
  const std::lock_guard lock(mutex_);
  return failed_partition_;
}

// -- polling --------------------------------------------------------------------------------------

result<record_set> consumer_core::poll(milliseconds timeout, poll_limits limits) {
  if (cluster_->is_io_thread())
    return unexpected(errc::invalid_request,
                      "this function waits and cannot be called from a callback");
  const record_cursor::limits until{
      limits.records_max == 0 ? config_.poll_records_max : limits.records_max, limits.bytes_max};
  const auto deadline = after(clock::now(), timeout);
  record_collector collected;
  locked lock(mutex_);
  for (;;) {
    if (closed_)
      return unexpected(*closed_);
    if (const auto broken = untold_failure()) {
      broken->is_told = true;
      failed_partition_ = broken->tp;
      return unexpected(*broken->failed);
    }
    for (auto partition = next_with_data(); partition; partition = next_with_data())
      if (!take_from(lock, partition, collected, until))
        break;
    if (!collected.records.empty())
      break;
    if (untold_failure() || next_with_data())
      continue;
    if (ready_.wait_until(lock, deadline) == std::cv_status::timeout && !next_with_data() &&
        !untold_failure() && !closed_)
      break;
  }
  lock.unlock();
  record_set all;
  all.records_ = std::move(collected.records);
  all.headers_ = std::move(collected.headers);
  all.memory_ = std::move(collected.memory);
  all.topics_ = std::move(collected.topics);
  all.payload_bytes_ = collected.payload_bytes;
  return all;
}

partition_ptr consumer_core::untold_failure() const {
  for (const auto& each : turns_)
    if (each->failed && !each->is_told && !each->has_data())
      return each;
  return nullptr;
}

partition_ptr consumer_core::next_with_data() {
  for (std::size_t i = 0; i < turns_.size(); ++i) {
    const auto& each = turns_[(turn_ + i) % turns_.size()];
    if (each->has_data() && !each->is_paused) {
      turn_ = (turn_ + i) % turns_.size();
      return each;
    }
  }
  return nullptr;
}

bool consumer_core::take_from(locked& lock, const partition_ptr& partition, record_collector& into,
                              const record_cursor::limits& until) {
  if (!partition->cursor) {
    auto chunk = std::move(partition->ready.front());
    partition->ready.pop_front();
    partition->cursor = std::make_unique<record_cursor>(
        partition->topic, partition->tp.partition, std::move(chunk.batches), chunk.from,
        record_cursor::settings{config_.verify_checksums, config_.decompressed_bytes_max});
  }
  auto cursor = std::move(partition->cursor);
  const auto generation = partition->generation;
  const auto before = into.records.size();

  lock.unlock();
  const auto filled = cursor->fill(into, until);
  lock.lock();

  if (partition->generation != generation) {
    // A seek came in between: these records are not what the user wants to see any more.
    into.truncate(before);
    return true;
  }
  partition->position = cursor->next_offset();
  if (filled && !*filled) {
    partition->cursor = std::move(cursor);
    return false;
  }
  chunk_done(*partition, cursor->size());
  if (!filled) {
    partition->failed = {filled.error().code, to_string(partition->tp) + " at offset " +
                                                  std::to_string(cursor->next_offset().value) +
                                                  ": " + filled.error().message};
    forget_buffered(*partition);
  }
  turn_ = (turn_ + 1) % turns_.size();
  return true;
}

void consumer_core::chunk_done(consumer_partition& partition, std::size_t bytes) {
  partition.buffered -= bytes;
  buffered_ -= bytes;
  if (partition.pushed)
    partition.pushed->credit_owed += static_cast<std::int64_t>(bytes);
  if (!std::exchange(is_pump_posted_, true))
    (void)cluster_->post([self = shared_from_this()] { self->pump(); });
}

void consumer_core::wake() {
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(is_pump_posted_, true))
      return;
  }
  if (!cluster_->post([self = shared_from_this()] { self->pump(); }))
    end({errc::cancelled, "the cluster object was closed"});
}

// -- the end --------------------------------------------------------------------------------------

void consumer_core::end(const error& why) {
  {
    const std::lock_guard lock(mutex_);
    if (closed_)
      return;
    closed_ = why;
    for (const auto& each : turns_) {
      ++each->generation;
      if (each->pushed)
        to_unsubscribe_.push_back(*std::exchange(each->pushed, std::nullopt));
    }
  }
  ready_.notify_all();
}

void consumer_core::close() {
  end({errc::cancelled, "the consumer is closed"});
  (void)cluster_->post([self = shared_from_this()] {
    self->pump();
    self->cluster_->remove_listener(self->listener_);
    self->timer_->cancel();
  });
}

} // namespace aqueduct::client
