// What must hold for a replica at any time, and from one call to the next. Every harness, the
// simulator and, where it can afford it, the driver run these around each call.
#pragma once

#include "raft/core.hpp"
#include "raft/types.hpp"

namespace aqueduct::raft {

/// What `check_step` remembers of a replica before a call.
struct observation {
  hard_state hard;
  role_kind role = role_kind::follower;
  entry_id base;
  entry_id last;
  entry_id commit;
  log_index applied;
  log_index handed_out;
  bool poisoned = false;
};

[[nodiscard]] observation observe(const core& replica);

/// Throws `invariant_violation` if something does not hold that must hold at any time.
void check(const core& replica);
/// The same for one call that led from `before` to `after`, of the same core. The promises across
/// restarts (one vote per term, nothing committed is lost) are for whoever has the disk to check.
void check_step(const observation& before, const core& after);
/// What a call hands out: in order, without holes, right after what was handed out before.
void check_effects(const observation& before, const core& after, const effects& out);

} // namespace aqueduct::raft
