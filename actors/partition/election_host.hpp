// What the actors of partitions of either kind do about elections that somebody asked for.
#pragma once

#include "actors/messages.hpp"

#include <caf/send.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <utility>

namespace aqueduct::actors {

/// Base of the state of such an actor, which has `self`, `config`, `services()`, `membership`,
/// `replica`, `failed` and `closing`.
template <class State>
class election_host {
public:
  void handle(partition_elect& wish) {
    const auto wait = std::max<std::int64_t>(wish.deadline_ms - steady_ms(), 0);
    hand_over(elections.ask(std::move(wish), state().membership, state().config.route->leader));
    if (state().failed || state().closing)
      elections.close();
    if (elections.waiting() > 0)
      state().self->delayed_send(state().self, std::chrono::milliseconds(wait),
                                 partition_control{partition_elections_due{}});
  }
  void handle(partition_elections_due&) { elections.expire(steady_ms()); }
  void handle(group_transfer_failed& news) { elections.not_taken(news.to); }

protected:
  /// Somebody else leads, or nobody, or this replica does. After `membership` was told.
  void note_leader(std::int32_t leader) { hand_over(elections.led_by(leader, state().membership)); }

  partition_elections elections;

private:
  [[nodiscard]] State& state() { return static_cast<State&>(*this); }
  [[nodiscard]] std::int64_t steady_ms() { return state().services().env->steady_ms(); }

  void hand_over(std::optional<raft::replica_id> to) {
    if (!to || !state().replica)
      return;
    state().membership.note_transfer(steady_ms());
    state().self->send(state().replica, replica_request{replica_transfer{*to, true}});
  }
};

} // namespace aqueduct::actors
