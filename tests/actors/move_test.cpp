// Brokers that are drained and leave, replicas that move: plans and the metadata.
#include "actors/controller/controller_core.hpp"
#include "actors/controller/move_plan.hpp"
#include "protocol/native/codec.hpp"
#include "tests/actors/move_lab.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <set>

using namespace aqueduct;
using namespace aqueduct::actors;
using namespace aqueduct::actors::test;

TEST_SUITE("actors.move_plan") {
  TEST_CASE("an evacuated broker holds nothing, and nobody gets two replicas of a partition") {
    move_plan plan;
    for (const std::int32_t node : {1, 2, 3, 4})
      plan.add({node, "", node != 1});
    for (int i = 0; i < 12; ++i)
      plan.add({1 + i % 4, 1 + (i + 1) % 4, 1 + (i + 2) % 4}, false);
    const auto moves = plan.evacuate(1);
    REQUIRE(moves);
    CHECK(moves->size() == 9);
    for (const auto& move : *moves) {
      CHECK(std::ranges::find(move.to, 1) == move.to.end());
      CHECK(std::set<std::int32_t>(move.to.begin(), move.to.end()).size() == 3);
    }
  }

  TEST_CASE("there is no evacuation without another broker to go to") {
    move_plan plan;
    for (const std::int32_t node : {1, 2, 3})
      plan.add({node, "", node != 1});
    plan.add({1, 2, 3}, false);
    CHECK_FALSE(plan.evacuate(1));
  }

  TEST_CASE("what is evacuated goes where disks have room, and to a full one only at last") {
    move_plan plan;
    plan.add({1, "", false});
    plan.add({2, "", true, {900, 1000}});
    plan.add({3, "", true, {200, 1000}});
    plan.add({4, "", true, {50, 1000}});
    for (int i = 0; i < 10; ++i)
      plan.add({1}, false);
    plan.add({1, 2, 3}, false);
    std::map<std::int32_t, int> got;
    const auto moves = plan.evacuate(1);
    REQUIRE(moves);
    for (const auto& move : *moves)
      if (move.partition < 10)
        ++got[move.to.front()];
    CHECK(got[2] == 9);
    CHECK(got[3] == 1);
    CHECK(moves->back() == move_plan::move{10, {4, 2, 3}});
  }

  TEST_CASE("a broker whose disk is full gets nothing by a rebalance") {
    move_plan plan;
    plan.add({1, "", true});
    plan.add({2, "", true, {50, 1000}});
    plan.add({3, "", true});
    for (int i = 0; i < 6; ++i)
      plan.add({1}, false);
    for (int i = 0; i < 3; ++i)
      plan.add({2}, false);
    std::map<std::int32_t, int> replicas{{1, 6}, {2, 3}};
    for (const auto& move : plan.rebalance()) {
      CHECK(move.to == nodes{3});
      --replicas[move.partition < 6 ? 1 : 2];
      ++replicas[3];
    }
    CHECK(replicas[2] <= 3);
    CHECK(replicas[1] - replicas[3] <= 1);
  }

  TEST_CASE("partitions that move already stay as they are") {
    move_plan plan;
    for (const std::int32_t node : {1, 2, 3})
      plan.add({node, "", node != 1});
    plan.add({1, 2}, true);
    plan.add({1, 2}, false);
    const auto moves = plan.evacuate(1);
    REQUIRE(moves);
    CHECK(*moves == std::vector<move_plan::move>{{1, {3, 2}}});
  }

  TEST_CASE(
      "a new broker gets its share of replicas and leaders, with as few moves as that takes") {
    move_plan plan;
    for (const std::int32_t node : {1, 2, 3, 4})
      plan.add({node, "", true});
    std::map<std::int32_t, int> replicas;
    std::map<std::int32_t, int> leaders;
    std::vector<std::vector<std::int32_t>> nodes(20, {1, 2, 3});
    for (const auto& each : nodes)
      plan.add(each, false);
    const auto moves = plan.rebalance();
    for (const auto& move : moves)
      nodes[move.partition] = move.to;
    for (const auto& each : nodes) {
      CHECK(std::set<std::int32_t>(each.begin(), each.end()).size() == 3);
      ++leaders[each.front()];
      for (const auto node : each)
        ++replicas[node];
    }
    for (const std::int32_t node : {1, 2, 3, 4}) {
      CHECK(replicas[node] == 15);
      CHECK(leaders[node] == 5);
    }
    move_plan even;
    for (const std::int32_t node : {1, 2, 3, 4})
      even.add({node, "", true});
    for (const auto& each : nodes)
      even.add(each, false);
    CHECK(even.rebalance().empty());
  }

  TEST_CASE("replicas stay in distinct racks, and draining brokers get nothing") {
    move_plan plan;
    plan.add({1, "a", true});
    plan.add({2, "b", true});
    plan.add({3, "b", true});
    plan.add({4, "c", false});
    for (int i = 0; i < 10; ++i)
      plan.add({1, 2}, false);
    for (const auto& move : plan.rebalance()) {
      CHECK(std::ranges::find(move.to, 1) != move.to.end());
      CHECK(std::ranges::find(move.to, 4) == move.to.end());
    }
  }
}

TEST_SUITE("actors.moves") {
  TEST_CASE("decisions go by what is known of disks, and what is replayed does not") {
    auto core = cluster_of(3);
    core.know_disks({{1, {10, 1000}}, {2, {900, 1000}}, {3, {900, 1000}}});
    create(core, "t", 1, 4, 2);
    CHECK(core.replicas_on(1) == 0);
    CHECK(core.plan_rebalance().empty());
    auto unaware = cluster_of(3);
    protocol::create_topic_request request;
    request.name = "u";
    request.partitions = 3;
    request.replication = 1;
    const auto command = core.decide_create(request, id_of(2), 5);
    REQUIRE(command);
    REQUIRE_FALSE(unaware.replay(*command).refused);
    CHECK(unaware.replicas_on(1) == 0);
    core.know_disks({});
    CHECK_FALSE(core.plan_rebalance().empty());
  }

  TEST_CASE("replicas that leave stay until the group has its new members") {
    auto core = cluster_of(4);
    create(core, "t", 1, 1, 3);
    const auto before = placed(core, 1, 0).nodes;
    const auto move = core.decide_move("t", 0, {4, before[1], before[2]});
    REQUIRE(move);
    const auto moved = core.replay(*move);
    REQUIRE_FALSE(moved.refused);
    CHECK(std::holds_alternative<replicas_changed>(*moved.change));
    CHECK(placed(core, 1, 0).nodes == std::vector<std::int32_t>{4, before[1], before[2]});
    CHECK(placed(core, 1, 0).leaving == std::vector<std::int32_t>{before[0]});
    CHECK(placed(core, 1, 0).is_on(before[0]));
    CHECK(placed(core, 1, 0).founders.size() == 3);
    CHECK(core.moves_under_way() == 1);
    CHECK(core.decide_move("t", 0, {1, 2, 3}).error().code == errc::conflict);
    CHECK(core.replay(*move).refused->code == errc::conflict);
    CHECK(core.replay(replicas_moved_command{id_of(1), 0, before}).refused);
    CHECK_FALSE(core.replay(replicas_moved_command{id_of(1), 0, placed(core, 1, 0).nodes}).refused);
    CHECK_FALSE(placed(core, 1, 0).is_on(before[0]));
    CHECK(core.moves_under_way() == 0);
    CHECK(core.replicas_on(before[0]) == 0);
    // Whoever gave up its replica founds nothing when it gets one again.
    for (const auto& founder : placed(core, 1, 0).founders)
      CHECK((founder.incarnation == 0) == (founder.node == before[0]));
  }

  TEST_CASE("a move names brokers that are there, each once, and a partition that exists") {
    auto core = cluster_of(3);
    create(core, "t", 1, 1, 1);
    CHECK(core.decide_move("u", 0, {1}).error().code == errc::unknown_topic);
    CHECK(core.decide_move("t", 1, {1}).error().code == errc::unknown_partition);
    CHECK(core.decide_move("t", 0, {}).error().code == errc::invalid_replication);
    CHECK(core.decide_move("t", 0, {2, 2}).error().code == errc::invalid_replication);
    CHECK(core.decide_move("t", 0, {9}).error().code == errc::not_found);
    core.replay(fence_broker_command{3, 30, true});
    CHECK(core.decide_move("t", 0, {3}).error().code == errc::invalid_replication);
  }

  TEST_CASE("a drained broker leads last and gets no new replicas") {
    auto core = cluster_of(3);
    create(core, "t", 1, 1, 3);
    const auto first = placed(core, 1, 0).nodes.front();
    CHECK(core.lives_of(placed(core, 1, 0)).front().node == first);
    REQUIRE_FALSE(core.replay(*core.decide_drain({first, true, false})).refused);
    CHECK(core.lives_of(placed(core, 1, 0)).back().node == first);
    protocol::create_topic_request request;
    request.name = "u";
    request.replication = 3;
    CHECK(core.decide_create(request, id_of(2), 1).error().code == errc::invalid_replication);
    // It says the same of itself when it comes back.
    broker_record again{first, "elsewhere", 9092, ""};
    core.replay(register_broker_command{again});
    CHECK(core.brokers().at(first).draining);
    core.replay(*core.decide_drain({first, false, false}));
    CHECK(core.brokers().at(first).takes());
  }

  TEST_CASE("a broker leaves the cluster when it is gone and holds nothing") {
    auto core = cluster_of(3);
    create(core, "t", 1, 3, 2);
    CHECK(core.decide_remove(9).error().code == errc::not_found);
    CHECK(core.decide_remove(1).error().code == errc::conflict);
    REQUIRE_FALSE(core.replay(*core.decide_drain({1, true, true})).refused);
    CHECK(core.brokers().at(1).draining);
    const auto plan = core.plan_evacuation(1, false);
    REQUIRE(plan);
    for (const auto& move : *plan) {
      REQUIRE_FALSE(core.replay(move).refused);
      REQUIRE_FALSE(core.replay(replicas_moved_command{move.id, move.partition, move.to}).refused);
    }
    CHECK(core.replicas_on(1) == 0);
    CHECK(core.decide_remove(1).error().message.find("stop it first") != std::string::npos);
    core.replay(fence_broker_command{1, 10, true});
    REQUIRE_FALSE(core.replay(*core.decide_remove(1)).refused);
    CHECK_FALSE(core.brokers().contains(1));
  }

  TEST_CASE("an evacuation that cannot be is refused before it begins") {
    auto core = cluster_of(2);
    create(core, "t", 1, 1, 2);
    CHECK(core.decide_drain({1, true, true}).error().code == errc::invalid_replication);
    CHECK(core.decide_drain({7, true, false}).error().code == errc::not_found);
  }

  TEST_CASE("a group of before there were several nodes keeps its founder when it moves") {
    auto core = cluster_of(2);
    create_topic_command old;
    old.topic.id = id_of(1);
    old.topic.name = "t";
    old.topic.partitions.assign(1, replica_set{{1}});
    core.replay(old);
    REQUIRE_FALSE(core.replay(*core.decide_move("t", 0, {2})).refused);
    CHECK(placed(core, 1, 0).founders == std::vector<node_life>{{1, 10}});
    CHECK(placed(core, 1, 0).leaving == std::vector<std::int32_t>{1});
  }

  TEST_CASE("what moves is in the rows of the state") {
    auto core = cluster_of(3);
    create(core, "t", 1, 1, 1);
    const auto node = placed(core, 1, 0).nodes.front();
    const auto outcome = core.replay(*core.decide_move("t", 0, {node % 3 + 1}));
    REQUIRE(outcome.writes.size() == 1);
    controller_core again(core.bounds());
    REQUIRE(again.restore(outcome.writes[0].key, *outcome.writes[0].value));
    CHECK(again.topics() == core.topics());
    CHECK(again.replicas_on(node) == 0);
  }
}

TEST_SUITE("actors.cancelled_moves") {
  TEST_CASE("a move that is taken back ends where it began, whoever was new leaves") {
    auto core = cluster_with_topic();
    const auto founders = placed(core, 1, 0).founders;
    move(core, {4, 2, 3});
    CHECK(placed(core, 1, 0).adding() == nodes{4});
    CHECK(placed(core, 1, 0).leaving == nodes{1});
    const auto moving = placed(core, 1, 0);
    cancel(core);
    const auto& at = placed(core, 1, 0);
    CHECK(at.nodes == nodes{1, 2, 3});
    CHECK(at.leaving == nodes{4});
    // It may be on its way back to the group as well.
    CHECK(at.adding() == nodes{1});
    CHECK(at.is_changing());
    CHECK(core.moves_under_way() == 1);
    CHECK(core.replicas_on(4) == 0);
    CHECK(core.replicas_on(1) == 1);
    // What the leader says of the move has come too late.
    CHECK(core.replay(replicas_moved_command{id_of(1), 0, moving.nodes, moving.changes}).refused);
    CHECK(settle(core));
    CHECK(placed(core, 1, 0).nodes == nodes{1, 2, 3});
    CHECK_FALSE(placed(core, 1, 0).is_moving());
    CHECK_FALSE(placed(core, 1, 0).is_on(4));
    CHECK(placed(core, 1, 0).founders == founders);
    CHECK(core.decide_move("t", 0, {2, 3, 4}));
  }

  TEST_CASE("a move is taken back once, and not after its end") {
    auto core = cluster_with_topic();
    CHECK(core.decide_cancel("t", 0).error().code == errc::not_found);
    CHECK(core.decide_cancel("t", 1).error().code == errc::unknown_partition);
    CHECK(core.decide_cancel("u", 0).error().code == errc::unknown_topic);
    move(core, {4, 2, 3});
    const auto late = core.decide_cancel("t", 0);
    REQUIRE(late);
    CHECK(settle(core));
    CHECK(core.replay(*late).refused->code == errc::not_found);
    CHECK(placed(core, 1, 0).nodes == nodes{4, 2, 3});

    move(core, {1, 2, 3});
    // It is another move.
    CHECK(core.replay(*late).refused->code == errc::not_found);
    const auto twice = core.decide_cancel("t", 0);
    cancel(core);
    CHECK(core.replay(*twice).refused->code == errc::not_found);
    CHECK(core.decide_cancel("t", 0).error().code == errc::not_found);
    CHECK(core.decide_move("t", 0, {1, 2, 3}).error().code == errc::conflict);
    CHECK(settle(core));
    CHECK(placed(core, 1, 0).nodes == nodes{4, 2, 3});
    core.replay(delete_topic_command{id_of(1)});
    CHECK(core.replay(*twice).refused->code == errc::unknown_topic);
  }

  TEST_CASE("a move that was taken back goes on when a broker on its way back is gone") {
    auto core = cluster_of(6);
    create(core, "t", 1, 1, 3);
    const auto here = placed(core, 1, 0).nodes;
    nodes there;
    for (std::int32_t node = 1; node <= 6; ++node)
      if (std::ranges::find(here, node) == here.end())
        there.push_back(node);
    const auto gone = here[1];
    move(core, there);
    CHECK_FALSE(core.goes_back("t", 0));
    cancel(core);
    CHECK(core.goes_back("t", 0));
    // All are there: whoever asks twice must not turn it round.
    CHECK(core.decide_cancel("t", 0, true).error().code == errc::not_found);
    const auto life = static_cast<std::uint64_t>(gone) * 10;
    core.replay(fence_broker_command{gone, life, true});
    // Nor whoever asked for the first time, and asks again.
    CHECK(core.decide_cancel("t", 0, false).error().code == errc::not_found);
    const auto on = core.decide_cancel("t", 0, true);
    REQUIRE(on);
    const auto outcome = core.replay(*on);
    REQUIRE_FALSE(outcome.refused);
    CHECK(placed(core, 1, 0).nodes == there);
    CHECK(placed(core, 1, 0).leaving == here);
    CHECK(placed(core, 1, 0).adding() == there);
    CHECK_FALSE(core.goes_back("t", 0));
    CHECK(core.replicas_on(gone) == 0);
    CHECK(core.replay(*on).refused->code == errc::not_found);
    CHECK(core.decide_cancel("t", 0, true).error().code == errc::not_found);
    controller_core again(core.bounds());
    REQUIRE(again.restore(outcome.writes.at(0).key, *outcome.writes.at(0).value));
    CHECK(again.topics() == core.topics());

    CHECK(core.decide_remove(gone).error().code == errc::conflict);
    CHECK(settle(core));
    CHECK(placed(core, 1, 0).nodes == there);
    CHECK_FALSE(placed(core, 1, 0).is_moving());
    // Whoever gave up its replica founds nothing when it gets one again.
    for (const auto& founder : placed(core, 1, 0).founders)
      CHECK(founder.incarnation == 0);
    CHECK(core.decide_remove(gone));
  }

  TEST_CASE("a move is taken back as often as a broker on its way is gone") {
    auto core = cluster_with_topic();
    core.replay(fence_broker_command{4, 40, true});
    core.replay(fence_broker_command{1, 10, true});
    REQUIRE_FALSE(
        core.replay(move_replicas_command{id_of(1), 0, {1, 2, 3}, {4, 2, 3}, true}).refused);
    for (const bool back : {true, false, true}) {
      const auto command = core.decide_cancel("t", 0, !back);
      REQUIRE(command);
      REQUIRE_FALSE(core.replay(*command).refused);
      CHECK(placed(core, 1, 0).nodes == (back ? nodes{1, 2, 3} : nodes{4, 2, 3}));
      CHECK(placed(core, 1, 0).leaving == (back ? nodes{4} : nodes{1}));
      CHECK(core.goes_back("t", 0) == back);
    }
  }

  TEST_CASE("a broker that keeps its replica is on nobody's way") {
    auto core = cluster_with_topic();
    core.replay(fence_broker_command{4, 40, false});
    move(core, {4, 2, 3});
    cancel(core);
    core.replay(fence_broker_command{3, 30, true});
    CHECK(core.decide_cancel("t", 0, true).error().code == errc::not_found);
    core.replay(fence_broker_command{1, 10, true});
    CHECK(core.decide_cancel("t", 0, true));
  }

  TEST_CASE("replicas that are only added or only taken away move too") {
    auto core = cluster_with_topic();
    move(core, {1, 2, 3, 4});
    CHECK(placed(core, 1, 0).adding() == nodes{4});
    CHECK(placed(core, 1, 0).is_changing());
    CHECK(core.decide_move("t", 0, {1, 2}).error().code == errc::conflict);
    cancel(core);
    CHECK(placed(core, 1, 0).leaving == nodes{4});
    CHECK(settle(core));

    move(core, {1});
    CHECK(placed(core, 1, 0).leaving == nodes{2, 3});
    cancel(core);
    CHECK(placed(core, 1, 0).nodes == nodes{1, 2, 3});
    CHECK(placed(core, 1, 0).leaving.empty());
    // Some may have left already: it is to be heard that they are back.
    CHECK(placed(core, 1, 0).is_changing());
    CHECK(settle(core));

    // Another order of the same nodes moves nothing.
    move(core, {3, 1, 2});
    CHECK_FALSE(placed(core, 1, 0).is_moving());
    CHECK(core.decide_cancel("t", 0).error().code == errc::not_found);
  }

  TEST_CASE("moves of before they were remembered go on as they did") {
    auto core = cluster_with_topic();
    CHECK_FALSE(core.replay(move_replicas_command{id_of(1), 0, {1, 2, 3}, {1, 2, 3, 4}}).refused);
    CHECK_FALSE(placed(core, 1, 0).is_moving());
    CHECK_FALSE(core.replay(move_replicas_command{id_of(1), 0, {1, 2, 3, 4}, {1, 2}}).refused);
    CHECK(placed(core, 1, 0).is_moving());
    CHECK(placed(core, 1, 0).adding().empty());
    CHECK(core.decide_cancel("t", 0).error().code == errc::conflict);
    CHECK(settle(core));
  }

  TEST_CASE("a damaged replica on a broker that gives it up again is not repaired any more") {
    auto core = cluster_with_topic();
    move(core, {4, 2, 3});
    REQUIRE_FALSE(core.replay(repair_replica_command{id_of(1), 0, 4, 40}).refused);
    cancel(core);
    CHECK(placed(core, 1, 0).repairs.empty());
    CHECK(placed(core, 1, 0).leaving == nodes{4});
  }

  TEST_CASE(
      "what is taken back outlives a restart of the controller, and rows of before are read") {
    auto core = cluster_with_topic();
    move(core, {4, 2, 3});
    const auto outcome = core.replay(*core.decide_cancel("t", 0));
    REQUIRE(outcome.writes.size() == 1);
    controller_core again(core.bounds());
    REQUIRE(again.restore(outcome.writes[0].key, *outcome.writes[0].value));
    CHECK(again.topics() == core.topics());
    auto old = core.topics().at(id_of(1));
    const auto row = protocol::encode(old, 4);
    const auto read = decode_topic(row);
    REQUIRE(read);
    old.partitions[0].origin.clear();
    old.partitions[0].is_cancelled = false;
    CHECK(*read == old);
  }
}

TEST_SUITE("actors.repairs") {
  TEST_CASE("a damaged replica leaves its group, is set aside and comes back as a new one") {
    auto core = cluster_of(3);
    create(core, "t", 1, 1, 3);
    const auto nodes = placed(core, 1, 0).nodes;
    const auto bad = nodes[1];
    const auto life = static_cast<std::uint64_t>(bad) * 10;
    const repair_replica_command repair{id_of(1), 0, bad, life};
    REQUIRE(core.decide_repair(repair));
    REQUIRE_FALSE(core.replay(repair).refused);
    CHECK(placed(core, 1, 0).nodes == nodes);
    CHECK(placed(core, 1, 0).repair_of(bad) == repair_stage::leaving);
    CHECK(placed(core, 1, 0).is_changing());
    CHECK(core.lives_of(placed(core, 1, 0)).size() == 2);
    CHECK(core.repairs_under_way() == 1);
    CHECK(core.replay(repair).refused->code == errc::conflict);

    // The group goes on without it: only now its files may go.
    const auto first = placed(core, 1, 0).changes;
    CHECK(core.replay(replica_set_aside_command{id_of(1), 0, bad, first}).refused);
    CHECK(core.replay(replicas_moved_command{id_of(1), 0, nodes, first - 1}).refused);
    CHECK(core.replay(replicas_moved_command{id_of(1), 0, nodes}).refused);
    REQUIRE_FALSE(core.replay(replicas_moved_command{id_of(1), 0, nodes, first}).refused);
    CHECK(placed(core, 1, 0).repair_of(bad) == repair_stage::left);
    CHECK_FALSE(placed(core, 1, 0).is_changing());
    CHECK(core.lives_of(placed(core, 1, 0)).size() == 2);
    // Whoever is to come back must not found the group anew.
    for (const auto& founder : placed(core, 1, 0).founders)
      CHECK((founder.incarnation == 0) == (founder.node == bad));

    const auto second = placed(core, 1, 0).changes;
    CHECK(core.replay(replicas_moved_command{id_of(1), 0, nodes, second}).refused);
    CHECK(core.replay(replica_set_aside_command{id_of(1), 0, nodes[0], second}).refused);
    CHECK(core.replay(replica_set_aside_command{id_of(1), 0, bad, first}).refused);
    REQUIRE_FALSE(core.replay(replica_set_aside_command{id_of(1), 0, bad, second}).refused);
    CHECK(placed(core, 1, 0).repair_of(bad) == repair_stage::returning);
    CHECK(core.lives_of(placed(core, 1, 0)).size() == 3);
    CHECK(core.replay(replica_set_aside_command{id_of(1), 0, bad, second}).refused);

    const auto third = placed(core, 1, 0).changes;
    REQUIRE_FALSE(core.replay(replicas_moved_command{id_of(1), 0, nodes, third}).refused);
    CHECK(placed(core, 1, 0).repairs.empty());
    CHECK(placed(core, 1, 0).nodes == nodes);
    CHECK(core.repairs_under_way() == 0);
  }

  TEST_CASE("a new replica that turns out damaged too begins again") {
    auto core = cluster_of(3);
    create(core, "t", 1, 1, 3);
    const auto nodes = placed(core, 1, 0).nodes;
    const repair_replica_command repair{id_of(1), 0, 2, 20};
    core.replay(repair);
    core.replay(replicas_moved_command{id_of(1), 0, nodes, placed(core, 1, 0).changes});
    core.replay(replica_set_aside_command{id_of(1), 0, 2, placed(core, 1, 0).changes});
    REQUIRE_FALSE(core.replay(repair).refused);
    CHECK(placed(core, 1, 0).repair_of(2) == repair_stage::leaving);
  }

  TEST_CASE("one replica of a partition is repaired at a time, and only from others") {
    auto core = cluster_of(3);
    create(core, "t", 1, 1, 3);
    create(core, "alone", 2, 1, 1);
    REQUIRE_FALSE(core.replay(repair_replica_command{id_of(1), 0, 2, 20}).refused);
    CHECK(core.decide_repair({id_of(1), 0, 3, 30}).error().code == errc::conflict);
    const auto only = placed(core, 2, 0).nodes.front();
    CHECK(core.decide_repair({id_of(2), 0, only, static_cast<std::uint64_t>(only) * 10})
              .error()
              .code == errc::conflict);
    CHECK(core.decide_repair({id_of(1), 0, 1, 11}).error().code == errc::not_found);
    CHECK(core.decide_repair({id_of(1), 1, 1, 10}).error().code == errc::unknown_topic);
    CHECK(core.decide_repair({id_of(9), 0, 1, 10}).error().code == errc::unknown_topic);
  }

  TEST_CASE("a bounded number of replicas is under repair at once") {
    auto core = cluster_of(3);
    create(core, "t", 1, 20, 3);
    std::int32_t begun = 0;
    for (; begun < 20; ++begun) {
      const repair_replica_command repair{id_of(1), begun, 2, 20};
      if (const auto possible = core.decide_repair(repair); !possible) {
        CHECK(possible.error().code == errc::overloaded);
        break;
      }
      core.replay(repair);
    }
    CHECK(begun == 8);
  }

  TEST_CASE("a replica that is to move away is not repaired any more") {
    auto core = cluster_of(4);
    create(core, "t", 1, 1, 3);
    const auto nodes = placed(core, 1, 0).nodes;
    const auto bad = nodes[1];
    std::int32_t spare = 1;
    while (std::ranges::find(nodes, spare) != nodes.end())
      ++spare;
    core.replay(repair_replica_command{id_of(1), 0, bad, static_cast<std::uint64_t>(bad) * 10});
    core.replay(replicas_moved_command{id_of(1), 0, nodes, placed(core, 1, 0).changes});
    const auto move = core.decide_move("t", 0, {nodes[0], nodes[2], spare});
    REQUIRE(move);
    REQUIRE_FALSE(core.replay(*move).refused);
    CHECK(placed(core, 1, 0).repairs.empty());
    CHECK(placed(core, 1, 0).leaving == std::vector<std::int32_t>{bad});
  }

  TEST_CASE("what is said of an earlier decision about replicas has no effect") {
    auto core = cluster_of(4);
    create(core, "t", 1, 1, 3);
    const auto here = placed(core, 1, 0).nodes;
    std::int32_t spare = 1;
    while (std::ranges::find(here, spare) != here.end())
      ++spare;
    const std::vector<std::int32_t> there{here[0], here[1], spare};
    REQUIRE_FALSE(core.replay(*core.decide_move("t", 0, there)).refused);
    const replicas_moved_command settled{id_of(1), 0, there, placed(core, 1, 0).changes};
    REQUIRE_FALSE(core.replay(settled).refused);
    REQUIRE_FALSE(core.replay(*core.decide_move("t", 0, here)).refused);
    REQUIRE_FALSE(
        core.replay(replicas_moved_command{id_of(1), 0, here, placed(core, 1, 0).changes}).refused);
    REQUIRE_FALSE(core.replay(*core.decide_move("t", 0, there)).refused);
    CHECK(core.replay(settled).refused->code == errc::conflict);
    CHECK(placed(core, 1, 0).leaving == std::vector<std::int32_t>{here[2]});
  }

  TEST_CASE("files may go by the last decision about them only") {
    auto core = cluster_of(4);
    create(core, "t", 1, 1, 3);
    const auto now = placed(core, 1, 0).changes;
    const auto before = core.topics();
    CHECK_FALSE(core.replay(release_replica_command{id_of(1), 0, 2, now}).refused);
    CHECK(core.topics() == before);
    CHECK(core.replay(release_replica_command{id_of(1), 0, 2, now + 1}).refused->code ==
          errc::conflict);
    CHECK(core.replay(release_replica_command{id_of(1), 7, 2, now}).refused->code ==
          errc::unknown_topic);
    core.replay(delete_topic_command{id_of(1)});
    CHECK(core.replay(release_replica_command{id_of(1), 0, 2, now}).refused->code ==
          errc::unknown_topic);
  }

  TEST_CASE("repairs outlive a restart of the controller") {
    auto core = cluster_of(3);
    create(core, "t", 1, 1, 3);
    const auto changed = core.replay(repair_replica_command{id_of(1), 0, 2, 20});
    REQUIRE(changed.writes.size() == 1);
    controller_core again(controller_core::limits{});
    REQUIRE(again.restore(changed.writes[0].key, *changed.writes[0].value));
    CHECK(again.topics().at(id_of(1)) == core.topics().at(id_of(1)));
  }
}
