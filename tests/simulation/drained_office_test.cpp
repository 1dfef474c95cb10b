// The office of the metadata when the broker that has it is drained: it goes to another one, and
// trying to give it to one that is gone must not keep the cluster from noticing that it is gone,
// nor keep what an evacuation moves where it is.
#include "tests/simulation/sim_cluster.hpp"

#include <doctest/doctest.h>

#include <algorithm>

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

void drain(sim_cluster& cluster, std::int32_t node, bool evacuating = false) {
  drain_broker_command order;
  order.node = node;
  order.draining = true;
  order.evacuating = evacuating;
  bool answered = false;
  cluster.broker(cluster.controller())
      .ask_controller(order, [&](const result<controller_answer>& answer) {
        CHECK(answer);
        answered = true;
      });
  REQUIRE(cluster.run_until([&] { return answered; }, patience_ms));
}

/// Three brokers that vote on the metadata, and a topic "t" of partitions with one replica each.
void found(sim_cluster& cluster, std::int32_t partitions) {
  for (std::int32_t node = 1; node <= 3; ++node)
    cluster.start(node);
  REQUIRE(cluster.run_until([&] { return all_ready(cluster) && cluster.controller_can_lose_one(); },
                            patience_ms));
  cluster.create_topic(cluster.controller(), "t", partitions, 1);
  REQUIRE(cluster.run_until([&] { return !cluster.topics().empty(); }, patience_ms));
}

std::vector<replica_set> placed(sim_cluster& cluster) {
  return cluster.topics().at(0)->record.partitions;
}

bool holds_any(sim_cluster& cluster, std::int32_t node) {
  return std::ranges::any_of(placed(cluster),
                             [&](const replica_set& each) { return each.is_on(node); });
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

TEST_CASE("a broker that is lost while it is offered the metadata counts as gone all the same") {
  sim_cluster cluster({.seed = 3});
  found(cluster, 1);
  const auto office = cluster.controller();
  const auto heir = office % 3 + 1;
  drain(cluster, heir % 3 + 1);
  cluster.kill(heir);
  // It is still taken to be there, and will not be while the offer stands.
  cluster.run_for(1400);
  drain(cluster, office);
  const auto is_gone = [&] {
    const auto& there = cluster.broker(office).view()->brokers;
    return std::ranges::find(there, heir, &broker_record::node) == there.end();
  };
  CHECK_FALSE(is_gone());
  CHECK(cluster.run_until(is_gone, 10'000));
  CHECK(cluster.controller() == office);
}

TEST_CASE("an evacuation goes on when the office of the metadata could not be handed over") {
  sim_cluster cluster({.seed = 5});
  found(cluster, 36);
  const auto office = cluster.controller();
  // Whom it is offered to first.
  const auto heir = office == 3 ? 2 : 3;
  cluster.kill(heir);
  drain(cluster, office, true);
  // It is offered again five seconds later.
  CHECK(cluster.run_until(
      [&] { return std::ranges::any_of(placed(cluster), &replica_set::is_moving); }, 4000));
  CHECK(cluster.controller() == office);
  cluster.start(heir);
  CHECK(cluster.run_until([&] { return !holds_any(cluster, office); }, 2 * patience_ms));
  CHECK(cluster.ledger().is_clean());
}

TEST_CASE("an evacuation goes on when somebody moved first what it was about to move") {
  sim_cluster cluster({.seed = 7});
  found(cluster, 60);
  const auto office = cluster.controller();
  const auto leaves = office % 3 + 1;
  // What is decided takes longer to commit than the controller takes to look again.
  cluster.wires().set_faults({100, 100, 0});
  drain(cluster, leaves, true);
  const auto all = placed(cluster);
  int asked = 0;
  int done = 0;
  for (std::size_t i = 0; i < all.size() && asked < 10; ++i) {
    if (!all[i].is_on(leaves))
      continue;
    ++asked;
    cluster.broker(office).ask_controller(
        move_question{"t", static_cast<std::int32_t>(i), {office}, false},
        [&](const result<controller_answer>& answer) { done += answer ? 1 : 0; });
  }
  REQUIRE(asked == 10);
  CHECK(cluster.run_until([&] { return done == asked; }, patience_ms));
  CHECK(cluster.run_until([&] { return !holds_any(cluster, leaves); }, 2 * patience_ms));
  CHECK(cluster.controller() == office);
  CHECK(cluster.ledger().is_clean());
}

TEST_SUITE_END();
