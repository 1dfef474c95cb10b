// The core's own generator: the same numbers on every machine and with every standard library.
#pragma once

#include <cstdint>

namespace aqueduct::raft {

/// SplitMix64 (Steele, Lea, Flood 2014). Not for secrets.
class generator {
public:
  explicit constexpr generator(std::uint64_t seed) : state_(seed) {}

  constexpr std::uint64_t next() {
    state_ += 0x9e3779b97f4a7c15;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }

  /// Below `bound`, which is above 0. The bias of the remainder is of no matter here.
  constexpr std::uint64_t below(std::uint64_t bound) { return next() % bound; }

private:
  std::uint64_t state_;
};

} // namespace aqueduct::raft
