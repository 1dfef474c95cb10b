// Sees what the core of a replica is told and what it does: for tests and experiments that have to
// know which situations really came up. Nothing depends on it.
#pragma once

#include "protocol/ids.hpp"
#include "raft/effects.hpp"
#include "raft/messages.hpp"
#include "raft/types.hpp"

#include <cstdint>

namespace aqueduct::raft {
class core;
}

namespace aqueduct::actors {

/// Called by the replicas of a node, each from its own actor: must not block, and must be
/// thread-safe if the actors run on several threads. What it is given lives for the call only.
class replica_watch {
public:
  virtual ~replica_watch() = default;
  /// The core was made from what is on the disk; the state machine's state there had applied so
  /// much.
  virtual void opened(const group_id& group, const raft::core& core,
                      std::uint64_t state_applied) = 0;
  /// The core is about to be told of a message.
  virtual void receiving(const group_id& group, const raft::core& core, raft::replica_id from,
                         const raft::message& what) = 0;
  /// The core is about to be told that a write ended, well or not.
  virtual void written(const group_id& group, const raft::core& core, raft::persist_ticket ticket,
                       bool is_durable) = 0;
  /// The core was called, and this is what it wants done.
  virtual void acted(const group_id& group, const raft::core& core,
                     const raft::effects& effects) = 0;
};

} // namespace aqueduct::actors
