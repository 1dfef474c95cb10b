// THE UPKEEP ACTOR: one per node. It does for the storage actors what takes long and what no append
// should wait for: writing out the state of the state machines before the log that could rebuild it
// goes, and giving back the space of segments that were deleted. One at a time: a disk that is
// busy with appends has no need to be hurried.
//
// It blocks on the disk: spawn it detached, except in a simulation.
#pragma once

#include "actors/messages.hpp"
#include "storage/kv.hpp"

#include <caf/fwd.hpp>

#include <memory>

namespace aqueduct::actors {

struct upkeep_config {
  std::shared_ptr<storage::kv> state;
  /// Detached: a thread of its own.
  bool detached = true;
};

[[nodiscard]] upkeep_actor spawn_upkeep(caf::actor_system& system, upkeep_config config);

} // namespace aqueduct::actors
