// Moves of replicas that nobody looks after: a broker that is to get one goes away, loses its disk,
// or what it has got is damaged. The controller ends them by itself.
#include "tests/simulation/move_bench.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <vector>

using namespace aqueduct;
using namespace aqueduct::actors;
using namespace aqueduct::actors::test;

TEST_SUITE_BEGIN("simulation.stuck_moves");

namespace {

constexpr std::int64_t move_timeout_ms = 20'000;

/// Four nodes, records, and a move of a follower's replica to the node that has none.
struct moving : move_bench {
  explicit moving(std::uint64_t seed = 1, std::int16_t replication = 3)
      : move_bench(4, replication, seed, move_timeout_ms) {
    write(120);
    before = placed().nodes;
    there = before;
    // The one that has the only replica, or does not lead.
    leaves = replication == 1 ? before.front() : follower();
    target = 1;
    while (placed().is_on(target) || target == cluster.controller())
      ++target;
    REQUIRE(target <= 4);
    std::ranges::replace(there, leaves, target);
  }

  [[nodiscard]] bool ends_at(const std::vector<std::int32_t>& nodes) {
    return cluster.run_until([&] { return !placed().is_moving() && placed().nodes == nodes; },
                             patience_ms);
  }
  /// A report of damage, as a node makes it, that may come at any time.
  void report_damage() {
    cluster.broker(target).send(
        controller_call{partition_damaged{group, {errc::storage_damaged, "found by a test"}}});
  }

  std::vector<std::int32_t> before;
  std::vector<std::int32_t> there;
  std::int32_t leaves = 0;
  std::int32_t target = 0;
};

} // namespace

TEST_CASE("a move to a broker that stays away is taken back without anybody's help") {
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    CAPTURE(seed);
    moving it(seed);
    it.cluster.kill(it.target);
    it.move(it.there);
    // Not at once: it may come back.
    it.cluster.run_for(move_timeout_ms - 2'000);
    CHECK(it.placed().is_moving());
    CHECK(it.placed().nodes == it.there);
    it.write(5);
    REQUIRE(it.ends_at(it.before));
    CHECK(it.members().voters.size() == 3);
    CHECK(it.members().learners.empty());
    it.cluster.start(it.target);
    it.write(5);
    it.finish();
    CHECK(it.cluster.run_until([&] { return it.files(it.target).empty(); }, patience_ms));
  }
}

TEST_CASE("a move to a broker that is away for less than the timeout ends where it was to end") {
  moving it;
  it.cluster.kill(it.target);
  it.move(it.there);
  it.cluster.run_for(move_timeout_ms - 5'000);
  it.cluster.start(it.target);
  CHECK(it.ends_at(it.there));
  it.cluster.run_for(2 * move_timeout_ms);
  CHECK(it.placed().nodes == it.there);
  it.finish();
}

TEST_CASE("a move is taken back under a leader of the metadata that saw nothing of its beginning") {
  moving it;
  it.cluster.kill(it.target);
  it.move(it.there);
  it.cluster.run_for(move_timeout_ms / 2);
  const auto who = it.cluster.controller();
  it.cluster.kill(who);
  it.cluster.run_for(move_timeout_ms / 2);
  it.cluster.start(who);
  CHECK(it.ends_at(it.before));
  it.cluster.start(it.target);
  it.finish();
}

TEST_CASE("a broker that loses its disk in the middle of a move to it is filled anew") {
  for (std::int64_t ms = 0; ms <= 3'000; ms += ms < 200 ? 50 : ms) {
    CAPTURE(ms);
    moving it(static_cast<std::uint64_t>(ms) + 1);
    it.move(it.there);
    it.cluster.run_for(ms);
    it.cluster.wipe(it.target);
    it.cluster.start(it.target);
    it.write(5);
    CHECK(it.ends_at(it.there));
    CHECK(it.members().voters.size() == 3);
    it.finish();
  }
}

TEST_CASE("a move whose new replica is damaged is taken back, wherever it was on its way") {
  int taken_back = 0;
  int done = 0;
  for (std::int64_t ms = 0; ms <= 12'000; ms += ms < 200 ? 20 : ms / 2) {
    CAPTURE(ms);
    moving it(static_cast<std::uint64_t>(ms) + 1);
    it.move(it.there);
    it.cluster.run_for(ms);
    it.report_damage();
    it.write(5);
    REQUIRE(it.cluster.run_until(
        [&] { return !it.placed().is_changing() && it.placed().repairs.empty(); }, patience_ms));
    const bool is_back = it.placed().nodes == it.before;
    CHECK((is_back || it.placed().nodes == it.there));
    ++(is_back ? taken_back : done);
    it.finish();
    if (is_back)
      CHECK(it.cluster.run_until([&] { return it.files(it.target).empty(); }, patience_ms));
  }
  CHECK(taken_back > 0);
  CHECK(done > 0);
}

TEST_CASE("the only replica of a partition goes back when its new place is damaged") {
  int taken_back = 0;
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    CAPTURE(seed);
    moving it(seed, 1);
    it.move(it.there);
    // What it has got so far cannot be read.
    if (!it.cluster.run_until([&] { return it.files(it.target).size() > 2; }, 5'000) ||
        !it.placed().is_moving())
      continue;
    it.cluster.kill(it.target);
    it.lose_segment(it.target);
    it.cluster.start(it.target);
    const bool is_back = it.ends_at(it.before);
    CHECK(is_back);
    taken_back += is_back ? 1 : 0;
    it.write(5);
    it.finish();
  }
  CHECK(taken_back > 0);
}

TEST_SUITE_END();
