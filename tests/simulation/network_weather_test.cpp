// What the shapes of a network are, and what links do that hold back what they are given.
#include "tests/simulation/network_weather.hpp"
#include "tests/simulation/sim_network.hpp"

#include <doctest/doctest.h>

#include <array>
#include <memory>
#include <set>
#include <vector>

using namespace aqueduct;
using namespace aqueduct::actors;
using namespace aqueduct::actors::test;

TEST_SUITE_BEGIN("simulation.network_weather");

namespace {

/// Whom each node hears, and who hears it.
struct map_of_network {
  map_of_network(network_trouble shape, std::int32_t nodes, std::uint64_t seed) : nodes(nodes) {
    virtual_environment chance(seed);
    for (const auto& [from, to] : cuts_of(shape, nodes, chance)) {
      CHECK(from != to);
      CHECK(cuts.insert({from, to}).second);
    }
  }
  [[nodiscard]] bool reaches(std::int32_t from, std::int32_t to) const {
    return from != to && !cuts.contains({from, to});
  }
  [[nodiscard]] bool sees(std::int32_t a, std::int32_t b) const {
    return reaches(a, b) && reaches(b, a);
  }
  /// How many see so many others.
  [[nodiscard]] std::int32_t count_who_see(std::int32_t others) const {
    std::int32_t count = 0;
    for (std::int32_t a = 1; a <= nodes; ++a) {
      std::int32_t seen = 0;
      for (std::int32_t b = 1; b <= nodes; ++b)
        seen += sees(a, b) ? 1 : 0;
      count += seen == others ? 1 : 0;
    }
    return count;
  }
  /// Those that a node sees, over as many others as it takes.
  [[nodiscard]] std::set<std::int32_t> side_of(std::int32_t node) const {
    std::set<std::int32_t> side{node};
    for (bool grows = true; grows;) {
      grows = false;
      for (const auto a : std::set(side))
        for (std::int32_t b = 1; b <= nodes; ++b)
          grows = (sees(a, b) && side.insert(b).second) || grows;
    }
    return side;
  }

  std::int32_t nodes;
  std::set<network_link> cuts;
};

struct note_arrivals : raft_receiver {
  void deliver(std::vector<raft_delivery> messages) override {
    for (const auto& each : messages)
      terms.push_back(std::get<raft::timeout_now>(each.body).term.value);
  }
  std::vector<std::uint64_t> terms;
};

} // namespace

TEST_CASE("halves see themselves and nothing of each other") {
  std::set<std::size_t> sizes;
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    const map_of_network network(network_trouble::halves, 5, seed);
    const auto side = network.side_of(1);
    sizes.insert(side.size());
    for (std::int32_t a = 1; a <= 5; ++a)
      for (std::int32_t b = 1; b <= 5; ++b)
        if (a != b)
          CHECK(network.reaches(a, b) == (side.contains(a) == side.contains(b)));
  }
  // Majorities and minorities.
  CHECK(sizes == std::set<std::size_t>{1, 2, 3, 4});
}

TEST_CASE("one half that hears nothing is heard") {
  const map_of_network network(network_trouble::one_way_halves, 5, 3);
  REQUIRE_FALSE(network.cuts.empty());
  for (const auto& [from, to] : network.cuts)
    CHECK(network.reaches(to, from));
}

TEST_CASE("in a ring each node sees its neighbours, and all see all over others") {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    const map_of_network network(network_trouble::ring, 5, seed);
    CHECK(network.count_who_see(2) == 5);
    CHECK(network.side_of(1).size() == 5);
  }
  // Three are neighbours all the same.
  CHECK(map_of_network(network_trouble::ring, 3, 1).cuts.empty());
}

TEST_CASE("one node alone sees both halves that it joins") {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    map_of_network network(network_trouble::joined_halves, 5, seed);
    CHECK(network.count_who_see(4) == 1);
    CHECK(network.side_of(1).size() == 5);
    // Without it they do not see each other.
    std::int32_t joint = 0;
    for (std::int32_t node = 1; node <= 5; ++node) {
      std::int32_t seen = 0;
      for (std::int32_t other = 1; other <= 5; ++other)
        seen += network.sees(node, other) ? 1 : 0;
      joint = seen == 4 ? node : joint;
    }
    for (std::int32_t node = 1; node <= 5; ++node)
      network.cuts.insert({joint, node});
    CHECK(network.side_of(joint % 5 + 1).size() < 4);
  }
}

TEST_CASE("a star has one node that all others see, and nobody else") {
  const map_of_network network(network_trouble::star, 5, 2);
  CHECK(network.count_who_see(4) == 1);
  CHECK(network.count_who_see(1) == 4);
}

TEST_CASE("a clogged link holds what it is given, in order, until it lets go of all of it") {
  sim_network network(1);
  network.set_faults({0, 0, 0, 0});
  const auto arrivals = std::make_shared<note_arrivals>();
  const auto sender = network.join(1, std::make_shared<note_arrivals>());
  (void)network.join(2, arrivals);
  std::int64_t now_ms = 0;
  const auto send = [&](std::uint64_t number) {
    const raft::replica_id to{raft::node_id(2), raft::incarnation(1)};
    sender->send({}, {raft::node_id(1), raft::incarnation(1)},
                 {{to, raft::timeout_now{raft::term_id(number)}}});
    network.advance(++now_ms);
  };
  send(1);
  REQUIRE(arrivals->terms == std::vector<std::uint64_t>{1});
  network.clog(1, 2);
  for (std::uint64_t number = 2; number <= 4; ++number)
    send(number);
  CHECK(arrivals->terms.size() == 1);
  CHECK(network.let_go() == 0);
  SUBCASE("unclogged") {
    network.unclog(1, 2);
    send(5);
    CHECK(arrivals->terms == std::vector<std::uint64_t>{1, 2, 3, 4, 5});
    CHECK(network.let_go() == 3);
  }
  SUBCASE("healed") {
    network.heal();
    network.advance(++now_ms);
    CHECK(arrivals->terms == std::vector<std::uint64_t>{1, 2, 3, 4});
  }
  SUBCASE("cut") {
    network.cut(1, 2);
    network.unclog(1, 2);
    network.advance(++now_ms);
    CHECK(arrivals->terms.size() == 1);
    CHECK(network.lost() == 3);
  }
  SUBCASE("to a node that is gone") {
    network.leave(2);
    (void)network.join(2, arrivals);
    network.heal();
    network.advance(++now_ms);
    CHECK(arrivals->terms.size() == 1);
  }
}

TEST_CASE("a weather heals what it did, in lives of every size") {
  struct note_changes : changeable_network {
    void form(network_trouble shape, const std::vector<network_link>& cuts) override {
      CHECK_FALSE(cuts.empty());
      shapes.insert(shape);
      is_whole = false;
    }
    void clog(network_link link) override { clogged.insert(link); }
    void unclog(network_link link) override { clogged.erase(link); }
    void heal_network() override { is_whole = true; }
    std::set<network_trouble> shapes;
    std::set<network_link> clogged;
    bool is_whole = true;
  };
  for (std::int32_t nodes = 1; nodes <= 7; ++nodes) {
    note_changes network;
    network_weather weather(static_cast<std::uint64_t>(nodes), nodes, {10, 2, 5, 4});
    int healed = 0;
    int begun = 0;
    for (int i = 0; i < 2000; ++i) {
      const bool was_whole = network.is_whole && network.clogged.empty();
      begun += weather.step(network) ? 1 : 0;
      healed += !was_whole && network.is_whole && network.clogged.empty() ? 1 : 0;
    }
    CAPTURE(nodes);
    // Two are no ring, three neither; two have nobody between them.
    constexpr std::array<std::size_t, 8> shapes{0, 0, 2, 3, 4, 4, 4, 4};
    CHECK(network.shapes.size() == shapes[static_cast<std::size_t>(nodes)]);
    CHECK((healed > 50) == (nodes > 1));
    CHECK((begun > 50) == (nodes > 1));
  }
}

TEST_SUITE_END();
