#include "raft/quorum.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace aqueduct::raft {

namespace {

log_index reached(std::vector<std::uint64_t> match) {
  std::vector<log_index> indexes;
  for (const auto m : match)
    indexes.emplace_back(m);
  return reached_by_majority(std::move(indexes));
}

} // namespace

TEST_SUITE("raft.quorum") {
  TEST_CASE("a majority is more than half") {
    const std::size_t expected[] = {1, 1, 2, 2, 3, 3, 4, 4};
    for (std::size_t voters = 0; voters < 8; ++voters)
      CHECK(majority(voters) == expected[voters]);
  }

  TEST_CASE("the committed index is the largest that a majority has reached") {
    struct row {
      std::vector<std::uint64_t> match;
      std::uint64_t expected;
    };
    const row table[] = {
        {{}, 0},
        {{7}, 7},
        {{3, 9}, 3},
        {{9, 3}, 3},
        {{0, 0, 100}, 0},
        {{2, 5, 9}, 5},
        {{5, 5, 1}, 5},
        {{1, 2, 3, 4}, 2},
        {{4, 4, 3, 3}, 3},
        {{1, 2, 3, 4, 5}, 3},
        {{5, 5, 5, 0, 0}, 5},
        {{10, 10, 0, 0, 0}, 0},
    };
    for (const auto& [match, expected] : table) {
      CHECK(reached(match).value == expected);
      auto turned = match;
      std::reverse(turned.begin(), turned.end());
      CHECK(reached(turned).value == expected);
    }
  }

  TEST_CASE("the committed index agrees with counting, for all matches of up to five voters") {
    for (std::size_t voters = 1; voters <= 5; ++voters) {
      std::vector<std::uint64_t> match(voters, 0);
      while (true) {
        std::uint64_t counted = 0;
        for (std::uint64_t index = 1; index <= 3; ++index) {
          const auto have = std::count_if(match.begin(), match.end(),
                                          [index](std::uint64_t m) { return m >= index; });
          if (static_cast<std::size_t>(have) * 2 > voters)
            counted = index;
        }
        REQUIRE(reached(match).value == counted);
        auto digit = match.begin();
        while (digit != match.end() && *digit == 3)
          *digit++ = 0;
        if (digit == match.end())
          break;
        ++*digit;
      }
    }
  }

  TEST_CASE("an election is won by a majority and lost as soon as none is possible") {
    using enum election_result;
    struct row {
      std::size_t voters, granted, refused;
      election_result expected;
    };
    const row table[] = {
        {0, 0, 0, lost}, {1, 1, 0, won},  {1, 0, 0, open}, {1, 0, 1, lost}, {2, 1, 0, open},
        {2, 2, 0, won},  {2, 1, 1, lost}, {3, 2, 0, won},  {3, 2, 1, won},  {3, 1, 1, open},
        {3, 1, 2, lost}, {4, 2, 1, open}, {4, 2, 2, lost}, {4, 3, 0, won},  {5, 2, 2, open},
        {5, 3, 2, won},  {5, 2, 3, lost},
    };
    for (const auto& [voters, granted, refused, expected] : table) {
      CAPTURE(voters);
      CAPTURE(granted);
      CAPTURE(refused);
      CHECK(tally(voters, granted, refused) == expected);
    }
  }

  TEST_CASE("a round of reads is confirmed when a majority has confirmed it") {
    CHECK(confirmed_by_majority({4, 4, 0}) == 4);
    CHECK(confirmed_by_majority({4, 3, 0}) == 3);
    CHECK(confirmed_by_majority({4, 0, 0}) == 0);
  }
}

} // namespace aqueduct::raft
