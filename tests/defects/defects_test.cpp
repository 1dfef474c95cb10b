// The tests of the tests: each known way to break a promise is turned on, one at a time, in a build
// that has them, and random lives have to notice, without a scenario that was made for it.
#include "actors/defects.hpp"
#include "raft/defects.hpp"
#include "storage/defects.hpp"
#include "tests/simulation/cluster_life.hpp"
#include "tests/simulation/group_cluster.hpp"
#include "tests/simulation/random_life.hpp"

#include <doctest/doctest.h>

#include <cstdio>
#include <string>
#include <string_view>

using namespace aqueduct;
using namespace aqueduct::actors::test;

TEST_SUITE_BEGIN("defects");

namespace {

constexpr int group_steps = 60;
constexpr int cluster_steps = 120;
constexpr int consumer_rounds = 40;
/// So often a defect is found before the mean is taken.
constexpr int findings_max = 5;

bool is_noticed(life_kind in, std::uint64_t seed) {
  switch (in) {
  case life_kind::group:
    return !random_life(seed).run(group_steps).empty();
  case life_kind::cluster:
    return !cluster_life(seed).run(cluster_steps).empty();
  case life_kind::consumers:
    return !group_life(seed).run(consumer_rounds).empty();
  }
  return false;
}

/// What a defect has to be shown by, and how long that may take.
struct patience {
  std::string_view name;
  /// A defect that so many lives do not show is one that nothing would show.
  std::uint64_t lives_max = 0;
  /// In so many lives, or when it was found often enough, the mean is taken.
  std::uint64_t lives_enough = 0;
};

patience patience_with(life_kind in) {
  switch (in) {
  case life_kind::group:
    return {"groups", 20'000, 2000};
  case life_kind::cluster:
    return {"clusters", 1000, 200};
  case life_kind::consumers:
    break;
  }
  return {"consumers", 300, 60};
}

/// Lives on until the defect that is on was noticed, and says how many lives that took on average.
void demand(std::string_view name, life_kind in) {
  const auto allowed = patience_with(in);
  std::uint64_t first = 0;
  std::uint64_t lives = 0;
  int found = 0;
  while (lives < allowed.lives_max && found < findings_max &&
         (found == 0 || lives < allowed.lives_enough)) {
    ++lives;
    if (is_noticed(in, lives) && found++ == 0)
      first = lives;
  }
  INFO("defect " << name << ", none of " << lives << " lives");
  CHECK(found > 0);
  std::printf("  %-30s %-9s first life %6llu, one in %8.1f\n", std::string(name).c_str(),
              std::string(allowed.name).c_str(), static_cast<unsigned long long>(first),
              found == 0 ? 0.0 : static_cast<double>(lives) / found);
  std::fflush(stdout);
}

/// Turns each defect of a kind on in turn. `in` says which lives have to show it.
template <class Defect, class Where>
void demand_all(Where in) {
  for (int i = 1; i < static_cast<int>(Defect::count_); ++i) {
    const auto which = static_cast<Defect>(i);
    seed_defect(which);
    demand(to_string(which), in(which));
  }
  seed_defect(Defect::none);
}

} // namespace

TEST_CASE("without a defect nothing is noticed") {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    CAPTURE(seed);
    CHECK_FALSE(is_noticed(life_kind::group, seed));
  }
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    CAPTURE(seed);
    CHECK_FALSE(is_noticed(life_kind::cluster, seed));
    CHECK_FALSE(is_noticed(life_kind::consumers, seed));
  }
}

TEST_CASE("the simulator notices every defect of consensus") {
  // Members come and go most in clusters.
  demand_all<raft::defect>([](raft::defect which) {
    return which == raft::defect::promoted_early ? life_kind::cluster : life_kind::group;
  });
}

TEST_CASE("the simulator notices every defect of storage") {
  demand_all<storage::defect>([](storage::defect) { return life_kind::group; });
}

TEST_CASE("the simulator notices every defect of replicas, partitions, clusters and groups") {
  demand_all<actors::defect>([](actors::defect which) {
    if (which < actors::defect::acknowledged_when_proposed)
      return life_kind::group;
    return which < actors::defect::old_commits_taken ? life_kind::cluster : life_kind::consumers;
  });
}

TEST_SUITE_END();
