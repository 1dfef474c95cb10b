#include "protocol/client/internal/metadata_cache.hpp"

#include <doctest/doctest.h>

using namespace aqueduct;
using namespace aqueduct::client;

namespace {

cluster_layout layout(std::int32_t leader, std::int32_t epoch, std::uint8_t topic_id = 1,
                      errc error = errc::none) {
  cluster_layout news;
  news.brokers = {{node_id(1), "a", 1, ""}, {node_id(2), "b", 2, ""}};
  topic_layout topic;
  topic.name = "t";
  topic.error = error;
  topic.id.bytes[0] = topic_id;
  topic.partitions.push_back(
      {partition_id(0), errc::none, node_id(leader), leader_epoch(epoch), {}});
  news.topics.push_back(topic);
  return news;
}

const topic_partition tp{"t", partition_id(0)};

} // namespace

TEST_SUITE_BEGIN("client.metadata_cache");

TEST_CASE("whoever need not read from the leader reads from the nearest other replica") {
  metadata_cache cache;
  auto news = layout(1, 5);
  news.brokers = {{node_id(1), "a", 1, "east"},
                  {node_id(2), "b", 2, "west"},
                  {node_id(3), "c", 3, "west"},
                  {node_id(4), "d", 4, "north"}};
  news.topics[0].partitions[0].replicas = {node_id(3), node_id(1), node_id(2), node_id(9)};
  cache.apply(news);
  using nodes = std::vector<node_id>;
  CHECK(cache.nearest_replicas(tp, "") == nodes{node_id(2), node_id(3)});
  CHECK(cache.nearest_replicas(tp, "west") == nodes{node_id(2), node_id(3)});
  CHECK(cache.nearest_replicas(tp, "east") == nodes{node_id(1)});
  CHECK(cache.nearest_replicas(tp, "north") == nodes{node_id(2), node_id(3)});
  news.topics[0].partitions[0].replicas = {node_id(1)};
  cache.apply(news);
  CHECK(cache.nearest_replicas(tp, "") == nodes{node_id(1)});
  CHECK(cache.nearest_replicas({"unknown", partition_id(0)}, "").empty());
}

TEST_CASE("a leader of an older epoch is stale news") {
  metadata_cache cache;
  cache.apply(layout(1, 5));
  cache.apply(layout(2, 4));
  CHECK(cache.leader(tp) == node_id(1));
  cache.apply(layout(2, 6));
  CHECK(cache.leader(tp) == node_id(2));
}

TEST_CASE("a topic that was made anew begins with its own epochs") {
  metadata_cache cache;
  cache.apply(layout(1, 5));
  cache.apply(layout(2, 1, 2));
  CHECK(cache.leader(tp) == node_id(2));
}

TEST_CASE("a hint is used at once and lasts until there is news") {
  metadata_cache cache;
  cache.apply(layout(1, 5));
  cache.hint(tp, node_id(2));
  CHECK(cache.leader(tp) == node_id(2));
  cache.apply(layout(1, 6));
  CHECK(cache.leader(tp) == node_id(1));
  cache.hint({"unknown", partition_id(0)}, node_id(2));
  CHECK_FALSE(cache.leader({"unknown", partition_id(0)}));
}

TEST_CASE("an unknown topic is forgotten, one that is not ready is not") {
  metadata_cache cache;
  cache.apply(layout(1, 5));
  cache.apply(layout(1, 5, 1, errc::topic_not_ready));
  CHECK(cache.topic("t"));
  cache.apply(layout(1, 5, 1, errc::unknown_topic));
  CHECK_FALSE(cache.topic("t"));
}

TEST_SUITE_END();
