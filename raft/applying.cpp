// From the log to the state machine: what is handed out, what has to be loaded for it first, and
// what may leave the memory afterwards.
#include "raft/core.hpp"
#include "raft/defects.hpp"
#include "raft/invariant.hpp"

#include <algorithm>
#include <iterator>
#include <limits>
#include <string>
#include <utility>

namespace aqueduct::raft {

effects core::applied(log_index upto) {
  RAFT_INVARIANT(upto <= handed_out_, std::to_string(upto.value) + " applied, " +
                                          std::to_string(handed_out_.value) + " handed out");
  if (upto > applied_) {
    applied_ = upto;
    log_.applied(upto);
  }
  return finish();
}

effects core::loaded(std::uint64_t id, std::vector<entry> entries) {
  if (poisoned_)
    return finish();
  if (apply_load_ && apply_load_->id == id) {
    apply_loaded(std::move(entries));
  } else if (auto* l = std::get_if<leader_state>(&role_)) {
    const auto waits = [id](const progress& p) { return p.load == id; };
    const auto at = std::find_if(l->peers.begin(), l->peers.end(), waits);
    if (at != l->peers.end())
      peer_loaded(*at, std::move(entries));
  }
  return finish();
}

effects core::load_failed(std::uint64_t id) {
  if (apply_load_ && apply_load_->id == id) {
    apply_load_.reset();
    apply_load_retry_ = true;
  } else if (auto* l = std::get_if<leader_state>(&role_)) {
    for (auto& peer : l->peers) {
      // The next answer to a heartbeat tries again.
      if (peer.load == id)
        peer.load.reset();
    }
  }
  return finish();
}

void core::hand_out() {
  // Only what is durable here is applied: the state machine is never ahead of the log on disk.
  const auto end = has_defect(defect::apply_uncommitted)
                       ? outbox_.durable_index()
                       : std::min(commit_, outbox_.durable_index());
  if (apply_load_ || apply_load_retry_ || handed_out_ >= end)
    return;
  const auto begin = handed_out_.next();
  if (begin >= log_.tail_begin()) {
    auto entries = log_.copy(begin, end.next(), std::numeric_limits<std::size_t>::max());
    std::move(entries.begin(), entries.end(), std::back_inserter(out_.committed));
    handed_out_ = end;
  } else if (applied_ == handed_out_) {
    // One chunk at a time, and the next when this one is applied: that bounds what is in memory.
    apply_load_ = load_request{next_load_id_++, begin, std::min(end.next(), log_.tail_begin()),
                               options_.load_bytes_max};
    out_.loads.push_back(*apply_load_);
  }
}

bool core::is_what_was_asked_for(log_index begin, log_index end,
                                 const std::vector<entry>& entries) const {
  if (entries.empty() || entries.size() > end.value - begin.value)
    return false;
  auto index = begin;
  for (const auto& e : entries) {
    if (e.index != index || log_.term_at(index) != e.term)
      return false;
    index = index.next();
  }
  return true;
}

void core::apply_loaded(std::vector<entry> entries) {
  const auto request = *std::exchange(apply_load_, std::nullopt);
  if (!is_what_was_asked_for(request.begin, request.end, entries)) {
    refuse(options_.self, hard_.term, refusal::damaged);
    apply_load_retry_ = true;
    return;
  }
  handed_out_ = entries.back().index;
  out_.committed = std::move(entries);
}

/// Nobody needs what is durable, applied and known to every member. What a member still lacks is
/// kept for a while, by the leader only: another one can load it.
void core::trim_tail() {
  const auto durable = outbox_.durable_index();
  const auto settled = std::min(durable, applied_);
  if (const auto* l = std::get_if<leader_state>(&role_)) {
    auto known = settled;
    for (const auto& peer : l->peers)
      known = std::min(known, peer.match());
    log_.forget(known, 0);
    log_.forget(settled, options_.tail_bytes_max);
  } else {
    log_.forget(settled, 0);
    log_.forget(durable, options_.unapplied_bytes_max);
  }
}

} // namespace aqueduct::raft
