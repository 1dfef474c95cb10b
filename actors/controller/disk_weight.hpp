// Whether the room on the brokers' disks matters to who of them gets how many replicas.
#pragma once

#include "actors/controller/disk_room.hpp"

#include <algorithm>
#include <cstdint>

namespace aqueduct::actors {

/// Forgets what is known of disks that are not full, so that their brokers compare by numbers,
/// unless all of these are known and the emptiest has a tenth more of itself free than the fullest.
/// Otherwise disks that are all but alike, or one, would differ by a quarter at the end of one.
/// `disk_of` gives the disk of an element, or nullptr if the broker may not take replicas.
template <class Brokers, class Disk>
void level_disks(Brokers& brokers, const Disk& disk_of) {
  bool all_known = true;
  std::uint64_t least = 100;
  std::uint64_t most = 0;
  for (auto& broker : brokers) {
    const disk_room* disk = disk_of(broker);
    if (disk == nullptr || disk->is_full())
      continue;
    all_known = all_known && disk->is_known();
    const auto percent = disk->free_bytes / std::max<std::uint64_t>(disk->total_bytes / 100, 1);
    least = std::min(least, percent);
    most = std::max(most, percent);
  }
  if (all_known && most >= least + 10)
    return;
  for (auto& broker : brokers)
    if (disk_room* disk = disk_of(broker); disk != nullptr && !disk->is_full())
      *disk = {};
}

} // namespace aqueduct::actors
