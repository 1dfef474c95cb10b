// Life of the replica: leadership, applying what is committed, state, time.
#include "actors/partition/partition_core.hpp"

#include "actors/defects.hpp"
#include "protocol/invariant.hpp"

#include <algorithm>

namespace aqueduct::actors {

partition_core::partition_core(options opts, restored_state state)
    : options_(std::move(opts)), tail_(options_.cache) {
  adopt(std::move(state));
  freshness_.applied(raft::log_index(applied_index_));
}

void partition_core::adopt(restored_state state) {
  applied_index_ = known_index_ = state.summary.applied_index;
  applied_term_ = state.summary.applied_term;
  logged_index_ = state.logged;
  log_start_ = state.summary.log_start;
  high_watermark_ = next_offset_ = state.summary.high_watermark;
  for (auto& [producer, entry] : state.producers)
    producers_.restore(producer, std::move(entry));
  // Files of before may have been left by a stop between the trim and their removal.
  if (log_start_ > 0)
    trim_before_ = log_start_;
}

// -- leadership -----------------------------------------------------------------------------------

void partition_core::lead(std::uint64_t term) {
  drop_doubted(errc::not_leader, options_.node, "the term ended in which the batch was judged");
  term_ = term;
  leader_ = options_.node;
  leads_ = true;
  ready_ = false;
  stalled_ = false;
  ++proposal_round_;
}

void partition_core::follow(std::uint64_t term, std::int32_t leader, partition_effects& out) {
  const bool led = leads_;
  term_ = term;
  leader_ = leader;
  leads_ = false;
  ready_ = false;
  stalled_ = false;
  drop_doubted(errc::not_leader, leader, "leadership was lost; the batch is not stored");
  if (led) {
    fail_pending(errc::not_leader, leader,
                 "leadership was lost before the batch was committed; it may or may not be stored");
    producers_.drop_speculative();
  }
  if (leader < 0)
    return;
  // Whoever asked while nobody led is told where to go; what any replica can answer it does.
  unpark(0, out);
  for (auto& waiter : take_waiters(options_.follower_reads)) {
    auto outcome = fetch_state();
    outcome.error = errc::not_leader;
    waiter.sink->fetched(waiter.slot, std::move(outcome));
  }
  for (auto& who : std::exchange(subscribers_, {}))
    who.item.sink->pushed(who.item.partition, {errc::not_leader, "leadership moved", -1, -1, {}});
}

void partition_core::fail(error why) {
  failed_ = std::move(why);
  // An entry may be counted as applied that was not: nothing of this is written any more.
  state_changed_ = false;
  trim_before_.reset();
  leads_ = false;
  ready_ = false;
  stalled_ = false;
  close(failed_->code);
}

void partition_core::become_ready(std::int64_t now_ms, partition_effects& out) {
  ready_ = true;
  next_offset_ = high_watermark_;
  unpark(now_ms, out);
}

void partition_core::install(restored_state state) {
  AQUEDUCT_INVARIANT(!leads_, "a leader of term " + std::to_string(term_) + " takes over a state");
  fail_pending(errc::not_leader, leader_,
               "this replica fell behind and took over the state of another one; the batch may or "
               "may not be stored");
  producers_ = producer_table();
  trim_before_.reset();
  unpersisted_bytes_ = 0;
  state_changed_ = false;
  oldest_of_ = oldest_ms_ = -1;
  adopt(std::move(state));
  tail_.drop_before(high_watermark_);
  freshness_.applied(raft::log_index(applied_index_));
}

// -- the log --------------------------------------------------------------------------------------

void partition_core::proposed(std::uint64_t first, std::uint64_t term, std::size_t count) {
  const auto skipped = std::min(abandoned_, count);
  abandoned_ -= skipped;
  AQUEDUCT_INVARIANT(pending_indexed_ + count - skipped <= pending_.size(),
                     std::to_string(pending_indexed_) + "+" + std::to_string(count));
  for (auto i = skipped; i < count; ++i) {
    auto& entry = pending_[pending_indexed_++];
    entry.index = first + i;
    entry.term = term;
  }
}

std::vector<partition_core::pending_entry> partition_core::take_unanswered(std::size_t count) {
  const auto skipped = std::min(abandoned_, count);
  abandoned_ -= skipped;
  AQUEDUCT_INVARIANT(pending_indexed_ + count - skipped <= pending_.size(),
                     std::to_string(pending_indexed_) + "+" + std::to_string(count));
  const auto first = pending_.begin() + static_cast<std::ptrdiff_t>(pending_indexed_);
  const auto last = first + static_cast<std::ptrdiff_t>(count - skipped);
  std::vector<pending_entry> taken(std::make_move_iterator(first), std::make_move_iterator(last));
  pending_.erase(first, last);
  return taken;
}

void partition_core::proposal_refused(std::size_t count, errc why, std::int32_t leader) {
  auto taken = take_unanswered(count);
  // All were given up when an earlier office ended: the present one did not propose them.
  if (taken.empty())
    return;
  ++proposal_round_;
  for (auto& entry : taken)
    fail_entry(entry, why, leader, "the batch was not accepted");
  drop_doubted(why, leader, "a batch before this one was not accepted");
  // The next batches would leave a hole in the offsets: they wait for the next time in office, or,
  // as a transfer of it may fail, until nothing is under way any more.
  stalled_ = stalled_ || (ready_ && why == errc::overloaded);
  ready_ = false;
  producers_.drop_speculative();
}

std::optional<partition_core::pending_entry>
partition_core::take_pending(const raft::entry& entry) {
  if (pending_indexed_ == 0 || pending_.front().index > entry.index.value)
    return std::nullopt;
  auto front = std::move(pending_.front());
  pending_.pop_front();
  --pending_indexed_;
  AQUEDUCT_INVARIANT(front.index == entry.index.value,
                     std::to_string(front.index) + " " + std::to_string(entry.index.value));
  if (front.term == entry.term.value)
    return front;
  // Another leader's entry took the place: what was proposed here is lost (Raft paper 5.3).
  const std::string message = "another leader's entry took the place of the batch";
  fail_entry(front, errc::not_leader, leader_, message);
  fail_pending(errc::not_leader, leader_, message);
  return std::nullopt;
}

void partition_core::applied(const std::vector<raft::entry>& entries, std::int64_t now_ms,
                             partition_effects& out) {
  for (const auto& entry : entries) {
    logged_index_ = std::max(logged_index_, entry.index.value);
    if (entry.index.value <= known_index_)
      continue;
    AQUEDUCT_INVARIANT(entry.index.value == applied_index_ + 1, std::to_string(entry.index.value) +
                                                                    " after " +
                                                                    std::to_string(applied_index_));
    applied_index_ = entry.index.value;
    applied_term_ = entry.term.value;
    state_changed_ = true;
    unpersisted_bytes_ += entry.body.size + raft::entry_overhead_bytes;
    if (entry.kind == raft::entry_kind::records)
      apply_records(entry, out);
    else if (entry.kind == raft::entry_kind::command)
      apply_command(entry, out);
    if (leads_ && !ready_ && !stalled_ && entry.term.value == term_)
      become_ready(now_ms, out);
  }
  last_append_ms_ = now_ms;
  freshness_.applied(raft::log_index(applied_index_));
  release_proven(out);
  release_doubted();
  wake_readers(out);
  maybe_persist(out);
}

void partition_core::apply_records(const raft::entry& entry, partition_effects&) {
  const byte_span bytes(entry.body.data.get(), entry.body.size);
  const auto header = protocol::batch_view(bytes).header();
  AQUEDUCT_INVARIANT(header.base_offset.value == high_watermark_,
                     "batch at offset " + std::to_string(header.base_offset.value) +
                         ", the log ends at " + std::to_string(high_watermark_));
  high_watermark_ = header.next_offset().value;
  if (header.is_idempotent() && !header.is_control())
    producers_.commit(header, header.base_offset.value);
  tail_.push(header.base_offset.value, high_watermark_, buffer(entry.body.data, entry.body.size));
  const auto mine = take_pending(entry);
  if (!mine)
    return;
  const auto* batch = std::get_if<pending_batch>(&mine->what);
  AQUEDUCT_INVARIANT(batch != nullptr && batch->base_offset == header.base_offset.value,
                     std::to_string(header.base_offset.value));
  pending_bytes_ -= batch->size_bytes;
  for (const auto& waiter : batch->waiters) {
    produce_outcome outcome;
    outcome.base_offset = batch->base_offset;
    outcome.append_time_ms = batch->append_time_ms;
    outcome.log_start = log_start_;
    answer(waiter, std::move(outcome));
  }
}

void partition_core::apply_command(const raft::entry& entry, partition_effects&) {
  const auto command = decode_partition_command(byte_span(entry.body.data.get(), entry.body.size));
  AQUEDUCT_INVARIANT(command.has_value(), "entry " + std::to_string(entry.index.value));
  const auto mine = take_pending(entry);
  if (const auto* trim = std::get_if<trim_command>(&*command)) {
    const auto start = std::clamp(trim->log_start, log_start_, high_watermark_);
    if (start > log_start_) {
      log_start_ = start;
      trim_before_ = start;
      tail_.drop_before(start);
    }
    if (mine) {
      const auto& waiting = std::get<pending_command>(mine->what).trim;
      if (waiting)
        waiting->item.sink->trimmed(waiting->item.slot, {errc::none, {}, log_start_, -1});
    }
  } else if (const auto* check = std::get_if<check_producers_command>(&*command)) {
    producers_.look(check->now_ms, check->before_ms);
  }
}

void partition_core::fail_entry(pending_entry& entry, errc why, std::int32_t leader,
                                const std::string& message) {
  if (auto* batch = std::get_if<pending_batch>(&entry.what)) {
    pending_bytes_ -= batch->size_bytes;
    for (const auto& waiter : batch->waiters) {
      auto outcome = refusal(why, message);
      outcome.leader = leader;
      answer(waiter, std::move(outcome));
    }
  } else if (auto& command = std::get<pending_command>(entry.what); command.trim) {
    const auto& item = command.trim->item;
    item.sink->trimmed(item.slot, {why, message, -1, leader});
  }
}

void partition_core::fail_pending(errc why, std::int32_t leader, const std::string& message) {
  abandoned_ += pending_.size() - pending_indexed_;
  pending_indexed_ = 0;
  for (auto& entry : std::exchange(pending_, {}))
    fail_entry(entry, why, leader, message);
}

// -- state and time -------------------------------------------------------------------------------

void partition_core::maybe_persist(partition_effects& out) {
  if (trim_before_ || unpersisted_bytes_ >= options_.persist_bytes)
    persist_now(out);
}

void partition_core::persist_now(partition_effects& out) {
  if (!state_changed_)
    return;
  persist_state_request request;
  request.summary = {applied_index_, applied_term_, log_start_, high_watermark_};
  request.producers = producers_.take_changes();
  request.trim_before = std::exchange(trim_before_, std::nullopt);
  out.persist = std::move(request);
  unpersisted_bytes_ = 0;
  state_changed_ = false;
}

bool partition_core::is_idle() const {
  return ready_ && pending_.empty() && abandoned_ == 0 && parked_.empty() && waiters_.empty() &&
         unproven_.empty() && unproven_subscriptions_.empty() && doubted_.empty() &&
         subscribers_.empty() && disk_reads_.empty() && time_lookups_.empty() &&
         describe_lookups_.empty();
}

void partition_core::expire_waiters(std::int64_t steady_ms) {
  for (auto& entry : pending_) {
    auto* batch = std::get_if<pending_batch>(&entry.what);
    if (batch == nullptr)
      continue;
    std::erase_if(batch->waiters, [&](const produce_waiter& waiter) {
      if (waiter.deadline_ms > steady_ms)
        return false;
      answer(waiter, refusal(errc::timed_out, "the batch was not committed in time; it may "
                                              "still be"));
      return true;
    });
  }
}

void partition_core::tick(std::int64_t steady_ms, std::int64_t now_ms, partition_effects& out) {
  steady_ms_ = steady_ms;
  if (stalled_ && pending_.empty() && !has_defect(defect::stands_still_when_refused)) {
    stalled_ = false;
    become_ready(now_ms, out);
  }
  expire_waiters(steady_ms);
  expire_unproven(steady_ms);
  expire_doubted(steady_ms);
  expire_parked(steady_ms);
  persist_now(out);
  if (now_ms - last_append_ms_ > options_.cache_idle_ms &&
      now_ms - last_shrink_ms_ > options_.cache_idle_ms) {
    last_shrink_ms_ = now_ms;
    tail_.shrink();
  }
  if (!ready_)
    return;
  if (now_ms >= next_retention_ms_ && high_watermark_ > log_start_) {
    next_retention_ms_ = now_ms + options_.retention_interval_ms;
    const auto& topic = options_.topic;
    if (topic.retention_time || topic.retention_bytes)
      out.retention = retention_request{
          now_ms,
          topic.retention_time ? std::optional<std::int64_t>(topic.retention_time->count())
                               : std::nullopt,
          topic.retention_bytes};
  }
  if (now_ms >= next_look_ms_) {
    next_look_ms_ = now_ms + options_.producer_expiry_ms / 24;
    const auto before = now_ms - options_.producer_expiry_ms;
    if (producers_.has_to_look(before)) {
      push_pending(pending_command{});
      out.propose.push_back({raft::entry_kind::command,
                             encode(partition_command(check_producers_command{now_ms, before}))});
    }
  }
}

void partition_core::retention_found(std::int64_t offset, partition_effects& out) {
  if (!ready_ || offset <= log_start_)
    return;
  push_pending(pending_command{});
  out.propose.push_back(
      {raft::entry_kind::command,
       encode(partition_command(trim_command{std::min(offset, high_watermark_)}))});
}

void partition_core::close(errc why) {
  const auto message = failed_ ? failed_->message : std::string(aqueduct::describe(why).meaning);
  fail_pending(why, -1, message);
  producers_.drop_speculative();
  drop_doubted(why, -1, message);
  for (auto& waiter : take_waiters()) {
    auto outcome = fetch_state();
    outcome.error = why;
    outcome.message = message;
    waiter.sink->fetched(waiter.slot, std::move(outcome));
  }
  for (auto& waiter : std::exchange(unproven_, {})) {
    auto outcome = fetch_state();
    outcome.error = why;
    outcome.message = message;
    waiter.item.sink->fetched(waiter.item.slot, std::move(outcome));
  }
  for (auto& waiter : std::exchange(unproven_subscriptions_, {}))
    waiter.item.sink->subscribed(waiter.item.slot, why, message, -1);
  for (auto& who : std::exchange(subscribers_, {}))
    who.item.sink->pushed(who.item.partition, {why, message, -1, -1, {}});
  for (auto& [token, read] : std::exchange(disk_reads_, {})) {
    if (!read.fetch)
      continue;
    read.fetch->sink->release(read.reserved);
    auto outcome = fetch_state();
    outcome.error = why;
    outcome.message = message;
    read.fetch->sink->fetched(read.fetch->slot, std::move(outcome));
  }
  if (!failed_)
    failed_ = error{why, message};
  partition_effects none;
  unpark(0, none);
}

} // namespace aqueduct::actors
