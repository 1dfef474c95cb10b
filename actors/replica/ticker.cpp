#include "actors/replica/ticker.hpp"

#include "actors/replica/tick_rota.hpp"

#include <caf/actor_system.hpp>
#include <caf/send.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <chrono>

namespace aqueduct::actors {

namespace {

/// Told at a time. What the other actors have to do comes between: a thousand replicas that tick
/// together delay no record by all of them.
constexpr std::size_t portion = 64;

struct ticker_state {
  ticker_state() = default;

  void handle(tick_request& request) {
    if (rota.ask(std::move(request.who), request.out_of_tick))
      schedule();
  }

  void beat() {
    const bool was_telling = rota.has_due();
    if (rota.beat())
      schedule();
    if (!was_telling)
      tell();
  }

  void tell() {
    for (const auto& each : rota.take(portion))
      self->send(each, replica_request{replica_tick{}});
    if (rota.has_due())
      self->send(self, tick_portion{});
  }

  void schedule() { self->delayed_send(self, std::chrono::milliseconds(tick_ms), tick_beat{}); }

  ticker_actor::pointer self = nullptr;
  std::int64_t tick_ms = 0;
  tick_rota<replica_actor> rota;
};

ticker_actor::behavior_type ticker(ticker_actor::stateful_pointer<ticker_state> self,
                                   std::int64_t tick_ms) {
  auto* state = &self->state;
  state->self = self;
  state->tick_ms = tick_ms;
  return {
      [state](tick_request& request) { state->handle(request); },
      [state](tick_beat) { state->beat(); },
      [state](tick_portion) { state->tell(); },
  };
}

} // namespace

ticker_actor spawn_ticker(caf::actor_system& system, std::int64_t tick_ms) {
  return system.spawn(ticker, tick_ms);
}

} // namespace aqueduct::actors
