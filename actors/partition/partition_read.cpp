// Fetches, waiters, subscriptions and look-ups.
#include "actors/defects.hpp"
#include "actors/partition/partition_core.hpp"
#include "protocol/invariant.hpp"

#include <algorithm>

namespace aqueduct::actors {

namespace {

constexpr std::int64_t subscribe_at_end = -1;
constexpr std::int64_t subscribe_at_start = -2;

} // namespace

fetch_outcome partition_core::fetch_state() const {
  fetch_outcome outcome;
  outcome.high_watermark = high_watermark_;
  outcome.last_stable = high_watermark_;
  outcome.log_start = log_start_;
  outcome.leader = leader_;
  outcome.leads = ready_;
  return outcome;
}

std::string partition_core::valid_range() const {
  return "valid offsets are " + std::to_string(log_start_) + " to " +
         std::to_string(high_watermark_);
}

std::optional<fetch_outcome> partition_core::fetch_error(std::int64_t offset,
                                                         std::int32_t epoch) const {
  auto outcome = fetch_state();
  if (failed_) {
    outcome.error = failed_->code;
    outcome.message = failed_->message;
  } else if (!ready_) {
    outcome.error = errc::not_leader;
    outcome.message = "node " + std::to_string(options_.node) + " does not lead the partition";
  } else if (epoch > static_cast<std::int32_t>(term_)) {
    outcome.error = errc::not_leader;
    outcome.message = "the reader knows epoch " + std::to_string(epoch) +
                      ", which is newer than this leader's " + std::to_string(term_);
  } else if (offset < log_start_ || offset > high_watermark_) {
    outcome.error = errc::offset_out_of_range;
    outcome.message = "offset " + std::to_string(offset) + " is not in the log; " + valid_range();
  } else {
    return std::nullopt;
  }
  return outcome;
}

std::optional<fetch_outcome> partition_core::fetch_error(const fetch_item& item) const {
  if (ready_ || failed_ || !may_answer(item))
    return fetch_error(item.offset, item.leader_epoch);
  // Offsets above what is known here may well be there: only who knows the latest can say no.
  if (item.offset >= log_start_ &&
      (item.offset <= high_watermark_ || item.freshness != protocol::fetch_freshness::linearizable))
    return std::nullopt;
  auto outcome = fetch_state();
  outcome.error = errc::offset_out_of_range;
  outcome.message =
      "offset " + std::to_string(item.offset) + " is not in the log; " + valid_range();
  return outcome;
}

void partition_core::fetch(fetch_item item, std::int64_t steady_ms, partition_effects& out) {
  if ((may_answer(item) || is_doubtful(item.offset)) && !failed_)
    prove_fresh(std::move(item), steady_ms, out);
  else if (undecided() && item.freshness != protocol::fetch_freshness::leader)
    refuse_unproven(item, "this replica cannot answer now, and does not know who leads");
  else if (undecided())
    parked_.push_back({std::move(item)});
  else
    start_fetch(std::move(item), out);
}

void partition_core::start_fetch(fetch_item item, partition_effects& out) {
  if (auto outcome = fetch_error(item)) {
    item.sink->fetched(item.slot, std::move(*outcome));
    return;
  }
  auto outcome = fetch_state();
  outcome.complete_at_ms = complete_at(item);
  const bool may_see_all =
      has_defect(defect::uncommitted_given_away) && ready_ && item.offset < next_offset_;
  if (!may_see_all && (is_at_end(item.offset) || wants_more(item))) {
    outcome.waiting = item.wait;
    auto sink = item.sink;
    const auto slot = item.slot;
    if (item.wait) {
      waiters_by_sink_.emplace(sink.get(), next_waiter_);
      waiters_.emplace(next_waiter_++, std::move(item));
    }
    sink->fetched(slot, std::move(outcome));
    return;
  }
  const auto wanted = static_cast<std::size_t>(std::max(item.bytes_max, 1));
  const auto reserved = item.sink->reserve(wanted);
  if (reserved == 0) {
    item.sink->fetched(item.slot, std::move(outcome));
    return;
  }
  if (auto found = tail_.read(item.offset, reserved)) {
    if (found->batches.size() < reserved)
      item.sink->release(reserved - found->batches.size());
    outcome.records = std::move(found->batches);
    item.sink->fetched(item.slot, std::move(outcome));
    return;
  }
  const auto token = next_token_++;
  out.reads.push_back({token, item.offset, applied_index_, reserved});
  disk_read read;
  read.reserved = reserved;
  read.fetch = std::move(item);
  disk_reads_.emplace(token, std::move(read));
}

bool partition_core::wants_more(const fetch_item& item) const {
  if (!item.wait || item.bytes_min <= 1)
    return false;
  // Only what is cached can be too little: what lies on the disk before it is plenty.
  const auto found = tail_.read(item.offset, static_cast<std::size_t>(item.bytes_min));
  return found && found->next_offset == high_watermark_ &&
         found->batches.size() < static_cast<std::size_t>(item.bytes_min);
}

void partition_core::read_done(std::uint64_t token, result<read_answer> answer,
                               partition_effects& out) {
  const auto it = disk_reads_.find(token);
  if (it == disk_reads_.end())
    return;
  auto read = std::move(it->second);
  disk_reads_.erase(it);
  if (read.fetch) {
    auto& item = *read.fetch;
    auto outcome = fetch_state();
    outcome.complete_at_ms = complete_at(item);
    if (!ready_ && (!answer || answer->records.empty())) {
      // It took over the state of another replica, and the log has not come yet.
      item.sink->release(read.reserved);
      refuse_unproven(item, "this replica cannot read offset " + std::to_string(item.offset) +
                                (answer ? " yet" : ": " + answer.error().message));
      return;
    }
    if (answer) {
      if (answer->records.size() < read.reserved)
        item.sink->release(read.reserved - answer->records.size());
      outcome.records = std::move(answer->records);
    } else {
      item.sink->release(read.reserved);
      outcome.error = answer.error().code;
      outcome.message = answer.error().message;
      // The log start may have moved while the read was under way.
      if (auto now = fetch_error(item))
        outcome = std::move(*now);
    }
    item.sink->fetched(item.slot, std::move(outcome));
    return;
  }
  const auto who = std::ranges::find_if(
      subscribers_, [&](const subscriber& s) { return s.item.sink.get() == read.push; });
  if (who == subscribers_.end())
    return;
  who->reading = false;
  if (!answer) {
    who->item.sink->return_credit(static_cast<std::int64_t>(read.reserved));
    const auto now = fetch_error(who->next_offset, -1);
    end_subscription(read.push, now ? now->error : answer.error().code,
                     now ? now->message : answer.error().message);
    return;
  }
  who->item.sink->return_credit(static_cast<std::int64_t>(read.reserved) -
                                static_cast<std::int64_t>(answer->records.size()));
  who->next_offset = answer->next_offset;
  who->item.sink->pushed(who->item.partition,
                         {errc::none, {}, high_watermark_, log_start_, std::move(answer->records)});
  push_to(*who, out);
}

void partition_core::cancel_fetch(const fetch_sink* sink) {
  for (auto it = waiters_by_sink_.lower_bound({sink, 0});
       it != waiters_by_sink_.end() && it->first == sink; it = waiters_by_sink_.erase(it))
    waiters_.erase(it->second);
  std::erase_if(unproven_,
                [&](const unproven_fetch& each) { return each.item.sink.get() == sink; });
  std::erase_if(parked_, [&](const parked_call& call) {
    const auto* item = std::get_if<fetch_item>(&call.event);
    return item != nullptr && item->sink.get() == sink;
  });
}

std::vector<fetch_item> partition_core::take_waiters(bool only_leaders) {
  std::vector<fetch_item> all;
  std::erase_if(waiters_, [&](auto& numbered) {
    auto& [number, item] = numbered;
    if (only_leaders && item.freshness != protocol::fetch_freshness::leader)
      return false;
    waiters_by_sink_.erase({item.sink.get(), number});
    all.push_back(std::move(item));
    return true;
  });
  return all;
}

void partition_core::wake_readers(partition_effects& out) {
  std::vector<fetch_item> woken;
  std::erase_if(waiters_, [&](auto& numbered) {
    auto& [number, item] = numbered;
    // A trim can overtake a waiter as well as a commit can satisfy it.
    if (is_at_end(item.offset) || (item.offset >= log_start_ && wants_more(item)))
      return false;
    waiters_by_sink_.erase({item.sink.get(), number});
    woken.push_back(std::move(item));
    return true;
  });
  for (auto& item : woken) {
    item.wait = false;
    start_fetch(std::move(item), out);
  }
  for (std::size_t i = 0; i < subscribers_.size();) {
    const auto before = subscribers_.size();
    push_to(subscribers_[i], out);
    if (subscribers_.size() == before)
      ++i;
  }
}

// -- subscriptions --------------------------------------------------------------------------------

void partition_core::subscribe(subscribe_item item, partition_effects& out) {
  if (undecided()) {
    parked_.push_back({std::move(item)});
    return;
  }
  auto offset = item.offset;
  if (offset == subscribe_at_end)
    offset = high_watermark_;
  else if (offset == subscribe_at_start)
    offset = log_start_;
  if (is_doubtful(offset))
    prove_leading(std::move(item), out);
  else
    start_subscription(std::move(item), offset, out);
}

void partition_core::start_subscription(subscribe_item item, std::int64_t offset,
                                        partition_effects& out) {
  if (auto outcome = fetch_error(offset, -1)) {
    item.sink->subscribed(item.slot, outcome->error, std::move(outcome->message), -1);
    return;
  }
  item.sink->subscribed(item.slot, errc::none, {}, offset);
  subscribers_.push_back({std::move(item), offset, false});
  push_to(subscribers_.back(), out);
}

void partition_core::unsubscribe(const push_sink* sink) {
  std::erase_if(subscribers_, [&](const subscriber& s) { return s.item.sink.get() == sink; });
  std::erase_if(unproven_subscriptions_,
                [&](const unproven_subscription& each) { return each.item.sink.get() == sink; });
  std::erase_if(parked_, [&](const parked_call& call) {
    const auto* item = std::get_if<subscribe_item>(&call.event);
    return item != nullptr && item->sink.get() == sink;
  });
}

void partition_core::end_subscription(const push_sink* sink, errc error, std::string message) {
  const auto who = std::ranges::find_if(
      subscribers_, [&](const subscriber& s) { return s.item.sink.get() == sink; });
  if (who == subscribers_.end())
    return;
  const auto item = std::move(who->item);
  subscribers_.erase(who);
  item.sink->pushed(item.partition, {error, std::move(message), high_watermark_, log_start_, {}});
}

void partition_core::credited(const push_sink* sink, partition_effects& out) {
  for (auto& who : subscribers_)
    if (who.item.sink.get() == sink) {
      push_to(who, out);
      return;
    }
}

void partition_core::push_to(subscriber& who, partition_effects& out) {
  while (!who.reading && who.next_offset < high_watermark_) {
    auto* sink = who.item.sink.get();
    if (who.next_offset < log_start_) {
      end_subscription(sink, errc::offset_out_of_range,
                       "offset " + std::to_string(who.next_offset) + " was deleted; " +
                           valid_range());
      return;
    }
    const auto credit =
        sink->take_credit(static_cast<std::size_t>(std::max(who.item.push_bytes_max, 1)));
    if (credit == 0)
      return;
    auto found = tail_.read(who.next_offset, credit);
    if (!found) {
      const auto token = next_token_++;
      out.reads.push_back({token, who.next_offset, applied_index_, credit});
      disk_read read;
      read.push = sink;
      read.reserved = credit;
      disk_reads_.emplace(token, std::move(read));
      who.reading = true;
      return;
    }
    sink->return_credit(static_cast<std::int64_t>(credit) -
                        static_cast<std::int64_t>(found->batches.size()));
    who.next_offset = found->next_offset;
    sink->pushed(who.item.partition,
                 {errc::none, {}, high_watermark_, log_start_, std::move(found->batches)});
  }
}

// -- look-ups -------------------------------------------------------------------------------------

void partition_core::answer_offset(const offset_item& item, partition_effects& out) {
  offset_outcome outcome;
  outcome.leader = leader_;
  outcome.leader_epoch = static_cast<std::int32_t>(term_);
  if (item.timestamp_ms == protocol::latest_timestamp) {
    outcome.offset = high_watermark_;
  } else if (item.timestamp_ms == protocol::earliest_timestamp) {
    outcome.offset = log_start_;
  } else if (item.timestamp_ms < 0 && item.timestamp_ms != protocol::newest_timestamp) {
    outcome.error = errc::invalid_timestamp;
    outcome.message = "timestamp " + std::to_string(item.timestamp_ms) +
                      " is neither a time nor -1 (latest), -2 (earliest) or -3 (newest record)";
  } else if (log_start_ < high_watermark_) {
    const auto token = next_token_++;
    out.times.push_back({token, item.timestamp_ms, applied_index_, log_start_, std::nullopt});
    time_lookups_.emplace(token, item);
    return;
  }
  item.sink->found_offset(item.slot, std::move(outcome));
}

void partition_core::answer_epoch_end(const offset_item& item, partition_effects& out) {
  const auto own = static_cast<std::int32_t>(term_);
  const auto asked = *item.epoch_end_of;
  offset_outcome outcome;
  outcome.leader = leader_;
  if (asked == own) {
    outcome.leader_epoch = own;
    outcome.offset = high_watermark_;
  } else if (asked >= 0 && asked < own) {
    const auto token = next_token_++;
    out.times.push_back({token, -1, applied_index_, log_start_, static_cast<std::uint64_t>(asked)});
    time_lookups_.emplace(token, item);
    return;
  }
  item.sink->found_offset(item.slot, std::move(outcome));
}

void partition_core::find_offset(offset_item item, partition_effects& out) {
  if (undecided()) {
    parked_.push_back({std::move(item)});
    return;
  }
  if (auto outcome = fetch_error(high_watermark_, item.known_epoch)) {
    offset_outcome refused;
    refused.error = outcome->error;
    refused.message = std::move(outcome->message);
    refused.leader = leader_;
    item.sink->found_offset(item.slot, std::move(refused));
    return;
  }
  if (item.epoch_end_of)
    answer_epoch_end(item, out);
  else
    answer_offset(item, out);
}

void partition_core::time_found(
    std::uint64_t token,
    result<std::optional<std::pair<std::int64_t, std::int64_t>>> offset_and_time) {
  const auto it = time_lookups_.find(token);
  if (it == time_lookups_.end())
    return;
  const auto item = std::move(it->second);
  time_lookups_.erase(it);
  offset_outcome outcome;
  outcome.leader = leader_;
  outcome.leader_epoch = static_cast<std::int32_t>(term_);
  if (!offset_and_time) {
    outcome.error = offset_and_time.error().code;
    outcome.message = offset_and_time.error().message;
  } else if (*offset_and_time) {
    outcome.offset = std::max((*offset_and_time)->first, log_start_);
    if (item.epoch_end_of)
      outcome.leader_epoch = static_cast<std::int32_t>((*offset_and_time)->second);
    else
      outcome.timestamp_ms = (*offset_and_time)->second;
  }
  item.sink->found_offset(item.slot, std::move(outcome));
}

void partition_core::list_producers(producers_item item) {
  if (undecided()) {
    parked_.push_back({std::move(item)});
    return;
  }
  producers_outcome outcome;
  if (auto refused = fetch_error(high_watermark_, -1)) {
    outcome.error = refused->error;
    outcome.message = std::move(refused->message);
  } else {
    outcome.producers = producers_.list();
  }
  item.sink->listed(item.slot, std::move(outcome));
}

describe_request partition_core::look_at_log() const {
  describe_request request;
  request.commit_index = applied_index_;
  request.log_start = log_start_;
  if (log_start_ == high_watermark_)
    request.oldest_ms = -1;
  else if (oldest_of_ == log_start_)
    request.oldest_ms = oldest_ms_;
  return request;
}

void partition_core::describe(describe_item item, partition_effects& out) {
  if (undecided()) {
    parked_.push_back({std::move(item)});
    return;
  }
  if (failed_) {
    describe_outcome outcome;
    outcome.error = failed_->code;
    outcome.message = failed_->message;
    item.sink->described(item.slot, std::move(outcome));
    return;
  }
  const auto token = next_token_++;
  out.describes.push_back(look_at_log());
  out.describes.back().token = token;
  describe_lookups_.emplace(token, std::move(item));
}

void partition_core::log_described(const log_description& found) {
  if (found.oldest_ms >= 0) {
    oldest_of_ = found.log_start;
    oldest_ms_ = found.oldest_ms;
  }
  const auto it = describe_lookups_.find(found.token);
  if (it == describe_lookups_.end())
    return;
  const auto item = std::move(it->second);
  describe_lookups_.erase(it);
  describe_outcome outcome;
  outcome.leader = leader_;
  outcome.leader_epoch = static_cast<std::int32_t>(term_);
  outcome.log_start = log_start_;
  outcome.high_watermark = high_watermark_;
  outcome.last_stable = high_watermark_;
  outcome.size_bytes = static_cast<std::int64_t>(found.log.size_bytes);
  outcome.oldest_ms = log_start_ == high_watermark_ ? -1 : found.oldest_ms;
  item.sink->described(item.slot, std::move(outcome));
}

} // namespace aqueduct::actors
