// Partitions that are led by their preferred replicas because somebody asked for it, in clusters in
// virtual time.
#include "tests/simulation/sim_cluster.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <optional>

using namespace aqueduct;
using namespace aqueduct::actors;
using namespace aqueduct::actors::test;
using protocol::cluster::election_outcome;
using protocol::cluster::election_verdict;

TEST_SUITE_BEGIN("simulation.elections");

namespace {

constexpr std::int64_t patience_ms = 120'000;

/// A topic "t" of one partition with three replicas on four nodes.
class bench {
public:
  explicit bench(std::uint64_t seed) : cluster({seed, 4}) {
    for (std::int32_t node = 1; node <= 4; ++node)
      cluster.start(node);
    REQUIRE(cluster.run_until(
        [&] {
          for (std::int32_t node = 1; node <= 4; ++node)
            if (!cluster.is_ready(node))
              return false;
          return cluster.controller() != 0;
        },
        patience_ms));
    cluster.create_topic(cluster.controller(), "t", 1, 3);
    REQUIRE(cluster.run_until([&] { return leader() == preferred(); }, patience_ms));
    cluster.run_for(500);
  }

  [[nodiscard]] topic_record record() {
    for (const auto& topic : cluster.topics())
      if (topic->record.name == "t")
        return topic->record;
    return {};
  }
  [[nodiscard]] std::vector<std::int32_t> nodes() {
    const auto found = record();
    return found.partitions.empty() ? std::vector<std::int32_t>{-1} : found.partitions[0].nodes;
  }
  [[nodiscard]] std::int32_t leader() { return cluster.leader_of("t", 0); }
  [[nodiscard]] std::int32_t preferred() { return nodes().front(); }
  [[nodiscard]] std::int32_t outsider() {
    const auto with = nodes();
    std::int32_t node = 1;
    while (std::ranges::find(with, node) != with.end())
      ++node;
    return node;
  }
  [[nodiscard]] group_id group() { return {record().id, 0}; }

  /// Another replica leads, which has heard of the others.
  void lead_by(std::int32_t node) {
    auto& from = cluster.broker(leader());
    const auto heir = cluster.broker(node).report(group());
    REQUIRE(heir);
    from.transfer(group(), heir->self);
    REQUIRE(cluster.run_until([&] { return leader() == node; }, patience_ms));
    cluster.run_for(300);
    REQUIRE(leader() == node);
  }

  election_outcome elect(std::int32_t asked, std::int64_t wait_ms = 10'000) {
    const auto outcome = std::make_shared<std::optional<election_outcome>>();
    cluster.broker(asked).elect("t", 0, wait_ms, [outcome](const election_outcome& what) {
      REQUIRE_FALSE(outcome->has_value());
      outcome->emplace(what);
    });
    // The way may take a second more.
    REQUIRE(cluster.run_until([&] { return outcome->has_value(); }, wait_ms + 1100));
    return **outcome;
  }

  sim_cluster cluster;
};

} // namespace

TEST_CASE("whichever node is asked, the preferred replica leads when the answer comes") {
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    CAPTURE(seed);
    bench at(seed);
    for (std::int32_t asked = 1; asked <= 4; ++asked) {
      CAPTURE(asked);
      CHECK(at.elect(asked).verdict == election_verdict::not_needed);
      at.lead_by(at.nodes()[1 + static_cast<std::size_t>(asked) % 2]);
      const auto outcome = at.elect(asked);
      CHECK_MESSAGE(outcome.verdict == election_verdict::elected, outcome.message);
      CHECK(at.leader() == at.preferred());
    }
  }
}

TEST_CASE("a preferred replica that is gone is refused, within the time that was given") {
  bench at(7);
  const auto gone = at.preferred();
  at.cluster.kill(gone);
  REQUIRE(
      at.cluster.run_until([&] { return at.leader() != 0 && at.leader() != gone; }, patience_ms));
  const auto outcome = at.elect(at.outsider(), 3000);
  CHECK(outcome.verdict == election_verdict::refused);
  CHECK(at.leader() != gone);
}

TEST_CASE("who asks while nobody leads waits for the next leader, but no longer than it wants") {
  bench at(9);
  const auto others = at.nodes();
  // The preferred replica alone is no majority.
  at.cluster.kill(others[1]);
  at.cluster.kill(others[2]);
  // Who has nothing to do does not notice.
  at.cluster.produce("t", 0);
  REQUIRE(at.cluster.run_until([&] { return at.leader() == 0; }, patience_ms));
  CHECK(at.elect(others[0], 2000).verdict == election_verdict::timed_out);

  const auto outcome = std::make_shared<std::optional<election_outcome>>();
  at.cluster.broker(others[0]).elect(
      "t", 0, 60'000, [outcome](const election_outcome& what) { outcome->emplace(what); });
  at.cluster.run_for(500);
  CHECK_FALSE(outcome->has_value());
  at.cluster.start(others[1]);
  REQUIRE(at.cluster.run_until([&] { return outcome->has_value(); }, 60'000));
  CHECK((*outcome)->verdict != election_verdict::timed_out);
  CHECK(at.cluster.run_until([&] { return at.leader() == others[0]; }, patience_ms));
}
