#include "tests/simulation/case_watch.hpp"

#include "raft/core.hpp"
#include "raft/quorum.hpp"

#include <algorithm>

namespace aqueduct::actors::test {

namespace {

/// Where a change of members stands that is not known to be committed; the first entry of a log,
/// which names the founders, is none. 0 if there is none.
raft::log_index open_change(const raft::core& core) {
  const auto at = core.member_log().latest_index();
  return at > core.commit_index() && at.value > 1 ? at : raft::log_index();
}

/// What it is when a leader is elected in a network of that shape.
std::optional<fault_case> elected_in(network_trouble shape) {
  switch (shape) {
  case network_trouble::star:
    return fault_case::elected_across_bridge;
  case network_trouble::halves:
    return fault_case::elected_in_halves;
  case network_trouble::one_way_halves:
    return fault_case::elected_in_one_way_halves;
  case network_trouble::ring:
    return fault_case::elected_in_ring;
  case network_trouble::joined_halves:
    return fault_case::elected_between_halves;
  case network_trouble::none:
  case network_trouble::clog:
    break;
  }
  return std::nullopt;
}

} // namespace

// -- across nodes ---------------------------------------------------------------------------------

void case_book::leads(const group_id& group, raft::term_id term, raft::replica_id who) {
  auto& newest = newest_[group];
  newest = std::max(newest, term);
  if (const auto found = elected_in(shape))
    counts.note(*found);
  if (drifts)
    counts.note(fault_case::elected_with_drift);
  const auto promised = handed_over_.find({group, term - 1});
  if (promised != handed_over_.end() && promised->second == who)
    counts.note(fault_case::handed_over);
}

raft::term_id case_book::newest_term(const group_id& group) const {
  const auto found = newest_.find(group);
  return found == newest_.end() ? raft::term_id() : found->second;
}

// -- what the core is told ------------------------------------------------------------------------

void case_watch::opened(const group_id& group, const raft::core& core,
                        std::uint64_t state_applied) {
  book_->safety.opened(group, core);
  auto& of = replicas_[group] = {};
  of.durable_before = core.last_index();
  remember(of, core);
  if (state_applied < core.last_index().value)
    note(fault_case::state_behind_log);
  if (state_applied > core.last_index().value)
    note(fault_case::state_ahead_of_log);
}

void case_watch::receiving(const group_id& group, const raft::core& core, raft::replica_id from,
                           const raft::message& what) {
  (void)group;
  // The end of the log was written by an earlier leader than the one that speaks.
  const auto is_foreign = [&](raft::log_index upto, raft::term_id term) {
    return core.last_index() > upto && core.log().last().term < term;
  };
  if (const auto* append = std::get_if<raft::append_request>(&what)) {
    if (append->term != core.term() || core.is_leader())
      return;
    const auto end = append->previous.index + append->entries.size();
    if (append->commit > end && is_foreign(end, append->term))
      note(fault_case::commit_over_foreign_suffix);
    if (!append->entries.empty() && end <= core.commit_index())
      note(fault_case::stale_append);
  } else if (const auto* heartbeat = std::get_if<raft::heartbeat_request>(&what)) {
    if (heartbeat->term >= core.term() && is_foreign(heartbeat->commit, heartbeat->term) &&
        core.last_index() > core.commit_index())
      note(fault_case::commit_over_foreign_suffix);
  } else if (const auto* answer = std::get_if<raft::append_response>(&what)) {
    const auto peers = core.followers();
    const auto peer = std::ranges::find(peers, from, &raft::progress::who);
    if (peer != peers.end() && !answer->accepted && answer->term == core.term() &&
        answer->index < peer->match())
      note(fault_case::stale_rejection);
  }
}

void case_watch::written(const group_id& group, const raft::core&, raft::persist_ticket ticket,
                         bool is_durable) {
  auto& of = replicas_[group];
  const auto done = of.writes.find(ticket.number);
  if (done == of.writes.end())
    return;
  if (is_durable && done->second.is_rewritten)
    note(fault_case::old_write_ended_after_rewrite);
  of.writes.erase(done);
}

// -- what it does ---------------------------------------------------------------------------------

void case_watch::acted(const group_id& group, const raft::core& core,
                       const raft::effects& effects) {
  book_->safety.acted(group, core, effects);
  auto& of = replicas_[group];
  look_at_write(of, effects);
  for (const auto& event : effects.events)
    look_at_event(group, of, core, event);
  look_at_leader(group, of, core);
  // It was cut off and asked for votes, and is led again: by its term nobody was disturbed.
  if (effects.leader && effects.leader->leader && *effects.leader->leader != core.self()) {
    if (of.asked_in_vain >= 2 && of.asked_in == of.term)
      note(fault_case::returned_in_its_term);
    of.asked_in_vain = 0;
  }
  remember(of, core);
}

void case_watch::look_at_write(replica& of, const raft::effects& effects) {
  if (!effects.persist)
    return;
  const auto& begun = *effects.persist;
  if (begun.truncate_from) {
    note(fault_case::derived_state_cut);
    for (auto& [number, write] : of.writes)
      write.is_cut = write.is_cut || write.last >= *begun.truncate_from;
  }
  if (!begun.append.empty()) {
    for (auto& [number, write] : of.writes)
      write.is_rewritten =
          write.is_rewritten || (write.is_cut && begun.append.back().index >= write.first &&
                                 begun.append.front().index <= write.last);
    of.writes[begun.ticket.number] = {begun.append.front().index, begun.append.back().index};
  }
}

void case_watch::look_at_event(const group_id& group, replica& of, const raft::core& core,
                               const raft::event& what) {
  if (const auto* cut = std::get_if<raft::log_truncated>(&what)) {
    if (cut->from <= of.durable_before) {
      note(fault_case::earlier_life_replaced);
      of.durable_before = cut->from - 1;
    }
    if (of.change >= cut->from)
      note(fault_case::change_truncated);
  } else if (std::get_if<raft::snapshot_restored>(&what) != nullptr) {
    // Nothing of the log is left, and there was something that nobody committed.
    if (of.last > of.commit && core.log().last() == core.log().base())
      note(fault_case::state_over_open_entries);
  } else if (std::get_if<raft::follower_behind>(&what) != nullptr) {
    note(fault_case::follower_behind_trim);
  } else if (const auto* resigned = std::get_if<raft::leader_resigned>(&what)) {
    if (resigned->why == raft::resignation::disk_stalled)
      note(fault_case::resigned_by_stalled_disk);
    if (resigned->why == raft::resignation::quorum_lost && book_->is_cut)
      for (const auto& voter : core.members().voters)
        if (book_->is_cut(voter.node.value, node_) && !book_->is_cut(node_, voter.node.value)) {
          note(fault_case::resigned_by_one_way_cut);
          break;
        }
  } else if (const auto* transfer = std::get_if<raft::transfer_started>(&what)) {
    book_->hands_over(group, core.term(), transfer->to);
  } else if (const auto* asked = std::get_if<raft::election_started>(&what)) {
    if (asked->pre_vote && of.asked_in_vain++ == 0)
      of.asked_in = core.term();
  }
}

void case_watch::look_at_leader(const group_id& group, replica& of, const raft::core& core) {
  if (!core.is_leader())
    return;
  if (!of.leads || of.term != core.term()) {
    book_->leads(group, core.term(), core.self());
    const auto change = open_change(core);
    if (change.value != 0 && core.log().term_at(change) != core.term())
      note(fault_case::elected_with_open_change);
  }
  if (of.older_term_seen_in == core.term())
    return;
  std::vector<raft::log_index> match;
  for (const auto& voter : core.members().voters)
    if (voter == core.self())
      match.push_back(core.durable_index());
    else if (const auto peers = core.followers(); !peers.empty())
      if (const auto peer = std::ranges::find(peers, voter, &raft::progress::who);
          peer != peers.end())
        match.push_back(peer->match());
  if (match.size() < 2)
    return;
  const auto reached = raft::reached_by_majority(std::move(match));
  if (reached <= core.commit_index())
    return;
  if (const auto term = core.log().term_at(reached); term && *term < core.term()) {
    note(fault_case::older_term_on_majority);
    of.older_term_seen_in = core.term();
  }
}

void case_watch::remember(replica& of, const raft::core& core) const {
  of.last = core.last_index();
  of.commit = core.commit_index();
  of.term = core.term();
  of.leads = core.is_leader();
  of.vote_is_open = core.hard().voted_for && core.writes().hard_state_in_flight();
  of.change = open_change(core);
  const auto& voters = core.members().voters;
  of.decides_ahead_of_disk = of.leads && voters.size() == 1 && core.durable_index() < of.last;
  const bool is_voter = core.members().is_voter(core.self());
  if (is_voter && !of.is_voter && core.self().incarnation.value > 1)
    note(fault_case::lost_disk_rejoined);
  of.is_voter = is_voter;
}

void case_watch::crashed() {
  for (auto& [group, of] : replicas_) {
    if (of.vote_is_open)
      note(fault_case::vote_lost_in_crash);
    if (of.decides_ahead_of_disk)
      note(fault_case::sole_voter_crashed_before_sync);
    if (of.change.value != 0)
      note(fault_case::crashed_with_open_change);
  }
  replicas_.clear();
}

std::set<group_id> case_watch::deposed() const {
  std::set<group_id> groups;
  for (const auto& [group, of] : replicas_)
    if (of.leads && of.term < book_->newest_term(group))
      groups.insert(group);
  return groups;
}

} // namespace aqueduct::actors::test
