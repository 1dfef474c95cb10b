// The commands that this node proposed to the controller's group, and who waits for them: pure.
#pragma once

#include "actors/controller/questions.hpp"

#include <cstdint>
#include <deque>
#include <functional>
#include <vector>

namespace aqueduct::actors {

class pending_commands {
public:
  using waiter = std::function<void(result<controller_answer>)>;

  /// A command is on its way to the replica. `done` may be empty.
  void add(waiter done, std::int64_t deadline_ms);
  /// The oldest `count` without a place in the log got one.
  void accepted(std::uint64_t first, std::uint64_t term, std::size_t count);
  /// The oldest `count` without a place will not get one.
  void refused(std::size_t count, const error& why);
  /// The entry is applied. If it is one of these commands: `outcome`, unless another term's command
  /// stands in its place.
  void applied(std::uint64_t index, std::uint64_t term, const result<controller_answer>& outcome);
  /// Nobody waits longer than until the deadline.
  void expire(std::int64_t now_ms);
  /// Answers everybody and forgets.
  void fail(const error& why);

private:
  struct command {
    std::uint64_t index = 0;
    std::uint64_t term = 0;
    waiter done;
    std::int64_t deadline_ms = 0;
  };

  /// Oldest first; the first `placed_` have their index.
  std::deque<command> commands_;
  std::size_t placed_ = 0;
};

} // namespace aqueduct::actors
