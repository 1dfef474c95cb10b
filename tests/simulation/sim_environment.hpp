// Time and chance of a simulated machine: virtual, and the same for the same seed.
#pragma once

#include "actors/environment.hpp"

#include <cstdint>

namespace aqueduct::actors::test {

/// When every simulated machine starts.
inline constexpr std::int64_t start_time_ms = 1'700'000'000'000;

class virtual_environment final : public environment {
public:
  explicit virtual_environment(std::uint64_t seed) : state_(seed * 2 + 1) {}

  std::int64_t now_ms() override { return start_time_ms + elapsed_ + skew_; }
  std::int64_t steady_ms() override { return elapsed_; }
  /// SplitMix64 (Steele, Lea, Flood 2014).
  std::uint64_t random() override {
    state_ += 0x9e3779b97f4a7c15ULL;
    auto z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
  }
  void advance(std::int64_t ms) { elapsed_ += ms; }
  /// The wall clock jumps; the steady one does not.
  void skew(std::int64_t ms) { skew_ += ms; }

private:
  std::uint64_t state_;
  std::int64_t elapsed_ = 0;
  std::int64_t skew_ = 0;
};

} // namespace aqueduct::actors::test
