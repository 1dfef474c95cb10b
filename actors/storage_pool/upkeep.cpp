#include "actors/storage_pool/upkeep.hpp"

#include <caf/actor_system.hpp>
#include <caf/send.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <utility>

namespace aqueduct::actors {

namespace {

struct upkeep_state {
  upkeep_state() = default;

  /// Requests that arrive before the flush begins share it.
  void handle(upkeep_flush& request) {
    if (flushing.empty())
      self->send(self, upkeep_work{});
    flushing.push_back(std::move(request));
  }

  void handle(upkeep_release& request) { request.deleted.reset(); }

  void work() {
    const auto outcome = config.state->flush();
    for (const auto& request : std::exchange(flushing, {}))
      request.done(outcome);
  }

  upkeep_actor::pointer self = nullptr;
  upkeep_config config;
  std::vector<upkeep_flush> flushing;
};

upkeep_actor::behavior_type upkeep(upkeep_actor::stateful_pointer<upkeep_state> self,
                                   upkeep_config config) {
  auto* state = &self->state;
  state->self = self;
  state->config = std::move(config);
  return {
      [state](upkeep_request& request) {
        std::visit([state](auto& what) { state->handle(what); }, request.what);
      },
      [state](upkeep_work) { state->work(); },
  };
}

} // namespace

upkeep_actor spawn_upkeep(caf::actor_system& system, upkeep_config config) {
  if (config.detached)
    return system.spawn<caf::detached>(upkeep, std::move(config));
  return system.spawn(upkeep, std::move(config));
}

} // namespace aqueduct::actors
