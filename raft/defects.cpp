#include "raft/defects.hpp"

namespace aqueduct::raft {

#ifdef AQUEDUCT_DEFECTS

namespace {

defect seeded = defect::none;

} // namespace

void seed_defect(defect which) {
  seeded = which;
}

bool has_defect(defect which) {
  return seeded == which;
}

#endif

std::string_view to_string(defect which) {
  switch (which) {
  case defect::none:
    return "none";
  case defect::vote_before_sync:
    return "vote-before-sync";
  case defect::vote_forgotten:
    return "vote-forgotten";
  case defect::vote_for_shorter_log:
    return "vote-for-shorter-log";
  case defect::append_before_sync:
    return "append-before-sync";
  case defect::own_entries_before_sync:
    return "own-entries-before-sync";
  case defect::completion_of_all:
    return "completion-of-all";
  case defect::heartbeat_commits_all:
    return "heartbeat-commits-all";
  case defect::truncate_on_overlap:
    return "truncate-on-overlap";
  case defect::previous_term_ignored:
    return "previous-term-ignored";
  case defect::conflict_ignored:
    return "conflict-ignored";
  case defect::half_is_enough:
    return "half-is-enough";
  case defect::learners_count:
    return "learners-count";
  case defect::membership_survives_truncation:
    return "membership-survives-truncation";
  case defect::overlapping_changes:
    return "overlapping-changes";
  case defect::apply_uncommitted:
    return "apply-uncommitted";
  case defect::follower_reads_alone:
    return "follower-reads-alone";
  case defect::leader_reads_alone:
    return "leader-reads-alone";
  case defect::older_term_committed:
    return "older-term-committed";
  case defect::promoted_early:
    return "promoted-early";
  case defect::proof_never_ages:
    return "proof-never-ages";
  case defect::count_:
    break;
  }
  return "unknown";
}

} // namespace aqueduct::raft
