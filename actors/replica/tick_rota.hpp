// Who is to be told of the next step of Raft's clock. Pure; of one `ticker` actor.
#pragma once

#include <algorithm>
#include <cstddef>
#include <deque>
#include <iterator>
#include <utility>
#include <vector>

namespace aqueduct::actors {

/// Members ask once for each tick that they want. One that asks out of a tick is due with the next
/// beat: an interval after the last beat, and so sooner after a tick that it dealt with late. Any
/// other waits one interval at least and two at most.
template <class Member>
class tick_rota {
public:
  /// True: beats stand still and are to begin, the first in one interval from now.
  [[nodiscard]] bool ask(Member who, bool out_of_tick) {
    const bool begins = !std::exchange(beating_, true);
    (out_of_tick || begins ? next_ : later_).push_back(std::move(who));
    return begins;
  }

  /// An interval is over. False: nobody waits and nobody is due, so there are no more beats.
  [[nodiscard]] bool beat() {
    std::ranges::move(next_, std::back_inserter(due_));
    next_ = std::exchange(later_, {});
    beating_ = !due_.empty() || !next_.empty();
    return beating_;
  }

  /// Takes up to `count` of those who are due, in the order in which they asked.
  [[nodiscard]] std::vector<Member> take(std::size_t count) {
    const auto end = due_.begin() + static_cast<std::ptrdiff_t>(std::min(count, due_.size()));
    std::vector<Member> taken(std::make_move_iterator(due_.begin()), std::make_move_iterator(end));
    due_.erase(due_.begin(), end);
    return taken;
  }
  [[nodiscard]] bool has_due() const { return !due_.empty(); }

private:
  std::deque<Member> due_;
  std::vector<Member> next_;
  std::vector<Member> later_;
  bool beating_ = false;
};

} // namespace aqueduct::actors
