// What comes up while an entry of the coordinator's log is under way, or while the coordinator
// stands still.
#include "tests/consumer_group/group_lab.hpp"

#include <doctest/doctest.h>

using namespace aqueduct;
using namespace aqueduct::actors;
using namespace aqueduct::actors::test;

TEST_SUITE_BEGIN("actors.consumer_group.races");

TEST_CASE("offsets do not expire while the group commits") {
  group_coordinator::limits bounds;
  bounds.initial_delay_ms = 0;
  bounds.retention_ms = 600'000;
  group_lab lab(bounds);
  CHECK(lab.commit({}, 7)->error == errc::none);
  lab.advance(595'000, 5000);
  REQUIRE(lab.offset_of() == 7);
  lab.commits = false;
  const auto placed = lab.commit({}, 8);
  lab.collect();
  const auto waiting = lab.commit({}, 9, 1);
  lab.advance(70'000, 5000);
  CHECK_FALSE(placed.is_there());
  lab.commit_all();
  CHECK(placed->error == errc::none);
  CHECK(waiting->error == errc::none);
  CHECK(lab.offset_of() == 8);
  CHECK(lab.offset_of(1) == 9);
  // Nor is it put off for ever.
  lab.commits = true;
  lab.advance(800'000, 5000);
  CHECK(lab.offsets().rows.empty());
}

TEST_CASE("commits that a lost coordinator had under way do not keep offsets for ever") {
  group_coordinator::limits bounds;
  bounds.initial_delay_ms = 0;
  bounds.retention_ms = 600'000;
  group_lab lab(bounds);
  CHECK(lab.commit({}, 7)->error == errc::none);
  lab.commits = false;
  (void)lab.commit({}, 8);
  (void)lab.commit({}, 9);
  SUBCASE("lost") {
    lab.coordinator->follow(2);
    (void)lab.coordinator->take_proposals();
    lab.coordinator->lead(lab.now);
  }
  SUBCASE("refused") {
    lab.refuse_all(errc::storage_full);
    lab.refuse_all(errc::storage_full);
  }
  lab.commits = true;
  lab.advance(800'000, 5000);
  CHECK(lab.offsets().rows.empty());
}

TEST_CASE("a static member that comes back while a rebalance begins takes part in it") {
  group_lab lab;
  auto call = group_lab::native_join("", {"t"});
  call.instance = "i";
  REQUIRE(lab.join(call)->generation == 1);
  lab.commits = false;
  const auto replaced = lab.join(call);
  lab.collect();
  CHECK_FALSE(replaced.is_there());
  const auto other = lab.join(group_lab::native_join("", {"t"}));
  REQUIRE(lab.describe().phase == group_phase::preparing);
  lab.commits = true;
  lab.commit_all();
  REQUIRE(replaced.is_there());
  CHECK(replaced->error == errc::rebalance_in_progress);
  const auto again = lab.join(call);
  REQUIRE(again.is_there());
  REQUIRE(other.is_there());
  CHECK(again->error == errc::none);
  CHECK(again->generation == 2);
  CHECK(other->generation == 2);
}

TEST_CASE("that nobody is left is written down though others commit all the time") {
  group_lab lab;
  const auto joined = lab.join(group_lab::native_join("", {"t"}));
  REQUIRE(joined->generation == 1);
  lab.commits = false;
  (void)lab.leave({{joined->member, "", -1}});
  lab.refuse_all(errc::storage_full);
  REQUIRE_FALSE(lab.table.find("g")->record.members.empty());
  (void)lab.commit({}, 1, 0, "other");
  lab.collect();
  lab.advance(300);
  std::size_t entries = 0;
  while (lab.commit_one())
    ++entries;
  // Once, however often it was looked at.
  CHECK(entries == 2);
  CHECK(lab.table.find("g")->record.members.empty());
  CHECK(lab.describe().phase == group_phase::empty);
}

TEST_SUITE_END();
