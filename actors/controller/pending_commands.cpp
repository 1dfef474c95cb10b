#include "actors/controller/pending_commands.hpp"

#include <utility>

namespace aqueduct::actors {

void pending_commands::add(waiter done, std::int64_t deadline_ms) {
  commands_.push_back({0, 0, std::move(done), deadline_ms});
}

void pending_commands::accepted(std::uint64_t first, std::uint64_t term, std::size_t count) {
  for (std::size_t i = 0; i < count && placed_ < commands_.size(); ++i) {
    auto& command = commands_[placed_++];
    command.index = first + i;
    command.term = term;
  }
}

void pending_commands::refused(std::size_t count, const error& why) {
  for (std::size_t i = 0; i < count && placed_ < commands_.size(); ++i) {
    const auto at = commands_.begin() + static_cast<std::ptrdiff_t>(placed_);
    const auto done = std::move(at->done);
    commands_.erase(at);
    if (done)
      done(unexpected(why));
  }
}

void pending_commands::applied(std::uint64_t index, std::uint64_t term,
                               const result<controller_answer>& outcome) {
  // An index that was passed over belongs to a command that is not in the log any more: what is
  // applied goes up one by one, so it never happens but after a state was taken over.
  while (placed_ > 0 && commands_.front().index <= index) {
    const auto command = std::move(commands_.front());
    commands_.pop_front();
    --placed_;
    if (!command.done)
      continue;
    if (command.index == index && command.term == term)
      command.done(outcome);
    else
      command.done(unexpected(errc::timed_out, "another controller took over; the change may or "
                                               "may not be made"));
  }
}

void pending_commands::expire(std::int64_t now_ms) {
  for (auto& command : commands_)
    if (command.done && command.deadline_ms <= now_ms)
      std::exchange(command.done, nullptr)(
          unexpected(errc::timed_out, "the change was not committed in time; it may still be"));
}

void pending_commands::fail(const error& why) {
  placed_ = 0;
  for (auto& command : std::exchange(commands_, {}))
    if (command.done)
      command.done(unexpected(why));
}

} // namespace aqueduct::actors
