// The scrub of a running node: what it finds, what it leaves alone, and when it runs.
#include "tests/simulation/sim_node.hpp"

#include <doctest/doctest.h>

using namespace aqueduct;
using namespace aqueduct::actors;
using namespace aqueduct::actors::test;

namespace {

constexpr std::int64_t minute_ms = 60'000;

/// Many segments in partition 0 of topic "t", and a few records in partition 1.
void fill(sim_node& node) {
  node.settle();
  const auto created = node.create_topic("t", 2);
  REQUIRE(created->has_value());
  for (int i = 0; i < 60; ++i)
    REQUIRE((*node.produce("t", 0, make_batch(std::string(200, 'x'))))->error == errc::none);
  REQUIRE((*node.produce("t", 1, make_batch("y")))->error == errc::none);
}

/// The segments of partition 0, ascending.
std::vector<std::string> segments_of(sim_machine& machine, sim_node& node) {
  const auto folder = to_string(node.directory().find("t")->record.id) + "/0/";
  std::vector<std::string> found;
  for (const auto& path : machine.disk->files())
    if (path.find(folder) != std::string::npos)
      found.push_back(path);
  return found;
}

void require_begun(const answer<result<void>>& answered) {
  REQUIRE(answered->has_value());
  REQUIRE(**answered);
}

} // namespace

TEST_SUITE("simulation.scrub") {
  TEST_CASE("a scrub of a sound node reads all closed segments and finds nothing") {
    sim_machine machine(1);
    sim_node node(machine);
    fill(node);
    require_begun(node.scrub());
    node.run_for(100);
    const auto report = node.last_scrub();
    CHECK_FALSE(report->is_running);
    CHECK(report->end == scrub_end::complete);
    CHECK(report->groups_total == 3);
    CHECK(report->groups_done == 3);
    CHECK(report->entries > 40);
    CHECK(report->batches > 40);
    CHECK(report->damages.empty());
    CHECK(report->last_complete_ms >= start_time_ms);
  }

  TEST_CASE("a flipped bit in a closed segment is named, and everything else is served") {
    sim_machine machine(2);
    sim_node node(machine);
    fill(node);
    const auto segments = segments_of(machine, node);
    REQUIRE(segments.size() > 3);
    REQUIRE(machine.disk->flip_bit(segments[1], 400, 3));
    const auto files = machine.disk->files();

    require_begun(node.scrub("t"));
    node.run_for(100);
    const auto report = node.last_scrub();
    CHECK(report->end == scrub_end::complete);
    REQUIRE(report->damages.size() == 1);
    CHECK(report->damages[0].name == "t:0");
    CHECK(report->damages[0].code == errc::storage_damaged);
    CHECK(report->damages[0].message.find(segments[1]) != std::string::npos);
    CHECK(report->damages[0].message.find("(entry ") != std::string::npos);
    // What is behind the damage was read too.
    CHECK(report->entries > 40);

    CHECK(machine.disk->files() == files);
    CHECK((*node.produce("t", 0, make_batch("z")))->error == errc::none);
    std::size_t damaged = 0;
    std::size_t readable = 0;
    for (std::int64_t offset = 0; offset < 60; ++offset) {
      const auto fetched = node.fetch("t", 0, offset);
      REQUIRE(fetched->has_value());
      if ((*fetched)->error == errc::storage_damaged)
        ++damaged;
      else if ((*fetched)->error == errc::none)
        ++readable;
    }
    CHECK(damaged > 0);
    CHECK(readable > 45);
    CHECK(damaged + readable == 60);
  }

  TEST_CASE("damage is remembered across a restart until a scrub finds it gone") {
    sim_machine machine(3);
    std::string path;
    {
      sim_node node(machine);
      fill(node);
      path = segments_of(machine, node)[1];
      REQUIRE(machine.disk->flip_bit(path, 400, 3));
      require_begun(node.scrub());
      node.run_for(100);
      REQUIRE(node.last_scrub()->damages.size() == 1);
      node.stop();
    }
    sim_node node(machine);
    node.settle();
    CHECK(node.last_scrub()->damages.size() == 1);
    REQUIRE(machine.disk->flip_bit(path, 400, 3));
    require_begun(node.scrub("t", 0));
    node.run_for(100);
    CHECK(node.last_scrub()->damages.empty());
  }

  TEST_CASE("a segment that cannot be read is reported, and the others are checked") {
    sim_machine machine(4);
    sim_node node(machine);
    fill(node);
    const auto segments = segments_of(machine, node);
    machine.disk->fail_reads(segments[2], 0, 1 << 20);
    require_begun(node.scrub());
    node.run_for(100);
    const auto report = node.last_scrub();
    REQUIRE(report->damages.size() == 1);
    CHECK(report->damages[0].code == errc::storage_failed);
    CHECK(report->entries > 40);
  }

  TEST_CASE("a scrub keeps to its rate, refuses a second one, and can be stopped") {
    sim_machine machine(5);
    sim_node::options options;
    options.scrub.rate = 4096;
    sim_node node(machine, options);
    fill(node);
    require_begun(node.scrub("t", 0));
    node.run_for(1000);
    CHECK(node.last_scrub()->is_running);
    CHECK(node.last_scrub()->current == "t:0");
    CHECK(node.last_scrub()->bytes >= 4096);
    CHECK(node.last_scrub()->bytes < 3 * 4096);
    const auto second = node.scrub();
    REQUIRE(second->has_value());
    REQUIRE_FALSE(**second);
    CHECK((*second)->error().code == errc::conflict);
    node.stop_scrub();
    CHECK_FALSE(node.last_scrub()->is_running);
    CHECK(node.last_scrub()->end == scrub_end::stopped);
    const auto bytes = node.last_scrub()->bytes;
    node.run_for(5000);
    CHECK(node.last_scrub()->bytes == bytes);
    require_begun(node.scrub("t", 1));
  }

  TEST_CASE("a scrub of what is not there is refused") {
    sim_machine machine(6);
    sim_node node(machine);
    fill(node);
    CHECK((*node.scrub("nowhere"))->error().code == errc::unknown_topic);
    CHECK((*node.scrub("t", 2))->error().code == errc::unknown_partition);
    CHECK(node.last_scrub()->end == scrub_end::none);
  }

  TEST_CASE("the node scrubs itself when the interval is over, also across restarts") {
    sim_machine machine(7);
    sim_node::options options;
    options.scrub.interval_ms = 5 * minute_ms;
    {
      sim_node node(machine, options);
      fill(node);
      node.run_for(3 * minute_ms);
      CHECK(node.last_scrub()->last_complete_ms == -1);
      node.stop();
    }
    sim_node node(machine, options);
    node.run_for(3 * minute_ms);
    const auto first = node.last_scrub()->last_complete_ms;
    CHECK(first > start_time_ms);
    node.run_for(4 * minute_ms);
    CHECK(node.last_scrub()->last_complete_ms == first);
    node.run_for(2 * minute_ms);
    CHECK(node.last_scrub()->last_complete_ms > first);
  }

  TEST_CASE("retention, deletion and writing go on under a scrub without false alarm") {
    sim_machine machine(8);
    sim_node::options options;
    options.scrub.rate = 4096;
    sim_node node(machine, options);
    fill(node);
    require_begun(node.scrub());
    node.run_for(500);
    const auto trimmed = node.trim("t", 0, 40);
    node.run_for(1500);
    for (int i = 0; i < 20; ++i)
      (void)node.produce("t", 0, make_batch(std::string(200, 'x')));
    node.run_for(500);
    (void)node.delete_topic("t");
    node.run_for(10'000);
    CHECK(node.last_scrub()->end == scrub_end::complete);
    CHECK(node.last_scrub()->damages.empty());
  }
}
