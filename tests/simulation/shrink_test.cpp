// Simulated clusters that become smaller while they are written to: partitions with a replica on
// every broker give those up that have no other place.
#include "tests/simulation/move_bench.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>

using namespace aqueduct;
using namespace aqueduct::actors;
using namespace aqueduct::actors::test;

TEST_SUITE_BEGIN("simulation.shrink");

namespace {

struct shrinking : move_bench {
  using move_bench::move_bench;

  /// What the controller says to it, once one answers.
  result<controller_answer> ask(const controller_question_body& question) {
    const auto answer = std::make_shared<std::optional<result<controller_answer>>>();
    REQUIRE(cluster.run_until(
        [&] {
          if (const auto who = cluster.controller(); who != 0 && !*answer)
            cluster.broker(who).ask_controller(
                question, [answer](const result<controller_answer>& said) { *answer = said; });
          cluster.run_for(50);
          return answer->has_value();
        },
        patience_ms));
    return **answer;
  }
  [[nodiscard]] bool gives_up(std::int32_t node) {
    return ask(drain_broker_command{node, true, true, true}).has_value();
  }
  /// Nobody misses it: it has no replica, and no vote on the metadata.
  [[nodiscard]] bool holds_nothing(std::int32_t node) {
    return cluster.run_until(
        [&] {
          const auto who = cluster.controller();
          const auto report =
              who == 0 ? std::nullopt : cluster.broker(who).report(controller_group);
          return report && !placed().is_moving() && !placed().is_on(node) &&
                 std::ranges::none_of(report->members.voters, [&](raft::replica_id voter) {
                   return voter.node.value == node;
                 });
        },
        patience_ms);
  }
  [[nodiscard]] bool leaves(std::int32_t node) {
    return cluster.run_until([&] { return ask(remove_broker_command{node}).has_value(); },
                             patience_ms);
  }
  /// Nothing that was acknowledged is lost, on whatever is left.
  void audit() {
    cluster.audit();
    for (const auto& sentence : cluster.ledger().take_broken())
      FAIL_CHECK(sentence);
  }
};

} // namespace

TEST_CASE("three nodes shrink to one, whoever leads, and have every record") {
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    CAPTURE(seed);
    shrinking it(3, 3, seed);
    it.write(60);
    for (int left = 2; left >= 1; --left) {
      // The leader of the partition, or one that is none.
      auto leaving = it.cluster.leader_of("t", 0);
      REQUIRE(leaving != 0);
      if (seed % 2 == 0)
        leaving = it.placed().nodes.back();
      REQUIRE(it.gives_up(leaving));
      it.write(10);
      REQUIRE(it.holds_nothing(leaving));
      CHECK(it.placed().nodes.size() == static_cast<std::size_t>(left));
      it.cluster.kill(leaving);
      it.write(10);
      CHECK(it.leaves(leaving));
    }
    const auto last = it.placed().nodes.front();
    CHECK_FALSE(it.gives_up(last));
    CHECK(it.members().voters.size() == 1);
    it.write(10);
    it.audit();
  }
}

TEST_CASE("a replica that the others need is not given up, and is when they do without") {
  shrinking it(3);
  it.write(60);
  const auto gone = it.follower();
  const auto leaving = it.cluster.leader_of("t", 0);
  it.cluster.kill(gone);
  // It counts as gone by then.
  it.cluster.run_for(5'000);
  const auto refused = it.ask(drain_broker_command{leaving, true, true, true});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == errc::invalid_replication);
  it.write(5);
  // The one that is gone is given up first.
  REQUIRE(it.gives_up(gone));
  REQUIRE(it.cluster.run_until([&] { return !it.placed().is_moving() && !it.placed().is_on(gone); },
                               patience_ms));
  CHECK(it.placed().nodes.size() == 2);
  CHECK(it.leaves(gone));
  REQUIRE(it.gives_up(leaving));
  REQUIRE(it.holds_nothing(leaving));
  CHECK(it.placed().nodes.size() == 1);
  it.write(5);
  it.audit();
}

TEST_CASE("an outage of others while a broker is given up loses nothing, and it goes on after it") {
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    CAPTURE(seed);
    shrinking it(3, 3, seed);
    it.write(60);
    const auto leaving = it.follower();
    REQUIRE(it.gives_up(leaving));
    it.cluster.run_for(static_cast<std::int64_t>(seed) * 20);
    std::int32_t other = 1;
    while (other == leaving || other == it.cluster.leader_of("t", 0))
      ++other;
    it.cluster.crash(other);
    it.cluster.run_for(6'000);
    it.cluster.start(other);
    REQUIRE(it.holds_nothing(leaving));
    CHECK(it.placed().nodes.size() == 2);
    it.write(5);
    it.finish();
  }
}

TEST_SUITE_END();
