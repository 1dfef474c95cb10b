// Random lives of whole clusters of one to five nodes, by seed: whatever happens, no promise is
// broken, and when it stops happening the cluster comes to rest.
#include "tests/simulation/cluster_life.hpp"

#include <doctest/doctest.h>

#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <string>

using namespace aqueduct;
using namespace aqueduct::actors::test;

TEST_SUITE_BEGIN("simulation.cluster_random");

namespace {

constexpr int steps = 120;

} // namespace

TEST_CASE("no promise is broken in random lives of clusters, and they come to rest") {
  // AQUEDUCT_CLUSTER_SEEDS=FIRST-LAST runs others.
  std::uint64_t first = 1;
  std::uint64_t last = 300;
  if (const char* given = std::getenv("AQUEDUCT_CLUSTER_SEEDS"))
    REQUIRE(std::sscanf(given, "%" SCNu64 "-%" SCNu64, &first, &last) == 2);
  cluster_counts counts{};
  std::uint64_t events = 0;
  std::uint64_t acknowledged = 0;
  std::int64_t simulated_ms = 0;
  for (auto seed = first; seed <= last; ++seed) {
    cluster_life life(seed);
    for (const auto& sentence : life.run(steps))
      FAIL_CHECK("seed " << seed << ": " << sentence);
    events += life.cluster().events();
    acknowledged += life.cluster().ledger().acknowledged();
    simulated_ms += life.cluster().now_ms();
    for (std::size_t i = 0; i < counts.size(); ++i)
      counts[i] += life.counts()[i];
  }
  MESSAGE((last - first + 1) << " lives, " << simulated_ms / 1000 << " s, " << events << " events, "
                             << acknowledged << " records acknowledged");
  for (std::size_t i = 0; i < counts.size(); ++i)
    std::printf("  %-24s %" PRIu64 "\n",
                std::string(to_string(static_cast<cluster_event>(i))).c_str(), counts[i]);
}

TEST_CASE("a seed is the same life of a cluster every time") {
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    cluster_life first(seed);
    cluster_life second(seed);
    CHECK(first.run(steps).empty());
    CHECK(second.run(steps).empty());
    CHECK(first.trace() == second.trace());
  }
}

TEST_SUITE_END();
