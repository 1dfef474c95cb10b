// What members of a group commit.
#include "tests/client/member_lab.hpp"

#include <algorithm>
#include <future>
#include <numeric>
#include <optional>
#include <string>
#include <vector>

using namespace aqueduct;
using namespace aqueduct::client;
using namespace aqueduct::client::test;
using namespace std::chrono_literals;

TEST_SUITE_BEGIN("client.group_commit");

TEST_CASE("auto commit commits what is finished and nothing else") {
  group_lab lab;
  lab.store(10, 1);
  auto config = lab.config();
  config.auto_commit = true;
  config.auto_commit_interval = 0ms;
  auto member = lab.start(config);
  const auto first = [&] {
    for (;;) {
      const auto records = member.poll(1s, {.records_max = 4});
      REQUIRE_MESSAGE(records, to_string(records.error()));
      if (!records->empty())
        return records->size();
    }
  }();
  CHECK(first == 4);
  // What was returned is the user's still.
  CHECK(lab.committed(0) == std::nullopt);
  REQUIRE(member.poll(1s, {.records_max = 4}));
  CHECK(lab.committed(0) == 4);
  const auto closed = member.close();
  CHECK_MESSAGE(closed, to_string(closed.error()));
  CHECK(lab.committed(0) == 8);
  CHECK_FALSE(lab.committed(1).value_or(0) > 0);
}

TEST_CASE("without auto commit only what is asked for is committed") {
  group_lab lab;
  lab.store(5);
  auto member = lab.start();
  REQUIRE(lab.read_until(member, 5));
  CHECK(lab.look().commits.empty());
  SUBCASE("everything") {
    REQUIRE(member.commit());
    CHECK(lab.committed(0) == 5);
    CHECK(lab.committed(1) == 5);
    CHECK(lab.look().commits.size() == 1);
    // Nothing has changed: there is nothing to ask.
    REQUIRE(member.commit());
    CHECK(lab.look().commits.size() == 1);
  }
  SUBCASE("some offsets, in one request") {
    const std::vector<offset_commit> rows = {{tp(0), offset_t(2), "words"}, {tp(1), offset_t(3)}};
    REQUIRE(member.commit(rows));
    const auto seen = lab.look();
    REQUIRE(seen.commits.size() == 1);
    CHECK(seen.commits[0].generation == 1);
    CHECK(seen.commits[0].member_id == member.member_id());
    CHECK(seen.commits[0].topics.at(0).partitions.at(0).metadata == "words");
    CHECK(lab.committed(0) == 2);
    CHECK(lab.committed(1) == 3);
  }
  SUBCASE("of which one is refused") {
    const std::vector<offset_commit> rows = {{tp(0), offset_t(2), std::string(5000, 'x')},
                                             {tp(1), offset_t(3)}};
    CHECK(member.commit(rows).error().code == errc::metadata_too_large);
    CHECK(lab.committed(0) == std::nullopt);
    CHECK(lab.committed(1) == 3);
  }
  REQUIRE(member.close());
  CHECK(lab.look().commits.size() == 1);
}

TEST_CASE("who commits while it joins again commits in the generation that it gets") {
  group_lab lab;
  lab.store(5);
  auto member = lab.start();
  REQUIRE(lab.read_until(member, 5));
  lab.nodes.on_next(api_key::join_group, 1, {.what = kind::hold});
  lab.nodes.with([](auto& state) { state.group.is_rebalancing = true; });
  REQUIRE(lab.nodes.wait([&] { return lab.nodes.group.joins.size() == 2; }));
  auto commits = std::async(std::launch::async, [&] { return member.commit(); });
  REQUIRE(lab.nodes.wait([&] {
    return std::ranges::any_of(lab.nodes.log, [](const fake_request& request) {
      return request.header.key == api_key::commit_offset;
    });
  }));
  REQUIRE(lab.nodes.release() == 1);
  const auto committed = commits.get();
  CHECK_MESSAGE(committed, to_string(committed.error()));
  const auto seen = lab.look();
  REQUIRE(seen.commits.size() == 1);
  CHECK(seen.commits[0].generation == 2);
  CHECK(lab.committed(0) == 5);
  CHECK(lab.committed(1) == 5);
}

TEST_CASE("what does not fit one commit goes in several") {
  group_lab lab;
  constexpr int partitions = 20;
  std::vector<std::int32_t> all(partitions);
  std::iota(all.begin(), all.end(), 0);
  lab.nodes.with([&](auto& state) {
    state.topics.at("t").partitions.resize(partitions);
    state.group.assignments = {share(all)};
    state.group.commit_rows_max = 3;
  });
  lab.store(2, partitions);
  auto config = lab.config();
  config.auto_commit_interval = 0ms;
  const auto is_committed = [&](auto& group) {
    return group.offsets.size() == partitions &&
           std::ranges::all_of(group.offsets, [](const auto& each) { return each.second == 2; });
  };
  const auto read_all = [&](group_consumer& member) {
    REQUIRE(lab.poll_until(member, [&](auto&) {
      return lab.read.size() == partitions && std::ranges::all_of(lab.read, [](const auto& each) {
               return each.second.size() == 2;
             });
    }));
  };
  SUBCASE("that is asked for") {
    auto member = lab.start(config);
    read_all(member);
    CHECK(member.commit());
    CHECK(is_committed(lab.nodes.group));
  }
  SUBCASE("that is due") {
    config.auto_commit = true;
    auto member = lab.start(config);
    read_all(member);
    CHECK(lab.poll_until(member, is_committed));
  }
  SUBCASE("of which some rows are refused") {
    auto member = lab.start(config);
    read_all(member);
    std::vector<offset_commit> rows;
    for (int partition = 0; partition < partitions; ++partition)
      rows.push_back({tp(partition), offset_t(1)});
    rows[4].metadata = std::string(5000, 'x');
    const auto committed = member.commit(rows);
    REQUIRE_FALSE(committed);
    CHECK(committed.error().code == errc::metadata_too_large);
    CHECK(committed.error().message.starts_with("t/4"));
    CHECK(lab.look().offsets.size() == partitions - 1);
  }
  SUBCASE("but for a row that is too large by itself") {
    lab.nodes.with([](auto& state) { state.group.commit_rows_max = 0; });
    auto member = lab.start(config);
    read_all(member);
    CHECK(member.commit().error().code == errc::message_too_large);
  }
  SUBCASE("until the member is put out") {
    config.heartbeat_interval = 2s;
    auto member = lab.start(config);
    read_all(member);
    lab.nodes.on(api_key::commit_offset, [](const fake_request& request) {
      return request.number < 6 ? reaction{}
                                : reaction{.what = kind::fail, .code = errc::unknown_member};
    });
    CHECK(member.commit().error().code == errc::unknown_member);
    CHECK(lab.nodes.count(api_key::commit_offset) == 7);
  }
}

TEST_CASE("large commits are not sent as one") {
  group_lab lab;
  lab.store(5);
  auto member = lab.start();
  REQUIRE(lab.read_until(member, 5));
  std::vector<offset_commit> rows;
  for (int i = 0; i < 300; ++i)
    rows.push_back({tp(i % 2), offset_t(i / 2 % 5), std::string(4000, 'x')});
  CHECK(member.commit(rows));
  const auto seen = lab.look();
  CHECK(seen.commits.size() > 3);
  CHECK(seen.commits.size() < 10);
}

TEST_CASE("a commit of a generation that is over is refused by name") {
  group_lab lab;
  lab.store(5);
  auto config = lab.config();
  config.heartbeat_interval = 2s;
  auto member = lab.start(config);
  REQUIRE(lab.read_until(member, 5));
  SUBCASE("because there is a new one") {
    lab.nodes.with([](auto& state) { ++state.group.generation; });
    CHECK(member.commit().error().code == errc::generation_mismatch);
  }
  SUBCASE("because the member was put out") {
    lab.nodes.with([](auto& state) { state.group.expel(); });
    CHECK(member.commit().error().code == errc::unknown_member);
  }
  SUBCASE("because a rebalance is under way") {
    lab.nodes.on_next(api_key::commit_offset, 1,
                      {.what = kind::fail, .code = errc::rebalance_in_progress});
    CHECK(member.commit().error().code == errc::rebalance_in_progress);
  }
  CHECK(lab.committed(0) == std::nullopt);
}

TEST_SUITE_END();
