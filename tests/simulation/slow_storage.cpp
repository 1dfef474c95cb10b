#include "tests/simulation/slow_storage.hpp"

#include <caf/send.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <algorithm>
#include <chrono>

namespace aqueduct::actors::test {

namespace {

struct slow_storage {
  storage_actor storage;
  std::shared_ptr<environment> env;
  std::shared_ptr<const disk_pace> pace;
  std::function<std::int64_t()> now_ms;
  std::int64_t last_due_ms = 0;
};

storage_actor::behavior_type delay_requests(storage_actor::pointer self, slow_storage given) {
  const auto disk = std::make_shared<slow_storage>(std::move(given));
  return {
      [self, disk](storage_request& request) {
        const auto now = disk->now_ms();
        const auto& pace = *disk->pace;
        if (pace.delay_ms_max == 0 && std::max(disk->last_due_ms, pace.stalled_until_ms) <= now) {
          self->send(disk->storage, std::move(request));
          return;
        }
        auto due = std::max(now, pace.stalled_until_ms);
        if (pace.delay_ms_max > 0)
          due += static_cast<std::int64_t>(disk->env->random() %
                                           static_cast<std::uint64_t>(pace.delay_ms_max + 1));
        disk->last_due_ms = std::max(disk->last_due_ms, due);
        self->delayed_send(disk->storage, std::chrono::milliseconds(disk->last_due_ms - now),
                           std::move(request));
      },
      [](storage_flush) {},
      [](storage_sync_tick) {},
      [](storage_tick) {},
  };
}

} // namespace

storage_actor spawn_slow_storage(caf::actor_system& system, storage_actor storage,
                                 std::shared_ptr<environment> env,
                                 std::shared_ptr<const disk_pace> pace,
                                 std::function<std::int64_t()> now_ms) {
  return system.spawn(delay_requests, slow_storage{std::move(storage), std::move(env),
                                                   std::move(pace), std::move(now_ms), 0});
}

} // namespace aqueduct::actors::test
