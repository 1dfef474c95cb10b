// The leader's office: how time passes in it, when it is given up or handed over, and when the
// whole group goes to sleep. Thesis 3.10 (transfer) and 6.2 (check quorum).
#include "raft/core.hpp"
#include "raft/quorum.hpp"

#include <algorithm>
#include <utility>

namespace aqueduct::raft {

// -- time ---------------------------------------------------------------------------------------

void core::tick_leader() {
  auto& l = std::get<leader_state>(role_);
  if (!keeps_office())
    return;
  if (l.transfer && ++l.transfer->elapsed_ticks >= options_.election_timeout_ticks)
    abort_transfer();
  for (auto& peer : l.peers) {
    ++peer.silent_ticks;
    if (peer.mode() == progress_mode::snapshot &&
        ++peer.snapshot_ticks >= options_.election_timeout_ticks)
      peer.restart(); // the next answer to a heartbeat leads to another offer
  }
  l.idle_ticks = is_idle() ? l.idle_ticks + 1 : 0;
  const bool sleep =
      options_.hibernate_after_ticks != 0 && l.idle_ticks >= options_.hibernate_after_ticks;
  if (++l.heartbeat_ticks >= options_.heartbeat_ticks || sleep)
    broadcast_heartbeat(sleep);
  if (sleep)
    fall_asleep();
}

/// Resigns and returns false if this leader can no longer do its work.
bool core::keeps_office() {
  auto& l = std::get<leader_state>(role_);
  const bool others = std::any_of(l.peers.begin(), l.peers.end(), [this](const progress& p) {
    return members().is_voter(p.who());
  });
  if (!others)
    return true;
  // Heartbeats go on while the disk stands still; somebody else has a better one (R19).
  if (outbox_.oldest_write_ticks() >= options_.election_timeout_ticks * 3 / 2) {
    resign(resignation::disk_stalled);
    return false;
  }
  if (++l.quorum_ticks < options_.election_timeout_ticks)
    return true;
  l.quorum_ticks = 0;
  std::size_t active = members().is_voter(options_.self) ? 1 : 0;
  for (auto& peer : l.peers) {
    if (std::exchange(peer.recently_active, false) && members().is_voter(peer.who()))
      ++active;
  }
  if (active >= majority(members().voters.size()))
    return true;
  resign(resignation::quorum_lost);
  return false;
}

void core::resign(resignation why) {
  auto& l = std::get<leader_state>(role_);
  emit(leader_resigned{hard_.term, why});
  if (why != resignation::quorum_lost) {
    // Who has everything may start at once instead of after a timeout.
    const progress* best = nullptr;
    for (const auto& peer : l.peers) {
      if (members().is_voter(peer.who()) && (!best || peer.match() > best->match()))
        best = &peer;
    }
    if (best)
      send(best->who(), timeout_now{hard_.term}, outbox::after::nothing);
  }
  become_follower(hard_.term, std::nullopt);
}

bool core::is_idle() const {
  const auto& l = std::get<leader_state>(role_);
  const auto last = log_.last().index;
  return applied_ == last && commit_ == last && l.reads.empty() && !l.transfer &&
         outbox_.in_flight() == 0 &&
         std::all_of(l.peers.begin(), l.peers.end(),
                     [&](const auto& p) { return p.match() == last; });
}

void core::fall_asleep() {
  if (hibernating_)
    return;
  hibernating_ = true;
  emit(hibernated{});
}

// -- handing over -------------------------------------------------------------------------------

effects core::transfer_leadership(replica_id to) {
  if (poisoned_)
    return finish();
  rouse();
  auto* l = std::get_if<leader_state>(&role_);
  if (l && l->transfer && l->transfer->to == to)
    return finish();
  if (!l || to == options_.self || !members().is_voter(to) || !l->find(to)) {
    emit(transfer_aborted{to});
    return finish();
  }
  if (l->transfer)
    abort_transfer();
  l->transfer = leadership_transfer{to};
  emit(transfer_started{to});
  continue_transfer();
  return finish();
}

void core::continue_transfer() {
  auto& l = std::get<leader_state>(role_);
  if (!l.transfer || l.transfer->handed_over)
    return;
  auto* peer = l.find(l.transfer->to);
  if (peer->match() != log_.last().index) {
    send_append(*peer, true);
    return;
  }
  l.transfer->handed_over = true;
  send(peer->who(), timeout_now{hard_.term}, outbox::after::nothing);
}

void core::abort_transfer() {
  auto& l = std::get<leader_state>(role_);
  emit(transfer_aborted{std::exchange(l.transfer, std::nullopt)->to});
}

} // namespace aqueduct::raft
