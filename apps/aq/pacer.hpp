// Keeps work to a rate by saying when the next piece may start. Knows no clock: the caller tells it
// the time, and waits.
#pragma once

#include <chrono>

namespace aqueduct::aq {

class pacer {
public:
  using clock = std::chrono::steady_clock;

  /// `per_second` above 0. Up to a fiftieth of a second's worth may go at once.
  pacer(double per_second, clock::time_point now) : per_second_(per_second), due_(now) {}

  /// Books `amount` and returns when it may go: `now` or earlier, or a time to wait for.
  clock::time_point book(double amount, clock::time_point now) {
    const auto start = due_ < now - slack ? now - slack : due_;
    due_ = start + std::chrono::duration_cast<clock::duration>(
                       std::chrono::duration<double>(amount / per_second_));
    return start;
  }

private:
  static constexpr clock::duration slack = std::chrono::milliseconds(20);

  double per_second_;
  /// When everything that was booked has gone.
  clock::time_point due_;
};

} // namespace aqueduct::aq
