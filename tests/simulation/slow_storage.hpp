// A disk that takes its time: requests reach the storage actor late, in order.
#pragma once

#include "actors/environment.hpp"
#include "actors/messages.hpp"

#include <caf/actor_system.hpp>

#include <cstdint>
#include <functional>
#include <memory>

namespace aqueduct::actors::test {

/// How slow the disk of a machine is. May change at any time.
struct disk_pace {
  /// Each request waits up to so long, as the seed of the machine says.
  std::int64_t delay_ms_max = 0;
  /// What is asked before then is done then.
  std::int64_t stalled_until_ms = 0;
  /// The latest that it ever was: what came before a stall was cut short still waits for its end.
  std::int64_t stalled_at_most_ms = 0;
};

/// In front of `storage`, where replicas see it. `now_ms` is the time of the actor system, by which
/// the pace is given too; the machine's own clock may drift.
[[nodiscard]] storage_actor spawn_slow_storage(caf::actor_system& system, storage_actor storage,
                                               std::shared_ptr<environment> env,
                                               std::shared_ptr<const disk_pace> pace,
                                               std::function<std::int64_t()> now_ms);

} // namespace aqueduct::actors::test
