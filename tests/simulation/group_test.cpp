// Groups of several replicas: the shipped actors over a network that loses, repeats and reorders,
// on machines that lose power. Seeds of random lives are in group_random_test.cpp.
#include "tests/simulation/sim_group.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <vector>

using namespace aqueduct;
using namespace aqueduct::actors;
using namespace aqueduct::actors::test;

TEST_SUITE_BEGIN("simulation.group");

namespace {

std::uint64_t last_applied(const sim_group& group, std::int32_t node) {
  const auto& applied = group.journal(node).applied;
  return applied.empty() ? 0 : applied.rbegin()->first;
}

} // namespace

TEST_CASE("three replicas elect one leader and apply the same entries in the same order") {
  sim_group group({});
  const auto leader = group.wait_for_leader();
  REQUIRE(leader != 0);

  for (int i = 0; i < 50; ++i)
    group.propose(leader, "value " + std::to_string(i));
  REQUIRE(group.wait_until_equal());

  CHECK(group.acknowledged().size() == 50);
  for (std::int32_t node = 1; node <= 3; ++node)
    CHECK(group.journal(node).applied == group.journal(leader).applied);
  CHECK(group.check().empty());
}

TEST_CASE("the leader knows at every moment which of the others keep up") {
  sim_group group({.disks_stall = true});
  const auto leader = group.wait_for_leader();
  REQUIRE(leader != 0);
  const auto first = std::min(leader % 3 + 1, (leader + 1) % 3 + 1);
  const auto second = std::max(leader % 3 + 1, (leader + 1) % 3 + 1);
  using nodes = std::vector<std::int32_t>;
  const auto in_sync = [&] { return group.journal(leader).in_sync; };
  group.propose(leader, "value");
  group.run_for(300);
  CHECK(in_sync() == nodes{first, second});
  // Whoever does not lead knows nothing of the others.
  CHECK(group.journal(first).in_sync.empty());

  // Its link is gone: nobody is sent there from here on, until it has been heard again.
  group.network().isolate(second);
  group.run_for(30);
  CHECK(in_sync() == nodes{first, second});
  group.lose_contact(leader, second);
  group.run_for(20);
  CHECK(in_sync() == nodes{first});
  group.network().heal();
  group.run_for(1000);
  CHECK(in_sync() == nodes{first, second});

  // It is silent: for an election timeout that may be chance.
  group.network().isolate(second);
  group.run_for(1000);
  CHECK(in_sync() == nodes{first});
  group.network().heal();
  group.run_for(1000);
  CHECK(in_sync() == nodes{first, second});

  // It answers, and has too little on its disk.
  group.stall_disk(second, 5000);
  for (int i = 0; i < 60; ++i) {
    for (int k = 0; k < 20; ++k)
      group.propose(leader, "more");
    group.run_for(5);
  }
  group.run_for(1500);
  REQUIRE(group.leader() == leader);
  CHECK(in_sync() == nodes{first});
  group.stall_disk(second, 0);
  REQUIRE(group.wait_until_equal());
  group.run_for(100);
  CHECK(in_sync() == nodes{first, second});

  // Another one leads: what the former leader knew is void.
  group.network().isolate(leader);
  group.run_for(3000);
  CHECK(in_sync().empty());
}

TEST_CASE("an entry is not acknowledged before a majority has it on disk") {
  sim_group group({});
  const auto leader = group.wait_for_leader();
  REQUIRE(leader != 0);
  const auto follower = leader % 3 + 1;
  const auto other = follower % 3 + 1;

  group.network().isolate(leader);
  group.propose(leader, "alone");
  group.run_for(50);
  CHECK(group.acknowledged().empty());

  group.network().heal();
  group.network().isolate(other);
  REQUIRE(group.wait_for_leader() != 0);
  group.run_for(1000);
  // With one of the two others back there is a majority again, under whichever leader.
  CHECK(last_applied(group, follower) > 0);
  CHECK(group.check().empty());
}

TEST_CASE("after the leader's power cut another takes over and nothing acknowledged is lost") {
  sim_group group({.seed = 3});
  const auto first = group.wait_for_leader();
  REQUIRE(first != 0);
  for (int i = 0; i < 20; ++i)
    group.propose(first, "before " + std::to_string(i));
  group.run_for(20);
  const auto acknowledged = group.acknowledged().size();
  CHECK(acknowledged > 0);

  group.crash(first);
  const auto second = group.wait_for_leader();
  REQUIRE(second != 0);
  CHECK(second != first);
  for (int i = 0; i < 20; ++i)
    group.propose(second, "after " + std::to_string(i));
  group.run_for(100);
  CHECK(group.acknowledged().size() == acknowledged + 20);

  group.start(first);
  REQUIRE(group.wait_until_equal());
  CHECK(group.journal(first).applied == group.journal(second).applied);
  CHECK(group.check().empty());
}

TEST_CASE("a majority that loses power together keeps what was acknowledged") {
  sim_group group({.seed = 4});
  const auto leader = group.wait_for_leader();
  REQUIRE(leader != 0);
  for (int i = 0; i < 30; ++i)
    group.propose(leader, "value " + std::to_string(i));
  group.run_for(5);

  for (std::int32_t node = 1; node <= 3; ++node)
    group.crash(node);
  for (std::int32_t node = 1; node <= 3; ++node)
    group.start(node);

  REQUIRE(group.wait_until_equal());
  CHECK(group.check().empty());
}

TEST_CASE("a follower that was away reads what it missed from the leader's log") {
  sim_group group({.seed = 5});
  const auto leader = group.wait_for_leader();
  REQUIRE(leader != 0);
  const auto follower = leader % 3 + 1;
  group.crash(follower);
  for (int i = 0; i < 200; ++i) {
    group.propose(leader, "value " + std::to_string(i) + std::string(100, '.'));
    group.run_for(1);
  }

  group.start(follower);

  REQUIRE(group.wait_until_equal());
  CHECK(group.journal(follower).applied == group.journal(leader).applied);
  CHECK(group.check().empty());
}

TEST_CASE("a follower that was away is sent no more than the node may read for it") {
  sim_group::options paced;
  paced.catch_up_rate = 16 << 10;
  sim_group group(paced);
  const auto leader = group.wait_for_leader();
  REQUIRE(leader > 0);
  const auto away = leader % 3 + 1;
  group.crash(away);
  const std::string value(512, 'v');
  for (int i = 0; i < 200; ++i) {
    group.propose(leader, value + std::to_string(i));
    group.run_for(10);
  }
  REQUIRE(group.acknowledged().size() == 200);

  // 100 KiB take six seconds. What is proposed meanwhile does not wait for that.
  group.start(away);
  group.run_for(3000);
  CHECK(last_applied(group, away) < 150);
  group.propose(leader, "meanwhile");
  group.run_for(50);
  CHECK(group.acknowledged().size() == 201);
  group.run_for(5000);
  CHECK(group.wait_until_equal(0));
  CHECK(group.check().empty());
}

TEST_CASE("a read is confirmed by a majority, and not while the leader is cut off") {
  sim_group group({.seed = 6});
  const auto leader = group.wait_for_leader();
  REQUIRE(leader != 0);
  group.propose(leader, "written");
  group.run_for(20);

  group.read(leader, 1);
  group.run_for(50);
  CHECK(group.reads() == 1);

  group.network().isolate(leader);
  group.read(leader, 2);
  group.run_for(1000);
  CHECK(group.reads() == 1);
  CHECK(group.check().empty());
}

TEST_CASE("followers prove how fresh they are, and not while they are cut off") {
  sim_group group({.seed = 6});
  const auto leader = group.wait_for_leader();
  REQUIRE(leader != 0);
  const auto follower = leader % 3 + 1;
  group.propose(leader, "written");
  group.read_fresh(follower, std::nullopt);
  group.run_for(50);
  CHECK(group.fresh_reads_answered() == 1);
  group.read_fresh(follower, 60);
  CHECK(group.fresh_reads_answered() == 2);

  group.network().isolate(follower);
  group.propose(leader, "unseen");
  group.run_for(100);
  group.read_fresh(follower, 60);
  group.read_fresh(follower, std::nullopt);
  group.run_for(1000);
  CHECK(group.fresh_reads_answered() == 2);
  CHECK(group.check().empty());
}

TEST_CASE("a sleeping group is woken by a read that has to be fresh") {
  sim_group group({.seed = 9, .hibernate_after_ticks = 20});
  const auto leader = group.wait_for_leader();
  REQUIRE(leader != 0);
  group.propose(leader, "written");
  group.run_for(5'000);
  const auto before = group.events();
  group.run_for(1'000);
  CHECK(group.events() - before < 20);

  group.read_fresh(leader % 3 + 1, 100);
  group.run_for(100);
  CHECK(group.fresh_reads_answered() == 1);
  CHECK(group.check().empty());
}

TEST_CASE("leadership is handed over without a lost or doubled entry") {
  sim_group group({.seed = 7});
  const auto from = group.wait_for_leader();
  REQUIRE(from != 0);
  const auto to = from % 3 + 1;
  for (int i = 0; i < 10; ++i)
    group.propose(from, "value " + std::to_string(i));

  group.transfer(from, to);
  group.run_for(100);

  CHECK(group.leader() == to);
  REQUIRE(group.wait_until_equal());
  CHECK(group.acknowledged().size() == 10);
  CHECK(group.check().empty());
}

TEST_CASE("what counts on something that was refused is refused too, until its sender knows") {
  sim_group group({.seed = 6});
  const auto leader = group.wait_for_leader();
  REQUIRE(leader != 0);
  group.propose(leader, "first", 1);
  group.run_for(20);
  REQUIRE(group.acknowledged().size() == 1);

  // While leadership is handed over nothing is taken, and who is to have it is gone.
  const auto gone = leader % 3 + 1;
  group.crash(gone);
  group.transfer(leader, gone);
  group.propose(leader, "refused", 1);
  CHECK(group.journal(leader).refused == 1);
  group.run_for(5000);
  REQUIRE(group.leader() == leader);
  group.propose(leader, "sent before the refusal was known", 1);
  group.run_for(20);
  CHECK(group.journal(leader).refused == 2);
  CHECK(group.acknowledged().size() == 1);

  group.propose(leader, "sent after it", 2);
  group.propose(leader, "of nobody's round");
  group.run_for(20);
  CHECK(group.journal(leader).refused == 2);
  CHECK(group.acknowledged().size() == 3);
  CHECK(group.check().empty());
}

TEST_CASE("a node joins as a learner, catches up, and becomes a voter") {
  sim_group group({.seed = 8, .nodes = 4});
  const auto leader = group.wait_for_leader();
  REQUIRE(leader != 0);
  for (int i = 0; i < 50; ++i)
    group.propose(leader, "value " + std::to_string(i));
  group.run_for(100);

  const auto added = group.change(leader, raft::add_learner{sim_group::replica_of(4)});
  REQUIRE(added->has_value());
  REQUIRE((*added)->has_value());
  group.run_for(200);
  REQUIRE(group.wait_until_equal());
  const auto promoted = group.change(leader, raft::promote_learner{sim_group::replica_of(4)});
  REQUIRE(promoted->has_value());
  REQUIRE((*promoted)->has_value());
  group.run_for(200);

  CHECK(group.journal(4).members.voters.size() == 4);
  CHECK(group.journal(4).applied == group.journal(leader).applied);
  const auto refused = group.change(leader, raft::promote_learner{sim_group::replica_of(4)});
  REQUIRE(refused->has_value());
  CHECK_FALSE((*refused)->has_value());
}

TEST_CASE("an idle group goes to sleep, and work or a silent node wakes it") {
  sim_group group({.seed = 9, .hibernate_after_ticks = 20});
  const auto leader = group.wait_for_leader();
  REQUIRE(leader != 0);
  group.propose(leader, "value");
  group.run_for(2000);
  const auto sent = group.network().sent();
  group.run_for(5000);
  CHECK(group.network().sent() == sent);

  group.propose(leader, "awake");
  group.run_for(100);

  CHECK(group.acknowledged().size() == 2);
  CHECK(group.check().empty());
}

TEST_CASE("a leader whose disk stands still hands over within two election timeouts") {
  constexpr std::int64_t election_timeout_ms = 100;
  sim_group::options options;
  options.disks_stall = true;
  sim_group group(options);
  const auto leader = group.wait_for_leader();
  REQUIRE(leader != 0);
  group.propose(leader, "before");
  group.run_for(50);
  REQUIRE(group.acknowledged().size() == 1);

  // Its heartbeats go on.
  group.stall_disk(leader, 10'000);
  group.propose(leader, "waits");
  std::int64_t waited = 0;
  for (; (group.leader() == 0 || group.leader() == leader) && waited < 10'000; ++waited)
    group.run_for(1);
  CHECK(waited <= 2 * election_timeout_ms);
  MESSAGE("another leads after " << waited << " ms");

  group.propose(group.leader(), "goes on");
  group.run_for(20);
  CHECK(group.acknowledged() == std::vector<std::string>{"before", "goes on"});
  CHECK(group.leader() != leader);
  REQUIRE(group.wait_until_equal());
  CHECK(group.acknowledged().size() == 3);
  CHECK(group.check().empty());
}

TEST_SUITE_END();
