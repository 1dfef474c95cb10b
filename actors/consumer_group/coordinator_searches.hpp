// Who wants to know which node coordinates a group while the replicas elect: they are told when
// that is over. Kafka's clients may ask again at once, but librdkafka 2.0.2 has been seen to ask
// over a connection that it had just given up, and to stand still with it.
#pragma once

#include "actors/consumer_group/group_calls.hpp"
#include "protocol/error.hpp"

#include <cstdint>
#include <utility>
#include <vector>

namespace aqueduct::actors {

/// Of one coordinator; its actor's. What is in it when it ends is not answered.
class coordinator_searches {
public:
  void add(find_coordinator_call search) { waiting_.push_back(std::move(search)); }
  [[nodiscard]] bool empty() const { return waiting_.empty(); }

  /// All are answered: by a node, or by why there is none to wait for.
  void answer(const result<std::int32_t>& coordinator) {
    for (const auto& search : std::exchange(waiting_, {}))
      search.done(coordinator);
  }

  /// Those that have waited long enough are told that there is no coordinator. `now_ms` is of the
  /// clock of their deadlines.
  void expire(std::int64_t now_ms) {
    std::vector<find_coordinator_call> over;
    std::erase_if(waiting_, [&](find_coordinator_call& search) {
      if (now_ms < search.deadline_ms)
        return false;
      over.push_back(std::move(search));
      return true;
    });
    for (const auto& search : over)
      search.done(
          unexpected(errc::coordinator_loading, "the group has no coordinator at the moment"));
  }

private:
  std::vector<find_coordinator_call> waiting_;
};

} // namespace aqueduct::actors
