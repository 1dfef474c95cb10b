// From when on a node may be counted on: the cluster's metadata does not hang on others alone.
#include "tests/simulation/sim_cluster.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>
#include <vector>

using namespace aqueduct;
using namespace aqueduct::actors;
using namespace aqueduct::actors::test;

TEST_SUITE_BEGIN("simulation.founding");

namespace {

struct founded : sim_cluster {
  explicit founded(const options& given) : sim_cluster(given) {
    for (std::int32_t node = 1; node <= size(); ++node)
      start(node);
  }

  /// Waits until the nodes say that they may be counted on, and that is so.
  bool are_settled(const std::set<std::int32_t>& nodes, std::int64_t ms_max = 9'000) {
    return run_until(
        [&] {
          return std::ranges::all_of(nodes, [&](std::int32_t node) {
            const auto& outcome = broker(node).settled();
            return outcome && *outcome;
          });
        },
        ms_max);
  }

  bool creates(std::int32_t node) {
    const auto before = ledger().topics_created;
    create_topic(node, "t" + std::to_string(node), 1, 1);
    return run_until([&] { return ledger().topics_created > before; }, 10'000);
  }
};

} // namespace

TEST_CASE("of nodes that may be counted on the founder may go for good") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    CAPTURE(seed);
    founded it({.seed = seed});
    REQUIRE(it.are_settled({1, 2, 3}));
    it.wipe(1);
    CHECK(it.creates(2));
    CHECK(it.creates(3));
  }
}

TEST_CASE("a node alone may be counted on at once") {
  founded it({.nodes = 1});
  REQUIRE(it.run_until([&] { return it.is_ready(1); }, 5'000));
  CHECK(it.are_settled({1}, 0));
}

TEST_CASE("a founder does not wait for ever for those that it was found with") {
  founded it({});
  REQUIRE(it.run_until([&] { return it.is_ready(1); }, 5'000));
  CHECK_FALSE(it.broker(1).settled());
  it.kill(2);
  it.kill(3);
  it.run_for(9'000);
  CHECK_FALSE(it.broker(1).settled());
  it.run_for(2'000);
  REQUIRE(it.broker(1).settled());
  const auto& outcome = *it.broker(1).settled();
  REQUIRE_FALSE(outcome);
  CHECK(outcome.error().code == errc::timed_out);
  CHECK(outcome.error().message == "1 of 3 nodes vote on the cluster's metadata after 10 s");
  CHECK(it.creates(1));
}

TEST_CASE("a node that cannot be made a voter does not wait for ever either") {
  founded it({});
  REQUIRE(it.run_until([&] { return it.is_ready(3); }, 5'000));
  REQUIRE_FALSE(it.broker(3).settled());
  it.wires().isolate(3, 3);
  it.run_for(11'000);
  REQUIRE(it.broker(3).settled());
  CHECK_FALSE(*it.broker(3).settled());
  CHECK(it.are_settled({2}, 0));
}

TEST_CASE("beyond as many nodes as vote the others may be counted on without a vote") {
  founded it({.nodes = 7});
  REQUIRE(it.are_settled({1, 2, 3, 4, 5, 6, 7}));
  const auto report = it.broker(it.controller()).report(controller_group);
  REQUIRE(report);
  CHECK(report->members.voters.size() == 5);
}

TEST_CASE("a node that lost its disk may be counted on when its new life votes") {
  founded it({});
  REQUIRE(it.are_settled({1, 2, 3}));
  it.wipe(2);
  it.start(2);
  REQUIRE(it.are_settled({2}, 20'000));
  it.kill(1);
  CHECK(it.creates(2));
}

TEST_CASE("a node that votes already may be counted on when it is back") {
  founded it({});
  REQUIRE(it.are_settled({1, 2, 3}));
  REQUIRE(it.stop(3));
  it.start(3);
  REQUIRE(it.run_until([&] { return it.is_ready(3); }, 5'000));
  CHECK(it.are_settled({3}, 0));
}

// -- nodes of one process -------------------------------------------------------------------------

namespace {

struct in_process : sim_cluster {
  explicit in_process(std::uint64_t seed, std::int32_t count = 3)
      : sim_cluster({.seed = seed, .nodes = count, .in_process = true}) {}

  [[nodiscard]] bool comes(std::int32_t node) {
    return run_until([&] { return is_ready(node); }, 20'000);
  }
  [[nodiscard]] std::set<std::string> clusters() {
    std::set<std::string> ids;
    for (std::int32_t node = 1; node <= size(); ++node)
      if (is_up(node))
        ids.insert(to_string(broker(node).cluster()));
    return ids;
  }
};

} // namespace

TEST_CASE("nodes of one process found one cluster, in whatever order and however soon they come") {
  std::uint64_t seed = 0;
  for (const std::int64_t between_ms : {0, 1, 20, 150, 3000}) {
    std::vector<std::int32_t> order{1, 2, 3};
    do {
      CAPTURE(between_ms);
      CAPTURE(order.front());
      in_process it(++seed);
      for (const auto node : order) {
        it.start(node);
        it.run_for(between_ms);
      }
      for (const auto node : order)
        REQUIRE(it.comes(node));
      CHECK(it.clusters().size() == 1);
      CHECK(it.clusters() != std::set<std::string>{to_string(uuid())});
      CHECK(it.run_until([&] { return it.broker(1).view()->brokers.size() == 3; }, 1'000));
    } while (std::ranges::next_permutation(order).found);
  }
}

TEST_CASE("a node alone in its process founds a cluster of its own, which others join later") {
  in_process it(1, 2);
  it.start(2);
  REQUIRE(it.comes(2));
  const auto founded = it.clusters();
  CHECK(founded.size() == 1);
  it.start(1);
  REQUIRE(it.comes(1));
  CHECK(it.clusters() == founded);
}

TEST_CASE("a node of a process founds no second cluster while the members of the first are away") {
  in_process it(1);
  for (const std::int32_t node : {1, 2, 3})
    it.start(node);
  for (const std::int32_t node : {1, 2, 3})
    REQUIRE(it.comes(node));
  // All vote: the metadata does not hang on the one that loses its disk.
  for (const std::int32_t node : {1, 2, 3})
    REQUIRE(it.run_until([&] { return it.broker(node).settled().has_value(); }, 10'000));
  const auto founded = it.clusters();
  for (const std::int32_t node : {1, 2, 3})
    it.kill(node);
  it.wipe(1);
  it.start(1);
  it.run_for(10'000);
  CHECK_FALSE(it.is_ready(1));
  CHECK(it.broker(1).cluster().is_nil());
  it.start(2);
  it.start(3);
  for (const std::int32_t node : {1, 2, 3})
    REQUIRE(it.comes(node));
  CHECK(it.clusters() == founded);
}

TEST_CASE("a founder that stops before it said so goes on, and nobody founds in its place") {
  in_process it(1, 2);
  it.start(2);
  REQUIRE(it.run_until(
      [&] {
        const auto began = it.machine(2).disk->exists("/data/groups/controller");
        return began && *began;
      },
      1'000));
  it.kill(2);
  it.start(1);
  it.run_for(5'000);
  CHECK_FALSE(it.is_ready(1));
  it.start(2);
  REQUIRE(it.comes(2));
  REQUIRE(it.comes(1));
  CHECK(it.clusters().size() == 1);
}

TEST_SUITE_END();
