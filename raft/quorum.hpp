// Majority mathematics over the voters of a group. No state, no messages.
#pragma once

#include "raft/types.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace aqueduct::raft {

/// Smallest number of `voters` that is more than half of them. Of none it is 1: nobody decides.
[[nodiscard]] constexpr std::size_t majority(std::size_t voters) {
  return voters / 2 + 1;
}

/// The largest index that a majority has reached, given the index that each voter has reached, in
/// any order. 0 without voters: nothing is ever decided by nobody.
[[nodiscard]] log_index reached_by_majority(std::vector<log_index> match);

/// The largest round that a majority has confirmed.
[[nodiscard]] std::uint64_t confirmed_by_majority(std::vector<std::uint64_t> rounds);

enum class election_result : std::uint8_t { open, won, lost };

/// What `granted` and `refused` votes of `voters` amount to. Lost as soon as it cannot be won.
[[nodiscard]] election_result tally(std::size_t voters, std::size_t granted, std::size_t refused);

} // namespace aqueduct::raft
