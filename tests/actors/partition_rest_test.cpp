#include "actors/partition/partition_rest.hpp"

#include <doctest/doctest.h>

using namespace aqueduct;
using namespace aqueduct::actors;
using namespace std::chrono_literals;

namespace {

/// Records 10 to 20, in one closed segment and the last one.
partition_rest make_rest() {
  partition_rest rest;
  rest.node = 3;
  rest.epoch = 5;
  rest.log_start = 10;
  rest.high_watermark = 20;
  rest.oldest_ms = 900;
  rest.log.size_bytes = 5000;
  rest.log.oldest_closed_ms = 1000;
  rest.log.oldest_closed_bytes = 3000;
  rest.log.active_since_ms = 1500;
  rest.log.active_newest_ms = 2000;
  return rest;
}

config::topic_config keep_for(std::chrono::milliseconds time) {
  config::topic_config topic;
  topic.retention_time = time;
  topic.segment_age = 10s;
  return topic;
}

} // namespace

TEST_SUITE("actors.partition_rest") {
  TEST_CASE("retention is due when the newest record of the oldest closed segment is too old") {
    CHECK(make_rest().retention_due(keep_for(60s)) == 61'001);
  }

  TEST_CASE("the last segment is due when its newest record is too old") {
    auto rest = make_rest();
    rest.log.oldest_closed_ms.reset();
    CHECK(rest.retention_due(keep_for(60s)) == 62'001);
    CHECK(rest.retention_due(keep_for(1s)) == 3'001);
    // A record from the future does not keep it for ever.
    rest.log.active_newest_ms = 1'000'000;
    CHECK(rest.retention_due(keep_for(60s)) == 71'501);
  }

  TEST_CASE("retention by size is due at once, or never while nobody writes") {
    auto topic = keep_for(60s);
    topic.retention_bytes = 2000;
    CHECK(make_rest().retention_due(topic) == 0);
    topic.retention_bytes = 2001;
    topic.retention_time.reset();
    CHECK_FALSE(make_rest().retention_due(topic));
  }

  TEST_CASE("retention is never due without records or without limits") {
    config::topic_config unlimited;
    unlimited.retention_time.reset();
    CHECK_FALSE(make_rest().retention_due(unlimited));
    auto empty = make_rest();
    empty.log_start = empty.high_watermark;
    CHECK_FALSE(empty.retention_due(keep_for(1s)));
    CHECK_FALSE(partition_rest{}.retention_due(keep_for(1s)));
  }

  TEST_CASE("what is known asleep answers descriptions and the ends of the log") {
    const auto described = make_rest().describe();
    CHECK(described.error == errc::none);
    CHECK(described.leader == 3);
    CHECK(described.leader_epoch == 5);
    CHECK(described.log_start == 10);
    CHECK(described.high_watermark == 20);
    CHECK(described.last_stable == 20);
    CHECK(described.size_bytes == 5000);
    CHECK(described.oldest_ms == 900);
    CHECK(make_rest().find_offset(protocol::earliest_timestamp)->offset == 10);
    CHECK(make_rest().find_offset(protocol::latest_timestamp)->offset == 20);
    CHECK_FALSE(make_rest().find_offset(1500));
    CHECK_FALSE(make_rest().find_offset(-7));
  }
}
