// Time of the client library: one monotonic clock for deadlines. Logic takes the time as an
// argument; only the shells around it read the clock.
#pragma once

#include <chrono>

namespace aqueduct::client {

using std::chrono::milliseconds;
using clock = std::chrono::steady_clock;
using time_point = clock::time_point;

/// Later than anything that is waited for.
inline constexpr time_point never = time_point::max();

/// `from + wait`, but not past `never`.
[[nodiscard]] inline time_point after(time_point from, milliseconds wait) {
  return wait >= std::chrono::duration_cast<milliseconds>(never - from) ? never : from + wait;
}

} // namespace aqueduct::client
