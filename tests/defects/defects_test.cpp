// The tests of the tests: each known way to get consensus wrong is turned on, one at a time, in a
// build of the consensus core that has them, and the simulator has to notice.
#include "raft/defects.hpp"
#include "tests/simulation/random_life.hpp"

#include <doctest/doctest.h>

using namespace aqueduct;
using namespace aqueduct::actors::test;

TEST_SUITE_BEGIN("defects");

namespace {

constexpr int steps = 60;
/// A defect that so many lives do not show is one that nothing would show.
constexpr std::uint64_t seeds_max = 60000;

/// Turns a defect on for as long as it lives.
class seeded {
public:
  explicit seeded(raft::defect which) { raft::seed_defect(which); }
  seeded(const seeded&) = delete;
  seeded& operator=(const seeded&) = delete;
  ~seeded() { raft::seed_defect(raft::defect::none); }
};

/// The first seed whose life breaks a promise; 0 if none does.
std::uint64_t first_noticed(raft::defect which) {
  const seeded on(which);
  for (std::uint64_t seed = 1; seed <= seeds_max; ++seed)
    if (!random_life(seed).run(steps).empty())
      return seed;
  return 0;
}

} // namespace

TEST_CASE("without a defect nothing is noticed") {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    CAPTURE(seed);
    CHECK(random_life(seed).run(steps).empty());
  }
}

TEST_CASE("the simulator notices every defect of consensus") {
  for (int i = 1; i < static_cast<int>(raft::defect::count_); ++i) {
    const auto which = static_cast<raft::defect>(i);
    const auto seed = first_noticed(which);
    INFO("defect " << raft::to_string(which) << ", none of " << seeds_max << " seeds");
    CHECK(seed != 0);
    MESSAGE(raft::to_string(which) << ": seed " << seed);
  }
}

TEST_SUITE_END();
