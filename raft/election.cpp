// Who leads: pre-votes, votes, and the changes of role. Raft paper 5.2 and 5.4.1, thesis 4.2.3 and
// 9.6.
#include "raft/core.hpp"
#include "raft/defects.hpp"
#include "raft/invariant.hpp"
#include "raft/quorum.hpp"

#include <algorithm>
#include <string>

namespace aqueduct::raft {

namespace {

/// Between the turns of those that lost a leader: time for an election, and for the phases of their
/// ticks to differ.
constexpr std::uint32_t turn_ticks = 3;

} // namespace

// -- changes of role ----------------------------------------------------------------------------

template <class State>
void core::enter(State next) {
  const auto before = role();
  rouse();
  fail_reads();
  if (auto* l = std::get_if<leader_state>(&role_); l && l->transfer && !l->transfer->handed_over)
    abort_transfer();
  role_ = std::move(next);
  if (role() != before)
    emit(role_changed{before, role(), hard_.term});
}

/// Legal from every role.
void core::become_follower(term_id term, std::optional<replica_id> leader) {
  RAFT_INVARIANT(term >= hard_.term,
                 "term " + std::to_string(hard_.term.value) + " -> " + std::to_string(term.value));
  if (term > hard_.term) {
    hard_ = {term, std::nullopt};
    hard_dirty_ = true;
  }
  follower_state next;
  next.leader = leader;
  next.timeout_ticks = draw_timeout();
  // Who waits for a leader waits on, whatever terms others go through: it may be the only one that
  // can win, and the others must not keep it from trying.
  if (const auto* waits = std::get_if<follower_state>(&role_); waits && !leader) {
    next.elapsed_ticks = waits->elapsed_ticks;
    next.timeout_ticks = waits->timeout_ticks;
  }
  enter(std::move(next));
}

void core::become_pre_candidate() {
  RAFT_INVARIANT(!is_leader(), "a leader asks for votes in term " + std::to_string(term().value));
  pre_candidate_state next;
  next.timeout_ticks = draw_timeout();
  enter(std::move(next));
}

void core::become_candidate() {
  RAFT_INVARIANT(!is_leader(), "a leader campaigns in term " + std::to_string(term().value));
  hard_ = {hard_.term.next(), options_.self};
  hard_dirty_ = true;
  candidate_state next;
  next.timeout_ticks = draw_timeout();
  enter(std::move(next));
}

void core::become_leader() {
  RAFT_INVARIANT(role() == role_kind::candidate,
                 std::string("from ") + std::string(to_string(role())));
  leader_state next;
  next.first_own = log_.last().index.next();
  for_each_other_member([&](replica_id who) { next.peers.emplace_back(who, next.first_own); });
  enter(std::move(next));
  append_first_own();
  broadcast_append();
}

// -- elections ----------------------------------------------------------------------------------

effects core::campaign() {
  if (poisoned_)
    return finish();
  rouse();
  // Asking again for pre-votes costs no term; a vote that is under way is waited for.
  if (!is_leader() && role() != role_kind::candidate && may_campaign())
    start_election(false);
  return finish();
}

effects core::lost_contact(node_id node) {
  if (poisoned_)
    return finish();
  rouse();
  if (const auto* l = std::get_if<leader_state>(&role_);
      l && l->transfer && l->transfer->to.node == node)
    abort_transfer();
  const auto* follower = std::get_if<follower_state>(&role_);
  if (follower && follower->leader && follower->leader->node == node) {
    const auto turn = turn_after(*follower->leader);
    become_follower(hard_.term, std::nullopt);
    auto& now = std::get<follower_state>(role_);
    now.elapsed_ticks = 0;
    now.timeout_ticks = std::min(now.timeout_ticks, 1 + turn * turn_ticks);
  }
  return finish();
}

/// Which of the voters but the leader this replica is, from another one on in each term.
std::uint32_t core::turn_after(replica_id leader) const {
  std::vector<replica_id> others;
  for (const auto& who : members().voters) {
    if (who != leader)
      others.push_back(who);
  }
  const auto at = std::find(others.begin(), others.end(), options_.self);
  if (at == others.end())
    return options_.election_timeout_ticks;
  const auto place =
      static_cast<std::uint64_t>(at - others.begin()) + hard_.term.value + options_.turn;
  return static_cast<std::uint32_t>(place % others.size());
}

std::uint32_t core::draw_timeout() {
  return options_.election_timeout_ticks +
         static_cast<std::uint32_t>(random_.below(options_.election_timeout_ticks));
}

bool core::may_campaign() const {
  // A replica that an uncommitted change removes may still be the only one that can commit it
  // (thesis 4.2.2). After a restart it is not known which of the memberships in the log was the
  // last to commit, so any of them may be the one that counts.
  return members_.has_voter_since(commit_, options_.self);
}

bool core::may_vote() const {
  // A learner votes: it may have been made a voter by an entry that it has not received. A replica
  // with another incarnation than the one that is a member has forgotten its votes (R15).
  return members_.has_member_since(commit_, options_.self);
}

bool core::protects_leader() const {
  if (is_leader())
    return true;
  const auto* f = std::get_if<follower_state>(&role_);
  return f && f->leader && f->elapsed_ticks < options_.election_timeout_ticks;
}

void core::tick_election() {
  const auto expired = [this] {
    return std::visit(
        [](auto& state) {
          if constexpr (requires { state.timeout_ticks; })
            return ++state.elapsed_ticks >= state.timeout_ticks;
          else
            return false;
        },
        role_);
  }();
  expire_reads();
  if (!expired)
    return;
  // A candidate whose own vote is still on its way to the disk would only waste terms.
  if (role() == role_kind::candidate && outbox_.hard_state_in_flight())
    return;
  if (may_campaign()) {
    start_election(false);
  } else {
    become_follower(hard_.term, std::nullopt);
    auto& waits = std::get<follower_state>(role_);
    waits.elapsed_ticks = 0;
    waits.timeout_ticks = draw_timeout();
  }
}

void core::start_election(bool transfer) {
  // The leader vouches for one that it hands over to; one that is alone need not ask itself.
  const bool alone = members().voters.size() == 1 && members().is_voter(options_.self);
  if (transfer || alone) {
    run_election(transfer);
    return;
  }
  become_pre_candidate();
  emit(election_started{hard_.term.next(), true});
  for_each_other_voter([&](replica_id who) {
    send(who, pre_vote_request{hard_.term.next(), log_.last()}, outbox::after::nothing);
  });
  // A pre-vote promises nothing, so the own one need not be durable.
  count_vote(options_.self, true);
}

void core::run_election(bool transfer) {
  become_candidate();
  emit(election_started{hard_.term, false});
  // Not before the own term and vote are durable: after a crash the same term could be campaigned
  // in again with a shorter log, and votes for the longer one would count for it.
  for_each_other_voter([&](replica_id who) {
    send(who, vote_request{hard_.term, log_.last(), transfer}, outbox::after::hard_state);
  });
}

void core::own_vote_durable(term_id term) {
  if (role() == role_kind::candidate && hard_.term == term)
    count_vote(options_.self, true);
}

void core::count_vote(replica_id from, bool granted) {
  auto* pre = std::get_if<pre_candidate_state>(&role_);
  auto* real = std::get_if<candidate_state>(&role_);
  if (!pre && !real)
    return;
  auto& votes = pre ? pre->pre_votes : real->votes;
  votes.add(from, granted);
  const auto& voters = members().voters;
  std::size_t yes = 0;
  std::size_t no = 0;
  for (const auto& [who, vote] : votes.votes) {
    if (members().is_voter(who))
      ++(vote ? yes : no);
  }
  switch (tally(voters.size(), yes, no)) {
  case election_result::won:
    if (pre)
      run_election(false);
    else
      become_leader();
    break;
  case election_result::lost:
    become_follower(hard_.term, std::nullopt);
    break;
  case election_result::open:
    break;
  }
}

// -- messages -----------------------------------------------------------------------------------

std::optional<refusal> core::reason_to_refuse_vote(entry_id last) const {
  if (!may_vote())
    return refusal::not_a_member;
  if (last < log_.last() && !has_defect(defect::vote_for_shorter_log))
    return refusal::log_behind;
  return std::nullopt;
}

void core::on(replica_id from, const pre_vote_request& m) {
  auto why = reason_to_refuse_vote(m.last);
  if (m.term <= hard_.term)
    why = refusal::older_term;
  else if (protects_leader())
    why = refusal::leader_alive;
  if (why) {
    refuse(from, m.term, *why);
    send(from, pre_vote_response{hard_.term, false}, outbox::after::hard_state);
    return;
  }
  send(from, pre_vote_response{m.term, true}, outbox::after::nothing);
}

void core::on(replica_id from, const pre_vote_response& m) {
  if (role() != role_kind::pre_candidate)
    return;
  if (!m.granted || m.term == hard_.term.next())
    count_vote(from, m.granted);
}

void core::on(replica_id from, const vote_request& m) {
  auto why = reason_to_refuse_vote(m.last);
  if (hard_.voted_for ? *hard_.voted_for != from : leader().has_value())
    why = refusal::voted_for_other;
  if (why) {
    refuse(from, m.term, *why);
    send(from, vote_response{hard_.term, false}, outbox::after::hard_state);
    return;
  }
  if (!hard_.voted_for && !has_defect(defect::vote_forgotten)) {
    hard_.voted_for = from;
    hard_dirty_ = true;
  }
  if (auto* f = std::get_if<follower_state>(&role_))
    f->elapsed_ticks = 0;
  send(from, vote_response{hard_.term, true},
       has_defect(defect::vote_before_sync) ? outbox::after::nothing : outbox::after::hard_state);
}

void core::on(replica_id from, const vote_response& m) {
  if (role() == role_kind::candidate)
    count_vote(from, m.granted);
}

void core::on(replica_id from, const timeout_now&) {
  const auto* f = std::get_if<follower_state>(&role_);
  if (f && f->leader == from && may_campaign())
    start_election(true);
}

} // namespace aqueduct::raft
