// Known ways to break the promises of replicas, partitions and the cluster, as switches that exist
// in a build for tests only, like those of raft/defects.hpp: a test turns one on and demands that
// the simulator notices.
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
