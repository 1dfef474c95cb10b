// Clusters that become smaller: replicas that no other broker can take are given up.
#include "actors/controller/move_plan.hpp"
#include "tests/actors/move_lab.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <vector>

using namespace aqueduct;
using namespace aqueduct::actors;
using namespace aqueduct::actors::test;

namespace {

using moves = std::vector<move_plan::move>;

move_plan plan_of(std::int32_t count, std::int32_t leaving) {
  move_plan plan;
  for (std::int32_t node = 1; node <= count; ++node)
    plan.add({node, "", node != leaving, {}, false, node == leaving});
  return plan;
}

bool says(const error& why, const std::string& words) {
  return why.code == errc::invalid_replication && why.message.find(words) != std::string::npos;
}

/// Makes the moves of a plan, as the leaders of the groups would.
void make(controller_core& core, std::int32_t leaving) {
  const auto planned = core.plan_evacuation(leaving, true);
  REQUIRE(planned);
  for (const auto& move : *planned) {
    REQUIRE_FALSE(core.replay(move).refused);
    const auto& at = *core.placed_of({move.id, move.partition});
    // What leaves has its files until the group is smaller.
    CHECK(at.is_on(leaving));
    REQUIRE_FALSE(
        core.replay(replicas_moved_command{move.id, move.partition, at.nodes, at.changes}).refused);
  }
}

} // namespace

TEST_SUITE("actors.shrink") {
  TEST_CASE("a replica that no other broker can take is given up, and no other") {
    auto plan = plan_of(3, 1);
    plan.add({1, 2, 3}, false);
    plan.add({1, 2}, false);
    plan.add({2, 3}, false);
    plan.add({3, 1, 2}, true);
    const auto planned = plan.evacuate(1, true);
    REQUIRE(planned);
    CHECK(*planned == moves{{0, {2, 3}}, {1, {3, 2}}});
  }

  TEST_CASE("nothing is given up that nobody asked to give up") {
    auto plan = plan_of(3, 1);
    plan.add({1, 2, 3}, false);
    CHECK(says(plan.evacuate(1).error(), "(shrink)"));
  }

  TEST_CASE("the only replica of a partition is not given up") {
    auto plan = plan_of(1, 1);
    plan.add({1}, false);
    CHECK(says(plan.evacuate(1, true).error(), "its only replica"));
  }

  TEST_CASE("most of those that remain have to be there") {
    for (const bool gone : {false, true}) {
      move_plan plan;
      plan.add({1, "", false, {}, false, true});
      plan.add({2, "", true});
      plan.add({3, "", !gone, {}, gone, false});
      plan.add({1, 2, 3}, false);
      const auto planned = plan.evacuate(1, true);
      CHECK(planned.has_value() == !gone);
      if (gone)
        CHECK(says(planned.error(), "needs the replica there"));
    }
    // The one that is gone can be given up itself: the others are a majority without it.
    move_plan plan;
    plan.add({1, "", true});
    plan.add({2, "", true});
    plan.add({3, "", false, {}, true, true});
    plan.add({3, 1, 2}, false);
    const auto planned = plan.evacuate(3, true);
    REQUIRE(planned);
    CHECK(*planned == moves{{0, {1, 2}}});
  }

  TEST_CASE("a replica under repair is none that a group can rely on") {
    auto plan = plan_of(2, 1);
    plan.add({1, 2}, false, 2);
    CHECK(says(plan.evacuate(1, true).error(), "in good health"));
    auto other = plan_of(2, 1);
    other.add({1, 2}, false, 1);
    CHECK(other.evacuate(1, true));
  }

  TEST_CASE("a broker that is away for a while is waited for") {
    move_plan plan;
    plan.add({1, "", false, {}, false, true});
    plan.add({2, "", true});
    plan.add({3, "", false, {}, true, false});
    plan.add({1, 2}, false);
    CHECK(says(plan.evacuate(1, true).error(), "broker 3 is gone"));
    move_plan drained;
    drained.add({1, "", false, {}, false, true});
    drained.add({2, "", true});
    drained.add({3, "", false, {}, true, true});
    drained.add({1, 2}, false);
    CHECK(drained.evacuate(1, true));
  }

  TEST_CASE("who led a partition is followed by the first that remains, evenly spread by numbers") {
    auto plan = plan_of(3, 1);
    plan.add({1, 2, 3}, false);
    plan.add({1, 2, 3}, false);
    REQUIRE(plan.evacuate(1, true));
    // Broker 2 is to lead both now: a spread gives one to broker 3.
    CHECK(plan.rebalance().size() == 1);
  }

  TEST_CASE("three brokers shrink to one, whatever their topics have of replicas") {
    auto core = cluster_of(3);
    create(core, "one", 1, 4, 1);
    create(core, "two", 2, 4, 2);
    create(core, "three", 3, 4, 3);
    for (const std::int32_t leaving : {2, 1}) {
      CHECK(core.decide_drain({leaving, true, true}).error().code == errc::invalid_replication);
      const auto order = core.decide_drain({leaving, true, true, true});
      REQUIRE(order);
      CHECK(order->shrinking);
      const auto drained = core.replay(*order);
      REQUIRE_FALSE(drained.refused);
      CHECK(core.brokers().at(leaving).shrinking);
      make(core, leaving);
      CHECK(core.replicas_on(leaving) == 0);
      core.replay(fence_broker_command{leaving, static_cast<std::uint64_t>(leaving) * 10, true});
      const auto removed = core.decide_remove(leaving);
      REQUIRE(removed);
      REQUIRE_FALSE(core.replay(*removed).refused);
    }
    CHECK(core.replicas_on(3) == 12);
    for (const std::uint8_t topic : {1, 2, 3})
      for (std::size_t i = 0; i < 4; ++i)
        CHECK(placed(core, topic, i).nodes == nodes{3});
    CHECK(core.decide_drain({3, true, true, true}).error().code == errc::invalid_replication);
  }

  TEST_CASE("two brokers that are given up at once leave no partition without a replica") {
    auto core = cluster_of(3);
    create(core, "t", 1, 1, 3);
    for (const std::int32_t leaving : {1, 2}) {
      const auto order = core.decide_drain({leaving, true, true, true});
      REQUIRE(order);
      REQUIRE_FALSE(core.replay(*order).refused);
    }
    const auto first = core.plan_evacuation(1, true);
    const auto second = core.plan_evacuation(2, true);
    REQUIRE((first && second));
    REQUIRE_FALSE(core.replay(first->at(0)).refused);
    CHECK(core.replay(second->at(0)).refused->code == errc::conflict);
    CHECK(core.plan_evacuation(2, true)->empty());
    REQUIRE(settle(core));
    make(core, 2);
    CHECK(placed(core, 1, 0).nodes == nodes{3});
  }

  TEST_CASE("a broker that is called back keeps what it has, and takes again") {
    auto core = cluster_of(2);
    create(core, "t", 1, 1, 2);
    REQUIRE_FALSE(core.replay(*core.decide_drain({2, true, true, true})).refused);
    // It says the same of itself when it comes back, and the order stands.
    broker_record again{2, "elsewhere", 9092, ""};
    again.incarnation = 20;
    core.replay(register_broker_command{again});
    CHECK(core.brokers().at(2).shrinking);
    REQUIRE_FALSE(core.replay(*core.decide_drain({2, false, false, true})).refused);
    CHECK_FALSE(core.brokers().at(2).shrinking);
    CHECK(core.brokers().at(2).takes());
    CHECK(placed(core, 1, 0).nodes.size() == 2);
  }

  TEST_CASE("a move that gives replicas up is taken back like others") {
    auto core = cluster_of(3);
    create(core, "t", 1, 1, 3);
    REQUIRE_FALSE(core.replay(core.plan_evacuation(2, true)->at(0)).refused);
    CHECK(placed(core, 1, 0).nodes.size() == 2);
    cancel(core);
    CHECK(placed(core, 1, 0).nodes.size() == 3);
    CHECK(settle(core));
  }

  TEST_CASE("the order is in the rows of the state, and those of before have none") {
    broker_record broker{3, "h", 9092, "r"};
    broker.draining = broker.evacuating = broker.shrinking = true;
    const auto row = encode_row(broker);
    const auto read = decode_broker(row);
    REQUIRE(read);
    CHECK(*read == broker);
    const auto before = decode_broker(row.slice(0, row.size() - 1));
    REQUIRE(before);
    CHECK(before->evacuating);
    CHECK_FALSE(before->shrinking);
    const controller_command command = drain_broker_command{3, true, true, true};
    const auto bytes = encode(command);
    const auto again = decode_controller_command(bytes);
    REQUIRE(again);
    CHECK(std::get<drain_broker_command>(*again).shrinking);
    auto old = std::string(bytes.text().substr(0, bytes.size() - 1));
    old[0] = 7;
    const auto older = decode_controller_command(buffer::copy_of(old));
    REQUIRE(older);
    CHECK(std::get<drain_broker_command>(*older).evacuating);
    CHECK_FALSE(std::get<drain_broker_command>(*older).shrinking);
  }
}
