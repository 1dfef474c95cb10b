// Moves whose end does not come: a broker that is to get a replica is gone, or its replica damaged.
#include "actors/controller/stuck_moves.hpp"
#include "tests/actors/move_lab.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <random>
#include <set>
#include <vector>

using namespace aqueduct;
using namespace aqueduct::actors;
using namespace aqueduct::actors::test;

namespace {

using commands = std::vector<cancel_move_command>;

std::uint64_t life_of(std::int32_t node) {
  return static_cast<std::uint64_t>(node) * 10;
}

void fence(controller_core& core, std::int32_t node, bool gone = true) {
  REQUIRE_FALSE(core.replay(fence_broker_command{node, life_of(node), gone}).refused);
}

std::optional<cancel_move_command> found_damaged(const controller_core& core, std::int32_t node) {
  return core.decide_give_up({id_of(1), 0, node, life_of(node)});
}

cancel_move_command move_of(std::uint8_t topic, std::int32_t changes) {
  return {id_of(topic), 0, changes};
}

bool same(const commands& some, const commands& others) {
  return std::ranges::equal(some, others, [](const auto& a, const auto& b) {
    return a.id == b.id && a.partition == b.partition && a.changes == b.changes;
  });
}

/// A partition whose brokers go and come back and whose replicas are moved, damaged and given up,
/// while what was decided is applied late and in any order. Knows who has all records.
class random_partition {
public:
  explicit random_partition(std::uint64_t seed) : chance_(seed), core_(cluster_of(5)) {
    create(core_, "t", 1, 1, static_cast<std::int16_t>(1 + pick(3)));
    const auto& first = here().nodes;
    holders_.insert(first.begin(), first.end());
  }

  void step() {
    const auto node = static_cast<std::int32_t>(1 + pick(5));
    switch (pick(9)) {
    case 0:
      later(core_.decide_move("t", 0, some_nodes()));
      break;
    case 1:
      core_.replay(fence_broker_command{node, life_of(node), pick(2) == 0});
      break;
    case 2:
      later(core_.decide_cancel("t", 0, pick(2) == 0));
      break;
    case 3:
      damage(node);
      break;
    case 4:
      for (const auto& back : core_.moves_to_gone())
        late_.emplace_back(back);
      break;
    case 5:
      if (const auto planned = core_.plan_evacuation(node, true))
        for (const auto& move : *planned)
          late_.emplace_back(move);
      break;
    case 6:
      for (const auto& each : here().repairs)
        if (each.stage == repair_stage::left)
          core_.replay(replica_set_aside_command{id_of(1), 0, each.node, here().changes});
      break;
    case 7:
      finish();
      break;
    default:
      if (!late_.empty()) {
        const auto which = static_cast<std::ptrdiff_t>(pick(late_.size()));
        const auto command = late_[static_cast<std::size_t>(which)];
        late_.erase(late_.begin() + which);
        core_.replay(command);
      }
    }
    check();
  }
  [[nodiscard]] std::size_t taken_back() const { return taken_back_; }

private:
  [[nodiscard]] std::size_t pick(std::size_t count) { return chance_() % count; }
  [[nodiscard]] const replica_set& here() const { return placed(core_, 1, 0); }
  [[nodiscard]] nodes some_nodes() {
    nodes all{1, 2, 3, 4, 5};
    std::ranges::shuffle(all, chance_);
    all.resize(1 + pick(3));
    return all;
  }
  template <class Command>
  void later(const result<Command>& decided) {
    if (decided)
      late_.emplace_back(*decided);
  }
  /// Of one that others can do without. Its node says so, again and again.
  void damage(std::int32_t node) {
    if (!here().is_on(node) || (holders_.contains(node) && holders_.size() < 2))
      return;
    holders_.erase(node);
    const repair_replica_command wish{id_of(1), 0, node, life_of(node)};
    if (const auto back = core_.decide_give_up(wish)) {
      // Decided now, it holds now.
      const auto origin = here().origin;
      if (pick(2) == 0) {
        REQUIRE_FALSE(core_.replay(*back).refused);
        CHECK(here().nodes == origin);
        ++taken_back_;
      } else {
        late_.emplace_back(*back);
      }
    } else if (core_.decide_repair(wish)) {
      late_.emplace_back(wish);
    }
  }
  /// The group's members become those that are wanted, if they are there to become it; one that has
  /// everything is among those that it goes by.
  void finish() {
    std::vector<std::int32_t> wanted;
    for (const auto& life : core_.lives_of(here()))
      wanted.push_back(life.node);
    const auto is_there = [&](std::int32_t node) { return !core_.brokers().at(node).fenced; };
    if (wanted.empty() || !here().is_changing() || !std::ranges::all_of(wanted, is_there) ||
        std::ranges::none_of(holders_, is_there))
      return;
    REQUIRE(settle(core_));
    holders_.insert(wanted.begin(), wanted.end());
  }
  void check() {
    const auto& at = here();
    CHECK_FALSE(at.nodes.empty());
    CHECK(std::set<std::int32_t>(at.nodes.begin(), at.nodes.end()).size() == at.nodes.size());
    for (const auto node : at.leaving)
      CHECK(std::ranges::find(at.nodes, node) == at.nodes.end());
    if (!at.is_moving())
      CHECK_FALSE(at.is_cancelled);
    std::erase_if(holders_, [&](std::int32_t node) { return !at.is_on(node); });
    CHECK_FALSE(holders_.empty());
    std::int32_t replicas = 0;
    for (std::int32_t node = 1; node <= 5; ++node)
      replicas += core_.replicas_on(node);
    CHECK(replicas == static_cast<std::int32_t>(at.nodes.size()));
  }

  std::mt19937_64 chance_;
  controller_core core_;
  std::vector<controller_command> late_;
  /// Nodes with files that have every record.
  std::set<std::int32_t> holders_;
  std::size_t taken_back_ = 0;
};

} // namespace

TEST_SUITE("actors.stuck_moves") {
  TEST_CASE("whatever comes in between, somebody has every record and nothing goes round twice") {
    std::size_t taken_back = 0;
    for (std::uint64_t seed = 1; seed <= 300; ++seed) {
      CAPTURE(seed);
      random_partition partition(seed);
      for (int i = 0; i < 200; ++i)
        partition.step();
      taken_back += partition.taken_back();
    }
    CHECK(taken_back > 0);
  }

  TEST_CASE("a move is due when it has waited for a timeout without a pause") {
    stuck_moves stuck(1000);
    const commands waiting{move_of(1, 1), move_of(2, 5)};
    CHECK(stuck.due(waiting, 0).empty());
    CHECK(stuck.due({move_of(1, 1)}, 500).empty());
    CHECK(stuck.due(waiting, 999).empty());
    CHECK(same(stuck.due(waiting, 1000), {move_of(1, 1)}));
    // It stays due until it is heard that it is no more.
    CHECK(same(stuck.due(waiting, 1001), {move_of(1, 1)}));
    CHECK(same(stuck.due(waiting, 1999), waiting));
    CHECK(stuck.due({}, 2000).empty());
    CHECK(stuck.due(waiting, 5000).empty());
  }

  TEST_CASE("what is decided anew waits anew, and so does everything under a new leader") {
    stuck_moves stuck(1000);
    CHECK(stuck.due({move_of(1, 1)}, 0).empty());
    CHECK(stuck.due({move_of(1, 2)}, 1000).empty());
    CHECK(same(stuck.due({move_of(1, 2)}, 2000), {move_of(1, 2)}));
    stuck.begin();
    CHECK(stuck.due({move_of(1, 2)}, 3000).empty());
  }

  TEST_CASE("a move waits for a broker that is gone and is to get a replica") {
    auto core = cluster_with_topic();
    fence(core, 4, false);
    CHECK(core.moves_to_gone().empty());
    move(core, {4, 2, 3});
    CHECK(core.moves_to_gone().empty());
    // Who keeps its replica is waited for by nobody.
    fence(core, 3);
    CHECK(core.moves_to_gone().empty());
    fence(core, 3, false);
    fence(core, 4);
    const auto waiting = core.moves_to_gone();
    REQUIRE(same(waiting, {{id_of(1), 0, placed(core, 1, 0).changes}}));
    REQUIRE_FALSE(core.replay(waiting[0]).refused);
    CHECK(placed(core, 1, 0).nodes == nodes{1, 2, 3});
    CHECK(placed(core, 1, 0).leaving == nodes{4});
    // On the way back it is not turned round again, nor twice by one decision.
    CHECK(core.moves_to_gone().empty());
    CHECK(core.replay(waiting[0]).refused->code == errc::not_found);
    CHECK(settle(core));
    CHECK(core.decide_remove(4));
  }

  TEST_CASE("a move is not taken back to a broker that is gone as well") {
    auto core = cluster_with_topic();
    move(core, {4, 2, 3});
    fence(core, 4);
    fence(core, 1);
    CHECK(core.moves_to_gone().empty());
    CHECK_FALSE(found_damaged(core, 4));
    fence(core, 1, false);
    CHECK(core.moves_to_gone().size() == 1);
  }

  TEST_CASE("a move that ended, or was decided anew, is not taken back by what was seen before") {
    auto core = cluster_with_topic();
    move(core, {4, 2, 3});
    fence(core, 4);
    const auto waiting = core.moves_to_gone();
    REQUIRE(waiting.size() == 1);
    CHECK(settle(core));
    CHECK(core.replay(waiting[0]).refused->code == errc::not_found);
    CHECK(placed(core, 1, 0).nodes == nodes{4, 2, 3});
    move(core, {1, 2, 3});
    CHECK(core.replay(waiting[0]).refused->code == errc::not_found);
    CHECK(placed(core, 1, 0).nodes == nodes{1, 2, 3});
    core.replay(delete_topic_command{id_of(1)});
    CHECK(core.moves_to_gone().empty());
    CHECK(core.replay(waiting[0]).refused->code == errc::unknown_topic);
  }

  TEST_CASE("an evacuation whose target stays away finds another one") {
    auto core = cluster_of(5);
    create(core, "t", 1, 1, 1);
    const auto here = placed(core, 1, 0).nodes.front();
    REQUIRE_FALSE(core.replay(*core.decide_drain({here, true, true})).refused);
    const auto first = core.plan_evacuation(here, false);
    REQUIRE(first);
    REQUIRE_FALSE(core.replay(first->at(0)).refused);
    const auto target = placed(core, 1, 0).nodes.front();
    fence(core, target);
    REQUIRE_FALSE(core.replay(core.moves_to_gone().at(0)).refused);
    CHECK(core.plan_evacuation(here, false)->empty());
    CHECK(settle(core));
    const auto second = core.plan_evacuation(here, false);
    REQUIRE(second);
    CHECK(second->at(0).to.front() != target);
    CHECK(second->at(0).to.front() != here);
  }

  TEST_CASE("a new replica that is damaged takes its move back, also the only one") {
    for (const bool only : {false, true}) {
      auto core = cluster_with_topic();
      if (only) {
        move(core, {1});
        REQUIRE(settle(core));
      }
      move(core, only ? nodes{4} : nodes{4, 2, 3});
      CHECK(placed(core, 1, 0).is_elsewhere_than(4));
      const auto back = found_damaged(core, 4);
      REQUIRE(back);
      REQUIRE_FALSE(core.replay(*back).refused);
      CHECK(placed(core, 1, 0).nodes == (only ? nodes{1} : nodes{1, 2, 3}));
      CHECK(placed(core, 1, 0).leaving == nodes{4});
      CHECK(placed(core, 1, 0).repairs.empty());
      CHECK_FALSE(found_damaged(core, 4));
      CHECK(settle(core));
      CHECK_FALSE(placed(core, 1, 0).is_on(4));
    }
  }

  TEST_CASE("only the damage of a new replica, in its present life, takes a move back") {
    auto core = cluster_with_topic();
    CHECK_FALSE(found_damaged(core, 1));
    move(core, {4, 2, 3});
    CHECK_FALSE(found_damaged(core, 1));
    CHECK_FALSE(found_damaged(core, 2));
    CHECK_FALSE(found_damaged(core, 9));
    CHECK_FALSE(core.decide_give_up({id_of(1), 0, 4, life_of(4) + 1}));
    CHECK_FALSE(core.decide_give_up({id_of(1), 1, 4, life_of(4)}));
    CHECK_FALSE(core.decide_give_up({id_of(7), 0, 4, life_of(4)}));
    CHECK(found_damaged(core, 4));
    // What was kept is repaired where it is.
    CHECK(core.decide_repair({id_of(1), 0, 2, life_of(2)}));
    CHECK(settle(core));
    CHECK_FALSE(found_damaged(core, 4));
    CHECK(core.decide_repair({id_of(1), 0, 4, life_of(4)}));
  }

  TEST_CASE("a replica is elsewhere as long as anybody else has its files") {
    replica_set placed{{1}};
    CHECK_FALSE(placed.is_elsewhere_than(1));
    CHECK(placed.is_elsewhere_than(2));
    placed.leaving = {2};
    CHECK(placed.is_elsewhere_than(1));
    placed.nodes = {};
    CHECK_FALSE(placed.is_elsewhere_than(2));
  }
}
