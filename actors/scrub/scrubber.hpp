// THE SCRUBBER actor: reads the closed segments of the node's groups from end to end, slowly, and
// remembers what is damaged, so that damage is found while there is something to be done about it
// and not when a consumer comes by. It reads files only: groups sleep on, and nothing is deleted.
// Who can have it repaired is told.
//
// It blocks on the disk: spawn it detached, except in a simulation. Between two steps it takes
// other messages, so it can be stopped at any time.
#pragma once

#include "actors/directory.hpp"
#include "actors/environment.hpp"
#include "actors/scrub/scrub_core.hpp"
#include "storage/disk.hpp"
#include "storage/kv.hpp"

#include <caf/allowed_unsafe_message_type.hpp>
#include <caf/fwd.hpp>
#include <caf/replies_to.hpp>
#include <caf/typed_actor.hpp>
#include <spdlog/fwd.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <variant>

namespace aqueduct::actors {

/// Begin now. `done` is called when it has begun, or with unknown_topic, unknown_partition, or
/// conflict while one runs.
struct scrub_start {
  /// Empty: everything on the node.
  std::string topic;
  /// -1: all of the topic.
  std::int32_t partition = -1;
  std::function<void(result<void>)> done;
};
struct scrub_stop {
  std::function<void(result<void>)> done;
};
struct scrub_configure {
  scrub_core::options options;
};
/// A damaged replica was replaced by a sound one: what was found in it is of the past.
struct scrub_forget {
  group_id group;
};
/// Steps of an earlier scrub are ignored.
struct scrub_step {
  std::uint64_t run = 0;
};
/// Time to look at the schedule.
struct scrub_tick {};
struct scrub_request {
  std::variant<scrub_start, scrub_stop, scrub_configure, scrub_forget, scrub_step, scrub_tick> what;
};
using scrubber_actor = caf::typed_actor<caf::reacts_to<scrub_request>>;

/// Replaced with every step; never empty.
using scrub_board = std::atomic<std::shared_ptr<const scrub_report>>;

struct scrubber_config {
  std::shared_ptr<storage::disk> disk;
  /// Remembers the last scrub across restarts.
  std::shared_ptr<storage::kv> state;
  std::shared_ptr<environment> env;
  std::shared_ptr<topic_directory> directory;
  std::shared_ptr<scrub_board> board;
  std::shared_ptr<spdlog::logger> log;
  /// The node's data directory.
  std::string data_dir;
  scrub_core::options options;
  /// A group is not what was written. What was found in an earlier life of the node is looked at
  /// again first. From the actor; may be empty.
  std::function<void(const group_id&, const error&)> damaged;
  /// Between two looks at the schedule.
  std::int64_t tick_ms = 60'000;
  /// Detached: a thread of its own.
  bool detached = true;
};

[[nodiscard]] scrubber_actor spawn_scrubber(caf::actor_system& system, scrubber_config config);

} // namespace aqueduct::actors

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(aqueduct::actors::scrub_request)
