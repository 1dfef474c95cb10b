#include "actors/replica/member_plan.hpp"

#include <algorithm>

namespace aqueduct::actors {

std::optional<raft::membership_change> next_member_change(const raft::membership& members,
                                                          std::span<const raft::replica_id> wanted,
                                                          std::size_t voters_max,
                                                          raft::replica_id leader) {
  for (const auto who : wanted)
    if (!members.contains(who))
      return raft::add_learner{who};
  auto voters = static_cast<std::size_t>(
      std::ranges::count_if(wanted, [&](raft::replica_id who) { return members.is_voter(who); }));
  for (const auto who : wanted)
    if (members.is_learner(who) && voters < voters_max)
      return raft::promote_learner{who};
  const auto unwanted = [&](raft::replica_id who) {
    return who != leader && std::ranges::find(wanted, who) == wanted.end();
  };
  for (const auto* group : {&members.learners, &members.voters})
    if (const auto found = std::ranges::find_if(*group, unwanted); found != group->end())
      return raft::remove_replica{*found};
  return std::nullopt;
}

} // namespace aqueduct::actors
