// The leader's log: appending, sending, committing, hearing back. Raft paper 5.3 and 5.4.2, thesis
// 10.2.1 (writing to disk in parallel). When its office ends is in office.cpp.
#include "raft/core.hpp"
#include "raft/defects.hpp"
#include "raft/invariant.hpp"
#include "raft/quorum.hpp"

#include <algorithm>
#include <string>
#include <utility>

namespace aqueduct::raft {

namespace {

std::size_t payload_charge(const std::vector<entry>& entries) {
  std::size_t bytes = 0;
  for (const auto& e : entries)
    bytes += charge(e);
  return bytes;
}

} // namespace

// -- proposing ----------------------------------------------------------------------------------

propose_outcome core::propose(std::vector<proposal> batch, std::optional<term_id> only_in) {
  RAFT_INVARIANT(!batch.empty(), "an empty batch");
  rouse();
  propose_outcome outcome;
  auto* l = std::get_if<leader_state>(&role_);
  if (!l || (only_in && *only_in != hard_.term)) {
    const auto known = leader();
    outcome.answer = proposal_not_leader{known == options_.self ? std::nullopt : known};
  } else if (l->transfer || exceeds_pending_limit(batch)) {
    outcome.answer = proposal_overloaded{};
  } else {
    outcome.answer = proposal_accepted{log_.last().index.next(), hard_.term};
    for (auto& p : batch) {
      RAFT_INVARIANT(p.kind == entry_kind::records || p.kind == entry_kind::command,
                     "proposed a " + std::string(to_string(p.kind)));
      append_own(p.kind, std::move(p.body));
    }
    broadcast_append();
  }
  outcome.then = finish();
  return outcome;
}

bool core::exceeds_pending_limit(const std::vector<proposal>& batch) const {
  if (pending_bytes() == 0)
    return false; // or a batch above the limit would never be taken
  auto bytes = pending_bytes();
  for (const auto& p : batch)
    bytes += p.body.size + entry_overhead_bytes;
  return bytes > options_.pending_bytes_max;
}

void core::append_own(entry_kind kind, payload body) {
  log_.append({log_.last().index.next(), hard_.term, kind, std::move(body)});
  std::get<leader_state>(role_).idle_ticks = 0;
}

/// Entries of older terms commit together with this one, never by themselves (5.4.2, R6). The first
/// entry of all names the founders: who joins later learns of them from the log.
void core::append_first_own() {
  if (log_.last().index.value == 0)
    append_members(membership(members()));
  else
    append_own(entry_kind::noop, {});
}

// -- sending ------------------------------------------------------------------------------------

void core::broadcast_append() {
  for (auto& peer : std::get<leader_state>(role_).peers)
    send_append(peer, false);
}

/// Sends what the window allows. With `even_if_empty`, at least one request, which tells the commit
/// index and asks whether everything that was sent has arrived.
void core::send_append(progress& to, bool even_if_empty) {
  const auto end = log_.last().index.next();
  while (!to.is_paused(options_.inflight_requests_max, options_.inflight_bytes_max)) {
    if (to.next() <= log_.base().index) {
      offer_snapshot(to);
      return;
    }
    if (to.next() == end)
      break;
    if (to.next() < log_.tail_begin()) {
      request_peer_load(to);
      return;
    }
    send_entries(to, log_.copy(to.next(), end, options_.append_bytes_max));
    even_if_empty = false;
  }
  // An empty request does not count in the window, so a full one does not forbid it.
  const bool ready =
      to.mode() == progress_mode::replicate
          ? !to.load
          : !to.is_paused(options_.inflight_requests_max, options_.inflight_bytes_max);
  if (even_if_empty && ready)
    send_entries(to, {});
}

void core::send_entries(progress& to, std::vector<entry> entries) {
  const auto previous = to.next() - 1;
  const auto term = log_.term_at(previous);
  if (!term) { // compacted since
    offer_snapshot(to);
    return;
  }
  to.sent(entries.size(), payload_charge(entries));
  to.commit_sent = commit_;
  send(to.who(), append_request{hard_.term, {*term, previous}, commit_, std::move(entries)},
       outbox::after::nothing);
}

void core::request_peer_load(progress& to) {
  to.load = next_load_id_;
  out_.loads.push_back(
      {next_load_id_++, to.next(), log_.tail_begin(), options_.append_bytes_max, true});
}

void core::peer_loaded(progress& to, std::vector<entry> entries) {
  to.load.reset();
  // The follower may have moved on, or the entries may be compacted, while they were read.
  const bool wanted =
      !entries.empty() && entries.front().index == to.next() && to.next() > log_.base().index;
  if (wanted) {
    if (!is_what_was_asked_for(to.next(), log_.last().index.next(), entries)) {
      refuse(options_.self, hard_.term, refusal::damaged);
      return;
    }
    if (!to.is_paused(options_.inflight_requests_max, options_.inflight_bytes_max))
      send_entries(to, std::move(entries));
  }
  send_append(to, false);
}

void core::offer_snapshot(progress& to) {
  const auto base = log_.base().index;
  emit(follower_behind{to.who(), to.next()});
  to.becomes_snapshot(base);
  send(to.who(), snapshot_offer{hard_.term, meta_at(base)}, outbox::after::nothing);
}

void core::broadcast_heartbeat(bool hibernate) {
  auto& l = std::get<leader_state>(role_);
  l.heartbeat_ticks = 0;
  // Reads that came in while a round was under way are confirmed by the next one.
  const auto waits = [&l](const pending_read& r) { return r.round > l.read_round; };
  if (std::any_of(l.reads.begin(), l.reads.end(), waits))
    ++l.read_round;
  for (const auto& peer : l.peers) {
    send(peer.who(),
         heartbeat_request{
             hard_.term,
             has_defect(defect::heartbeat_commits_all) ? commit_ : std::min(peer.match(), commit_),
             l.read_round, hibernate},
         outbox::after::nothing);
  }
}

// -- committing ---------------------------------------------------------------------------------

void core::advance_commit() {
  auto& l = std::get<leader_state>(role_);
  std::vector<log_index> match;
  match.reserve(members().voters.size());
  for (const auto& voter : members().voters) {
    if (voter == options_.self && has_defect(defect::own_entries_before_sync))
      match.push_back(log_.last().index);
    else if (voter == options_.self)
      match.push_back(outbox_.durable_index()); // its own disk is one vote like any other (R3)
    else if (const auto* peer = l.find(voter))
      match.push_back(peer->match());
  }
  if (has_defect(defect::learners_count))
    for (const auto& learner : members().learners)
      if (const auto* peer = l.find(learner); peer && peer->match() > match.front())
        match.front() = peer->match();
  const auto reached = reached_by_majority(std::move(match));
  if (reached <= commit_ || (reached < l.first_own && !has_defect(defect::older_term_committed)))
    return;
  commit_ = reached;
  start_waiting_reads();
  if (!members().is_voter(options_.self) && members_.latest_index() <= commit_) {
    resign(resignation::removed);
    return;
  }
  // Who has acknowledged everything hears of the commit at once; the others with what comes next,
  // or when they have.
  for (auto& peer : l.peers)
    send_append(peer, peer.inflight_requests() == 0);
}

// -- answers ------------------------------------------------------------------------------------

progress* core::peer_of(replica_id from) {
  auto* l = std::get_if<leader_state>(&role_);
  return l ? l->find(from) : nullptr;
}

void core::on(replica_id from, const append_response& m) {
  auto* peer = peer_of(from);
  if (!peer)
    return;
  if (m.index > log_.last().index) {
    refuse(from, m.term, refusal::malformed);
    return;
  }
  peer->spoke();
  if (!m.accepted) {
    const auto common = log_.last_common_candidate(m.hint);
    if (peer->rejected(m.index, common.index))
      send_append(*peer, true);
    return;
  }
  if (peer->acknowledged(m.index))
    advance_commit();
  // Committing may have ended the office, and with it what is known of the peer.
  if (auto* still = peer_of(from)) {
    send_append(*still, still->inflight_requests() == 0 && still->commit_sent < commit_);
    continue_transfer();
  }
}

void core::on(replica_id from, const heartbeat_response& m) {
  auto* peer = peer_of(from);
  if (!peer)
    return;
  const bool silent = peer->heard();
  peer->read_round = std::max(peer->read_round, m.read_round);
  if (peer->match() < log_.last().index)
    send_append(*peer, silent);
  release_reads();
}

void core::on(replica_id from, const snapshot_response& m) {
  auto* peer = peer_of(from);
  if (!peer)
    return;
  peer->spoke();
  if (!m.installed)
    return; // the offer is repeated after a while
  if (m.index > log_.last().index) {
    refuse(from, m.term, refusal::malformed);
    return;
  }
  if (peer->acknowledged(m.index))
    advance_commit();
  if (auto* still = peer_of(from))
    send_append(*still, false);
}

} // namespace aqueduct::raft
