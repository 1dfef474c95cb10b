#include "actors/partition/partition_elections.hpp"

#include <utility>

namespace aqueduct::actors {

namespace {

using protocol::cluster::election_outcome;
using verdict = protocol::cluster::election_verdict;

void answer(const partition_elect& wish, verdict what, std::int32_t leader = -1,
            std::string message = {}) {
  wish.sink->decided(wish.slot, election_outcome{what, leader, std::move(message)});
}

std::string replica_on(std::int32_t node) {
  return "the replica on node " + std::to_string(node);
}

} // namespace

std::optional<raft::replica_id> partition_elections::ask(partition_elect wish,
                                                         const partition_membership& members,
                                                         std::int32_t leader) {
  return judge({std::move(wish), false}, members, leader);
}

std::optional<raft::replica_id>
partition_elections::judge(waiter who, const partition_membership& members, std::int32_t leader) {
  const auto& wish = who.wish;
  if (leader == wish.to) {
    answer(wish, who.is_begun ? verdict::elected : verdict::not_needed);
  } else if (leader < 0) {
    waiting_.push_back(std::move(who));
  } else if (!members.leads()) {
    answer(wish, verdict::elsewhere, leader);
  } else if (who.is_begun) {
    answer(wish, verdict::refused, -1, replica_on(wish.to) + " was not elected");
  } else if (const auto heir = members.heir(wish.to); !heir) {
    answer(wish, verdict::refused, -1, heir.error().message);
  } else {
    who.is_begun = true;
    waiting_.push_back(std::move(who));
    return *heir;
  }
  return std::nullopt;
}

std::optional<raft::replica_id> partition_elections::led_by(std::int32_t leader,
                                                            const partition_membership& members) {
  std::optional<raft::replica_id> heir;
  for (auto& each : std::exchange(waiting_, {}))
    if (const auto found = judge(std::move(each), members, leader))
      heir = found;
  return heir;
}

void partition_elections::not_taken(raft::replica_id by) {
  std::erase_if(waiting_, [&](const waiter& each) {
    if (!each.is_begun || each.wish.to != by.node.value)
      return false;
    answer(each.wish, verdict::refused, -1,
           replica_on(each.wish.to) + " is too far behind, or did not take over in time");
    return true;
  });
}

void partition_elections::expire(std::int64_t steady_ms) {
  std::erase_if(waiting_, [&](const waiter& each) {
    if (each.wish.deadline_ms > steady_ms)
      return false;
    answer(each.wish, verdict::timed_out, -1,
           each.is_begun ? replica_on(each.wish.to) + " has not taken over yet; it may still"
                         : "nobody leads the partition now");
    return true;
  });
}

void partition_elections::close() {
  for (const auto& each : std::exchange(waiting_, {}))
    answer(each.wish, verdict::elsewhere, -1, "the replica that was asked is closed");
}

} // namespace aqueduct::actors
