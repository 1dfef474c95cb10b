// The life of a node in virtual time: what clients see across clean stops and restarts.
#include "tests/simulation/sim_node.hpp"

#include <doctest/doctest.h>

using namespace aqueduct;
using namespace aqueduct::actors;
using namespace aqueduct::actors::test;

namespace {

std::map<std::int64_t, std::string> read_all(sim_node& node, const std::string& topic,
                                             std::int32_t partition, std::int64_t from = 0) {
  std::map<std::int64_t, std::string> all;
  while (true) {
    const auto fetched = node.fetch(topic, partition, from);
    REQUIRE(fetched->has_value());
    REQUIRE_MESSAGE((*fetched)->error == errc::none, (*fetched)->message);
    const auto values = values_of((*fetched)->records);
    REQUIRE(values);
    if (values->empty())
      return all;
    all.insert(values->begin(), values->end());
    from = all.rbegin()->first + 1;
  }
}

void require_done(const answer<result<topic_outcome>>& answered) {
  REQUIRE(answered->has_value());
  const auto& outcome = **answered;
  REQUIRE_MESSAGE(outcome, to_string(outcome ? error{errc::none, {}} : outcome.error()));
}

} // namespace

TEST_SUITE("simulation.node") {
  TEST_CASE("an empty machine becomes a cluster of one") {
    sim_machine machine(1);
    sim_node node(machine);
    node.settle();
    REQUIRE(node.is_ready());
  }

  TEST_CASE("what was produced is fetched in order, before and after a clean restart") {
    sim_machine machine(2);
    {
      sim_node node(machine);
      node.settle();
      require_done(node.create_topic("t", 2));
      for (int i = 0; i < 100; ++i) {
        const auto produced = node.produce("t", i % 2, make_batch("v" + std::to_string(i)));
        REQUIRE(produced->has_value());
        CHECK((*produced)->base_offset == i / 2);
      }
      CHECK(read_all(node, "t", 0).size() == 50);
      node.stop();
    }
    sim_node node(machine);
    node.settle();
    const auto values = read_all(node, "t", 1);
    REQUIRE(values.size() == 50);
    CHECK(values.at(0) == "v1");
    CHECK(values.at(49) == "v99");
  }

  TEST_CASE("a fetch at the end waits for the next batch and gets it") {
    sim_machine machine(3);
    sim_node node(machine);
    node.settle();
    require_done(node.create_topic("t", 1));
    const auto waiting = node.fetch("t", 0, 0, true);
    REQUIRE(waiting->has_value());
    CHECK((*waiting)->waiting);
    (void)node.produce("t", 0, make_batch("x"));
    CHECK_FALSE((*waiting)->waiting);
    CHECK(values_of((*waiting)->records)->at(0) == "x");
  }

  TEST_CASE("a repeat of an idempotent batch gets its first offset, also after a restart") {
    sim_machine machine(4);
    {
      sim_node node(machine);
      node.settle();
      require_done(node.create_topic("t", 1));
      for (int i = 0; i < 7; ++i)
        CHECK((*node.produce("t", 0, make_batch("v", 9, i)))->base_offset == i);
      CHECK((*node.produce("t", 0, make_batch("v", 9, 4)))->base_offset == 4);
      CHECK((*node.produce("t", 0, make_batch("v", 9, 0)))->error == errc::duplicate_sequence);
      CHECK((*node.produce("t", 0, make_batch("v", 9, 9)))->error == errc::out_of_order_sequence);
      node.stop();
    }
    sim_node node(machine);
    node.settle();
    CHECK((*node.produce("t", 0, make_batch("v", 9, 6)))->base_offset == 6);
    CHECK((*node.produce("t", 0, make_batch("v", 9, 7)))->base_offset == 7);
    CHECK(read_all(node, "t", 0).size() == 8);
  }

  TEST_CASE("deleted records stay deleted, and their files go") {
    sim_machine machine(5);
    {
      sim_node node(machine);
      node.settle();
      require_done(node.create_topic("t", 1));
      for (int i = 0; i < 200; ++i)
        (void)node.produce("t", 0, make_batch(std::string(100, 'x')));
      const auto before = machine.disk->used_bytes();
      const auto trimmed = node.trim("t", 0, 150);
      node.run_for(2000);
      REQUIRE(trimmed->has_value());
      CHECK((*trimmed)->log_start == 150);
      CHECK(machine.disk->used_bytes() < before);
      CHECK((*node.fetch("t", 0, 149))->error == errc::offset_out_of_range);
      node.stop();
    }
    sim_node node(machine);
    node.settle();
    CHECK(read_all(node, "t", 0, 150).size() == 50);
    CHECK((*node.fetch("t", 0, 149))->error == errc::offset_out_of_range);
    CHECK((*node.find_offset("t", 0, protocol::earliest_timestamp))->offset == 150);
  }

  TEST_CASE("a topic that is deleted and created again starts at offset 0 without old files") {
    sim_machine machine(6);
    sim_node node(machine);
    node.settle();
    require_done(node.create_topic("t", 1));
    (void)node.produce("t", 0, make_batch("old"));
    const auto old_id = node.directory().find("t")->record.id;
    require_done(node.delete_topic("t"));
    node.run_for(1000);
    for (const auto& path : machine.disk->files())
      CHECK(path.find(to_string(old_id)) == std::string::npos);
    require_done(node.create_topic("t", 1));
    CHECK((*node.produce("t", 0, make_batch("new")))->base_offset == 0);
    CHECK(read_all(node, "t", 0).at(0) == "new");
  }

  TEST_CASE("retention by size deletes old segments through the log") {
    sim_machine machine(7);
    sim_node node(machine);
    node.settle();
    require_done(node.create_topic("t", 1));
    require_done(node.alter_topic("t", "retention.bytes", "65536"));
    for (int i = 0; i < 600; ++i)
      (void)node.produce("t", 0, make_batch(std::string(100, 'x')));
    node.run_for(70'000);
    const auto start = (*node.find_offset("t", 0, protocol::earliest_timestamp))->offset;
    CHECK(start > 100);
    CHECK(start < 600);
    CHECK((*node.describe("t", 0))->size_bytes < 70'000);
  }

  TEST_CASE("retention by time deletes all of a log that nobody writes to") {
    sim_machine machine(9);
    sim_node node(machine);
    node.settle();
    require_done(node.create_topic("t", 1));
    require_done(node.alter_topic("t", "retention.ms", "60000"));
    for (int i = 0; i < 600; ++i)
      (void)node.produce("t", 0, make_batch(std::string(100, 'x')));
    node.run_for(50'000);
    CHECK((*node.describe("t", 0))->size_bytes > 60'000);
    node.run_for(60'000);
    const auto described = **node.describe("t", 0);
    CHECK(described.log_start == 600);
    CHECK(described.high_watermark == 600);
    CHECK(described.size_bytes < 1000);
    // Once is enough.
    const auto changes = machine.disk->counts().changes;
    node.run_for(120'000);
    CHECK(machine.disk->counts().changes - changes < 10);
    CHECK((*node.produce("t", 0, make_batch("new")))->base_offset == 600);
    CHECK(read_all(node, "t", 0, 600).at(600) == "new");
  }

  TEST_CASE("a trim to the end leaves no file with records") {
    sim_machine machine(10);
    {
      sim_node node(machine);
      node.settle();
      require_done(node.create_topic("t", 1));
      for (int i = 0; i < 100; ++i)
        (void)node.produce("t", 0, make_batch(std::string(100, 'x')));
      REQUIRE((*node.trim("t", 0, 100)).has_value());
      node.run_for(2000);
      CHECK((*node.describe("t", 0))->size_bytes < 1000);
    }
    machine.crash(1);
    sim_node node(machine);
    node.settle();
    CHECK((*node.describe("t", 0))->log_start == 100);
    CHECK((*node.produce("t", 0, make_batch("new")))->base_offset == 100);
    CHECK(read_all(node, "t", 0, 100).at(100) == "new");
  }

  TEST_CASE("the log stays as long as the state that could be rebuilt from it is not durable") {
    sim_machine machine(7);
    sim_node node(machine);
    node.settle();
    require_done(node.create_topic("t", 1));
    require_done(node.alter_topic("t", "retention.bytes", "65536"));
    for (int i = 0; i < 600; ++i)
      (void)node.produce("t", 0, make_batch(std::string(100, 'x')));
    node.run_for(1);
    const auto files = machine.disk->files().size();
    machine.store->fail_syncs(1);
    node.run_for(70'000);
    const auto start = (*node.find_offset("t", 0, protocol::earliest_timestamp))->offset;
    CHECK(start > 100);
    CHECK(machine.disk->files().size() == files);
    // Nothing is wrong with the partition, and the next trim takes all of it.
    CHECK((*node.produce("t", 0, make_batch("new")))->error == errc::none);
    for (int i = 0; i < 200; ++i)
      (void)node.produce("t", 0, make_batch(std::string(100, 'x')));
    node.run_for(70'000);
    CHECK((*node.find_offset("t", 0, protocol::earliest_timestamp))->offset > start);
    CHECK((*node.describe("t", 0))->size_bytes < 70'000);
  }

  TEST_CASE("an offset is found by time") {
    sim_machine machine(8);
    sim_node node(machine);
    node.settle();
    require_done(node.create_topic("t", 1));
    for (int i = 0; i < 50; ++i)
      (void)node.produce("t", 0, make_batch("v", start_time_ms + 1000 * (i + 1)));
    const auto found = node.find_offset("t", 0, start_time_ms + 20'500);
    REQUIRE(found->has_value());
    CHECK((*found)->offset == 20);
    CHECK((*found)->timestamp_ms == start_time_ms + 21'000);
    CHECK((*node.find_offset("t", 0, start_time_ms + 99'000))->offset == -1);
  }

  TEST_CASE("a failed sync takes the partition out of service and loses nothing acknowledged") {
    sim_machine machine(9);
    {
      sim_node node(machine);
      node.settle();
      require_done(node.create_topic("t", 2));
      REQUIRE((*node.produce("t", 0, make_batch("kept")))->error == errc::none);
      const auto id = to_string(node.directory().find("t")->record.id);
      machine.disk->fail_syncs(id + "/0");
      CHECK((*node.produce("t", 0, make_batch("lost")))->error == errc::storage_failed);
      CHECK((*node.produce("t", 0, make_batch("refused")))->error == errc::storage_failed);
      CHECK((*node.produce("t", 1, make_batch("other")))->error == errc::none);
    }
    machine.crash(1);
    sim_node node(machine);
    node.settle();
    const auto values = read_all(node, "t", 0);
    CHECK(values.at(0) == "kept");
    CHECK(read_all(node, "t", 1).at(0) == "other");
  }

  TEST_CASE("flushing by interval, a power cut costs at most what came since the last sync") {
    for (const std::int64_t interval_ms : {20, 5'000}) {
      std::size_t lost = 0;
      for (std::uint64_t seed = 1; seed <= 16; ++seed) {
        CAPTURE(interval_ms);
        CAPTURE(seed);
        sim_machine machine(seed);
        {
          sim_node::options options;
          options.flush = storage::flush_mode::interval;
          options.sync_interval_ms = interval_ms;
          sim_node node(machine, options);
          node.settle();
          require_done(node.create_topic("t", 1));
          REQUIRE((*node.produce("t", 0, make_batch("old")))->error == errc::none);
          node.run_for(interval_ms);
          REQUIRE((*node.produce("t", 0, make_batch("new")))->error == errc::none);
          machine.disk->crash_after(0);
        }
        machine.crash(seed);
        sim_node node(machine);
        node.settle();
        const auto values = read_all(node, "t", 0);
        REQUIRE(values.contains(0));
        CHECK(values.at(0) == "old");
        lost += values.contains(1) ? 0 : 1;
      }
      // Otherwise nothing was left to the interval.
      CHECK(lost > 0);
    }
  }

  TEST_CASE("what an operator has made durable outlives a power cut, whatever is left to time") {
    for (const bool asks : {true, false}) {
      std::size_t lost = 0;
      for (std::uint64_t seed = 1; seed <= 16; ++seed) {
        CAPTURE(asks);
        CAPTURE(seed);
        sim_machine machine(seed);
        {
          sim_node::options options;
          options.flush = storage::flush_mode::os;
          sim_node node(machine, options);
          node.settle();
          require_done(node.create_topic("t", 1));
          REQUIRE((*node.produce("t", 0, make_batch("written")))->error == errc::none);
          if (asks) {
            const auto synced = node.sync();
            REQUIRE(synced->has_value());
            REQUIRE((*synced)->has_value());
          }
          machine.disk->crash_after(0);
        }
        machine.crash(seed);
        sim_node node(machine);
        node.settle();
        const auto topic = node.directory().find("t");
        lost += topic && read_all(node, "t", 0).contains(0) ? 0 : 1;
      }
      CHECK((lost == 0) == asks);
    }
  }
}
