// Fetches that any replica may answer, if it is fresh enough: who waits for a proof of that. And
// those that ask a leader for more than it knows of: one that was deposed and has not heard of it
// yet would say that they are out of range, and the reader would begin anew; so who leads is proven
// first, as for refusals of batches (partition_doubt.cpp).
#include "actors/partition/partition_core.hpp"

#include <algorithm>
#include <utility>

namespace aqueduct::actors {

using protocol::fetch_freshness;

bool partition_core::may_answer(const fetch_item& item) const {
  const bool has_whole_log = logged_index_ >= known_index_;
  return item.freshness != fetch_freshness::leader &&
         (ready_ || (options_.follower_reads && has_whole_log));
}

std::int64_t partition_core::complete_at(const fetch_item& item) const {
  return item.freshness == fetch_freshness::leader ? -1 : freshness_.proven_since_ms().value_or(-1);
}

/// How long a subscription waits for the proof.
constexpr std::int64_t subscription_proof_ms = 1000;

/// What a fetch needs is said when it arrives and does not change while it waits: it sees what was
/// committed before it began, or so long before.
void partition_core::prove_fresh(fetch_item item, std::int64_t steady_ms, partition_effects& out) {
  item.proof_deadline_ms = steady_ms + item.proof_wait_ms;
  raft::read_freshness::round needed = 0;
  if (item.freshness == fetch_freshness::linearizable || is_doubtful(item.offset))
    needed = freshness_.need_latest();
  else if (item.freshness == fetch_freshness::bounded)
    needed = freshness_.need_within(steady_ms, item.age_ms_max);
  if (freshness_.is_proven(needed)) {
    start_fetch(std::move(item), out);
    return;
  }
  unproven_.push_back({needed, std::move(item)});
  begin_round(steady_ms, out);
}

void partition_core::prove_leading(subscribe_item item, partition_effects& out) {
  unproven_subscriptions_.push_back({freshness_.need_latest(), std::move(item)});
  begin_round(steady_ms_, out);
}

void partition_core::read_index_found(raft::read_freshness::round round,
                                      std::optional<std::uint64_t> index, std::int64_t steady_ms,
                                      partition_effects& out) {
  steady_ms_ = steady_ms;
  freshness_.answered(round, index ? std::optional(raft::log_index(*index)) : std::nullopt);
  release_proven(out);
  release_doubted();
  begin_round(steady_ms, out);
}

void partition_core::begin_round(std::int64_t steady_ms, partition_effects& out) {
  if (const auto round = freshness_.begin(steady_ms))
    out.read_index = round;
}

void partition_core::release_proven(partition_effects& out) {
  std::vector<fetch_item> proven;
  std::vector<fetch_item> lost;
  std::erase_if(unproven_, [&](unproven_fetch& each) {
    const bool is_proven = freshness_.is_proven(each.needed);
    if (!is_proven && !freshness_.is_lost(each.needed))
      return false;
    (is_proven ? proven : lost).push_back(std::move(each.item));
    return true;
  });
  for (auto& item : proven)
    start_fetch(std::move(item), out);
  for (const auto& item : lost)
    refuse_unproven(item, "the leader did not confirm how fresh this replica is");
  release_subscriptions(out);
}

void partition_core::release_subscriptions(partition_effects& out) {
  for (auto& each : std::exchange(unproven_subscriptions_, {})) {
    if (freshness_.is_proven(each.needed)) {
      const auto offset = each.item.offset;
      start_subscription(std::move(each.item), offset, out);
    } else if (freshness_.is_lost(each.needed)) {
      refuse_unproven(each.item);
    } else {
      unproven_subscriptions_.push_back(std::move(each));
    }
  }
}

void partition_core::refuse_unproven(const subscribe_item& item) const {
  item.sink->subscribed(
      item.slot, errc::not_leader,
      "node " + std::to_string(options_.node) + " could not prove that it leads the partition", -1);
}

/// The reader is referred to the leader.
void partition_core::refuse_unproven(const fetch_item& item, const std::string& why) const {
  auto outcome = fetch_state();
  outcome.error = errc::not_leader;
  outcome.message = "node " + std::to_string(options_.node) + ": " + why;
  item.sink->fetched(item.slot, std::move(outcome));
}

void partition_core::expire_unproven(std::int64_t steady_ms) {
  std::erase_if(unproven_, [&](const unproven_fetch& each) {
    if (each.item.proof_deadline_ms > steady_ms)
      return false;
    refuse_unproven(each.item, "this replica did not become as fresh as was asked for in time");
    return true;
  });
  std::erase_if(unproven_subscriptions_, [&](unproven_subscription& each) {
    if (!each.deadline_ms)
      each.deadline_ms = steady_ms + subscription_proof_ms;
    if (*each.deadline_ms > steady_ms)
      return false;
    refuse_unproven(each.item);
    return true;
  });
}

} // namespace aqueduct::actors
