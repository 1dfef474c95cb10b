// Changing who belongs to the group, one replica at a time (thesis chapter 4).
#include "raft/core.hpp"
#include "raft/defects.hpp"
#include "raft/invariant.hpp"

#include <algorithm>
#include <iterator>
#include <memory>
#include <utility>

namespace aqueduct::raft {

namespace {

payload payload_of(const membership& m) {
  auto bytes = std::make_shared<const std::vector<std::byte>>(encode(m));
  const auto size = bytes->size();
  const auto* data = bytes->data();
  return {std::shared_ptr<const std::byte>(std::move(bytes), data), size};
}

} // namespace

change_outcome core::change_membership(const membership_change& change) {
  using answer_kind = change_outcome::answer_kind;
  change_outcome outcome;
  rouse();
  const auto* l = std::get_if<leader_state>(&role_);
  auto next = apply_change(members(), change);
  if (!l) {
    outcome.answer = answer_kind::not_leader;
  } else if (!next) {
    outcome.answer = answer_kind::invalid;
  } else if (!ready_for_change(*l, change)) {
    outcome.answer = answer_kind::not_ready;
  } else {
    outcome.answer = answer_kind::accepted;
    outcome.at = {hard_.term, log_.last().index.next()};
    append_members(std::move(*next));
    update_peers();
    broadcast_append();
    advance_commit(); // fewer voters may need fewer acknowledgements
  }
  outcome.then = finish();
  return outcome;
}

bool core::ready_for_change(const leader_state& l, const membership_change& change) const {
  // Quorums of two changes that are not committed need not intersect, nor those of a change of this
  // leader and one that a former leader left behind (R13; Ongaro, raft-dev, 10 July 2015).
  const bool overlaps = commit_ < l.first_own || members_.latest_index() > commit_;
  if (l.transfer || (overlaps && !has_defect(defect::overlapping_changes)))
    return false;
  const auto* promotion = std::get_if<promote_learner>(&change);
  if (!promotion || has_defect(defect::promoted_early))
    return true;
  // All that there is has been sent, and at most a window of it is not acknowledged; but it knows
  // that it is a learner: who is in no membership that it has votes for nobody, and its vote may be
  // needed to commit the promotion.
  return std::any_of(l.peers.begin(), l.peers.end(), [&](const progress& p) {
    return p.who() == promotion->who && p.mode() == progress_mode::replicate &&
           p.next() > log_.last().index && p.match() >= members_.latest_index();
  });
}

void core::append_members(membership m) {
  append_own(entry_kind::membership, payload_of(m));
  adopt_members(log_.last().index, std::move(m));
}

void core::adopt_members(log_index index, membership m) {
  members_.append(index, std::move(m));
  emit(membership_changed{index, members()});
}

void core::update_peers() {
  auto& l = std::get<leader_state>(role_);
  std::vector<progress> peers;
  for_each_other_member([&](replica_id who) {
    if (auto* known = l.find(who))
      peers.push_back(std::move(*known));
    else
      peers.emplace_back(who, log_.last().index);
  });
  l.peers = std::move(peers);
}

} // namespace aqueduct::raft
