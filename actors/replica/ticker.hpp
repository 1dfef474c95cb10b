// THE TICKER: one per node. It tells the replicas that are awake of every step of Raft's clock, all
// of them with one timer. A timer for each would wake the thread of the timers and one of the
// actors for each, twenty times a second.
//
// A replica that sleeps does not ask, and a node on which all do has no timer.
#pragma once

#include "actors/messages.hpp"

#include <caf/fwd.hpp>

#include <cstdint>

namespace aqueduct::actors {

/// A step takes `tick_ms`, at least 1.
[[nodiscard]] ticker_actor spawn_ticker(caf::actor_system& system, std::int64_t tick_ms);

} // namespace aqueduct::actors
