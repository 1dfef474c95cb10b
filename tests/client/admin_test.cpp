#include "protocol/client/client.hpp"
#include "tests/client/client_lab.hpp"

#include <doctest/doctest.h>

using namespace aqueduct;
using namespace aqueduct::client;
using namespace std::chrono_literals;
using protocol::api_key;
using test::fake_cluster;
using test::open;
using test::reaction;
using kind = test::reaction::kind;

TEST_SUITE_BEGIN("client.admin");

TEST_CASE("topics are created, listed, described, altered and deleted") {
  fake_cluster brokers;
  admin tools(open(brokers));

  CHECK(tools.create_topic({.name = "a", .partitions = 3})->partitions == 3);
  CHECK(tools.create_topic({.name = "a"}).error().code == errc::topic_exists);
  CHECK(tools.list_topics()->size() == 1);
  CHECK(tools.describe_topic("a")->partitions.size() == 3);
  const std::vector<setting> settings{{"retention", "1h"}, {"other", std::nullopt}};
  CHECK(tools.alter_topic("a", settings));
  const auto asked = brokers.with(
      [](fake_cluster& state) { return state.log.back().as<protocol::alter_topic_request>(); });
  CHECK(asked.settings.size() == 2);
  CHECK_FALSE(asked.settings[1].value);
  CHECK(asked.partitions == -1);
  CHECK(tools.alter_topic("a", topic_change{.partitions = 5}));
  CHECK(brokers.with([](fake_cluster& state) {
    return state.log.back().as<protocol::alter_topic_request>().partitions;
  }) == 5);
  CHECK(tools.describe_cluster()->topics.size() == 1);
  CHECK(tools.delete_topic("a"));
  CHECK(tools.delete_topic("a").error().code == errc::unknown_topic);
  CHECK(tools.describe_topic("a").error().code == errc::unknown_topic);
}

TEST_CASE("a broker of an older version changes settings and is not asked for partitions") {
  fake_cluster brokers;
  brokers.with([](fake_cluster& state) {
    for (auto& api : state.hello.apis)
      api.version_max = 1;
    state.topics["a"].partitions.resize(1);
  });
  admin tools(open(brokers));
  CHECK(tools.alter_topic("a", std::vector<setting>{{"retention.ms", "5000"}}));
  const auto refused = tools.alter_topic("a", topic_change{.partitions = 5});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == errc::unsupported_version);
  CHECK(refused.error().message.find("ALTER_TOPIC: the broker speaks versions 1 to 1") !=
        std::string::npos);
}

TEST_CASE("what the broker is and speaks") {
  fake_cluster brokers;
  admin tools(open(brokers));
  const auto told = tools.versions();
  REQUIRE(told);
  CHECK(told->software == "fake/1");
  CHECK(told->apis.size() == protocol::api_table().size());
  CHECK(told->apis.front().name == "PRODUCE");
}

TEST_CASE("offsets are looked up at the leaders, in the order of the questions") {
  fake_cluster brokers(2);
  brokers.add_topic("t", 2);
  brokers.move_leader("t", 1, 1);
  brokers.with([](fake_cluster& state) {
    state.topics.at("t").partitions[0].end = 5;
    state.topics.at("t").partitions[1].end = 7;
    state.topics.at("t").partitions[1].log_start = 2;
  });
  admin tools(open(brokers));
  const topic_partition p0{"t", partition_id(0)};
  const topic_partition p1{"t", partition_id(1)};
  const std::vector<offset_query> queries{
      {p1, offset_query::kind::latest},
      {p0, offset_query::kind::latest},
      {p1, offset_query::kind::earliest},
      {p0, offset_query::kind::timestamp, timestamp_ms(5)},
      {{"t", partition_id(2)}, offset_query::kind::latest},
      {{"nowhere", partition_id(0)}, offset_query::kind::latest},
  };

  auto answers = tools.list_offsets(queries);

  REQUIRE(answers);
  REQUIRE(answers->size() == 6);
  CHECK((*answers)[0].offset.value() == offset_t(7));
  CHECK((*answers)[1].offset.value() == offset_t(5));
  CHECK((*answers)[2].offset.value() == offset_t(2));
  CHECK((*answers)[3].offset.value() == std::nullopt);
  CHECK((*answers)[4].offset.error().code == errc::unknown_partition);
  CHECK((*answers)[5].offset.error().code == errc::unknown_topic);

  // A leader that has moved is found by the hint.
  brokers.move_leader("t", 0, 1);
  answers = tools.list_offsets(std::span(queries).subspan(1, 1));
  CHECK((*answers)[0].offset.value() == offset_t(5));
}

TEST_CASE("records are deleted at the leaders, each partition with its own outcome") {
  fake_cluster brokers(2);
  brokers.add_topic("t", 2);
  brokers.move_leader("t", 1, 1);
  brokers.with([](fake_cluster& state) { state.topics.at("t").partitions[1].end = 9; });
  admin tools(open(brokers));
  const std::vector<records_deletion> deletions{
      {partition_id(1)}, {partition_id(0), offset_t(3)}, {partition_id(5)}};
  const auto answers = tools.delete_records("t", deletions);
  REQUIRE(answers);
  CHECK((*answers)[0].log_start.value() == offset_t(9));
  CHECK((*answers)[1].log_start.value() == offset_t(3));
  CHECK((*answers)[2].log_start.error().code == errc::unknown_partition);
}

TEST_CASE("what may not be done twice is not repeated when the answer is lost") {
  fake_cluster brokers;
  admin tools(open(brokers));
  brokers.on_next(api_key::create_topic, 1, {.what = kind::act_and_close});
  CHECK(tools.create_topic({.name = "a"}).error().code == errc::connection_lost);
  CHECK(brokers.count(api_key::create_topic) == 1);
  // A refusal that the broker answered with may be repeated.
  brokers.on_next(api_key::create_topic, 2, {.what = kind::fail, .code = errc::shutting_down});
  CHECK(tools.create_topic({.name = "b"}));
}

TEST_CASE("an error of the broker arrives with its sentence") {
  fake_cluster brokers;
  admin tools(open(brokers));
  brokers.on_next(api_key::create_topic, 1,
                  {.what = kind::fail, .code = errc::invalid_partitions, .retriable = false});
  const auto refused = tools.create_topic({.name = "a", .partitions = 0});
  CHECK(refused.error() == error{errc::invalid_partitions, "as the script says"});
}

TEST_SUITE_END();
