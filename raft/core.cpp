// Dispatch: what every call does first and last. The rules themselves are in the files by concern.
#include "raft/core.hpp"

#include "raft/invariant.hpp"

#include <algorithm>
#include <iterator>
#include <limits>
#include <string>
#include <type_traits>
#include <utility>

namespace aqueduct::raft {

std::variant<core, invalid_state> core::create(const core_options& options, restored_state state) {
  if (auto wrong = validate(options))
    return invalid_state{std::move(*wrong)};
  if (auto wrong = validate(state))
    return invalid_state{std::move(*wrong)};
  return core(options, std::move(state));
}

core::core(const core_options& options, restored_state state)
    : options_(options),
      random_(options.seed),
      hard_(state.hard),
      log_(state.base.last, std::move(state.terms), state.last),
      members_(state.base.last.index, std::move(state.base.membership),
               std::move(state.memberships)),
      commit_(std::max(state.commit, state.applied)),
      applied_(state.applied),
      handed_out_(state.applied),
      outbox_(options.life, log_.last()) {
  // An entry can reach the disk before the hard state of its term does. No vote of that term can
  // have left this replica then.
  if (hard_.term < log_.last().term) {
    hard_ = {log_.last().term, std::nullopt};
    hard_dirty_ = true;
  }
  told_term_ = hard_.term;
  log_.applied(applied_);
  std::get<follower_state>(role_).timeout_ticks = draw_timeout();
}

// -- inputs -------------------------------------------------------------------------------------

effects core::step(replica_id from, message m) {
  if (poisoned_ || from == options_.self)
    return finish();
  if (wakes(from, m))
    rouse();
  if (adopt_term(from, m))
    dispatch(from, std::move(m));
  return finish();
}

effects core::tick() {
  if (poisoned_ || hibernating_)
    return finish();
  outbox_.tick();
  apply_load_retry_ = false;
  if (is_leader())
    tick_leader();
  else
    tick_election();
  return finish();
}

effects core::persisted(persist_ticket ticket) {
  auto done = outbox_.completed(ticket);
  if (poisoned_ || !done.any)
    return finish();
  std::move(done.release.begin(), done.release.end(), std::back_inserter(out_.send));
  if (done.own_vote)
    own_vote_durable(*done.own_vote);
  if (is_leader())
    advance_commit();
  return finish();
}

effects core::persist_failed(persist_ticket ticket) {
  if (poisoned_ || ticket.life != options_.life)
    return finish();
  emit(replica_poisoned{ticket});
  if (is_leader())
    emit(leader_resigned{hard_.term, resignation::poisoned});
  become_follower(hard_.term, std::nullopt);
  poisoned_ = true;
  return finish();
}

effects core::retire() {
  if (poisoned_)
    return finish();
  if (is_leader())
    resign(resignation::poisoned);
  outbox_.deliver(out_.send);
  auto farewell = std::exchange(out_.send, {});
  poisoned_ = true;
  auto last = finish();
  last.send = std::move(farewell);
  return last;
}

effects core::compact(log_index upto) {
  RAFT_INVARIANT(upto <= applied_,
                 std::to_string(upto.value) + " above applied " + std::to_string(applied_.value));
  if (poisoned_ || upto <= log_.base().index)
    return finish();
  compact_log(upto);
  return finish();
}

effects core::wake() {
  rouse();
  return finish();
}

// -- observers ----------------------------------------------------------------------------------

std::optional<replica_id> core::leader() const {
  if (is_leader())
    return options_.self;
  if (const auto* f = std::get_if<follower_state>(&role_))
    return f->leader;
  return std::nullopt;
}

snapshot_meta core::meta_at(log_index index) const {
  const auto term = log_.term_at(index);
  RAFT_INVARIANT(term && index <= commit_, "no committed entry " + std::to_string(index.value));
  return {{*term, index}, members_.at(index)};
}

std::span<const progress> core::followers() const {
  if (const auto* l = std::get_if<leader_state>(&role_))
    return l->peers;
  return {};
}

// -- dispatch -----------------------------------------------------------------------------------

/// Answers to what was said before falling asleep, and the word to do so, wake nobody up. Nor does
/// who was removed and does not know it: it would wake the followers and not their leader.
bool core::wakes(replica_id from, const message& m) const {
  if (std::holds_alternative<pre_vote_request>(m) || std::holds_alternative<vote_request>(m))
    return members().contains(from);
  if (term_of(m) > hard_.term)
    return true;
  if (const auto* heartbeat = std::get_if<heartbeat_request>(&m))
    return !(heartbeat->hibernate && heartbeat->term == hard_.term && leader() == from);
  return !std::holds_alternative<heartbeat_response>(m) &&
         !std::holds_alternative<append_response>(m);
}

bool core::adopt_term(replica_id from, const message& m) {
  const auto term = term_of(m);
  if (term == hard_.term || std::holds_alternative<pre_vote_request>(m))
    return true;
  if (term < hard_.term) {
    answer_older_term(from, m);
    return false;
  }
  if (const auto* response = std::get_if<pre_vote_response>(&m); response && response->granted)
    return true; // the term that this replica asked about, not one that anybody is in
  if (const auto* request = std::get_if<vote_request>(&m)) {
    // Nobody counts the vote of who is no member, and it would carry the term into the group (R15).
    if (!may_vote()) {
      refuse(from, term, refusal::not_a_member);
      return false;
    }
    // A replica that was cut off or removed must not disturb a working group (thesis 4.2.3).
    if (protects_leader() && !request->transfer) {
      refuse(from, term, refusal::leader_alive);
      return false;
    }
  }
  const bool from_leader = std::holds_alternative<append_request>(m) ||
                           std::holds_alternative<heartbeat_request>(m) ||
                           std::holds_alternative<snapshot_offer>(m);
  become_follower(term, from_leader ? std::optional(from) : std::nullopt);
  return true;
}

void core::answer_older_term(replica_id from, const message& m) {
  // Whoever believes in an older term learns of this one: a leader steps down, a candidate gives
  // up. Without this, pre-votes and check-quorum together could lock a group (R10).
  if (std::holds_alternative<append_request>(m) || std::holds_alternative<heartbeat_request>(m) ||
      std::holds_alternative<snapshot_offer>(m)) {
    send(from, append_response{hard_.term, false, {}, {}}, outbox::after::hard_state);
  } else if (std::holds_alternative<vote_request>(m)) {
    send(from, vote_response{hard_.term, false}, outbox::after::hard_state);
  } else {
    return;
  }
  refuse(from, term_of(m), refusal::older_term);
}

void core::dispatch(replica_id from, message m) {
  std::visit(
      [&](auto&& body) {
        using type = std::decay_t<decltype(body)>;
        if constexpr (std::is_same_v<type, append_request>)
          on(from, std::move(body));
        else
          on(from, std::as_const(body));
      },
      std::move(m));
}

// -- what all rules share -----------------------------------------------------------------------

void core::refuse(replica_id who, term_id term, refusal why) {
  emit(refused{who, term, why});
}

void core::send(replica_id to, message m, outbox::after when) {
  outbox_.post({to, std::move(m)}, when);
}

persist_request& core::draft() {
  return out_.persist ? *out_.persist : out_.persist.emplace();
}

void core::rouse() {
  if (!hibernating_)
    return;
  hibernating_ = false;
  emit(woke_up{});
  if (auto* l = std::get_if<leader_state>(&role_))
    l->idle_ticks = 0;
}

effects core::finish() {
  if (poisoned_) {
    outbox_.poison();
    out_.persist.reset();
    hard_dirty_ = false;
    out_.send.clear();
    out_.committed.clear();
    out_.loads.clear();
    note_leader();
    return std::exchange(out_, {});
  }
  hand_out();
  trim_tail();
  begin_write();
  outbox_.deliver(out_.send);
  note_leader();
  return std::exchange(out_, {});
}

void core::begin_write() {
  std::optional<term_id> own_vote;
  if (hard_dirty_) {
    draft().hard = hard_;
    if (role() == role_kind::candidate)
      own_vote = hard_.term;
  }
  const auto last = log_.last();
  if (outbox_.written_index() < last.index)
    draft().append = log_.copy(outbox_.written_index().next(), last.index.next(),
                               std::numeric_limits<std::size_t>::max());
  if (out_.persist)
    out_.persist->ticket = outbox_.begin_write(last, hard_dirty_, own_vote);
  hard_dirty_ = false;
}

void core::note_leader() {
  const auto now = leader();
  if (now == told_leader_ && hard_.term == told_term_)
    return;
  told_leader_ = now;
  told_term_ = hard_.term;
  out_.leader = leader_change{now, hard_.term};
}

void core::compact_log(log_index upto) {
  const auto meta = meta_at(upto);
  log_.compact(upto);
  members_.compact(upto);
  draft().compact = meta;
  emit(log_compacted{meta.last});
}

} // namespace aqueduct::raft
