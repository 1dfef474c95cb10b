// Known ways to get consensus wrong, as switches that exist in a build for tests only. A test turns
// one on and demands that the simulator notices: what no test can find may be broken unnoticed. In
// every other build `has_defect` is constantly false and leaves no code.
//
// Each defect is one that a real system had, or that a claim of the papers forbids.
#pragma once

#include <cstdint>
#include <string_view>

namespace aqueduct::raft {

enum class defect : std::uint8_t {
  none,
  /// A vote leaves before it is on disk (R1).
  vote_before_sync,
  /// A vote is not written down: the next candidate of the term gets one as well.
  vote_forgotten,
  /// Votes for candidates with a shorter log (paper 5.4.1).
  vote_for_shorter_log,
  /// A follower acknowledges entries before they are on disk (R2).
  append_before_sync,
  /// The leader counts its own log to the end, synced or not (R3).
  own_entries_before_sync,
  /// The completion of one write counts for all that are under way (R4).
  completion_of_all,
  /// Heartbeats name the leader's commit index to everybody (R7).
  heartbeat_commits_all,
  /// A follower cuts off its log at every overlap, conflict or not (R8).
  truncate_on_overlap,
  /// The term of the entry before the new ones is not compared (paper 5.3).
  previous_term_ignored,
  /// Entries stay in a conflicting log: what is there is taken for what was sent.
  conflict_ignored,
  /// Half of the members decide instead of more than half.
  half_is_enough,
  /// Learners count when entries commit.
  learners_count,
  /// A membership that was cut off the log stays in force (R14).
  membership_survives_truncation,
  /// A change of members begins while another is under way (R13).
  overlapping_changes,
  /// Entries are applied when they are durable here, committed or not.
  apply_uncommitted,
  /// A follower takes its own commit index for the read index, without a round of its leader.
  follower_reads_alone,
  /// The leader answers reads without asking anybody whether it still leads (R17).
  leader_reads_alone,
  /// Entries of older terms commit by counting (R6).
  older_term_committed,
  /// Learners are promoted whatever they have and know.
  promoted_early,
  /// A state that was proven fresh once is taken for fresh by its own clock alone, whatever its
  /// age.
  proof_never_ages,
  count_,
};

#ifdef AQUEDUCT_DEFECTS
/// Turns one defect on, and all others off. For the whole process.
void seed_defect(defect which);
[[nodiscard]] bool has_defect(defect which);
#else
[[nodiscard]] constexpr bool has_defect(defect) {
  return false;
}
#endif

[[nodiscard]] std::string_view to_string(defect which);

} // namespace aqueduct::raft
