// The follower's side of replication: what it takes from a leader, and what it never takes. Raft
// paper 5.3.
#include "raft/core.hpp"
#include "raft/defects.hpp"
#include "raft/invariant.hpp"

#include <algorithm>
#include <iterator>
#include <string>
#include <utility>

namespace aqueduct::raft {

namespace {

std::optional<membership> membership_of(const entry& e) {
  return decode_membership({e.body.data.get(), e.body.size});
}

bool memberships_readable(const std::vector<entry>& entries) {
  return std::all_of(entries.begin(), entries.end(), [](const entry& e) {
    return e.kind != entry_kind::membership || membership_of(e).has_value();
  });
}

} // namespace

bool core::follow(replica_id from) {
  if (is_leader() || (leader() && leader() != from)) {
    // One leader per term; this one cannot be, whatever it says.
    refuse(from, hard_.term, refusal::malformed);
    return false;
  }
  auto* f = std::get_if<follower_state>(&role_);
  if (!f || !f->leader)
    become_follower(hard_.term, from);
  std::get<follower_state>(role_).elapsed_ticks = 0;
  return true;
}

void core::on(replica_id from, append_request&& m) {
  if (!follow(from))
    return;
  log_slice slice{m.term, m.previous, std::move(m.entries)};
  if (!slice.valid() || !memberships_readable(slice.entries)) {
    refuse(from, m.term, refusal::malformed);
    return;
  }
  // What is committed here is in the log of every later leader, so a late or repeated request can
  // be answered with it, and never takes anything back (R8).
  const bool starts_below = slice.previous.index <= commit_;
  if (starts_below)
    skip_committed(slice);
  const bool has_previous =
      log_.has(slice.previous) ||
      (has_defect(defect::previous_term_ignored) && slice.previous.index <= log_.last().index);
  if (!starts_below && !has_previous) {
    refuse(from, m.term, refusal::previous_missing);
    send(from,
         append_response{hard_.term, false, slice.previous.index,
                         log_.last_common_candidate(slice.previous)},
         outbox::after::log);
    return;
  }
  const auto end = slice.last_index();
  take_entries(std::move(slice));
  // Beyond what this request has verified the log may be another leader's (R7).
  commit_to(std::min(m.commit, end));
  send(from, append_response{hard_.term, true, end, {}},
       has_defect(defect::append_before_sync) ? outbox::after::nothing : outbox::after::log);
}

/// Cuts off what is committed here already. The slice then begins after the commit index.
void core::skip_committed(log_slice& slice) {
  const auto own_previous = log_.term_at(slice.previous.index);
  RAFT_INVARIANT(!own_previous || *own_previous == slice.previous.term,
                 "the leader has " + to_string(slice.previous) +
                     " where this replica has committed term " +
                     std::to_string(own_previous->value));
  const auto first_new = std::find_if(slice.entries.begin(), slice.entries.end(),
                                      [this](const entry& e) { return e.index > commit_; });
  for (auto e = slice.entries.begin(); e != first_new; ++e) {
    const auto own = log_.term_at(e->index);
    RAFT_INVARIANT(!own || *own == e->term, "the leader has " + to_string(e->id()) +
                                                " where this replica has committed term " +
                                                std::to_string(own->value));
  }
  slice.entries.erase(slice.entries.begin(), first_new);
  slice.previous = {*log_.term_at(commit_), commit_};
}

/// Appends what is new. Only a real conflict removes anything: an entry that is there already, and
/// those after it, may have come with a later request (R8).
void core::take_entries(log_slice slice) {
  const auto is_new = [this](const entry& e) {
    if (has_defect(defect::truncate_on_overlap))
      return true;
    if (has_defect(defect::conflict_ignored))
      return e.index > log_.last().index;
    return !log_.has(e.id());
  };
  auto from = std::find_if(slice.entries.begin(), slice.entries.end(), is_new);
  if (from == slice.entries.end())
    return;
  if (from->index <= log_.last().index)
    truncate_log(from->index);
  for (; from != slice.entries.end(); ++from) {
    if (from->kind == entry_kind::membership)
      adopt_members(from->index, *membership_of(*from));
    log_.append(std::move(*from));
  }
}

void core::truncate_log(log_index from) {
  RAFT_INVARIANT(from > commit_, "truncation from " + std::to_string(from.value) + ", committed " +
                                     std::to_string(commit_.value));
  const bool on_disk = from <= outbox_.written_index();
  log_.truncate_from(from);
  outbox_.truncated(from, log_.last());
  if (on_disk)
    draft().truncate_from = from;
  emit(log_truncated{from, hard_.term});
  if (!has_defect(defect::membership_survives_truncation) && members_.truncate_from(from))
    emit(membership_changed{members_.latest_index(), members()});
}

void core::commit_to(log_index index) {
  RAFT_INVARIANT(index <= log_.last().index,
                 "commit " + std::to_string(index.value) + " above " + to_string(log_.last()));
  commit_ = std::max(commit_, index);
}

void core::on(replica_id from, const heartbeat_request& m) {
  if (!follow(from))
    return;
  // The leader names no more than what this replica has acknowledged to it in this term, durably,
  // so it is there even after a restart.
  const auto commit =
      has_defect(defect::heartbeat_commits_all) ? std::min(m.commit, log_.last().index) : m.commit;
  if (commit > log_.last().index) {
    refuse(from, m.term, refusal::damaged);
    return;
  }
  commit_to(commit);
  send(from, heartbeat_response{hard_.term, m.read_round}, outbox::after::hard_state);
  // Reads that wait here need ticks to expire if their answers are lost, entries that are loaded to
  // be applied to be loaded again if that fails.
  const auto& f = std::get<follower_state>(role_);
  const bool has_work = handed_out_ < commit_ || !f.reads.empty();
  if (m.hibernate && commit_ == log_.last().index && !has_work)
    fall_asleep();
}

} // namespace aqueduct::raft
