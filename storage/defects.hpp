// Known ways to lose what was stored, as switches that exist in a build for tests only, like those
// of raft/defects.hpp: a test turns one on and demands that the simulator notices.
#pragma once

#include <cstdint>
#include <string_view>

namespace aqueduct::storage {

enum class defect : std::uint8_t {
  none,
  /// The name of a new segment is not made durable (S4).
  directory_not_synced,
  /// Checksums are not looked at when a log is opened (S1).
  torn_tail_accepted,
  /// A failed sync is tried again, and what it says then is believed (S6).
  failed_sync_retried,
  /// A term and a vote are written without a sync (R1).
  hard_state_not_synced,
  /// A segment that is full is closed without a sync.
  closed_without_sync,
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

} // namespace aqueduct::storage
