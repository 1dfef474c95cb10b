// Random lives of groups of one to five replicas, by seed: whatever happens, no promise is broken,
// and when it stops happening the group works again.
#include "tests/simulation/sim_group.hpp"

#include <doctest/doctest.h>

#include <cinttypes>
#include <cstdio>
#include <cstdlib>

using namespace aqueduct;
using namespace aqueduct::actors;
using namespace aqueduct::actors::test;

TEST_SUITE_BEGIN("simulation.group_random");

namespace {

/// One life: the seed decides what happens when.
class random_life {
public:
  explicit random_life(std::uint64_t seed, storage::flush_mode flush = storage::flush_mode::commit)
      : chance_(seed),
        group_({.seed = seed,
                .nodes = 1 + static_cast<std::int32_t>(seed % 5),
                .founders = 1 + static_cast<std::int32_t>(seed % 5),
                .hibernate_after_ticks = seed % 3 == 0 ? 20U : 0U,
                .flush = flush}),
        nodes_(1 + static_cast<std::int32_t>(seed % 5)) {}

  [[nodiscard]] std::vector<std::string> run(int steps) {
    for (int i = 0; i < steps; ++i) {
      step();
      group_.run_for(static_cast<std::int64_t>(draw(40)));
    }
    heal();
    std::vector<std::string> broken;
    const auto leader = group_.wait_for_leader();
    if (leader == 0)
      broken.emplace_back("no leader after everything was healed");
    else
      group_.propose(leader, "last");
    if (!group_.wait_until_equal())
      broken.emplace_back("the replicas do not become equal");
    for (auto& sentence : group_.check())
      broken.push_back(std::move(sentence));
    for (std::int32_t node = 1; node <= nodes_; ++node)
      if (const auto& failure = group_.journal(node).failure)
        broken.push_back("node " + std::to_string(node) + " gave up: " + to_string(*failure));
    return broken;
  }
  [[nodiscard]] std::uint64_t events() const { return group_.events(); }
  [[nodiscard]] std::size_t acknowledged() const { return group_.acknowledged().size(); }
  /// Of everything that was applied anywhere; equal for equal seeds.
  [[nodiscard]] std::string trace() const {
    std::string text = std::to_string(group_.events());
    for (std::int32_t node = 1; node <= nodes_; ++node)
      for (const auto& [index, entry] : group_.journal(node).applied)
        text += "|" + std::to_string(index) + "@" + std::to_string(entry.first) + entry.second;
    return text;
  }

private:
  std::uint64_t draw(std::uint64_t bound) { return chance_.random() % bound; }
  std::int32_t any() {
    return 1 + static_cast<std::int32_t>(draw(static_cast<std::uint64_t>(nodes_)));
  }

  void step() {
    const auto node = any();
    switch (draw(12)) {
    case 0:
      if (group_.is_up(node))
        group_.crash(node);
      break;
    case 1:
    case 2:
      if (!group_.is_up(node))
        group_.start(node);
      break;
    case 3:
      group_.network().isolate(node);
      break;
    case 4:
      group_.network().cut(node, any());
      break;
    case 5:
      group_.network().heal();
      break;
    case 6:
      group_.network().set_faults({static_cast<std::uint32_t>(draw(300)),
                                   static_cast<std::uint32_t>(draw(200)), 0,
                                   static_cast<std::int64_t>(draw(60)) + 1});
      break;
    case 7:
      if (const auto leader = group_.leader(); leader != 0)
        group_.transfer(leader, any());
      break;
    default:
      for (auto count = draw(8); count > 0; --count)
        if (const auto at = draw(4) == 0 ? node : group_.leader(); at != 0 && group_.is_up(at))
          group_.propose(at, "value " + std::to_string(next_++) + std::string(draw(300), '.'));
    }
  }

  void heal() {
    group_.network().heal();
    group_.network().set_faults({});
    for (std::int32_t node = 1; node <= nodes_; ++node)
      if (!group_.is_up(node))
        group_.start(node);
  }

  virtual_environment chance_;
  sim_group group_;
  std::int32_t nodes_;
  int next_ = 0;
};

} // namespace

TEST_CASE("no promise is broken in random lives, and the group heals") {
  // AQUEDUCT_SEEDS=FIRST-LAST runs others.
  std::uint64_t first = 1;
  std::uint64_t last = 2000;
  if (const char* given = std::getenv("AQUEDUCT_SEEDS"))
    REQUIRE(std::sscanf(given, "%" SCNu64 "-%" SCNu64, &first, &last) == 2);
  std::size_t acknowledged = 0;
  std::uint64_t events = 0;
  for (auto seed = first; seed <= last; ++seed) {
    random_life life(seed);
    const auto broken = life.run(60);
    acknowledged += life.acknowledged();
    events += life.events();
    for (const auto& sentence : broken)
      FAIL_CHECK("seed " << seed << ": " << sentence);
  }
  MESSAGE((last - first + 1) << " lives, " << events << " events, " << acknowledged
                             << " entries acknowledged");
  CHECK(acknowledged > 5 * (last - first));
}

TEST_CASE("the checks notice nodes that acknowledge before the sync") {
  std::size_t noticed = 0;
  for (std::uint64_t seed = 1; seed <= 100; ++seed)
    noticed += random_life(seed, storage::flush_mode::os).run(60).empty() ? 0 : 1;
  CHECK(noticed > 10);
}

TEST_CASE("a seed is the same life every time") {
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    random_life first(seed);
    random_life second(seed);
    CHECK(first.run(40).empty());
    CHECK(second.run(40).empty());
    CHECK(first.trace() == second.trace());
  }
}

TEST_SUITE_END();
