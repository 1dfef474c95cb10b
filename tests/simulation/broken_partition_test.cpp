// A partition whose state machine is out of service on one node: another node leads it.
#include "storage/log_store.hpp"
#include "tests/simulation/sim_cluster.hpp"

#include <caf/send.hpp>
#include <doctest/doctest.h>

using namespace aqueduct;
using namespace aqueduct::actors;
using namespace aqueduct::actors::test;

TEST_SUITE_BEGIN("simulation.broken_partition");

TEST_CASE("a leader that cannot apply what it commits leads no more, and is not elected again") {
  sim_cluster cluster({.seed = 7});
  for (std::int32_t node = 1; node <= 3; ++node)
    cluster.start(node);
  REQUIRE(cluster.run_until([&] { return cluster.unrest().empty(); }, 20'000));
  cluster.create_topic(cluster.controller(), "t", 1, 3);
  REQUIRE(cluster.run_until(
      [&] { return cluster.leader_of("t", 0) != 0 && cluster.unrest().empty(); }, 20'000));
  const auto broken = cluster.leader_of("t", 0);
  caf::anon_send(cluster.broker(broken).partition_of("t", 0),
                 group_event{group_failed{{errc::internal, "an invariant is broken"}}});
  const auto successor = [&] {
    for (std::int32_t node = 1; node <= 3; ++node) {
      const auto route = cluster.broker(node).directory().find("t");
      if (node != broken && route && route->partitions[0]->leader.load() == node)
        return node;
    }
    return 0;
  };
  REQUIRE(cluster.run_until([&] { return successor() != 0; }, 5'000));
  // Where it was, and is preferred to be, leadership does not return.
  cluster.run_for(30'000);
  REQUIRE(successor() != 0);
  const auto route = cluster.broker(successor()).directory().find("t");
  const group_id group{route->record.id, 0};
  CHECK_FALSE(cluster.broker(broken).report(group));
  // Nobody tells it who leads, but it knows who would.
  const auto its_own = cluster.broker(broken).directory().find("t");
  CHECK(its_own->partitions[0]->leader.load() != broken);
  CHECK(its_own->partitions[0]->leader.load() > 0);
  cluster.produce("t", 0);
  auto& producer = cluster.ledger().producers.begin()->second;
  CHECK(cluster.run_until([&] { return !producer.wanted; }, 20'000));
}

TEST_CASE("a controller that cannot apply what is committed neither leads nor writes any more") {
  sim_cluster cluster({.seed = 11});
  for (std::int32_t node = 1; node <= 3; ++node)
    cluster.start(node);
  REQUIRE(cluster.run_until([&] { return cluster.unrest().empty(); }, 20'000));
  REQUIRE(cluster.run_until([&] { return cluster.controller_can_lose_one(); }, 20'000));
  const auto broken = cluster.controller();
  const auto& store = *cluster.machine(broken).kv;
  cluster.run_for(1000);
  const auto applied = storage::read_applied_index(store, controller_group);
  REQUIRE(applied);
  auto entry = [&](std::uint64_t index, raft::entry_kind kind, const buffer& body) {
    return raft::entry{raft::log_index(index), raft::term_id(1), kind, {body.owner(), body.size()}};
  };
  const auto& to = cluster.broker(broken).controller();
  // Behind what cannot be read there may be more on the way already.
  caf::anon_send(to, group_event{group_committed{{entry(*applied + 1, raft::entry_kind::noop, {}),
                                                  entry(*applied + 2, raft::entry_kind::command,
                                                        buffer::copy_of("of the future"))}}});
  caf::anon_send(to,
                 group_event{group_committed{{entry(*applied + 3, raft::entry_kind::noop, {})}}});
  caf::anon_send(to, group_event{group_leadership{1, broken, true}});
  CHECK(cluster.run_until(
      [&] { return cluster.controller() != broken && cluster.controller() != 0; }, 5'000));
  cluster.run_for(10'000);
  CHECK(cluster.broker(broken).view()->controller == -1);
  CHECK(storage::read_applied_index(store, controller_group).value() == *applied);
  CHECK_FALSE(cluster.broker(broken).report(controller_group));
}

TEST_SUITE_END();
