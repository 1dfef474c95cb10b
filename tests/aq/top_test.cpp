// What moves in a cluster, from two looks at it.
#include "apps/aq/top.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace aqueduct;
using namespace aqueduct::aq;
using namespace std::chrono_literals;

namespace {

using row = std::vector<value>;

cluster_look look_after(std::chrono::milliseconds time) {
  cluster_look look;
  look.at = std::chrono::steady_clock::time_point(time);
  return look;
}

client::topic_partition of(const std::string& topic, std::int32_t partition) {
  return {topic, partition_id(partition)};
}

} // namespace

TEST_SUITE_BEGIN("aq.top");

TEST_CASE("topics are summed over their partitions, the busiest first") {
  auto before = look_after(0s);
  before.partitions[of("a", 0)] = {1, 10};
  before.partitions[of("b", 0)] = {1, 100};
  before.partitions[of("b", 1)] = {2, 100};
  auto now = look_after(2s);
  now.partitions[of("a", 0)] = {1, 11};
  now.partitions[of("b", 0)] = {1, 150};
  now.partitions[of("b", 1)] = {std::nullopt, 200};
  const auto topics = top_described(before, now, false).tables.at(0);
  CHECK(topics.key == "topics");
  REQUIRE(topics.rows.size() == 2);
  CHECK(topics.rows[0] == row{"b", 2, 1, 75.0, 350});
  CHECK(topics.rows[1] == row{"a", 1, 0, 0.5, 11});
  const auto partitions = top_described(before, now, true).tables.at(0);
  CHECK(partitions.key == "partitions");
  REQUIRE(partitions.rows.size() == 3);
  CHECK(partitions.rows[0] == row{"b", 1, value(), 50.0, 200});
  CHECK(partitions.rows[1] == row{"b", 0, 1, 25.0, 150});
  CHECK(partitions.rows[2] == row{"a", 0, 1, 0.5, 11});
}

TEST_CASE("a rate is not made up of what was not there at both looks, or went back") {
  auto before = look_after(0s);
  before.partitions[of("again", 0)] = {1, 10};
  before.partitions[of("mute", 0)] = {1, std::nullopt};
  auto now = look_after(1s);
  now.partitions[of("again", 0)] = {1, 3};
  now.partitions[of("mute", 0)] = {1, 5};
  now.partitions[of("new", 0)] = {1, 5};
  const auto topics = top_described(before, now, false).tables.at(0);
  REQUIRE(topics.rows.size() == 3);
  for (const auto& each : topics.rows)
    CHECK(each[3].is_null());
  // No time has passed.
  CHECK(top_described(now, now, false).tables.at(0).rows.at(0)[3].is_null());
}

TEST_CASE("groups show how fast they are and how far behind") {
  auto before = look_after(0s);
  before.groups["billing"] = {"Stable", 2, {{"orders", {{{0, 10}, {1, 20}}, 7, 3s}}}};
  auto now = look_after(1s);
  // The first commit in partition 2 is no distance that was covered.
  now.groups["billing"] = {"Stable", 2, {{"orders", {{{0, 15}, {1, 20}, {2, 500}}, 4, 1s}}}};
  now.groups["idle"] = {"Empty", 0, {}};
  now.groups["new"] = {"Stable", 1, {{"orders", {{{0, 3}}, 0, std::nullopt}}}};
  const auto groups = top_described(before, now, false).tables.at(1);
  CHECK(groups.key == "groups");
  REQUIRE(groups.rows.size() == 3);
  CHECK(groups.rows[0] == row{"billing", "orders", "Stable", 2, 5.0, 4, 1000});
  CHECK(groups.rows[1] == row{"idle", value(), "Empty", 0, value(), value(), value()});
  CHECK(groups.rows[2] == row{"new", "orders", "Stable", 1, value(), 0, 0});
  // Somebody has set the offsets back.
  CHECK(top_described(now, before, false).tables.at(1).rows.at(0)[4].is_null());
}

TEST_CASE("a screen is drawn over line by line, as far as there is room") {
  CHECK(screen_of("a\nb\nc\n", 2) == "\x1b[Ha\x1b[K\r\nb\x1b[K\x1b[J");
  CHECK(screen_of("a\n\nb\n", 10) == "\x1b[Ha\x1b[K\r\n\x1b[K\r\nb\x1b[K\x1b[J");
  CHECK(screen_of("", 10) == "\x1b[H\x1b[J");
}

TEST_SUITE_END();
