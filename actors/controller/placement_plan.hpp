// Where the replicas of new partitions go. Pure and deterministic: the same brokers in the same
// order of `add` give the same places.
#pragma once

#include "actors/controller/disk_room.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace aqueduct::actors {

class placement_plan {
public:
  struct candidate {
    std::int32_t node = 0;
    /// Empty: none.
    std::string rack;
    /// Replicas that it holds, and partitions whose preferred leader it is.
    std::int64_t replicas = 0;
    std::int64_t preferred = 0;
    disk_room disk{};
  };

  void add(candidate broker) { brokers_.push_back(std::move(broker)); }
  [[nodiscard]] std::size_t size() const { return brokers_.size(); }

  /// Places one partition and counts it: distinct brokers, those with the fewest replicas for the
  /// room on their disks first (`disk_room`), in distinct racks as long as there are some; the
  /// first has the fewest preferred leaders of them. Brokers whose disk is full come after all
  /// others, also if that puts two replicas in one rack. Precondition: replication <= size().
  [[nodiscard]] std::vector<std::int32_t> place(std::size_t replication);

private:
  std::vector<candidate> brokers_;
};

} // namespace aqueduct::actors
