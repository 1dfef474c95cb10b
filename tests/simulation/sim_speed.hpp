// How fast the simulator is: events that actors handled by the wall's clock. Printed, never judged.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace aqueduct::actors::test {

class events_per_second {
public:
  void add(std::uint64_t events) { events_ += events; }
  /// As "53012345 events, 211000 a second", from when it was made until now.
  [[nodiscard]] std::string text() const {
    const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - begun_;
    const auto rate = passed.count() > 0 ? static_cast<double>(events_) / passed.count() : 0.0;
    return std::to_string(events_) + " events, " +
           std::to_string(static_cast<std::uint64_t>(rate)) + " a second with all checks";
  }

private:
  std::chrono::steady_clock::time_point begun_ = std::chrono::steady_clock::now();
  std::uint64_t events_ = 0;
};

} // namespace aqueduct::actors::test
