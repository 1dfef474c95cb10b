// THE GROUP PARTITION actor: one replica of a partition of the internal topic of consumer groups,
// and the shell of its `group_coordinator`. Every replica replays what the group's log commits into
// a `group_table` and its rows in the key-value state; the one that leads coordinates all groups
// whose ids hash to the partition, each that is active by a `consumer_group` actor. It takes the
// messages of a `partition`, whose life it leads: the `topic_host` opens, moves, repairs and stops
// it like any other. Records it has none, and says so to who asks for them.
//
//   opening --group_opened--> running --stop--> closing --group_closed--> gone
//      \______ damaged _______/ \__ state cannot be read, invariant broken __> failed
#pragma once

#include "actors/consumer_group/group_coordinator.hpp"
#include "actors/partition/partition.hpp"

#include <caf/fwd.hpp>

#include <cstddef>
#include <memory>
#include <string_view>

namespace aqueduct::actors {

/// The internal topic whose partitions are the coordinators of consumer groups.
inline constexpr std::string_view group_topic_name = "__consumer_groups";

/// The partition of that topic that has the group. Precondition: `partitions` > 0.
[[nodiscard]] std::size_t group_partition_of(std::string_view group, std::size_t partitions);

struct group_partition_config {
  /// As for any partition; the settings of the topic do not matter.
  partition_config partition;
  /// To know how many partitions topics have.
  std::shared_ptr<const topic_directory> directory;
  group_limits bounds;
  /// The log keeps at least so many entries behind its end, and at most twice as many.
  std::uint64_t entries_kept = 4096;
};

[[nodiscard]] group_partition_actor spawn_group_partition(caf::actor_system& system,
                                                          group_partition_config config);

} // namespace aqueduct::actors
