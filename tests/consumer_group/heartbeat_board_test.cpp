// Heartbeats that the coordinator need not hear: what the board may answer, and that nobody is
// taken for dead, or kept, because of it.
#include "actors/consumer_group/heartbeat_board.hpp"
#include "tests/consumer_group/group_lab.hpp"

#include <doctest/doctest.h>

using namespace aqueduct;
using namespace aqueduct::actors;
using namespace aqueduct::actors::test;

namespace {

/// A group of members by name, all in one stable generation, which is returned.
std::int32_t join_all(group_lab& lab, const std::vector<std::string>& members,
                      const std::string& instance = "") {
  std::vector<awaited<join_answer>> answers;
  for (const auto& member : members) {
    auto call = group_lab::native_join(member, {"t"});
    call.brings_id = true;
    call.instance = instance;
    answers.push_back(lab.join(std::move(call)));
  }
  for (std::size_t i = 0; i + 1 < members.size(); ++i)
    answers[i] = lab.join(group_lab::native_join(members[i], {"t"}));
  REQUIRE(answers.back().is_there());
  REQUIRE(answers.back()->error == errc::none);
  return answers.back()->generation;
}

/// Whether the board has the answer.
bool is_listed(group_lab& lab, const std::string& member, std::int32_t generation,
               const std::string& instance = "") {
  return lab.board->beat("g", {member, instance, generation}, lab.now.steady_ms);
}

} // namespace

TEST_SUITE("consumer_group.heartbeat_board") {
  TEST_CASE("a row answers its member, generation and instance alone, until it is withdrawn") {
    const auto board = std::make_shared<heartbeat_board>();
    auto row = board->list("g", {"m", "i", 3});
    CHECK(row.heard_ms() == 0);
    CHECK(board->beat("g", {"m", "i", 3}, 70));
    CHECK(row.heard_ms() == 70);
    CHECK_FALSE(board->beat("g", {"m", "i", 4}, 80));
    CHECK_FALSE(board->beat("g", {"m", "", 3}, 80));
    CHECK_FALSE(board->beat("g", {"n", "i", 3}, 80));
    CHECK_FALSE(board->beat("gm", {"", "i", 3}, 80));
    CHECK(row.heard_ms() == 70);
    CHECK(row.withdraw() == 70);
    CHECK_FALSE(board->beat("g", {"m", "i", 3}, 90));
    CHECK(row.heard_ms() == 0);
    CHECK(row.withdraw() == 0);
  }

  TEST_CASE("a row that was replaced does not take the later one with it") {
    const auto board = std::make_shared<heartbeat_board>();
    auto first = board->list("g", {"m", "", 1});
    const auto second = board->list("g", {"m", "", 2});
    CHECK_FALSE(board->beat("g", {"m", "", 1}, 10));
    first.withdraw();
    CHECK(board->beat("g", {"m", "", 2}, 20));
    CHECK(second.heard_ms() == 20);
  }

  TEST_CASE("from the second heartbeat on the coordinator is left alone, and knows all the same") {
    group_lab lab;
    const auto generation = join_all(lab, {"m"});
    CHECK_FALSE(is_listed(lab, "m", generation));
    CHECK(lab.heartbeat("m", generation).error == errc::none);
    // Sessions of 10 seconds.
    for (int i = 0; i < 10; ++i) {
      lab.advance(9000);
      CHECK(lab.heartbeat("m", generation).error == errc::none);
    }
    CHECK(lab.board_answers == 10);
    CHECK(lab.describe().group.members.size() == 1);
  }

  TEST_CASE("who falls silent is put out a session after what the board heard") {
    group_lab lab;
    const auto generation = join_all(lab, {"m"});
    CHECK(lab.heartbeat("m", generation).error == errc::none);
    lab.advance(5000);
    CHECK(is_listed(lab, "m", generation));
    lab.advance(9900);
    CHECK(lab.describe().group.members.size() == 1);
    lab.advance(200);
    CHECK(lab.describe().group.members.empty());
    CHECK_FALSE(is_listed(lab, "m", generation));
  }

  TEST_CASE("what the board heard before a rebalance counts in it") {
    group_lab lab;
    const auto generation = join_all(lab, {"a", "b"});
    CHECK(lab.heartbeat("a", generation).error == errc::none);
    CHECK(lab.heartbeat("b", generation).error == errc::none);
    lab.advance(9000);
    CHECK(is_listed(lab, "a", generation));
    CHECK(is_listed(lab, "b", generation));
    auto third = group_lab::native_join("c", {"t"});
    third.brings_id = true;
    (void)lab.join(std::move(third));
    // Both are told by the coordinator, and neither is dead a second later.
    CHECK_FALSE(is_listed(lab, "a", generation));
    lab.advance(2000);
    CHECK(lab.heartbeat("a", generation).error == errc::rebalance_in_progress);
    CHECK(lab.heartbeat("b", generation).error == errc::rebalance_in_progress);
  }

  TEST_CASE("nobody is listed who is not in the group, or in an older generation") {
    group_lab lab;
    const auto generation = join_all(lab, {"a"});
    CHECK(lab.heartbeat("a", generation).error == errc::none);
    CHECK(lab.heartbeat("a", generation - 1).error == errc::generation_mismatch);
    CHECK(lab.heartbeat("b", generation).error == errc::unknown_member);
    CHECK(lab.leave({{"a", "", -1}}).error == errc::none);
    CHECK_FALSE(is_listed(lab, "a", generation));
    CHECK(lab.heartbeat("a", generation).error == errc::unknown_member);
  }

  TEST_CASE("a static member whose place is taken is told by the coordinator") {
    group_lab lab;
    const auto generation = join_all(lab, {"old"}, "i");
    CHECK(lab.heartbeat("old", generation, "i").error == errc::none);
    CHECK(is_listed(lab, "old", generation, "i"));
    auto call = group_lab::native_join("new", {"t"});
    call.brings_id = true;
    call.instance = "i";
    REQUIRE(lab.join(std::move(call)).is_there());
    CHECK_FALSE(is_listed(lab, "old", generation, "i"));
    CHECK(lab.heartbeat("old", generation, "i").error == errc::fenced_member);
    CHECK(lab.heartbeat("new", generation, "i").error == errc::none);
    CHECK(is_listed(lab, "new", generation, "i"));
  }

  TEST_CASE("a coordinator that closes hears every heartbeat itself") {
    group_lab lab;
    const auto generation = join_all(lab, {"m"});
    CHECK(lab.heartbeat("m", generation).error == errc::none);
    lab.advance(9000);
    CHECK(is_listed(lab, "m", generation));
    lab.coordinator->close_board();
    CHECK_FALSE(is_listed(lab, "m", generation));
    lab.advance(2000);
    CHECK(lab.heartbeat("m", generation).error == errc::none);
    CHECK_FALSE(is_listed(lab, "m", generation));
  }

  TEST_CASE("who leads no more answers nothing through the board") {
    group_lab lab;
    const auto generation = join_all(lab, {"m"});
    CHECK(lab.heartbeat("m", generation).error == errc::none);
    CHECK(is_listed(lab, "m", generation));
    lab.coordinator->follow(2);
    CHECK_FALSE(is_listed(lab, "m", generation));
    CHECK(lab.heartbeat("m", generation).error == errc::not_coordinator);
  }
}
