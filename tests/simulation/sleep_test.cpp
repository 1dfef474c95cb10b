// Partitions that nobody uses go to sleep: what they answer then, what wakes them, and what happens
// to those who ask in between.
#include "tests/simulation/sim_node.hpp"

#include <doctest/doctest.h>

#include <functional>
#include <set>
#include <utility>

using namespace aqueduct;
using namespace aqueduct::actors;
using namespace aqueduct::actors::test;

namespace {

constexpr std::int64_t idle_ms = 5000;
/// Until whatever may sleep does: the timeout, a quarter more, and the ticks in between.
constexpr std::int64_t bedtime_ms = 10'000;

sim_node::options sleepy() {
  sim_node::options options;
  options.idle_timeout_ms = idle_ms;
  return options;
}

void create(sim_node& node, std::int32_t partitions = 1) {
  node.settle();
  const auto created = node.create_topic("t", partitions);
  REQUIRE(created->has_value());
  REQUIRE(**created);
}

void produce(sim_node& node, int first, int count) {
  for (int i = first; i < first + count; ++i) {
    const auto answered = node.produce("t", 0, make_batch("v" + std::to_string(i), 7, i));
    REQUIRE(answered->has_value());
    REQUIRE_MESSAGE((*answered)->error == errc::none, (*answered)->message);
    CHECK((*answered)->base_offset == i);
  }
}

/// All values from the log start on, in order and without a hole.
void check_holds(sim_node& node, int count, std::int64_t from = 0) {
  std::map<std::int64_t, std::string> all;
  for (auto offset = from;;) {
    const auto fetched = node.fetch("t", 0, offset);
    REQUIRE(fetched->has_value());
    REQUIRE_MESSAGE((*fetched)->error == errc::none, (*fetched)->message);
    const auto values = values_of((*fetched)->records);
    REQUIRE(values);
    if (values->empty())
      break;
    all.insert(values->begin(), values->end());
    offset = values->rbegin()->first + 1;
  }
  REQUIRE(all.size() == static_cast<std::size_t>(count - from));
  for (const auto& [offset, value] : all)
    CHECK(value == "v" + std::to_string(offset));
}

} // namespace

TEST_SUITE("simulation.sleep") {
  TEST_CASE("a partition that nobody uses closes its group and opens it for the next request") {
    sim_machine machine(1);
    sim_node node(machine, sleepy());
    create(node);
    const auto asleep = node.actor_count();
    produce(node, 0, 20);
    CHECK(node.actor_count() == asleep + 1);
    node.run_for(bedtime_ms);
    CHECK(node.actor_count() == asleep);

    // The controller's own file is closed meanwhile.
    node.run_for(70'000);
    const auto changes = machine.disk->counts().changes;
    node.run_for(60'000);
    CHECK(machine.disk->counts().changes == changes);
    check_holds(node, 20);
    CHECK(node.actor_count() == asleep + 1);
    CHECK((*node.produce("t", 0, make_batch("v7", 7, 19)))->base_offset == 19);
    produce(node, 20, 5);
    node.run_for(bedtime_ms);
    CHECK(node.actor_count() == asleep);
    check_holds(node, 25);
  }

  TEST_CASE("an idle timeout of 0 keeps partitions awake") {
    sim_machine machine(2);
    sim_node node(machine);
    create(node);
    const auto asleep = node.actor_count();
    produce(node, 0, 1);
    node.run_for(bedtime_ms);
    CHECK(node.actor_count() == asleep + 1);
  }

  TEST_CASE("who waits keeps the partition awake") {
    sim_machine machine(3);
    sim_node node(machine, sleepy());
    create(node);
    const auto asleep = node.actor_count();
    const auto waiting = node.fetch("t", 0, 0, true);
    node.run_for(3 * bedtime_ms);
    CHECK(node.actor_count() == asleep + 1);
    REQUIRE(waiting->has_value());
    CHECK((*waiting)->waiting);
    produce(node, 0, 1);
    CHECK_FALSE((*waiting)->waiting);
    node.run_for(bedtime_ms);
    CHECK(node.actor_count() == asleep);
  }

  TEST_CASE("who looks at a sleeping partition neither wakes it nor keeps it awake") {
    sim_machine machine(4);
    sim_node node(machine, sleepy());
    create(node);
    const auto asleep = node.actor_count();
    produce(node, 0, 20);
    (void)node.trim("t", 0, 3);
    const auto awake = **node.describe("t", 0);
    CHECK(awake.log_start == 3);
    CHECK(awake.high_watermark == 20);
    CHECK(awake.oldest_ms == start_time_ms);
    for (int i = 0; i < 20; ++i) {
      node.run_for(1000);
      CHECK((*node.describe("t", 0))->error == errc::none);
    }
    CHECK(node.actor_count() == asleep);
    const auto resting = **node.describe("t", 0);
    CHECK(resting.leader == awake.leader);
    CHECK(resting.leader_epoch == awake.leader_epoch);
    CHECK(resting.log_start == awake.log_start);
    CHECK(resting.high_watermark == awake.high_watermark);
    CHECK(resting.last_stable == awake.last_stable);
    CHECK(resting.oldest_ms == awake.oldest_ms);
    CHECK(resting.size_bytes > 0);
    CHECK((*node.find_offset("t", 0, protocol::latest_timestamp))->offset == 20);
    CHECK((*node.find_offset("t", 0, protocol::earliest_timestamp))->offset == 3);
    CHECK(node.actor_count() == asleep);
    CHECK((*node.find_offset("t", 0, start_time_ms))->offset == 3);
    CHECK(node.actor_count() == asleep + 1);
  }

  TEST_CASE("a partition that was never written is described without an election") {
    sim_machine machine(5);
    sim_node node(machine);
    create(node, 50);
    const auto actors = node.actor_count();
    const auto changes = machine.disk->counts().changes;
    for (std::int32_t i = 0; i < 50; ++i)
      for (int again = 0; again < 2; ++again) {
        const auto described = node.describe("t", i);
        REQUIRE(described->has_value());
        CHECK((*described)->error == errc::none);
        CHECK((*described)->leader == 1);
        CHECK((*described)->log_start == 0);
        CHECK((*described)->high_watermark == 0);
        CHECK((*described)->size_bytes == 0);
        CHECK((*described)->oldest_ms == -1);
      }
    CHECK(node.actor_count() == actors);
    CHECK(machine.disk->counts().changes == changes);
    produce(node, 0, 1);
    CHECK((*node.describe("t", 0))->high_watermark == 1);
  }

  TEST_CASE("a partition with data is described rightly right after a start") {
    sim_machine machine(6);
    {
      sim_node node(machine);
      create(node);
      produce(node, 0, 9);
      // No clean stop: the state is behind the log.
    }
    machine.crash(1);
    sim_node node(machine, sleepy());
    node.settle();
    CHECK((*node.describe("t", 0))->high_watermark == 9);
  }

  TEST_CASE("a request at any moment of going to sleep is served") {
    std::int64_t falls_asleep_after = 0;
    {
      sim_machine machine(7);
      sim_node node(machine, sleepy());
      create(node);
      const auto asleep = node.actor_count();
      produce(node, 0, 3);
      for (; node.actor_count() > asleep; ++falls_asleep_after)
        node.run_for(1);
    }
    REQUIRE(falls_asleep_after > idle_ms);
    using moment = std::function<void(sim_machine&, sim_node&)>;
    const std::pair<std::string, moment> requests[] = {
        {"produce",
         [](sim_machine&, sim_node& node) {
           produce(node, 3, 1);
           check_holds(node, 4);
         }},
        {"describe",
         [](sim_machine&, sim_node& node) {
           const auto described = node.describe("t", 0);
           REQUIRE(described->has_value());
           CHECK((*described)->high_watermark == 3);
         }},
        {"fetch and wait",
         [](sim_machine&, sim_node& node) {
           const auto waiting = node.fetch("t", 0, 3, true);
           REQUIRE(waiting->has_value());
           CHECK((*waiting)->waiting);
           node.run_for(bedtime_ms);
           produce(node, 3, 1);
           CHECK_FALSE((*waiting)->waiting);
         }},
        {"delete the topic",
         [](sim_machine& machine, sim_node& node) {
           const auto deleted = node.delete_topic("t");
           node.run_for(1000);
           REQUIRE(deleted->has_value());
           CHECK((*deleted)->has_value());
           CHECK(machine.disk->files().size() == 1);
         }},
        {"stop the node",
         [](sim_machine& machine, sim_node& node) {
           node.stop();
           CHECK(node.actor_count() <= 4);
           sim_node next(machine, sleepy());
           next.settle();
           check_holds(next, 3);
         }},
    };
    std::set<std::size_t> actors_seen;
    for (const auto& [name, request] : requests)
      for (std::size_t steps = 0; steps < 40; ++steps) {
        CAPTURE(name);
        CAPTURE(steps);
        sim_machine machine(7);
        sim_node node(machine, sleepy());
        create(node);
        produce(node, 0, 3);
        node.run_for(falls_asleep_after - 1);
        node.run_part(steps);
        actors_seen.insert(node.actor_count());
        request(machine, node);
      }
    // The requests came before, during and after.
    CHECK(actors_seen.size() == 2);
  }

  TEST_CASE("a power cut at any change of the disk while partitions sleep and wake loses nothing") {
    const auto live = [](sim_machine& machine) {
      int acked = 0;
      sim_node node(machine, sleepy());
      node.settle();
      const auto created = node.create_topic("t", 1);
      for (int round = 0; round < 3 && !machine.disk->is_powerless(); ++round) {
        for (int i = 0; i < 4; ++i) {
          const auto answered =
              node.produce("t", 0, make_batch("v" + std::to_string(acked), 7, acked));
          if (!answered->has_value() || (*answered)->error != errc::none)
            return acked;
          ++acked;
        }
        node.run_for(bedtime_ms);
      }
      return acked;
    };
    std::uint64_t changes = 0;
    {
      sim_machine machine(8);
      REQUIRE(live(machine) == 12);
      changes = machine.disk->counts().changes;
    }
    for (std::uint64_t cut = 0; cut < changes; ++cut) {
      CAPTURE(cut);
      sim_machine machine(8);
      machine.disk->crash_after(cut);
      const auto acked = live(machine);
      machine.crash(cut);
      sim_node node(machine, sleepy());
      node.settle();
      REQUIRE(node.is_ready());
      (void)node.create_topic("t", 1);
      for (int i = acked; i < acked + 3; ++i) {
        const auto answered = node.produce("t", 0, make_batch("v" + std::to_string(i), 7, i));
        REQUIRE(answered->has_value());
        REQUIRE_MESSAGE((*answered)->error == errc::none, (*answered)->message);
        CHECK((*answered)->base_offset == i);
      }
      check_holds(node, acked + 3);
    }
  }

  TEST_CASE("retention deletes from a sleeping partition, and lets it sleep on") {
    sim_machine machine(9);
    sim_node node(machine, sleepy());
    create(node);
    const auto asleep = node.actor_count();
    const auto set = [&](const std::string& name, const std::string& value) {
      const auto altered = node.alter_topic("t", name, value);
      REQUIRE(altered->has_value());
      REQUIRE_MESSAGE((*altered)->has_value(), (*altered)->error().message);
    };
    set("segment.ms", "20000");
    set("retention.ms", "120000");
    produce(node, 0, 60);
    node.run_for(60'000);
    CHECK(node.actor_count() == asleep);
    CHECK((*node.describe("t", 0))->log_start == 0);
    const auto size = (*node.describe("t", 0))->size_bytes;
    SUBCASE("when its time has come") {
      node.run_for(120'000);
    }
    SUBCASE("when the limit becomes smaller") {
      set("retention.ms", "30000");
      node.run_for(20'000);
    }
    const auto described = **node.describe("t", 0);
    CHECK(described.log_start == 60);
    CHECK(described.high_watermark == 60);
    CHECK(described.oldest_ms == -1);
    CHECK(described.size_bytes < size);
    CHECK(node.actor_count() == asleep);
    node.run_for(70'000);
    const auto changes = machine.disk->counts().changes;
    node.run_for(120'000);
    CHECK(machine.disk->counts().changes == changes);
    produce(node, 60, 1);
  }

  TEST_CASE("a close that fails takes the partition out of service until a restart") {
    sim_machine machine(10);
    {
      sim_node node(machine, sleepy());
      create(node);
      produce(node, 0, 3);
      machine.disk->fail_syncs(to_string(node.directory().find("t")->record.id) + "/0");
      node.run_for(bedtime_ms);
      CHECK((*node.produce("t", 0, make_batch("x")))->error == errc::storage_failed);
      CHECK((*node.describe("t", 0))->error == errc::storage_failed);
    }
    machine.crash(1);
    sim_node node(machine, sleepy());
    node.settle();
    check_holds(node, 3);
  }

  TEST_CASE("files that a crash kept from being deleted go when the partition wakes") {
    std::size_t trimmed = 0;
    for (std::uint64_t cut = 0; cut < 12; ++cut) {
      CAPTURE(cut);
      sim_machine machine(11);
      std::uint64_t full = 0;
      {
        sim_node node(machine);
        create(node);
        produce(node, 0, 100);
        node.run_for(2000);
        full = machine.disk->used_bytes();
        machine.disk->crash_after(cut);
        (void)node.trim("t", 0, 90);
        node.run_for(2000);
      }
      machine.crash(cut);
      sim_node node(machine);
      node.settle();
      node.run_for(3000);
      const auto start = (*node.find_offset("t", 0, protocol::earliest_timestamp))->offset;
      if (start == 90) {
        ++trimmed;
        CHECK(machine.disk->used_bytes() < full - 2048);
      }
      check_holds(node, 100, start);
    }
    CHECK(trimmed > 3);
  }
}
