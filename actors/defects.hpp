// Known ways to break the promises of replicas, partitions, the cluster and consumer groups, as
// switches that exist in a build for tests only, like those of raft/defects.hpp: a test turns one
// on and demands that the simulator notices.
#pragma once

#include <cstdint>
#include <string_view>

namespace aqueduct::actors {

enum class defect : std::uint8_t {
  none,
  /// A write that failed counts as durable.
  write_error_ignored,
  /// After a restart the whole log counts as committed.
  log_committed_at_restart,
  /// A batch is acknowledged when it is proposed.
  acknowledged_when_proposed,
  /// A producer's newest batch is not among those whose repeats are known.
  newest_batch_not_remembered,
  /// A repeat of the newest batch is appended once more.
  repeats_appended,
  /// Batches are given to readers when they are proposed.
  uncommitted_given_away,
  /// A replica that is placed on a node later founds the group anew there (R15).
  founded_anew,
  /// A leader that was refused while it handed over and leads on takes nothing any more (R20).
  stands_still_when_refused,
  /// A coordinator takes commits of whoever says to be a member, of whatever generation (B13).
  old_commits_taken,
  /// Replicas of a coordinator's log keep no offsets while they follow: they are forgotten when one
  /// of them leads (B14).
  offsets_forgotten_at_failover,
  /// A partition is given to two members in one generation (B14).
  partition_given_twice,
  /// A member that says nothing any more stays in its group.
  silent_members_stay,
  count_,
};

#ifdef AQUEDUCT_DEFECTS
/// Turns one defect on, and all others of this kind off. For the whole process.
void seed_defect(defect which);
[[nodiscard]] bool has_defect(defect which);
[[nodiscard]] std::string_view to_string(defect which);
#else
[[nodiscard]] constexpr bool has_defect(defect) {
  return false;
}
#endif

} // namespace aqueduct::actors
