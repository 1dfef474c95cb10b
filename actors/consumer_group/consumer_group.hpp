// THE CONSUMER GROUP actor: one active group, and the shell of its `group_core`. The coordinator of
// its partition opens it when somebody joins, and ends it when nobody is left or another replica
// leads. A group that cannot go on says so and answers nothing from then on: its coordinator takes
// it, and nothing else, out of service.
//
//   running --group_end--> gone
//      \__ invariant broken --> out of service --group_end--> gone
#pragma once

#include "actors/consumer_group/group_core.hpp"
#include "actors/messages.hpp"

#include <caf/fwd.hpp>
#include <spdlog/fwd.h>

#include <memory>

namespace aqueduct::actors {

struct consumer_group_config {
  group_opening opening;
  group_core::options options;
  /// Hears its reports. It does not go on without whom it works for.
  group_partition_actor coordinator;
  std::shared_ptr<spdlog::logger> log;
};

[[nodiscard]] consumer_group_actor spawn_consumer_group(caf::actor_system& system,
                                                        consumer_group_config config);

} // namespace aqueduct::actors
