#include "actors/partition/partition_membership.hpp"

#include "actors/replica/member_plan.hpp"

#include <algorithm>
#include <string>
#include <utility>

namespace aqueduct::actors {

partition_membership::partition_membership(raft::replica_id self, partition_members wanted)
    : self_(self), wanted_(std::move(wanted)) {}

void partition_membership::found(raft::membership members, std::uint64_t index) {
  members_ = std::move(members);
  members_index_ = index;
}

void partition_membership::took_office(std::uint64_t term, bool leads) {
  is_established_ = is_established_ && leads && term == term_;
  term_ = term;
  leads_ = leads;
}

bool partition_membership::applied(std::uint64_t index, std::uint64_t term) {
  const bool was_settled = is_settled();
  applied_index_ = index;
  is_established_ = is_established_ || (leads_ && term == term_);
  return !was_settled && is_settled();
}

bool partition_membership::is_settled() const {
  return is_established_ && applied_index_ >= members_index_ && members_.learners.empty() &&
         members_.voters.size() == wanted_.wanted.size() &&
         std::ranges::all_of(wanted_.wanted,
                             [this](raft::replica_id who) { return members_.is_voter(who); });
}

std::int32_t partition_membership::another_node() const {
  for (const auto* replicas : {&wanted_.wanted, &members_.voters})
    for (const auto& replica : *replicas)
      if (replica.node != self_.node)
        return replica.node.value;
  return -1;
}

bool partition_membership::is_restless() const {
  return leads_ && (next_change() || prefers_another() || wanted_.is_moving);
}

std::optional<raft::membership_change> partition_membership::next_change() const {
  if (!leads_ || wanted_.wanted.empty())
    return std::nullopt;
  return next_member_change(members_, wanted_.wanted, wanted_.wanted.size(), self_);
}

bool partition_membership::has_moved() const {
  return leads_ && wanted_.is_moving && !next_change() && !prefers_another() && is_settled();
}

bool partition_membership::prefers_another() const {
  return leads_ && !wanted_.wanted.empty() && !is_preferred() &&
         members_.is_voter(wanted_.wanted.front());
}

result<raft::replica_id> partition_membership::heir(std::int32_t node) const {
  if (wanted_.wanted.empty() || wanted_.wanted.front().node.value != node)
    return unexpected(errc::conflict, "another replica than that on node " + std::to_string(node) +
                                          " is to lead now: replicas are moving, or brokers are "
                                          "being drained or gone");
  if (!members_.is_voter(wanted_.wanted.front()))
    return unexpected(errc::topic_not_ready, "the replica on node " + std::to_string(node) +
                                                 " is being filled and has no vote yet");
  return wanted_.wanted.front();
}

void partition_membership::note_transfer(std::int64_t steady_ms) {
  next_transfer_ms_ = steady_ms + transfer_interval_ms;
}

std::optional<raft::replica_id> partition_membership::transfer_due(std::int64_t steady_ms) {
  if (!prefers_another() || next_change() || steady_ms < next_transfer_ms_)
    return std::nullopt;
  note_transfer(steady_ms);
  return wanted_.wanted.front();
}

} // namespace aqueduct::actors
