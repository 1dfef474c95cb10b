// What comes up while an entry of the coordinator's log is under way, or while the coordinator
// stands still.
#include "tests/consumer_group/group_lab.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <vector>

using namespace aqueduct;
using namespace aqueduct::actors;
using namespace aqueduct::actors::test;

TEST_SUITE_BEGIN("actors.consumer_group.races");

TEST_CASE("offsets do not expire while the group commits") {
  group_limits bounds;
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
  group_limits bounds;
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

TEST_CASE("a refusal of what an earlier office proposed says nothing of the present one") {
  group_lab lab;
  lab.commits = false;
  const auto early = lab.commit({}, 1);
  REQUIRE(lab.coordinator->take_proposals().size() == 1);
  lab.coordinator->follow(-1);
  CHECK(early->error == errc::not_coordinator);
  lab.coordinator->lead(lab.now);
  const auto late = lab.commit({}, 2);
  REQUIRE(lab.coordinator->take_proposals().size() == 1);
  const error why{errc::overloaded, "not now"};
  CHECK_FALSE(lab.coordinator->refused(1, why, lab.now));
  CHECK_FALSE(late.is_there());
  CHECK(lab.coordinator->refused(1, why, lab.now));
  REQUIRE(late.is_there());
  CHECK(late->error == errc::overloaded);
}

TEST_CASE("a gone topic's offsets go though the group commits others all the time") {
  group_lab lab;
  CHECK(lab.commit({}, 7)->error == errc::none);
  lab.is_gone = true;
  lab.commits = false;
  std::vector<awaited<commit_answer>> commits;
  // There is never a look without a commit that is under way.
  for (std::int64_t offset = 0; offset < 15; ++offset) {
    commits.push_back(lab.commit({}, offset, 1));
    lab.collect();
    lab.advance(5000, 5000);
    lab.commit_all();
  }
  CHECK(std::ranges::all_of(
      commits, [](const auto& each) { return each.is_there() && each->error == errc::none; }));
  CHECK(lab.offset_of() == -1);
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

TEST_CASE("the time that the coordinator stood still is not the members' silence") {
  group_lab lab;
  constexpr std::int64_t pause_ms = 60'000;
  const auto stand_still = [&] {
    lab.now.steady_ms += pause_ms;
    lab.now.wall_ms += pause_ms;
    lab.advance(100);
  };
  const auto a = lab.join(group_lab::native_join("", {"t"}));
  REQUIRE(a->generation == 1);
  lab.advance(3000);
  SUBCASE("members have what was left of their sessions") {
    stand_still();
    lab.advance(6500);
    CHECK(lab.describe().phase == group_phase::stable);
    lab.advance(1000);
    CHECK(lab.describe().phase == group_phase::empty);
  }
  SUBCASE("but no more than a session") {
    lab.now.steady_ms += pause_ms;
    CHECK(lab.heartbeat(a->member, 1).error == errc::none);
    lab.advance(100);
    lab.advance(9500);
    CHECK(lab.describe().phase == group_phase::stable);
    lab.advance(1000);
    CHECK(lab.describe().phase == group_phase::empty);
  }
  SUBCASE("a rebalance waits for them as long as before") {
    const auto b = lab.join(group_lab::native_join("", {"t"}));
    stand_still();
    CHECK_FALSE(b.is_there());
    const auto a2 = lab.join(group_lab::native_join(a->member, {"t"}, {{"t", {0, 1, 2, 3}}}));
    REQUIRE(a2.is_there());
    CHECK(a2->error == errc::none);
    CHECK(a2->generation == 2);
    CHECK(b->generation == 2);
  }
  SUBCASE("whatever is heard first afterwards") {
    // Another group's call is handled before the first look.
    lab.now.steady_ms += pause_ms;
    (void)lab.commit({}, 1, 0, "other");
    lab.advance(6500);
    CHECK(lab.describe().phase == group_phase::stable);
    lab.advance(1000);
    CHECK(lab.describe().phase == group_phase::empty);
  }
  SUBCASE("partitions are waited for as long as before") {
    const auto b = lab.join(group_lab::native_join("", {"t"}));
    const auto a2 = lab.join(group_lab::native_join(a->member, {"t"}, {{"t", {0, 1, 2, 3}}}));
    REQUIRE(b.is_there());
    REQUIRE(parts_of(b->assignment).empty());
    stand_still();
    CHECK(lab.describe().phase == group_phase::stable);
  }
  SUBCASE("an id that was promised can still be used") {
    auto call = group_lab::native_join("", {"t"});
    call.needs_member_id = true;
    call.member = lab.join(call)->member;
    stand_still();
    CHECK_FALSE(lab.join(call).is_there());
    CHECK(lab.describe().group.members.size() == 2);
  }
  SUBCASE("a group that was made since the last look is not older than that") {
    (void)lab.leave({{a->member, "", -1}});
    lab.advance(100);
    lab.advance(5000, 5000);
    const auto late = lab.join(group_lab::native_join("", {"t"}));
    lab.advance(9800);
    CHECK(lab.describe().phase == group_phase::stable);
    lab.advance(400);
    CHECK(lab.describe().phase == group_phase::empty);
  }
}

TEST_CASE("looks that are always late put nothing off for ever") {
  group_lab lab;
  const auto silent = lab.join(group_lab::native_join("", {"t"}));
  REQUIRE(silent->generation == 1);
  SUBCASE("nobody says anything") {
    lab.advance(120'000, 600);
    CHECK(lab.describe().phase == group_phase::empty);
  }
  SUBCASE("another member beats") {
    const auto busy = lab.join(group_lab::native_join("", {"t"}));
    const auto again = lab.join(group_lab::native_join(silent->member, {"t"}));
    REQUIRE(again.is_there());
    const auto owned = parts_of(busy->assignment);
    const auto generation = again->generation;
    const auto pass = [&](std::int64_t ms) {
      lab.now.steady_ms += ms;
      lab.now.wall_ms += ms;
    };
    errc beaten = errc::none;
    std::int64_t waited_ms = 0;
    for (; beaten == errc::none && waited_ms < 120'000; waited_ms += 600) {
      pass(300);
      beaten = lab.heartbeat(busy->member, generation).error;
      pass(300);
      lab.coordinator->tick(lab.now);
      lab.commit_all();
    }
    // The other one is out, and its partitions are shared out anew.
    CHECK(beaten == errc::rebalance_in_progress);
    CHECK(waited_ms < 12'000);
    const auto alone = lab.join(group_lab::native_join(busy->member, {"t"}, owned));
    REQUIRE(alone.is_there());
    CHECK(parts_of(alone->assignment) == std::vector<topic_partitions>{{"t", {0, 1, 2, 3}}});
  }
  SUBCASE("a rebalance ends without who does not come") {
    const auto late = lab.join(group_lab::native_join("", {"t"}));
    lab.advance(120'000, 600);
    REQUIRE(late.is_there());
    CHECK(late->error == errc::none);
  }
}

TEST_SUITE_END();
