#include "protocol/client/internal/partition_pipeline.hpp"

#include "protocol/crc32c.hpp"

#include <algorithm>
#include <cstring>

namespace aqueduct::client {

using namespace protocol;

namespace {

/// A broker that refuses a batch that begins a new epoch will not be convinced by a third one.
constexpr int resequenced_max = 3;
/// Batches of a producer that a broker recognises when they come again.
constexpr std::uint64_t batches_remembered = 5;

} // namespace

void stamp_identity(std::span<std::byte> batch, const producer_identity& identity,
                    std::int32_t sequence) {
  auto* at = batch.data();
  const auto covered =
      batch.subspan(batch_layout::attributes, batch_header_bytes - batch_layout::attributes);
  const auto before = crc32c(covered);
  store_be<std::int64_t>(at + batch_layout::producer_id, identity.id.value);
  store_be<std::int16_t>(at + batch_layout::producer_epoch, identity.epoch);
  store_be<std::int32_t>(at + batch_layout::base_sequence, sequence);
  const auto change = before ^ crc32c(covered);
  store_be(at + batch_layout::crc,
           crc32c_combine(change, load_be<std::uint32_t>(at + batch_layout::crc),
                          batch.size() - batch_header_bytes));
}

batch_ptr partition_pipeline::next(time_point now, node_id leader) {
  if (needs_identity_ || static_cast<std::size_t>(in_flight_) >= queue_.size())
    return nullptr;
  if (is_recovering_) {
    if (in_flight_ > 0 || now < retry_at_)
      return nullptr;
    is_recovering_ = false;
    is_pause_set_ = false;
  }
  // What is under way to the old leader is settled first.
  if (in_flight_ >= settings_.in_flight_max || (in_flight_ > 0 && leader != sent_to_))
    return nullptr;
  const auto batch = queue_[static_cast<std::size_t>(in_flight_)];
  const auto ordinal = batch->sequence ? batch->ordinal : next_ordinal_;
  if (identity_ && batch != queue_.front() &&
      ordinal - queue_.front()->ordinal >= batches_remembered)
    return nullptr;
  stamp(*batch);
  sent_to_ = leader;
  batch->is_in_flight = true;
  ++batch->attempts;
  ++in_flight_;
  return batch;
}

void partition_pipeline::stamp(producer_batch& batch) {
  if (!identity_ || batch.sequence)
    return;
  // A batch that was sent before may still lie in the queue of a socket: that copy stays as it is.
  if (batch.attempts > 0)
    batch.wire = buffer::copy_of(batch.wire.bytes());
  const std::span bytes(const_cast<std::byte*>(batch.wire.data()), batch.wire.size());
  stamp_identity(bytes, *identity_, next_sequence_);
  batch.sequence = next_sequence_;
  batch.ordinal = next_ordinal_++;
  next_sequence_ = sequence_after(next_sequence_, batch.records);
}

void partition_pipeline::stored(const batch_ptr& batch) {
  --in_flight_;
  if (identity_)
    for (const auto& earlier : queue_) {
      if (earlier == batch)
        break;
      earlier->is_known_stored = true;
    }
  remove(batch);
  is_redirected_ = false;
  if (!is_recovering_)
    backoff_.reset();
}

partition_pipeline::verdict partition_pipeline::failed(const batch_ptr& batch,
                                                       const attempt_failure& why, time_point now) {
  const auto code = why.code;
  --in_flight_;
  batch->is_in_flight = false;
  if (batch->is_abandoned) {
    is_recovering_ = true;
    remove(batch);
    return verdict::dropped;
  }
  if (code == errc::message_too_large && split(batch))
    return verdict::split;
  if (identity_ && (code == errc::out_of_order_sequence || code == errc::fenced_epoch)) {
    is_recovering_ = true;
    if (batch->is_known_stored && code == errc::out_of_order_sequence) {
      remove(batch);
      return verdict::stored;
    }
    if (batch != queue_.front() && code == errc::out_of_order_sequence)
      return verdict::retry;
    if (batch->resequenced < resequenced_max && code == errc::out_of_order_sequence) {
      needs_identity_ = true;
      return verdict::needs_identity;
    }
  } else if (why.is_retriable) {
    pause(now, why.is_redirect);
    return verdict::retry;
  }
  is_recovering_ = true;
  remove(batch);
  return verdict::given_up;
}

void partition_pipeline::pause(time_point now, bool is_redirect) {
  is_recovering_ = true;
  // One wait for all that failed together.
  if (std::exchange(is_pause_set_, true))
    return;
  const bool is_at_once = is_redirect && !std::exchange(is_redirected_, true);
  retry_at_ = is_at_once ? now : after(now, backoff_.next());
}

bool partition_pipeline::split(const batch_ptr& batch) {
  if (batch->records < 2)
    return false;
  auto parts = split_batch(batch->wire.bytes(), settings_.records_bytes_max);
  if (!parts)
    return false;
  auto second = std::make_shared<producer_batch>();
  second->wire = std::move(parts->second);
  second->is_finished = true;
  second->delivery_deadline = batch->delivery_deadline;
  second->generation = batch->generation;
  second->attempts = batch->attempts;
  second->resequenced = batch->resequenced;
  // One more batch for the broker to remember.
  second->ordinal = batch->ordinal + 1;
  ++next_ordinal_;
  for (auto later = std::ranges::find(queue_, batch) + 1; later != queue_.end(); ++later)
    ++(*later)->ordinal;
  const auto half = batch->records / 2;
  second->records = batch->records - half;
  if (batch->sequence)
    second->sequence = sequence_after(*batch->sequence, half);
  second->memory = batch->memory / 2;
  batch->memory -= second->memory;
  batch->records = half;
  batch->wire = std::move(parts->first);
  const auto middle = std::ranges::partition(batch->completions, [&](const completion& each) {
    return each.index < static_cast<std::uint32_t>(half);
  });
  for (auto& each : middle) {
    each.index -= static_cast<std::uint32_t>(half);
    second->completions.push_back(std::move(each));
  }
  batch->completions.erase(middle.begin(), middle.end());
  is_recovering_ = true;
  queue_.insert(std::ranges::find(queue_, batch) + 1, second);
  return true;
}

void partition_pipeline::adopt(const producer_identity& identity) {
  identity_ = identity;
  needs_identity_ = false;
  next_sequence_ = 0;
  next_ordinal_ = 0;
  for (const auto& batch : queue_) {
    batch->sequence.reset();
    ++batch->resequenced;
  }
}

std::vector<batch_ptr> partition_pipeline::expire(time_point now) {
  std::vector<batch_ptr> over;
  for (const auto& batch : queue_)
    if (batch->delivery_deadline <= now && !batch->is_abandoned)
      over.push_back(batch);
  for (const auto& batch : over) {
    batch->is_abandoned = batch->is_in_flight;
    if (!batch->is_in_flight)
      remove(batch);
  }
  return over;
}

std::vector<batch_ptr> partition_pipeline::take_all() {
  std::vector<batch_ptr> all(queue_.begin(), queue_.end());
  std::erase_if(all, [](const batch_ptr& batch) { return batch->is_abandoned; });
  for (const auto& batch : queue_)
    batch->is_abandoned = true;
  queue_.clear();
  in_flight_ = 0;
  return all;
}

time_point partition_pipeline::next_wake() const {
  auto wake = never;
  if (is_recovering_ && in_flight_ == 0 && !needs_identity_ && !queue_.empty())
    wake = retry_at_;
  for (const auto& batch : queue_)
    if (!batch->is_abandoned)
      return std::min(wake, batch->delivery_deadline);
  return wake;
}

void partition_pipeline::remove(const batch_ptr& batch) {
  if (const auto found = std::ranges::find(queue_, batch); found != queue_.end())
    queue_.erase(found);
}

} // namespace aqueduct::client
