// How much room the disk of a broker has, as placement sees it: in quarters, so that small
// differences do not disturb a balance by numbers.
#pragma once

#include <algorithm>
#include <cstdint>

namespace aqueduct::actors {

struct disk_room {
  std::uint64_t free_bytes = 0;
  /// 0: nothing is known of the disk.
  std::uint64_t total_bytes = 0;

  [[nodiscard]] bool is_known() const { return total_bytes > 0; }
  /// Less than a tenth is free: a broker of last resort.
  [[nodiscard]] bool is_full() const { return is_known() && free_bytes < total_bytes / 10; }
  /// Quarters of the disk that are free, begun ones too: 1 to 4. A disk of which nothing is known
  /// counts as an empty one.
  [[nodiscard]] std::int64_t free_quarters() const {
    const auto quarter = std::max<std::uint64_t>(total_bytes / 4, 1);
    const auto begun = free_bytes / quarter + (free_bytes % quarter > 0 ? 1 : 0);
    return is_known() ? static_cast<std::int64_t>(std::clamp<std::uint64_t>(begun, 1, 4)) : 4;
  }

  friend bool operator==(const disk_room&, const disk_room&) = default;
};

/// Brokers are to hold replicas in proportion to the room that they have: whether one more would be
/// less of a burden to a broker than to another. Brokers with as much room compare by numbers.
[[nodiscard]] constexpr bool bears_less(std::int64_t replicas, std::int64_t quarters,
                                        std::int64_t other_replicas, std::int64_t other_quarters) {
  return (replicas + 1) * other_quarters < (other_replicas + 1) * quarters;
}

} // namespace aqueduct::actors
