// Refusals that say something of the log: who leads knows it, who was deposed does not.
//
// A leader that was cut off goes on judging until it hears of its successor. What it accepts is
// never committed; what it refuses would be wrong at once, as the successor may have stored what is
// missing here. So such a refusal waits for a round of the read index that begins after it: a
// majority that still follows this replica in its term has elected nobody else, and so nothing was
// committed that it did not judge by (thesis 6.4). It also waits for what was proposed before it,
// which it counted as stored.
//
// The refusal itself is kept, not the batch: it stands for the moment at which the batch arrived,
// and what comes behind it is judged as if it had been given at once.
#include "actors/partition/partition_core.hpp"

#include <algorithm>

namespace aqueduct::actors {

void partition_core::doubt(produce_waiter waiter, produce_outcome outcome, partition_effects& out) {
  if (!waiter.sink)
    return;
  if (doubted_.size() >= options_.doubted_max) {
    answer(waiter, refusal(errc::overloaded,
                           std::to_string(doubted_.size()) +
                               " refused batches of the partition wait for a proof that node " +
                               std::to_string(options_.node) + " leads"));
    return;
  }
  doubted_.push_back({freshness_.need_latest(), proposals_, std::move(waiter), std::move(outcome)});
  begin_round(steady_ms_, out);
}

/// In the order of their arrival, as rounds and proposals end in order.
void partition_core::release_doubted() {
  while (!doubted_.empty()) {
    auto& first = doubted_.front();
    const auto decided = proposals_ - pending_.size();
    if (freshness_.is_proven(first.needed) && first.proposals <= decided)
      answer(first.waiter, std::move(first.outcome));
    else if (freshness_.is_lost(first.needed))
      answer_unproven(first.waiter);
    else
      return;
    doubted_.pop_front();
  }
}

/// Somebody else leads, or will.
void partition_core::answer_unproven(const produce_waiter& waiter) const {
  auto outcome =
      refusal(errc::not_leader, "node " + std::to_string(options_.node) +
                                    " could not prove that it leads; the batch is not stored");
  outcome.leader = -1;
  answer(waiter, std::move(outcome));
}

void partition_core::drop_doubted(errc why, std::int32_t leader, const std::string& message) {
  for (const auto& each : std::exchange(doubted_, {})) {
    auto outcome = refusal(why, message);
    outcome.leader = leader;
    answer(each.waiter, std::move(outcome));
  }
}

void partition_core::expire_doubted(std::int64_t steady_ms) {
  std::erase_if(doubted_, [&](const doubted_refusal& each) {
    if (each.waiter.deadline_ms > steady_ms)
      return false;
    answer(each.waiter, refusal(errc::timed_out, "node " + std::to_string(options_.node) +
                                                     " did not prove in time that it leads"));
    return true;
  });
}

} // namespace aqueduct::actors
