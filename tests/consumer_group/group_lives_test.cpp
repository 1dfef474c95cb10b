// When a group is active and when not, and what goes between a coordinator and its groups while
// each does something else.
#include "tests/consumer_group/group_lab.hpp"

#include <doctest/doctest.h>

using namespace aqueduct;
using namespace aqueduct::actors;
using namespace aqueduct::actors::test;

namespace {

buffer text(std::string_view words) {
  return buffer::copy_of(words);
}

join_call needs_id() {
  auto call = group_lab::classic_join("");
  call.needs_member_id = true;
  return call;
}

/// A stable group of one member, which Kafka's protocol has assign.
std::string classic_member(group_lab& lab) {
  const auto joined = lab.join(group_lab::classic_join(""));
  REQUIRE(joined->generation == 1);
  REQUIRE(lab.sync(joined->member, 1, {{joined->member, text("mine")}})->error == errc::none);
  return joined->member;
}

/// What an active group "g" of that life wants in the log.
group_report proposal_of(std::uint64_t life) {
  group_proposal proposal;
  proposal.number = 1000;
  proposal.group.id = "g";
  return {life, "g", std::move(proposal)};
}

} // namespace

TEST_SUITE("actors.consumer_group.lives") {
  TEST_CASE("a group is active while it has members, or is about to have some") {
    group_lab lab;
    CHECK(lab.coordinator->active() == 0);
    const auto joined = lab.join(group_lab::native_join("", {"t"}));
    CHECK(lab.coordinator->active() == 1);
    CHECK(lab.commit({joined->member, "", 1}, 5)->error == errc::none);
    CHECK(lab.commit({}, 5, 0, "without members")->error == errc::none);
    CHECK(lab.coordinator->active() == 1);

    lab.commits = false;
    (void)lab.leave({{joined->member, "", -1}});
    // The log has to know first, for who leads next.
    CHECK(lab.coordinator->active() == 1);
    lab.commit_all();
    CHECK(lab.coordinator->active() == 0);
    CHECK(lab.describe().phase == group_phase::empty);
    CHECK(lab.offset_of() == 5);
  }

  TEST_CASE("questions about a group that is not active need none") {
    group_lab lab;
    CHECK(lab.sync("m", 1)->error == errc::unknown_member);
    CHECK(lab.heartbeat("m", 1).error == errc::unknown_member);
    CHECK(lab.leave({{"m", "", -1}, {"", "i", -1}}).members ==
          std::vector{errc::unknown_member, errc::unknown_member});
    CHECK(lab.commit({"m", "", 1}, 5)->error == errc::unknown_member);
    CHECK(lab.describe().error == errc::unknown_group);
    CHECK(lab.remove() == errc::unknown_group);
    CHECK(lab.coordinator->active() == 0);
    // Who may not join is told so, and leaves nothing behind.
    CHECK(lab.join(group_lab::classic_join("nobody"))->error == errc::unknown_member);
    CHECK(lab.coordinator->active() == 0);
  }

  TEST_CASE("an id that was given out keeps the group, until it is used or too old") {
    group_lab lab;
    const auto promised = lab.join(needs_id());
    REQUIRE(promised->error == errc::member_id_required);
    CHECK(lab.coordinator->active() == 1);
    CHECK(lab.remove() == errc::group_not_empty);
    SUBCASE("too old") {
      lab.advance(9900);
      CHECK(lab.coordinator->active() == 1);
      lab.advance(200);
      CHECK(lab.coordinator->active() == 0);
      CHECK(lab.join(group_lab::classic_join(promised->member))->error == errc::unknown_member);
    }
    SUBCASE("given back") {
      CHECK(lab.leave({{promised->member, "", -1}}).members == std::vector{errc::none});
      CHECK(lab.coordinator->active() == 0);
    }
    SUBCASE("used") {
      CHECK(lab.join(group_lab::classic_join(promised->member))->error == errc::none);
      CHECK(lab.coordinator->active() == 1);
    }
  }

  TEST_CASE("who joins while the group says that it is over finds it there") {
    group_lab lab;
    const auto first = lab.join(group_lab::native_join("", {"t"}));
    lab.coordinator->hold_reports();
    lab.commits = false;
    (void)lab.leave({{first->member, "", -1}});
    // It proposes that nobody is left; then it says that it is over.
    while (lab.coordinator->deliver_one()) {
    }
    lab.commit_all();
    const auto second = lab.join(group_lab::native_join("", {"t"}));
    CHECK(lab.coordinator->active() == 1);
    CHECK_FALSE(second.is_there());
    lab.coordinator->deliver();
    lab.commits = true;
    lab.commit_all();
    REQUIRE(second.is_there());
    CHECK(second->error == errc::none);
    CHECK(second->generation > first->generation);
    CHECK(lab.coordinator->active() == 1);
  }

  TEST_CASE("a commit that was on its way when the office ended is answered, and not made") {
    group_lab lab;
    const auto joined = lab.join(group_lab::native_join("", {"t"}));
    lab.coordinator->hold_reports();
    const auto lost = lab.commit({joined->member, "", 1}, 5);
    CHECK_FALSE(lost.is_there());
    SUBCASE("another replica leads") {
      lab.coordinator->follow(2);
      lab.coordinator->deliver();
      REQUIRE(lost.is_there());
      CHECK(lost->error == errc::not_coordinator);
      CHECK(lost->coordinator == 2);
    }
    SUBCASE("this one leads again") {
      lab.coordinator->follow(-1);
      lab.coordinator->lead(lab.now);
      lab.coordinator->deliver();
      REQUIRE(lost.is_there());
      CHECK(lost->error == errc::coordinator_loading);
      // The member is in the group, which the log knows.
      CHECK(lab.commit({joined->member, "", 1}, 6)->error == errc::none);
    }
    CHECK(lab.table.find("g")->offsets.size() == (lab.coordinator->leads() ? 1 : 0));
  }

  TEST_CASE("removals that were on their way when the office ended are answered, and not made") {
    group_lab lab;
    const auto joined = lab.join(group_lab::native_join("", {"t"}));
    REQUIRE(lab.commit({joined->member, "", 1}, 5)->error == errc::none);
    lab.coordinator->hold_reports();
    awaited<delete_offsets_answer> removal;
    lab.coordinator->handle(
        delete_offsets_call{"g", {{group_lab::key(0), "other"}}, removal.taker()}, lab.now);
    CHECK_FALSE(removal.is_there());
    lab.coordinator->follow(2);
    lab.coordinator->deliver();
    REQUIRE(removal.is_there());
    CHECK(removal->error == errc::not_coordinator);
    CHECK(lab.coordinator->take_proposals().empty());
    CHECK(lab.table.find("g")->offsets.size() == 1);
  }

  TEST_CASE("what an earlier life of a group says is not for the present one") {
    group_lab lab;
    (void)lab.join(group_lab::native_join("", {"t"}));
    SUBCASE("of the office before") {
      lab.coordinator->follow(-1);
      lab.coordinator->lead(lab.now);
    }
    SUBCASE("of the same office") {
      lab.coordinator->report({1, "g", group_broken{{errc::internal, "broken"}}});
    }
    lab.coordinator->report(proposal_of(1));
    lab.coordinator->report({1, "nobody", group_broken{{errc::internal, "broken"}}});
    CHECK(lab.coordinator->take_proposals().empty());
  }

  TEST_CASE("commits that a group let pass come before the generation that fences them") {
    group_lab lab;
    const auto joined = lab.join(group_lab::native_join("", {"t"}));
    lab.commits = false;
    (void)lab.commit({joined->member, "", 1}, 1);
    lab.collect();
    // It waits for the entry that is under way.
    (void)lab.commit({joined->member, "", 1}, 2);
    REQUIRE(lab.coordinator->take_proposals().empty());
    (void)lab.join(group_lab::native_join("", {"t"}));
    (void)lab.join(group_lab::native_join(joined->member, {"t"}));
    const auto commands = lab.coordinator->take_proposals();
    REQUIRE(commands.size() == 2);
    CHECK(std::holds_alternative<commit_offsets_command>(commands[0]));
    CHECK(std::holds_alternative<put_group_command>(commands[1]));
  }

  TEST_CASE("a group that cannot go on is out of service until another replica leads") {
    group_lab lab;
    const auto joined = lab.join(group_lab::native_join("", {"t"}));
    const auto waiting = lab.join(group_lab::native_join("", {"t"}));
    REQUIRE_FALSE(waiting.is_there());
    lab.coordinator->report({1, "g", group_broken{{errc::internal, "two leaders"}}});
    REQUIRE(waiting.is_there());
    CHECK(waiting->error == errc::internal);
    CHECK(waiting->message.find("two leaders") != std::string::npos);
    const auto again = lab.join(group_lab::native_join("m", {"t"}));
    CHECK(again->error == errc::internal);
    CHECK(again->member == "m");
    CHECK(lab.commit({joined->member, "", 1}, 5)->error == errc::internal);
    CHECK(lab.heartbeat(joined->member, 1).error == errc::internal);
    CHECK(lab.describe().error == errc::internal);
    CHECK(lab.coordinator->active() == 0);
    lab.advance(120'000);
    CHECK(lab.describe().error == errc::internal);
    // No other group is touched by it.
    CHECK(lab.commit({}, 5, 0, "other")->error == errc::none);

    lab.fail_over();
    CHECK(lab.commit({joined->member, "", 1}, 5)->error == errc::none);
    CHECK(lab.describe().phase == group_phase::stable);
  }

  TEST_CASE("that members are in the log is not forgotten while the log decides") {
    group_lab lab;
    lab.commits = false;
    const auto joined = lab.join(group_lab::classic_join(""));
    lab.collect();
    REQUIRE_FALSE(joined.is_there());
    const auto id = lab.describe().group.members.at(0).id;
    // Its generation has a place in the log; that it left again is refused.
    (void)lab.leave({{id, "", -1}});
    lab.refuse_all(errc::overloaded);
    CHECK(lab.coordinator->active() == 1);
    lab.commit_all();
    CHECK_FALSE(lab.table.find("g")->record.members.empty());
    lab.advance(100);
    lab.commit_all();
    CHECK(lab.table.find("g")->record.members.empty());
    CHECK(lab.coordinator->active() == 0);
  }

  TEST_CASE("a group is looked at when something may be late, and not all the time") {
    group_lab lab;
    const auto member = classic_member(lab);
    REQUIRE(lab.heartbeat(member, 1).error == errc::none);
    const auto before = lab.coordinator->looks();
    for (int i = 0; i < 20; ++i) {
      lab.advance(3000);
      REQUIRE(lab.heartbeat(member, 1).error == errc::none);
    }
    CHECK(lab.board_answers == 20);
    // A minute of sessions of 10 s.
    CHECK(lab.coordinator->looks() - before >= 6);
    CHECK(lab.coordinator->looks() - before <= 9);
    // And when its session is over.
    lab.advance(9900);
    CHECK(lab.describe().phase == group_phase::stable);
    lab.advance(200);
    CHECK(lab.describe().phase == group_phase::empty);
  }
}
