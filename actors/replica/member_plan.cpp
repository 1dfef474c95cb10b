#include "actors/replica/member_plan.hpp"

#include <algorithm>

namespace aqueduct::actors {

std::optional<raft::membership_change>
next_member_change(const raft::membership& members, std::span<const raft::replica_id> wanted,
                   std::size_t voters_max, raft::replica_id leader,
                   std::span<const raft::replica_id> listeners) {
  const auto is_in = [](std::span<const raft::replica_id> list, raft::replica_id who) {
    return std::ranges::find(list, who) != list.end();
  };
  for (const auto who : wanted)
    if (!members.contains(who))
      return raft::add_learner{who};
  auto voters = static_cast<std::size_t>(
      std::ranges::count_if(wanted, [&](raft::replica_id who) { return members.is_voter(who); }));
  for (const auto who : wanted)
    if (members.is_learner(who) && voters < voters_max && !is_in(listeners, who))
      return raft::promote_learner{who};
  const auto is_to_go = [&](raft::replica_id who) {
    return who != leader &&
           (!is_in(wanted, who) || (members.is_voter(who) && is_in(listeners, who)));
  };
  for (const auto* group : {&members.learners, &members.voters})
    if (const auto found = std::ranges::find_if(*group, is_to_go); found != group->end())
      return raft::remove_replica{*found};
  return std::nullopt;
}

} // namespace aqueduct::actors
