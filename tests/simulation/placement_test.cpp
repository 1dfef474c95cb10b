// Where replicas go when the brokers have told the controller of their disks.
#include "protocol/bytes.hpp"
#include "tests/simulation/sim_cluster.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <vector>

using namespace aqueduct;
using namespace aqueduct::actors;
using namespace aqueduct::actors::test;

TEST_SUITE_BEGIN("simulation.placement");

namespace {

constexpr std::int64_t patience_ms = 30'000;

/// Leaves a twentieth of the disk.
void fill_disk(sim_cluster& cluster, std::int32_t node) {
  constexpr std::uint64_t size = 16 << 20;
  auto& disk = *cluster.machine(node).disk;
  const auto file = disk.open("/filler", storage::open_mode::create);
  REQUIRE(file);
  const std::vector<std::byte> bytes(size / 20 * 19);
  REQUIRE((*file)->write_at(0, byte_span(bytes)));
  disk.set_capacity(size);
}

} // namespace

TEST_CASE("a broker that says its disk is full gets no replica while others have room") {
  sim_cluster cluster({.nodes = 4});
  for (std::int32_t node = 1; node <= 4; ++node)
    cluster.start(node);
  fill_disk(cluster, 3);
  REQUIRE(cluster.run_until(
      [&] {
        for (std::int32_t node = 1; node <= 4; ++node)
          if (!cluster.is_ready(node))
            return false;
        return cluster.controller() != 0;
      },
      patience_ms));
  // Every broker has given more than one sign of life.
  cluster.run_for(1'000);
  cluster.create_topic(1, "t", 8, 3);
  REQUIRE(cluster.run_until([&] { return !cluster.topics().empty(); }, patience_ms));
  for (const auto& placed : cluster.topics().front()->record.partitions) {
    CHECK(placed.nodes.size() == 3);
    CHECK_FALSE(placed.is_on(3));
  }
  // Where there is no other one it has to take them.
  cluster.create_topic(1, "u", 1, 4);
  REQUIRE(cluster.run_until([&] { return cluster.topics().size() == 2; }, patience_ms));
  for (const auto& topic : cluster.topics())
    CHECK(topic->record.partitions.front().is_on(3) == (topic->record.name == "u"));
}

TEST_SUITE_END();
