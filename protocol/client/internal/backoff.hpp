// Exponential back-off with jitter. Pure: no clock, and chance comes from the seed.
#pragma once

#include "protocol/client/internal/clock.hpp"

#include <algorithm>
#include <cstdint>

namespace aqueduct::client {

/// A small generator (splitmix64, Steele, Lea and Flood 2014) for jitter and sticky partitions.
class jitter_source {
public:
  explicit jitter_source(std::uint64_t seed) : state_(seed) {}

  std::uint64_t next() {
    auto z = state_ += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }

private:
  std::uint64_t state_;
};

/// Waits between attempts: doubles from `min` to `max`; up to half of each is taken off at random,
/// so that clients that failed together do not return together.
class backoff {
public:
  backoff(milliseconds min, milliseconds max, std::uint64_t seed)
      : min_(min), max_(std::max(min, max)), current_(min), jitter_(seed) {}

  [[nodiscard]] milliseconds next() {
    const auto full = current_;
    current_ = std::min(current_ * 2, max_);
    const auto half = static_cast<std::uint64_t>(full.count()) / 2;
    return full - milliseconds(half == 0 ? 0 : jitter_.next() % (half + 1));
  }

  void reset() { current_ = min_; }

private:
  milliseconds min_;
  milliseconds max_;
  milliseconds current_;
  jitter_source jitter_;
};

} // namespace aqueduct::client
