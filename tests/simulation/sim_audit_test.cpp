// The audit of the disks has to notice a state that is not that of the other replicas.
#include "actors/partition/partition_rows.hpp"
#include "tests/simulation/sim_cluster.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace aqueduct;
using namespace aqueduct::actors;
using namespace aqueduct::actors::test;

TEST_SUITE("simulation.audit") {
  TEST_CASE("a row that one replica alone has is noticed") {
    sim_cluster cluster({.seed = 3});
    for (std::int32_t node = 1; node <= 3; ++node)
      cluster.start(node);
    REQUIRE(cluster.run_until([&] { return cluster.unrest().empty(); }, 30'000));
    cluster.create_topic(cluster.controller(), "t", 1, 3);
    REQUIRE(cluster.run_until([&] { return !cluster.topics().empty(); }, 10'000));
    for (int i = 0; i < 5; ++i) {
      cluster.produce("t", 0);
      REQUIRE(cluster.run_until([&] { return cluster.unrest().empty(); }, 30'000));
    }
    const group_id group{cluster.topics().front()->record.id, 0};
    const auto spoil = [&](storage::family in, const std::string& key) {
      storage::write_batch batch;
      batch.put(in, key, "nobody else has this");
      REQUIRE(cluster.machine(2).kv->write(batch, storage::durability::synced));
    };
    std::string row;
    SUBCASE("nothing is wrong") {}
    SUBCASE("of a partition") {
      row = producer_key(4711);
      spoil(storage::family::partition_state, storage::group_prefix(group) + row);
    }
    SUBCASE("of the controller") {
      row = "topic/of-nobody";
      spoil(storage::family::cluster_state, "state/" + row);
    }
    cluster.audit();

    CHECK(cluster.states_compared() >= 2);
    CHECK(cluster.rows_compared() > 4);
    const auto broken = cluster.ledger().take_broken();
    REQUIRE(broken.empty() == row.empty());
    if (!row.empty())
      CHECK(broken.front().ends_with("differ at row " + row));
  }
}
