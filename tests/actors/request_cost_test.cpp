#include "actors/network/request_cost.hpp"

#include <doctest/doctest.h>

#include <limits>

TEST_SUITE_BEGIN("actors.request_cost");

using namespace aqueduct;
using namespace aqueduct::actors::network;

TEST_CASE("a request costs by what it names") {
  protocol::fetch_request read;
  CHECK(items_of(read) == 0);
  CHECK(cost_of(read) == request_cost_bytes);
  read.topics.resize(2);
  read.topics[0].partitions.resize(3);
  CHECK(items_of(read) == 5);
  CHECK(cost_of(read) == request_cost_bytes + 5 * item_cost_bytes);
  protocol::metadata_request metadata;
  CHECK(items_of(metadata) == 0);
  metadata.topics = {"a", "b", "b"};
  CHECK(items_of(metadata) == 3);
  protocol::subscribe_request subscribe;
  subscribe.partitions.resize(4);
  CHECK(items_of(subscribe) == 4);
  protocol::batch_fetch_request ranges;
  ranges.ranges.resize(6);
  CHECK(items_of(ranges) == 6);
  protocol::create_topic_request creation;
  creation.partitions = 1000;
  creation.settings.resize(2);
  CHECK(items_of(creation) == 2);
  CHECK(items_of(protocol::hello_request{}) == 0);
  CHECK(items_max(64 * 1024) == 128);
}

TEST_CASE("the answer to a fetch is bounded by the partitions and by the whole") {
  protocol::fetch_request read;
  read.topics.resize(1);
  read.topics[0].partitions.resize(2);
  read.topics[0].partitions[0].bytes_max = 100;
  read.topics[0].partitions[1].bytes_max = -5;
  read.max_bytes = 1000;
  CHECK(answer_bytes_of(read) == 101);
  read.max_bytes = 50;
  CHECK(answer_bytes_of(read) == 50);
  read.topics[0].partitions.assign(10, {0, 0, std::numeric_limits<std::int32_t>::max(), -1});
  read.max_bytes = std::numeric_limits<std::int32_t>::max();
  CHECK(answer_bytes_of(read) == std::numeric_limits<std::int32_t>::max());
  protocol::batch_fetch_request ranges;
  ranges.ranges = {{0, 10, -1}, {0, std::numeric_limits<std::int32_t>::max(), -1}};
  CHECK(answer_bytes_of(ranges, 5000) == 5000);
  ranges.ranges.pop_back();
  CHECK(answer_bytes_of(ranges, 5000) == 10);
}

TEST_SUITE_END();
