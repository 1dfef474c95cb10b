// Judging and proposing batches.
#include "actors/defects.hpp"
#include "actors/partition/partition_core.hpp"
#include "protocol/invariant.hpp"

#include <algorithm>

namespace aqueduct::actors {

namespace {

std::optional<protocol::codec> demanded_codec(config::topic_compression compression) {
  switch (compression) {
  case config::topic_compression::producer:
    return std::nullopt;
  case config::topic_compression::none:
    return protocol::codec::none;
  case config::topic_compression::gzip:
    return protocol::codec::gzip;
  case config::topic_compression::snappy:
    return protocol::codec::snappy;
  case config::topic_compression::lz4:
    return protocol::codec::lz4;
  case config::topic_compression::zstd:
    return protocol::codec::zstd;
  }
  return std::nullopt;
}

} // namespace

void partition_core::produce(std::vector<produce_item> items, std::int64_t now_ms,
                             std::int64_t steady_ms, partition_effects& out) {
  steady_ms_ = steady_ms;
  if (undecided()) {
    park(std::move(items));
    return;
  }
  for (auto& item : items)
    produce_one(std::move(item), now_ms, out);
}

produce_outcome partition_core::refusal(errc code, std::string message) const {
  produce_outcome outcome;
  outcome.error = code;
  outcome.message = std::move(message);
  outcome.log_start = log_start_;
  outcome.leader = leader_;
  return outcome;
}

void partition_core::answer(const produce_waiter& waiter, produce_outcome outcome) const {
  if (waiter.sink)
    waiter.sink->produced(waiter.slot, std::move(outcome));
}

std::optional<produce_outcome> partition_core::refuse(const produce_item& item) const {
  if (failed_)
    return refusal(failed_->code, failed_->message);
  if (!ready_)
    return refusal(errc::not_leader,
                   "node " + std::to_string(options_.node) + " does not lead the partition");
  if (!accepts_writes_)
    return refusal(errc::storage_full, "the disk of node " + std::to_string(options_.node) +
                                           " has less free space than storage.reserve-bytes");
  if (pending_bytes_ + item.batch.size() > options_.pending_bytes_max)
    return refusal(errc::overloaded, std::to_string(pending_bytes_) +
                                         " bytes of the partition wait for the disk already");
  const auto& topic = options_.topic;
  if (item.batch.size() > topic.message_bytes_max)
    return refusal(errc::message_too_large, "the batch has " + std::to_string(item.batch.size()) +
                                                " bytes; max.message.bytes of the topic is " +
                                                std::to_string(topic.message_bytes_max));
  const auto demanded = demanded_codec(topic.compression);
  if (demanded && item.header.compression() != *demanded)
    return refusal(errc::unsupported_codec,
                   "the topic demands compression.type " + std::string(to_string(*demanded)) +
                       ", the batch has " + std::string(to_string(item.header.compression())));
  if (item.expected_offset >= 0 && item.expected_offset != next_offset_) {
    auto outcome =
        refusal(errc::offset_conflict, "expected offset " + std::to_string(item.expected_offset) +
                                           ", the next offset is " + std::to_string(next_offset_));
    outcome.end_offset = next_offset_;
    return outcome;
  }
  return std::nullopt;
}

bool partition_core::answer_duplicate(produce_item& item, partition_effects& out) {
  if (!item.header.is_idempotent())
    return false;
  auto verdict = producers_.check(item.header);
  using kind = producer_table::verdict::kind;
  if (verdict.what == kind::append)
    return false;
  produce_waiter waiter{std::move(item.sink), item.slot, item.deadline_ms};
  if (verdict.what == kind::refuse) {
    auto outcome = refusal(verdict.error, std::move(verdict.message));
    // What is wrong with the batch itself is wrong whoever leads.
    if (verdict.error == errc::invalid_message)
      answer(waiter, std::move(outcome));
    else
      doubt(std::move(waiter), std::move(outcome), out);
    return true;
  }
  if (verdict.pending) {
    // The first copy is on its way to the disk: both are answered when it is there.
    for (auto& entry : pending_) {
      auto* batch = std::get_if<pending_batch>(&entry.what);
      if (batch != nullptr && batch->base_offset == verdict.base_offset) {
        batch->waiters.push_back(std::move(waiter));
        return true;
      }
    }
    // It was given up. Whatever became of it, it is not known to be committed.
    answer(waiter, refusal(errc::not_leader, "the first copy of the batch was given up; it may or "
                                             "may not be stored"));
    return true;
  }
  produce_outcome outcome;
  outcome.base_offset = verdict.base_offset;
  if (options_.topic.timestamps == config::timestamp_type::log_append_time)
    outcome.append_time_ms = verdict.timestamp_ms;
  outcome.log_start = log_start_;
  answer(waiter, std::move(outcome));
  return true;
}

void partition_core::produce_one(produce_item item, std::int64_t now_ms, partition_effects& out) {
  if (ready_ && !failed_ && answer_duplicate(item, out))
    return;
  if (auto outcome = refuse(item)) {
    produce_waiter waiter{std::move(item.sink), item.slot, item.deadline_ms};
    if (outcome->error == errc::offset_conflict)
      doubt(std::move(waiter), std::move(*outcome), out);
    else
      answer(waiter, std::move(*outcome));
    return;
  }
  pending_batch batch;
  batch.size_bytes = item.batch.size();
  batch.base_offset = next_offset_;
  batch.next_offset = next_offset_ + item.header.record_count;
  if (options_.topic.timestamps == config::timestamp_type::log_append_time) {
    protocol::stamp_append_time(item.batch.bytes(), timestamp_ms(now_ms));
    item.header.max_timestamp = timestamp_ms(now_ms);
    batch.append_time_ms = now_ms;
  }
  protocol::stamp_batch(item.batch.data(), offset_t(batch.base_offset),
                        leader_epoch(static_cast<std::int32_t>(term_)));
  if (item.header.is_idempotent())
    producers_.append(item.header, batch.base_offset);
  if (item.sink && has_defect(defect::acknowledged_when_proposed)) {
    produce_outcome outcome;
    outcome.base_offset = batch.base_offset;
    answer({std::move(item.sink), item.slot, item.deadline_ms}, std::move(outcome));
  } else if (item.sink) {
    batch.waiters.push_back({std::move(item.sink), item.slot, item.deadline_ms});
  }
  next_offset_ = batch.next_offset;
  pending_bytes_ += batch.size_bytes;
  const auto base_offset = batch.base_offset;
  push_pending(std::move(batch));
  auto body = item.batch.freeze();
  if (has_defect(defect::uncommitted_given_away))
    tail_.push(base_offset, next_offset_, body);
  out.propose.push_back({raft::entry_kind::records, std::move(body)});
}

void partition_core::push_pending(std::variant<pending_batch, pending_command> what) {
  pending_.push_back({0, 0, std::move(what)});
  ++proposals_;
}

void partition_core::trim(trim_item item, partition_effects& out) {
  if (undecided()) {
    parked_.push_back({std::move(item)});
    return;
  }
  if (failed_) {
    item.sink->trimmed(item.slot, {failed_->code, failed_->message, log_start_, -1});
    return;
  }
  if (!ready_) {
    item.sink->trimmed(item.slot,
                       {errc::not_leader,
                        "node " + std::to_string(options_.node) + " does not lead the partition",
                        log_start_, leader_});
    return;
  }
  const auto before = item.before_offset == -1 ? high_watermark_ : item.before_offset;
  if (before < 0 || before > high_watermark_) {
    item.sink->trimmed(
        item.slot, {errc::offset_out_of_range,
                    "cannot delete before offset " + std::to_string(before) + "; " + valid_range(),
                    log_start_, leader_});
    return;
  }
  if (before <= log_start_) {
    item.sink->trimmed(item.slot, {errc::none, {}, log_start_, leader_});
    return;
  }
  pending_command command;
  command.trim = pending_trim{std::move(item)};
  push_pending(std::move(command));
  out.propose.push_back(
      {raft::entry_kind::command, encode(partition_command(trim_command{before}))});
}

} // namespace aqueduct::actors
