// Members of a group against a coordinator that does as the test says.
#include "tests/client/member_lab.hpp"

#include <algorithm>
#include <latch>
#include <map>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>

using namespace aqueduct;
using namespace aqueduct::client;
using namespace aqueduct::client::test;
using namespace std::chrono_literals;

TEST_SUITE_BEGIN("client.group_consumer");

TEST_CASE("a member says who it is and reads what it is given from where the group is") {
  group_lab lab;
  lab.store(10);
  lab.nodes.with([](auto& state) { state.group.offsets[{"t", 1}] = 7; });
  auto config = lab.config();
  config.user_data = "tag";
  config.instance_id = "i1";
  auto member = lab.start(config);
  CHECK(member.generation() == -1);
  REQUIRE(lab.poll_until(
      member, [&](auto&) { return lab.read[0].size() >= 10 && lab.read[1].size() >= 3; }));
  CHECK(lab.read[0].front() == 0);
  CHECK(lab.read[1] == std::vector<std::int64_t>{7, 8, 9});
  CHECK(member.assigned() == std::vector{tp(0), tp(1)});
  CHECK(member.generation() == 1);
  CHECK(member.lag(tp(0)).value() == 0);
  CHECK(lab.told == std::vector<std::string>{"assigned 0 1"});
  const auto seen = lab.look();
  REQUIRE(seen.joins.size() == 1);
  const auto& join = seen.joins[0];
  CHECK(join.group == "g");
  CHECK(join.member_id == member.member_id());
  CHECK(join.instance_id == "i1");
  CHECK(join.subscription == std::vector<std::string>{"t"});
  CHECK(join.assignors == std::vector<std::string>{"cooperative-sticky"});
  CHECK(join.session_timeout_ms == 6000);
  CHECK(join.rebalance_timeout_ms == 300'000);
  CHECK(join.user_data.text() == "tag");
  CHECK(join.owned.empty());
}

TEST_CASE("where the group is that cannot be looked up is asked for again") {
  group_lab lab;
  lab.store(10);
  lab.nodes.with([](auto& state) {
    state.group.offsets[{"t", 1}] = 7;
    state.group.unknown = {{"t", 1}};
  });
  auto member = lab.start();
  // The other partition does not wait for it.
  REQUIRE(lab.poll_until(member, [&](auto&) {
    return lab.read[0].size() >= 10 && std::ranges::count_if(lab.nodes.log, [](const auto& each) {
                                         return each.header.key == api_key::fetch_offset;
                                       }) >= 3;
  }));
  CHECK(lab.told == std::vector<std::string>{"assigned 0"});
  CHECK(lab.read[1].empty());
  SUBCASE("until it is found") {
    lab.nodes.with([](auto& state) { state.group.unknown.clear(); });
    REQUIRE(lab.poll_until(member, [&](auto&) { return lab.read[1].size() >= 3; }));
    CHECK(lab.read[1] == std::vector<std::int64_t>{7, 8, 9});
    CHECK(lab.read[0].size() == 10);
    CHECK(lab.told == std::vector<std::string>{"assigned 0", "assigned 1"});
    CHECK(lab.look().joins.size() == 1);
    // The member goes on: it hears of the next rebalance.
    lab.nodes.with([](auto& state) { state.group.is_rebalancing = true; });
    REQUIRE(lab.poll_until(member, [](auto& group) { return group.joins.size() == 2; }));
    CHECK(lab.look().joins[1].owned == share({0, 1}));
  }
  SUBCASE("unless it is the member's no more") {
    lab.nodes.with([](auto& state) {
      state.group.assignments = {share({0})};
      state.group.is_rebalancing = true;
    });
    REQUIRE(lab.poll_until(member, [](auto& group) { return group.joins.size() == 2; }));
    CHECK(lab.look().joins[1].owned == share({0}));
    REQUIRE(lab.poll_until(member, [&](auto&) { return member.generation() == 2; }));
    CHECK(member.assigned() == std::vector{tp(0)});
    lab.nodes.with([](auto& state) { state.group.unknown.clear(); });
    lab.store(1);
    REQUIRE(lab.poll_until(member, [&](auto&) { return lab.read[0].size() == 11; }));
    CHECK(lab.read[1].empty());
    CHECK(lab.told == std::vector<std::string>{"assigned 0"});
  }
  SUBCASE("also if nothing at all can be, until the group is rebalanced") {
    lab.nodes.on(api_key::fetch_offset, [](const fake_request&) {
      return reaction{.what = kind::fail, .code = errc::internal, .retriable = false};
    });
    std::optional<error> why;
    const auto polls_until = [&](auto holds) {
      const auto deadline = std::chrono::steady_clock::now() + 10s;
      while (!holds() && std::chrono::steady_clock::now() < deadline)
        if (const auto records = member.poll(5ms); !records)
          why = records.error();
      return holds();
    };
    REQUIRE(polls_until([&] { return why.has_value(); }));
    CHECK(why->code == errc::internal);
    lab.nodes.with([](auto& state) { state.group.is_rebalancing = true; });
    REQUIRE(polls_until([&] { return lab.look().joins.size() == 2; }));
    CHECK(lab.look().joins[1].owned == share({0}));
    lab.nodes.on(api_key::fetch_offset, [](const fake_request&) { return reaction{}; });
    lab.nodes.with([](auto& state) { state.group.unknown.clear(); });
    REQUIRE(polls_until([&] { return member.assigned() == std::vector{tp(0), tp(1)}; }));
    CHECK(lab.told == std::vector<std::string>{"assigned 0", "assigned 1"});
  }
  SUBCASE("or the member is put out") {
    lab.nodes.with([](auto& state) { state.group.expel(); });
    REQUIRE(lab.poll_until(
        member, [&](auto&) { return std::ranges::find(lab.told, "lost 0") != lab.told.end(); }));
    lab.nodes.with([](auto& state) { state.group.unknown.clear(); });
    REQUIRE(lab.poll_until(member, [&](auto&) { return lab.read[1].size() >= 3; }));
    CHECK(lab.read[1].front() == 7);
  }
}

TEST_CASE("with an eager assignor what waits to be looked up is not held on to") {
  group_lab lab;
  lab.nodes.with([](auto& state) {
    state.group.assignor = "range";
    state.group.unknown = {{"t", 1}};
  });
  auto config = lab.config();
  config.assignors = {"range"};
  auto member = lab.start(config);
  REQUIRE(lab.poll_until_told(member, "assigned 0"));
  lab.nodes.with([](auto& state) { state.group.is_rebalancing = true; });
  REQUIRE(lab.poll_until(member, [](auto& group) { return group.joins.size() == 2; }));
  CHECK(lab.look().joins[1].owned.empty());
  lab.nodes.with([](auto& state) { state.group.unknown.clear(); });
  REQUIRE(lab.poll_until(member, [&](auto&) { return member.assigned().size() == 2; }));
  CHECK(std::vector(lab.told.begin(), lab.told.begin() + 2) ==
        std::vector<std::string>{"assigned 0", "revoked 0"});
}

TEST_CASE("a callback that throws leaves the member in its group") {
  group_lab lab;
  auto config = lab.config();
  std::string throwing;
  std::optional<std::string> thrown;
  const auto tell = [&](const std::string& what) {
    return [&, what](partition_span all) {
      lab.tell(what, all);
      if (what == throwing && !thrown)
        throw std::runtime_error(*(thrown = what));
    };
  };
  config.on_assigned = tell("assigned");
  config.on_revoked = tell("revoked");
  config.on_lost = tell("lost");
  const auto poll_until_thrown = [&](group_consumer& member) {
    const auto deadline = std::chrono::steady_clock::now() + 10s;
    while (std::chrono::steady_clock::now() < deadline)
      try {
        const auto polled = member.poll(5ms);
        REQUIRE(polled);
      } catch (const std::runtime_error& error) {
        CHECK(error.what() == throwing);
        return;
      }
    FAIL("nothing was thrown");
  };
  const auto rebalance = [&] {
    lab.nodes.with([](auto& state) { state.group.is_rebalancing = true; });
  };
  const auto joins_again = [&](group_consumer& member) {
    const auto joins = lab.look().joins.size();
    rebalance();
    return lab.poll_until(member, [&](auto& group) { return group.joins.size() > joins; });
  };
  SUBCASE("what is new is its own") {
    throwing = "assigned";
    auto member = lab.start(config);
    poll_until_thrown(member);
    CHECK(member.assigned() == std::vector{tp(0), tp(1)});
    CHECK(joins_again(member));
    CHECK(lab.look().joins[1].owned == share({0, 1}));
  }
  SUBCASE("what is taken is gone, and what is new comes with the next assignment") {
    throwing = "revoked";
    lab.nodes.with([](auto& state) {
      state.topics.at("t").partitions.resize(3);
      state.group.assignments = {share({0, 1}), share({1, 2})};
    });
    auto member = lab.start(config);
    REQUIRE(lab.poll_until_told(member, "assigned 0 1"));
    rebalance();
    poll_until_thrown(member);
    REQUIRE(lab.poll_until_told(member, "assigned 2"));
    CHECK(lab.told == std::vector<std::string>{"assigned 0 1", "revoked 0", "assigned 2"});
    REQUIRE(lab.poll_until(member, [](auto& group) { return group.joins.size() == 3; }));
    CHECK(lab.look().joins[2].owned == share({1}));
    CHECK(joins_again(member));
    CHECK(lab.look().joins[3].owned == share({1, 2}));
  }
  SUBCASE("what an eager assignor takes is gone") {
    throwing = "revoked";
    lab.nodes.with([](auto& state) { state.group.assignor = "range"; });
    config.assignors = {"range"};
    auto member = lab.start(config);
    REQUIRE(lab.poll_until_told(member, "assigned 0 1"));
    rebalance();
    poll_until_thrown(member);
    CHECK(member.assigned().empty());
    REQUIRE(lab.poll_until(member, [](auto& group) { return group.joins.size() == 2; }));
    CHECK(lab.look().joins[1].owned.empty());
    CHECK(joins_again(member));
  }
  SUBCASE("what was lost is gone") {
    throwing = "lost";
    auto member = lab.start(config);
    REQUIRE(lab.poll_until_told(member, "assigned 0 1"));
    lab.nodes.with([](auto& state) { state.group.expel(); });
    poll_until_thrown(member);
    REQUIRE(lab.poll_until(member, [](auto& group) { return group.joins.size() == 2; }));
    CHECK(joins_again(member));
  }
  SUBCASE("also in a run, after which polls are as ever") {
    throwing = "assigned";
    lab.store(5);
    auto member = lab.start(config);
    CHECK_THROWS_AS((void)member.run([](const record_view&) { return result<void>(); }),
                    std::runtime_error);
    REQUIRE(lab.read_until(member, 5));
    CHECK(member.commit());
    CHECK(lab.committed(1) == 5);
  }
  SUBCASE("but for the last one") {
    throwing = "revoked";
    {
      auto member = lab.start(config);
      REQUIRE(lab.poll_until_told(member, "assigned 0 1"));
      SUBCASE("which whoever closes hears of") {
        CHECK_THROWS_AS((void)member.close(), std::runtime_error);
        CHECK(lab.look().leaves.size() == 1);
        CHECK(member.close());
      }
      SUBCASE("or nobody") {}
    }
    CHECK(lab.look().leaves.size() == 1);
  }
}

TEST_CASE("a partition that cannot be looked up for long is named to whoever polls") {
  group_lab lab;
  lab.nodes.with([](auto& state) { state.group.unknown = {{"t", 1}}; });
  auto config = lab.config();
  config.reading.request_timeout = 100ms;
  auto member = lab.start(config);
  std::optional<error> why;
  const auto deadline = std::chrono::steady_clock::now() + 10s;
  while (!why && std::chrono::steady_clock::now() < deadline)
    if (const auto records = member.poll(5ms); !records)
      why = records.error();
  REQUIRE(why);
  CHECK(why->code == errc::unknown_partition);
  CHECK(why->message.find("t/1") != std::string::npos);
  CHECK(member.assigned() == std::vector{tp(0)});
}

TEST_CASE("what is new to the group begins where the member says") {
  group_lab lab;
  lab.store(10);
  auto config = lab.config();
  config.start = group_start::latest;
  auto member = lab.start(config);
  REQUIRE(lab.poll_until_told(member, "assigned 0 1"));
  REQUIRE(lab.poll_until(member, [&](auto&) {
    const auto position = member.position(tp(1));
    return position && *position == offset_t(10);
  }));
  CHECK(lab.read.empty());
}

TEST_CASE("what is taken is revoked before what is new is assigned, and can be committed then") {
  group_lab lab;
  lab.nodes.with([](auto& state) {
    state.topics.at("t").partitions.resize(3);
    state.group.assignments = {share({0, 1}), share({1, 2})};
  });
  lab.store(5);
  std::optional<group_consumer> member;
  auto config = lab.config();
  config.on_revoked = [&](partition_span all) {
    lab.tell("revoked", all);
    const auto committed = member->commit();
    CHECK_MESSAGE(committed, to_string(committed.error()));
    // The callback is within a poll.
    CHECK(member->poll(1ms).error().code == errc::invalid_request);
  };
  member.emplace(lab.start(config));
  REQUIRE(lab.read_until(*member, 5));
  lab.nodes.with([](auto& state) { state.group.is_rebalancing = true; });
  REQUIRE(lab.poll_until_told(*member, "assigned 2"));
  CHECK(lab.told == std::vector<std::string>{"assigned 0 1", "revoked 0", "assigned 2"});
  CHECK(lab.committed(0) == 5);
  CHECK(lab.committed(1) == 5);
  // Who gave something up joins again, so that it can be given to others.
  REQUIRE(lab.poll_until(*member, [](auto& group) { return group.joins.size() == 3; }));
  const auto seen = lab.look();
  CHECK(seen.joins[1].owned == share({0, 1}));
  CHECK(seen.joins[1].generation == 1);
  CHECK(seen.joins[2].owned == share({1, 2}));
  CHECK(seen.joins[2].member_id == seen.joins[0].member_id);
}

TEST_CASE("with an eager assignor everything is given up before the member joins again") {
  group_lab lab;
  lab.nodes.with([](auto& state) { state.group.assignor = "range"; });
  auto config = lab.config();
  config.assignors = {"range", "roundrobin"};
  auto member = lab.start(config);
  REQUIRE(lab.poll_until_told(member, "assigned 0 1"));
  lab.nodes.with([](auto& state) {
    state.group.assignments = {share({1})};
    state.group.is_rebalancing = true;
  });
  REQUIRE(lab.poll_until_told(member, "assigned 1"));
  CHECK(lab.told == std::vector<std::string>{"assigned 0 1", "revoked 0 1", "assigned 1"});
  CHECK(lab.look().joins[1].owned.empty());
}

TEST_CASE("a member that was put out loses what it had, and joins again by another name") {
  group_lab lab;
  lab.store(5);
  auto member = lab.start();
  REQUIRE(lab.read_until(member, 5));
  const auto before = member.member_id();
  lab.nodes.with([](auto& state) { state.group.expel(); });
  REQUIRE(lab.poll_until(member, [&](auto&) { return lab.told.size() >= 3; }));
  CHECK(lab.told == std::vector<std::string>{"assigned 0 1", "lost 0 1", "assigned 0 1"});
  CHECK(member.member_id() != before);
  // Nothing of it was committed.
  REQUIRE(lab.read_until(member, 10));
  CHECK(lab.look().commits.empty());
}

TEST_CASE("the coordinator is found again where it has moved to") {
  group_lab lab(2);
  lab.store(5);
  auto member = lab.start();
  REQUIRE(lab.read_until(member, 5));
  lab.nodes.with([](auto& state) { state.group.node = 1; });
  const auto committed = member.commit();
  REQUIRE_MESSAGE(committed, to_string(committed.error()));
  CHECK(lab.committed(0) == 5);
  CHECK(lab.nodes.count(api_key::find_coordinator) >= 2);
  // The heartbeats find it too, and it knows the member still.
  REQUIRE(lab.nodes.wait([&] {
    return std::ranges::count_if(lab.nodes.log, [](const auto& each) {
             return each.header.key == api_key::heartbeat && each.node == 1;
           }) > 2;
  }));
  REQUIRE(lab.poll_until(member, [](auto& group) { return group.joins.size() == 1; }));
  CHECK(lab.told.size() == 1);
}

TEST_CASE("a coordinator that is out of service is left for the one that took over") {
  group_lab lab(2);
  lab.store(5);
  auto member = lab.start();
  REQUIRE(lab.read_until(member, 5));
  auto code = errc::storage_failed;
  SUBCASE("its disk failed") {}
  SUBCASE("its data are damaged") {
    code = errc::storage_damaged;
  }
  SUBCASE("it broke its own rules") {
    code = errc::internal;
  }
  for (const auto key : {api_key::heartbeat, api_key::commit_offset})
    lab.nodes.on(key, [code](const fake_request& request) {
      return reaction{.what = request.node == 0 ? kind::fail : kind::normal, .code = code};
    });
  lab.nodes.with([](auto& state) { state.group.node = 1; });
  // It may be the same coordinator still: whoever commits hears of it once.
  const auto first = member.commit();
  CHECK((first || first.error().code == code));
  CHECK(member.commit());
  CHECK(lab.committed(0) == 5);
  CHECK(lab.nodes.wait([&] {
    return lab.nodes.log.back().node == 1 && lab.nodes.log.back().header.key == api_key::heartbeat;
  }));
  CHECK(lab.told == std::vector<std::string>{"assigned 0 1"});
}

TEST_CASE("a broker that knows of no coordinator is not the only one to be asked") {
  group_lab lab(2, 1);
  lab.nodes.with([](auto& state) { state.group.node = 1; });
  // Its own replica of the coordinator is out of service: it hears no more of who leads.
  lab.nodes.on(api_key::find_coordinator, [](const fake_request& request) {
    return reaction{.what = request.node == 0 ? kind::fail : kind::normal,
                    .code = errc::coordinator_loading};
  });
  auto member = lab.start();
  CHECK(lab.poll_until_told(member, "assigned 0 1"));
}

TEST_CASE("a coordinator that falls silent is left for the one that took over") {
  group_lab lab(2);
  lab.store(5);
  const auto is_silent = [](const fake_request& request) {
    return reaction{.what = request.node == 0 ? kind::ignore : kind::normal};
  };
  const auto moves = [&](api_key key) {
    lab.nodes.on(key, is_silent);
    lab.nodes.with([](auto& state) { state.group.node = 1; });
  };
  SUBCASE("while the member joins") {
    lab.nodes.on(api_key::join_group, is_silent);
    auto member = lab.start();
    REQUIRE(lab.nodes.wait([&] { return lab.nodes.log.back().header.key == api_key::join_group; }));
    lab.nodes.with([](auto& state) { state.group.node = 1; });
    CHECK(lab.poll_until_told(member, "assigned 0 1"));
  }
  SUBCASE("while it commits") {
    auto member = lab.start();
    REQUIRE(lab.read_until(member, 5));
    moves(api_key::commit_offset);
    const auto begin = std::chrono::steady_clock::now();
    CHECK(member.commit());
    CHECK(std::chrono::steady_clock::now() - begin < 10s);
    CHECK(lab.committed(0) == 5);
  }
  SUBCASE("while it only says that it is there") {
    auto member = lab.start();
    REQUIRE(lab.read_until(member, 5));
    moves(api_key::heartbeat);
    // Long before anybody takes it for gone.
    CHECK(lab.nodes.wait([&] {
      return lab.nodes.log.back().node == 1 &&
             lab.nodes.log.back().header.key == api_key::heartbeat;
    }));
  }
}

TEST_CASE("who does not poll for too long leaves until it polls again") {
  group_lab lab;
  lab.store(5);
  auto config = lab.config();
  config.poll_interval_max = 1s;
  auto member = lab.start(config);
  REQUIRE(lab.read_until(member, 5));
  const auto before = member.member_id();
  REQUIRE(lab.nodes.wait([&] { return lab.nodes.group.leaves.size() == 1; }));
  CHECK(lab.look().leaves[0].members.at(0).member_id == before);
  CHECK(member.commit().error().code == errc::unknown_member);
  REQUIRE(lab.poll_until(member, [&](auto&) { return lab.told.size() >= 3; }));
  CHECK(lab.told == std::vector<std::string>{"assigned 0 1", "lost 0 1", "assigned 0 1"});
  CHECK(lab.look().joins.size() == 2);
}

TEST_CASE("handlers work on partitions side by side, and on the records of one in order") {
  group_lab lab;
  lab.store(20);
  auto config = lab.config();
  config.auto_commit = true;
  config.auto_commit_interval = 0ms;
  auto member = lab.start(config);
  // The first records of both are worked on at one time, or this never ends.
  std::latch both(2);
  std::mutex mutex;
  std::map<int, std::vector<std::int64_t>> seen;
  const auto outcome = member.run(
      [&](const record_view& record) -> result<void> {
        if (record.offset == offset_t(0))
          both.arrive_and_wait();
        const std::lock_guard lock(mutex);
        seen[record.partition.value].push_back(record.offset.value);
        if (seen[0].size() == 20 && seen[1].size() == 20)
          member.stop();
        return {};
      },
      {.threads = 2});
  REQUIRE_MESSAGE(outcome, to_string(outcome.error()));
  for (const int partition : {0, 1}) {
    CHECK(std::ranges::is_sorted(seen[partition]));
    CHECK(lab.committed(partition) == 20);
  }
}

TEST_CASE("a record whose handler fails is given to it again, and nothing behind it is committed") {
  group_lab lab;
  lab.store(6, 1);
  auto config = lab.config();
  config.auto_commit = true;
  config.auto_commit_interval = 0ms;
  auto member = lab.start(config);
  std::vector<std::int64_t> seen;
  int failures = 0;
  const auto outcome = member.run(
      [&](const record_view& record) -> result<void> {
        seen.push_back(record.offset.value);
        if (record.offset == offset_t(3) && ++failures <= 2) {
          CHECK(lab.committed(0).value_or(0) <= 3);
          if (failures == 2)
            throw std::runtime_error("the handler threw");
          return unexpected(errc::internal, "not this one");
        }
        if (record.offset == offset_t(5))
          member.stop();
        return {};
      },
      {.retry_after = 1ms});
  REQUIRE_MESSAGE(outcome, to_string(outcome.error()));
  CHECK(seen == std::vector<std::int64_t>{0, 1, 2, 3, 3, 3, 4, 5});
  CHECK(lab.committed(0) == 6);
}

TEST_CASE("what a stop leaves undone is neither committed nor skipped") {
  group_lab lab;
  lab.store(10, 1);
  auto config = lab.config();
  config.auto_commit = true;
  auto member = lab.start(config);
  const auto outcome = member.run([&](const record_view& record) -> result<void> {
    if (record.offset == offset_t(3))
      member.stop();
    return {};
  });
  REQUIRE_MESSAGE(outcome, to_string(outcome.error()));
  CHECK(lab.committed(0) == 4);
  REQUIRE(lab.poll_until(member, [&](auto&) { return !lab.read[0].empty(); }));
  CHECK(lab.read[0].front() == 4);
}

TEST_CASE("a paused partition yields nothing, and one that is moved goes on there") {
  group_lab lab;
  lab.store(10);
  auto member = lab.start();
  REQUIRE(lab.read_until(member, 10));
  REQUIRE(member.pause(tp(0)));
  lab.store(5);
  REQUIRE(lab.poll_until(member, [&](auto&) { return lab.read[1].size() == 15; }));
  CHECK(lab.read[0].size() == 10);
  REQUIRE(member.resume(tp(0)));
  REQUIRE(lab.read_until(member, 15));
  REQUIRE(member.seek(tp(1), start_position::at(offset_t(12))));
  REQUIRE(lab.poll_until(member, [&](auto&) { return lab.read[1].size() == 18; }));
  CHECK(lab.read[1].back() == 14);
  REQUIRE(member.commit());
  CHECK(lab.committed(1) == 15);
}

TEST_CASE("who closes leaves, but for a static member, whose place waits for it") {
  group_lab lab;
  auto config = lab.config();
  SUBCASE("dynamic") {
    auto member = lab.start(config);
    REQUIRE(lab.poll_until_told(member, "assigned 0 1"));
    const auto id = member.member_id();
    REQUIRE(member.close());
    REQUIRE(lab.look().leaves.size() == 1);
    CHECK(lab.look().leaves[0].members.at(0).member_id == id);
    CHECK(lab.told.back() == "revoked 0 1");
    REQUIRE(member.close());
    CHECK(lab.look().leaves.size() == 1);
  }
  SUBCASE("static") {
    config.instance_id = "i1";
    auto member = lab.start(config);
    REQUIRE(lab.poll_until_told(member, "assigned 0 1"));
    REQUIRE(member.close());
    CHECK(lab.look().leaves.empty());
    CHECK(lab.told.back() == "revoked 0 1");
  }
}

TEST_CASE("a topic that comes and matches a pattern is asked for") {
  group_lab lab;
  auto config = lab.config();
  config.topics.clear();
  config.patterns = {"t.*"};
  config.topics_interval = 10ms;
  auto member = lab.start(config);
  REQUIRE(lab.poll_until_told(member, "assigned 0 1"));
  CHECK(lab.look().joins[0].subscription == std::vector<std::string>{"t"});
  lab.nodes.add_topic("other", 1);
  lab.nodes.add_topic("t2", 1);
  REQUIRE(lab.poll_until(member, [](auto& group) { return group.joins.size() == 2; }));
  CHECK(lab.look().joins[1].subscription == std::vector<std::string>{"t", "t2"});
}

TEST_CASE("a member that the group does not take hears why, and tries again") {
  group_lab lab;
  lab.nodes.on_next(api_key::join_group, 1,
                    {.what = kind::fail, .code = errc::group_full, .retriable = false});
  auto member = lab.start();
  std::optional<error> why;
  const auto deadline = std::chrono::steady_clock::now() + 10s;
  while (!why && std::chrono::steady_clock::now() < deadline)
    if (const auto records = member.poll(5ms); !records)
      why = records.error();
  REQUIRE(why);
  CHECK(why->code == errc::group_full);
  REQUIRE(lab.poll_until_told(member, "assigned 0 1"));
}

TEST_CASE("settings that make no sense are refused by name") {
  group_lab lab;
  const auto refused = [&](auto change) {
    auto config = lab.config();
    change(config);
    const auto made = group_consumer::create(*lab.on, config);
    return made ? std::string() : made.error().message;
  };
  CHECK(refused([](auto& c) { c.group = ""; }) == "group is empty");
  CHECK(refused([](auto& c) { c.topics.clear(); }) == "neither topics nor patterns are named");
  CHECK(refused([](auto& c) { c.patterns = {"("}; }).starts_with("the pattern '(' cannot be read"));
  CHECK(refused([](auto& c) { c.assignors = {"fair"}; }).find("not 'fair'") != std::string::npos);
  CHECK(refused([](auto& c) { c.heartbeat_interval = 3s; }).starts_with("heartbeat_interval"));
  CHECK(refused([](auto& c) { c.poll_interval_max = 10ms; }).starts_with("poll_interval_max"));
}

TEST_SUITE_END();
