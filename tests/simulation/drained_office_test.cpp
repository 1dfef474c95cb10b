// The office of the metadata when the broker that has it is drained: it goes to another one, and
// trying to give it to one that is gone must not keep the cluster from noticing that it is gone.
#include "tests/simulation/sim_cluster.hpp"

#include <doctest/doctest.h>

using namespace aqueduct;
using namespace aqueduct::actors;
using namespace aqueduct::actors::test;

TEST_SUITE_BEGIN("simulation.drained_office");

namespace {

constexpr std::int64_t patience_ms = 30'000;

bool all_ready(sim_cluster& cluster) {
  for (std::int32_t node = 1; node <= cluster.size(); ++node)
    if (!cluster.is_ready(node))
      return false;
  return cluster.controller() != 0;
}

void drain(sim_cluster& cluster, std::int32_t node) {
  drain_broker_command order;
  order.node = node;
  order.draining = true;
  bool answered = false;
  cluster.broker(cluster.controller())
      .ask_controller(order, [&](const result<controller_answer>& answer) {
        CHECK(answer);
        answered = true;
      });
  REQUIRE(cluster.run_until([&] { return answered; }, patience_ms));
}

} // namespace

TEST_CASE("a drained broker hands the metadata over to one that takes") {
  sim_cluster cluster({.seed = 11});
  for (std::int32_t node = 1; node <= 3; ++node)
    cluster.start(node);
  REQUIRE(cluster.run_until([&] { return all_ready(cluster); }, patience_ms));
  const auto first = cluster.controller();

  drain(cluster, first);
  CHECK(cluster.run_until(
      [&] { return cluster.controller() != 0 && cluster.controller() != first; }, patience_ms));
  CHECK(cluster.ledger().is_clean());
}

TEST_CASE(
    "a drained broker that leads the metadata lets the only heir come back without its disk") {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    CAPTURE(seed);
    sim_cluster cluster({.seed = seed});
    for (std::int32_t node = 1; node <= 3; ++node)
      cluster.start(node);
    // Three voters: one may be lost.
    REQUIRE(cluster.run_until(
        [&] { return all_ready(cluster) && cluster.controller_can_lose_one(); }, patience_ms));
    const auto office = cluster.controller();
    const auto heir = office % 3 + 1;
    const auto third = heir % 3 + 1;
    drain(cluster, third);

    // It was heard of a moment ago, is the only one to hand over to, and is gone for ever.
    cluster.wipe(heir);
    drain(cluster, office);
    cluster.start(heir);
    CHECK(cluster.run_until([&] { return all_ready(cluster); }, 2 * patience_ms));
    CHECK(cluster.run_until([&] { return cluster.controller() == heir; }, 2 * patience_ms));
    CHECK(cluster.ledger().is_clean());
  }
}

TEST_SUITE_END();
