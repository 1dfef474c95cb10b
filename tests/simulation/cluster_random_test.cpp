// Random lives of whole clusters of one to seven nodes, by seed: whatever happens, no promise is
// broken, and when it stops happening the cluster comes to rest.
#include "tests/simulation/cluster_life.hpp"
#include "tests/simulation/sim_speed.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <string>

using namespace aqueduct;
using namespace aqueduct::actors::test;

TEST_SUITE_BEGIN("simulation.cluster_random");

namespace {

constexpr int steps = 120;

/// Lives that once broke a promise: a group without a leader for ever (398), a node that crashed
/// when it took over the controller's state (576, 701), refusals by who no longer leads (216), a
/// term taken back after a full disk (11310), a partition that was founded anew by nodes that it
/// came back to (20259), a partition that was opened while the files of an earlier replica were
/// removed (23139).
constexpr std::array<std::uint64_t, 7> kept_seeds{216, 398, 576, 701, 11310, 20259, 23139};

struct batch {
  cluster_counts counts{};
  case_counts cases;
  events_per_second speed;
  std::uint64_t acknowledged = 0;
  std::uint64_t seen = 0;
  std::uint64_t retries = 0;
  std::uint64_t states = 0;
  std::uint64_t rows = 0;
  std::int64_t simulated_ms = 0;

  void live(std::uint64_t seed, known_faults faults = known_faults::all) {
    cluster_life life(seed, storage::flush_mode::commit, faults);
    for (const auto& sentence : life.run(steps))
      FAIL_CHECK("seed " << seed << ": " << sentence);
    const auto& ledger = life.cluster().ledger();
    speed.add(life.cluster().events());
    acknowledged += ledger.acknowledged();
    seen += ledger.seen();
    retries += ledger.retries + ledger.unknown;
    states += life.cluster().states_compared();
    rows += life.cluster().rows_compared();
    cases.add(life.cluster().cases());
    simulated_ms += life.cluster().now_ms();
    for (std::size_t i = 0; i < counts.size(); ++i)
      counts[i] += life.counts()[i];
  }
};

} // namespace

TEST_CASE("no promise is broken in random lives of clusters, and they come to rest") {
  // AQUEDUCT_CLUSTER_SEEDS=FIRST-LAST runs others.
  std::uint64_t first = 1;
  std::uint64_t last = 1000;
  if (const char* given = std::getenv("AQUEDUCT_CLUSTER_SEEDS"))
    REQUIRE(std::sscanf(given, "%" SCNu64 "-%" SCNu64, &first, &last) == 2);
  batch all;
  for (auto seed = first; seed <= last; ++seed)
    all.live(seed);
  MESSAGE((last - first + 1) << " lives of clusters, " << all.simulated_ms / 1000 << " s, "
                             << all.speed.text() << ", " << all.acknowledged
                             << " records acknowledged, " << all.seen << " looked at, "
                             << all.retries << " sent again, " << all.states
                             << " states of replicas compared, of " << all.rows << " rows");
  if (last - first < 100)
    return;
  // A batch in which something never happened shows nothing of it.
  for (std::size_t i = 0; i < all.counts.size(); ++i) {
    const std::string name(to_string(static_cast<cluster_event>(i)));
    std::printf("  %-24s %" PRIu64 "\n", name.c_str(), all.counts[i]);
    CAPTURE(name);
    CHECK(all.counts[i] > 0);
  }
  MESSAGE("what came up in lives of clusters:\n" << all.cases.table(life_kind::cluster));
  if (last - first >= 900)
    for (const auto& name : all.cases.missing(life_kind::cluster))
      FAIL_CHECK("in " << (last - first + 1) << " lives of clusters this never came up: " << name);
  CHECK(all.acknowledged > last - first);
  CHECK(all.retries > 0);
  CHECK(all.states > last - first);
  CHECK(all.rows > all.states);
}

TEST_CASE("lives of clusters that once broke a promise break none") {
  batch all;
  for (const auto seed : kept_seeds)
    all.live(seed, known_faults::first);
  // A repeat of a batch that a stop had given up was acknowledged (280); the metadata stood still
  // while its office was offered to a broker that was gone (17180); two that asked for votes at
  // every tick kept the only one from trying that could win (30134).
  for (const std::uint64_t seed : {280u, 17180u, 30134u})
    all.live(seed, known_faults::both_copies);
}

TEST_CASE("the checks notice clusters that acknowledge before the sync") {
  std::size_t noticed = 0;
  for (std::uint64_t seed = 1; seed <= 100; ++seed)
    noticed += cluster_life(seed, storage::flush_mode::os).run(steps).empty() ? 0 : 1;
  MESSAGE(noticed << " of 100 lives");
  CHECK(noticed > 5);
}

TEST_CASE("a seed is the same life of a cluster every time") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    cluster_life first(seed);
    cluster_life second(seed);
    CHECK(first.run(steps).empty());
    CHECK(second.run(steps).empty());
    CHECK(first.trace() == second.trace());
  }
}

TEST_SUITE_END();
