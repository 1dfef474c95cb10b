// Topics and their settings in virtual time: what is asked for is what holds, whatever the node's
// own settings become.
#include "tests/simulation/sim_node.hpp"

#include <doctest/doctest.h>

using namespace aqueduct;
using namespace aqueduct::actors;
using namespace aqueduct::actors::test;

namespace {

constexpr std::int64_t year_ms = 365LL * 24 * 3600 * 1000;
/// Longer than the time between two looks at a partition's retention.
constexpr std::int64_t retention_round_ms = 70'000;

void require_done(const answer<result<topic_outcome>>& answered) {
  REQUIRE(answered->has_value());
  const auto& outcome = **answered;
  REQUIRE_MESSAGE(outcome, to_string(outcome ? error{errc::none, {}} : outcome.error()));
}

std::int64_t log_start(sim_node& node, const std::string& topic) {
  const auto found = node.find_offset(topic, 0, protocol::earliest_timestamp);
  REQUIRE(found->has_value());
  return (*found)->offset;
}

/// Records in several segments of `topic`, all far older than the default retention.
void fill_with_old(sim_node& node, const std::string& topic, int count, std::size_t size) {
  for (int i = 0; i < count; ++i) {
    const auto produced =
        node.produce(topic, 0, make_batch(std::string(size, 'x'), start_time_ms - year_ms));
    REQUIRE(produced->has_value());
    REQUIRE_MESSAGE((*produced)->error == errc::none, (*produced)->message);
  }
}

} // namespace

TEST_SUITE("simulation.topic") {
  TEST_CASE("a smaller default segment after a restart takes no override with it") {
    sim_machine machine(1);
    {
      sim_node::options options;
      options.segment_bytes = 8192;
      sim_node node(machine, options);
      node.settle();
      for (const auto* name : {"kept", "control"})
        require_done(node.create_topic(name, 1));
      for (const auto* name : {"kept", "control"})
        require_done(node.alter_topic(name, "retention.ms", "-1"));
      require_done(node.alter_topic("kept", "max.message.bytes", "4000"));
      for (const auto* name : {"kept", "control"})
        fill_with_old(node, name, 60, 1000);
      node.stop();
    }
    sim_node::options options;
    options.segment_bytes = 2048;
    sim_node node(machine, options);
    node.settle();
    require_done(node.alter_topic("control", "retention.ms", "60000"));
    node.run_for(retention_round_ms);

    CHECK(log_start(node, "control") > 0);
    CHECK(log_start(node, "kept") == 0);
    const auto& config = node.directory().find("kept")->config;
    CHECK_FALSE(config.retention_time);
    CHECK(config.message_bytes_max == 4000);
    CHECK(config.segment_bytes == 4000);
    CHECK((*node.produce("kept", 0, make_batch(std::string(3800, 'y'))))->error == errc::none);
  }

  TEST_CASE("a larger default message on the live node takes no override with it") {
    sim_machine machine(2);
    sim_node node(machine);
    node.settle();
    for (const auto* name : {"kept", "control"})
      require_done(node.create_topic(name, 1));
    for (const auto* name : {"kept", "control"})
      require_done(node.alter_topic(name, "segment.bytes", "65536"));
    require_done(node.alter_topic("kept", "retention.ms", "-1"));
    auto limits = node.limits();
    limits.topic_defaults.retention_time.reset();
    node.reconfigure(limits);
    for (const auto* name : {"kept", "control"})
      fill_with_old(node, name, 200, 900);
    limits.topic_defaults.message_bytes_max = 1 << 20;
    limits.topic_defaults.segment_bytes = 4 << 20;
    limits.topic_defaults.retention_time = std::chrono::hours(24);
    node.reconfigure(limits);
    node.run_for(retention_round_ms);

    CHECK(log_start(node, "control") > 0);
    CHECK(log_start(node, "kept") == 0);
    const auto& config = node.directory().find("kept")->config;
    CHECK_FALSE(config.retention_time);
    CHECK(config.segment_bytes == 65536);
    CHECK(config.message_bytes_max == 65536);
    // The conflict is the node's: other settings can still be changed.
    require_done(node.alter_topic("kept", "segment.ms", "3600000"));
    CHECK(node.directory().find("kept")->config.segment_age == std::chrono::hours(1));
  }

  TEST_CASE("changes and creations that come at once are all kept or refused, also by the log") {
    sim_machine machine(3);
    sim_node::options options;
    options.partitions_max = 5;
    {
      sim_node node(machine, options);
      node.settle();
      require_done(node.create_topic("t", 1));
      node.hold();
      const std::vector answers{node.alter_topic("t", "retention.ms", "-1"),
                                node.alter_topic("t", "segment.ms", "3600000"),
                                node.alter_topic("t", "compression.type", "zstd"),
                                node.alter_topic("t", "max.message.bytes", "1500")};
      std::vector<answer<result<topic_outcome>>> creations;
      for (int i = 0; i < 20; ++i)
        creations.push_back(node.create_topic("c" + std::to_string(i), 1));
      node.settle();
      for (const auto& each : answers)
        require_done(each);
      int created = 0;
      for (const auto& each : creations) {
        REQUIRE(each->has_value());
        created += **each ? 1 : 0;
        CHECK((**each || (**each).error().code == errc::invalid_partitions));
      }
      CHECK(created == 4);
      CHECK(node.directory().find("t")->record.overrides.size() == 4);
    }
    machine.crash(1);
    sim_node node(machine, options);
    node.settle();
    CHECK(node.directory().find("t")->record.overrides.size() == 4);
    CHECK(node.directory().all().size() == 5);
  }

  TEST_CASE("partitions that are added serve at once and after a restart") {
    sim_machine machine(4);
    {
      sim_node node(machine);
      node.settle();
      require_done(node.create_topic("t", 1));
      REQUIRE((*node.produce("t", 0, make_batch("old")))->error == errc::none);
      require_done(node.add_partitions("t", 3));
      CHECK(node.directory().find("t")->partitions.size() == 3);
      for (std::int32_t partition = 1; partition < 3; ++partition)
        CHECK((*node.produce("t", partition, make_batch("new")))->base_offset == 0);
      CHECK((*node.produce("t", 0, make_batch("next")))->base_offset == 1);
      const auto fewer = node.add_partitions("t", 2);
      REQUIRE(fewer->has_value());
      CHECK((**fewer).error().code == errc::invalid_partitions);
    }
    machine.crash(2);
    {
      sim_node node(machine);
      node.settle();
      REQUIRE(node.directory().find("t")->partitions.size() == 3);
      CHECK((*node.describe("t", 0))->high_watermark == 2);
      CHECK((*node.describe("t", 2))->high_watermark == 1);
      require_done(node.add_partitions("t", 4));
      node.stop();
    }
    sim_node node(machine);
    node.settle();
    CHECK((*node.produce("t", 3, make_batch("last")))->base_offset == 0);
    const auto id = node.directory().find("t")->record.id;
    require_done(node.delete_topic("t"));
    node.run_for(1000);
    for (const auto& path : machine.disk->files())
      CHECK(path.find(to_string(id)) == std::string::npos);
  }

  TEST_CASE("partitions that are added while the node stops are stopped with the others") {
    sim_machine machine(5);
    sim_node node(machine);
    node.settle();
    require_done(node.create_topic("t", 1));
    node.hold();
    const auto grown = node.add_partitions("t", 8);
    node.stop();
    CHECK(node.is_stopped());
    REQUIRE(grown->has_value());
  }
}
