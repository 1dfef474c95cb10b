// What clients may tell a group: entries of the coordinator's log stay small, whoever asks.
#include "tests/consumer_group/group_lab.hpp"

#include <doctest/doctest.h>

#include <algorithm>

using namespace aqueduct;
using namespace aqueduct::actors;
using namespace aqueduct::actors::test;

namespace {

buffer text(std::size_t bytes) {
  return buffer::copy_of(std::string_view(std::string(bytes, 'x')));
}

commit_call commit_of(std::int32_t partitions) {
  commit_call call;
  call.group = "g";
  for (std::int32_t partition = 0; partition < partitions; ++partition)
    call.rows.push_back({group_lab::key(partition), partition, -1, ""});
  return call;
}

/// Answered, or not yet.
template <class Answer, class Call>
awaited<Answer> ask(group_lab& lab, Call call) {
  awaited<Answer> answer;
  call.done = answer.taker();
  lab.coordinator->handle(std::move(call), lab.now);
  return answer;
}

join_call classic_join(const std::string& member, std::size_t metadata_bytes) {
  auto call = group_lab::classic_join(member);
  call.brings_id = true;
  call.protocols = {{"range", text(metadata_bytes)}};
  return call;
}

} // namespace

TEST_SUITE_BEGIN("actors.consumer_group.bounds");

TEST_CASE("commits that wait for each other go into entries of a bounded size") {
  group_limits bounds;
  bounds.offsets_bytes_max = 2000;
  group_lab lab(bounds);
  lab.commits = false;
  std::vector<awaited<commit_answer>> answers;
  for (std::int32_t i = 0; i < 100; ++i)
    answers.push_back(lab.commit({}, i, i));
  std::uint64_t index = 0;
  std::size_t entries = 0;
  for (auto commands = lab.coordinator->take_proposals(); !commands.empty();
       commands = lab.coordinator->take_proposals()) {
    lab.coordinator->proposed(index + 1, 1, commands.size());
    for (const auto& command : commands) {
      CHECK(encode(command).size() <= bounds.offsets_bytes_max);
      (void)lab.table.replay(command);
      lab.coordinator->applied(++index, 1, lab.now);
      ++entries;
    }
  }
  // Many in each, all the same.
  CHECK(entries > 2);
  CHECK(entries < 20);
  CHECK(std::ranges::all_of(answers, [](const auto& each) {
    return each.is_there() && each->rows == std::vector{errc::none};
  }));
  CHECK(lab.offsets().rows.size() == 100);
}

TEST_CASE("a commit that is too large is refused as a whole") {
  group_lab lab;
  const auto large = ask<commit_answer>(lab, commit_of(30'000));
  REQUIRE(large.is_there());
  CHECK(large->error == errc::message_too_large);
  CHECK(large->message.find("1048576") != std::string::npos);
  CHECK(large->rows.empty());
  CHECK(lab.coordinator->take_proposals().empty());

  auto words = commit_of(300);
  for (auto& row : words.rows)
    row.metadata.assign(4096, 'x');
  CHECK(ask<commit_answer>(lab, words)->error == errc::message_too_large);

  const auto fits = ask<commit_answer>(lab, commit_of(20'000));
  const auto commands = lab.coordinator->take_proposals();
  REQUIRE(commands.size() == 1);
  CHECK(encode(commands[0]).size() <= std::size_t{1} << 20);
}

TEST_CASE("of a partition that a commit names twice the last row counts") {
  group_lab lab;
  auto call = commit_of(1);
  for (std::int64_t offset = 1; offset <= 50'000; ++offset)
    call.rows.push_back({group_lab::key(0), offset, -1, ""});
  call.rows.push_back({group_lab::key(0), 7, -1, "last"});
  call.rows.push_back({group_lab::key(0), 8, -1, std::string(5000, 'x')});
  const auto answer = ask<commit_answer>(lab, call);
  const auto commands = lab.coordinator->take_proposals();
  REQUIRE(commands.size() == 1);
  CHECK(std::get<commit_offsets_command>(commands[0]).commits.at(0).offsets.size() == 1);
  lab.coordinator->proposed(1, 1, 1);
  (void)lab.table.replay(commands[0]);
  lab.coordinator->applied(1, 1, lab.now);
  REQUIRE(answer.is_there());
  CHECK(answer->error == errc::none);
  REQUIRE(answer->rows.size() == call.rows.size());
  CHECK(answer->rows.front() == errc::none);
  CHECK(answer->rows.back() == errc::metadata_too_large);
  REQUIRE(lab.offsets().rows.size() == 1);
  CHECK(lab.offsets().rows[0].value.offset == 7);
  CHECK(lab.offsets().rows[0].value.metadata == "last");
}

TEST_CASE("a removal of offsets names each partition once, and not too many") {
  group_lab lab;
  CHECK(lab.commit({}, 5)->error == errc::none);
  delete_offsets_call call;
  call.group = "g";
  SUBCASE("again and again") {
    call.rows.assign(100'000, {group_lab::key(0), "t"});
    const auto answer = ask<delete_offsets_answer>(lab, call);
    lab.commit_all();
    CHECK(answer->rows == std::vector(call.rows.size(), errc::none));
    CHECK(lab.offsets().rows.empty());
  }
  SUBCASE("too many") {
    for (std::int32_t partition = 0; partition < 60'000; ++partition)
      call.rows.push_back({group_lab::key(partition), "t"});
    CHECK(ask<delete_offsets_answer>(lab, call)->error == errc::message_too_large);
    CHECK(lab.coordinator->take_proposals().empty());
  }
}

TEST_CASE("offsets that expire together go into entries of a bounded size") {
  group_limits bounds;
  bounds.retention_ms = 100'000;
  group_lab lab(bounds);
  CHECK(ask<commit_answer>(lab, commit_of(20'000)).count() == 0);
  lab.commit_all();
  lab.advance(90'000, 10'000);
  // One is young, so that the group stays.
  CHECK(lab.commit({}, 1, 20'000)->error == errc::none);
  lab.commits = false;
  lab.advance(40'000, 10'000);
  const auto commands = lab.coordinator->take_proposals();
  CHECK(commands.size() > 1);
  for (const auto& command : commands)
    CHECK(encode(command).size() < 64 * 1024);
}

TEST_CASE("what the members of a group say about themselves has a bound together") {
  group_limits bounds;
  bounds.initial_delay_ms = 0;
  bounds.members_bytes_max = 2000;
  group_lab lab(bounds);
  lab.commits = false;
  const auto first = lab.join(classic_join("a", 1000));
  const auto second = lab.join(classic_join("b", 1000));
  REQUIRE(second.is_there());
  CHECK(second->error == errc::group_full);
  CHECK(second->message.find("2000") != std::string::npos);
  CHECK(first.count() == 0);
  const auto commands = lab.coordinator->take_proposals();
  REQUIRE(commands.size() == 1);
  CHECK(encode(commands[0]).size() <= bounds.members_bytes_max);
  lab.coordinator->proposed(1, 1, 1);
  (void)lab.table.replay(commands[0]);
  lab.coordinator->applied(1, 1, lab.now);
  CHECK(first->error == errc::none);
  // Who joins again says the same once; who is new has what is left, even alone no more than that.
  CHECK(lab.join(classic_join("a", 1001)).count() == 0);
  CHECK(lab.join(classic_join("b", 500)).count() == 0);
  CHECK(lab.join(classic_join("c", 500))->error == errc::group_full);
  auto other = classic_join("d", 2000);
  other.group = "another";
  CHECK(lab.join(other)->error == errc::group_full);
}

TEST_CASE("whoever takes the place of a static member takes its share") {
  group_limits bounds;
  bounds.initial_delay_ms = 0;
  bounds.members_bytes_max = 2000;
  group_lab lab(bounds);
  auto call = classic_join("", 1500);
  call.instance = "i";
  CHECK(lab.join(call)->error == errc::none);
  const auto again = lab.join(call);
  REQUIRE(again.is_there());
  CHECK(again->error != errc::group_full);
}

TEST_CASE("assignments of a group have a bound together") {
  group_limits bounds;
  bounds.initial_delay_ms = 0;
  bounds.assignments_bytes_max = 1000;
  group_lab lab(bounds);
  SUBCASE("if the member that leads makes them") {
    const auto first = lab.join(classic_join("a", 10));
    REQUIRE(first->generation == 1);
    const auto b = lab.join(classic_join("b", 10));
    const auto a = lab.join(classic_join("a", 10));
    REQUIRE(a.is_there());
    REQUIRE(b.is_there());
    REQUIRE(a->leader == "a");
    // It waits for what the other one says.
    const auto waiting = lab.sync("b", 2, {{"b", text(1001)}});
    CHECK(waiting.count() == 0);
    const auto refused = lab.sync("a", 2, {{"a", text(500)}, {"b", text(501)}});
    REQUIRE(refused.is_there());
    REQUIRE(waiting.is_there());
    CHECK(refused->error == errc::message_too_large);
    CHECK(waiting->error == errc::message_too_large);
    CHECK(refused->message.find("1000") != std::string::npos);
    CHECK(lab.describe().phase == group_phase::preparing);
    SUBCASE("it may do better") {
      const auto b2 = lab.join(classic_join("b", 10));
      REQUIRE(lab.join(classic_join("a", 10))->generation == 3);
      REQUIRE(b2.is_there());
      // What is not a member's is not kept.
      const auto synced = lab.sync("a", 3, {{"a", text(1000)}, {"nobody", text(1000)}});
      REQUIRE(synced.is_there());
      CHECK(synced->error == errc::none);
      CHECK(synced->assignment == text(1000));
      CHECK(lab.sync("b", 3)->error == errc::none);
    }
    SUBCASE("and is put out if it does not") {
      for (int i = 0; i < 25; ++i) {
        (void)lab.heartbeat("a", 2);
        lab.advance(1000);
      }
      CHECK(lab.heartbeat("a", 2).error == errc::unknown_member);
    }
  }
  SUBCASE("if the coordinator makes them") {
    lab.topics = {{"t", 1000}};
    const auto refused = lab.join(group_lab::native_join("", {"t"}));
    REQUIRE(refused.is_there());
    CHECK(refused->error == errc::message_too_large);
    CHECK(lab.rows.empty());
    lab.topics = {{"t", 4}};
    const auto joined = lab.join(group_lab::native_join(refused->member, {"t"}));
    REQUIRE(joined.is_there());
    CHECK(joined->error == errc::none);
    CHECK(parts_of(joined->assignment) == std::vector<topic_partitions>{{"t", {0, 1, 2, 3}}});
  }
}

TEST_CASE("entries fit into half of a frame, however small frames are") {
  group_limits bounds;
  bounds.fit_frames(std::uint64_t{100} << 20);
  CHECK(bounds.members_bytes_max == std::size_t{4} << 20);
  CHECK(bounds.assignments_bytes_max == std::size_t{4} << 20);
  CHECK(bounds.offsets_bytes_max == std::size_t{1} << 20);
  constexpr std::size_t smallest = 64 * 1024;
  bounds.fit_frames(smallest);
  CHECK(bounds.members_bytes_max + bounds.assignments_bytes_max <= smallest / 2);
  CHECK(bounds.offsets_bytes_max <= smallest / 2);
}

TEST_SUITE_END();
