// Linearizable reads without a log entry (thesis 6.4): the leader notes its commit index, makes
// sure with a round of heartbeats that began afterwards that it still leads, and then answers.
#include "raft/core.hpp"
#include "raft/defects.hpp"
#include "raft/quorum.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace aqueduct::raft {

effects core::read_index(std::uint64_t context) {
  if (!poisoned_)
    rouse();
  ask_read(context, std::nullopt);
  return finish();
}

void core::ask_read(std::uint64_t context, std::optional<replica_id> asker) {
  pending_read read;
  read.context = context;
  read.asker = asker;
  if (auto* l = std::get_if<leader_state>(&role_)) {
    if (has_defect(defect::leader_reads_alone)) {
      read.index = commit_;
      answer_read(read, true);
      return;
    }
    l->reads.push_back(read);
    if (commit_ >= l->first_own)
      start_waiting_reads();
    return;
  }
  auto* f = std::get_if<follower_state>(&role_);
  if (f && has_defect(defect::follower_reads_alone)) {
    read.index = commit_;
    answer_read(read, true);
    return;
  }
  if (asker || poisoned_ || !f || !f->leader) {
    answer_read(read, false);
    return;
  }
  f->reads.push_back(read);
  send(*f->leader, read_index_request{hard_.term, context}, outbox::after::nothing);
}

/// Gives every read that has none its index and its round. Before the leader has committed an entry
/// of its own it does not know the commit index (thesis 6.4, step 1).
void core::start_waiting_reads() {
  auto& l = std::get<leader_state>(role_);
  const bool round_under_way = confirmed_round() < l.read_round;
  bool start = false;
  for (auto& read : l.reads) {
    if (read.round != 0)
      continue;
    read.index = commit_;
    read.round = l.read_round + 1;
    start = true;
  }
  if (start && !round_under_way)
    broadcast_heartbeat(false);
  release_reads();
}

std::uint64_t core::confirmed_round() {
  auto& l = std::get<leader_state>(role_);
  std::vector<std::uint64_t> rounds;
  for (const auto& voter : members().voters) {
    if (voter == options_.self)
      rounds.push_back(l.read_round);
    else if (const auto* peer = l.find(voter))
      rounds.push_back(peer->read_round);
  }
  return confirmed_by_majority(std::move(rounds));
}

void core::release_reads() {
  auto& l = std::get<leader_state>(role_);
  const auto confirmed = confirmed_round();
  const auto waits = [confirmed](const pending_read& r) {
    return r.round == 0 || r.round > confirmed;
  };
  const auto done = std::stable_partition(l.reads.begin(), l.reads.end(), waits);
  const std::vector<pending_read> answered(done, l.reads.end());
  l.reads.erase(done, l.reads.end());
  for (const auto& read : answered)
    answer_read(read, true);
  const auto next_round = [&l](const pending_read& r) { return r.round > l.read_round; };
  if (confirmed < l.read_round || std::none_of(l.reads.begin(), l.reads.end(), next_round))
    return;
  broadcast_heartbeat(false);
  // The others left meanwhile: nobody's answer will come.
  if (confirmed_round() == l.read_round)
    release_reads();
}

void core::answer_read(const pending_read& read, bool confirmed) {
  if (read.asker) {
    send(*read.asker, read_index_response{hard_.term, read.context, confirmed, read.index},
         outbox::after::hard_state);
    return;
  }
  out_.reads.push_back({read.context, confirmed ? std::optional(read.index) : std::nullopt});
}

/// Nobody waits for a leader that is no more.
void core::fail_reads() {
  std::vector<pending_read> reads;
  if (auto* l = std::get_if<leader_state>(&role_))
    reads = std::exchange(l->reads, {});
  else if (auto* f = std::get_if<follower_state>(&role_))
    reads = std::exchange(f->reads, {});
  for (const auto& read : reads)
    answer_read(read, false);
}

/// A request or its answer may be lost while the leader lives on.
void core::expire_reads() {
  auto* f = std::get_if<follower_state>(&role_);
  if (!f)
    return;
  for (auto& read : f->reads)
    ++read.waited_ticks;
  const auto waits = [this](const pending_read& r) {
    return r.waited_ticks < options_.election_timeout_ticks;
  };
  const auto late = std::stable_partition(f->reads.begin(), f->reads.end(), waits);
  const std::vector<pending_read> expired(late, f->reads.end());
  f->reads.erase(late, f->reads.end());
  for (const auto& read : expired)
    answer_read(read, false);
}

void core::on(replica_id from, const read_index_request& m) {
  ask_read(m.context, from);
}

void core::on(replica_id from, const read_index_response& m) {
  auto* f = std::get_if<follower_state>(&role_);
  if (!f || f->leader != from)
    return;
  const auto same = [&m](const pending_read& r) { return r.context == m.context; };
  const auto at = std::find_if(f->reads.begin(), f->reads.end(), same);
  if (at == f->reads.end())
    return;
  auto read = *at;
  f->reads.erase(at);
  read.index = m.index;
  answer_read(read, m.confirmed);
}

} // namespace aqueduct::raft
