// Clusters in virtual time whose replicas go and come back: moved away and back while their files
// are still there, or damaged and replaced from the others.
#include "storage/hard_state.hpp"
#include "storage/log_scan.hpp"
#include "tests/simulation/move_bench.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <optional>
#include <set>

using namespace aqueduct;
using namespace aqueduct::actors;
using namespace aqueduct::actors::test;

TEST_SUITE_BEGIN("simulation.repair");

namespace {

using bench = move_bench;

} // namespace

// -- away and back --------------------------------------------------------------------------------

TEST_CASE("a replica that comes back before its files are gone is opened when they are") {
  bench at(4);
  at.write(60);
  const auto before = at.placed().nodes;
  const auto gone = at.follower();
  auto there = before;
  std::ranges::replace(there, gone, at.outsider());
  at.cluster.machine(gone).disk->fail_removals("/data/groups/" + to_string(at.group), 1000);
  at.move(there);
  at.settle();
  at.move(before);
  at.cluster.run_for(1000);

  CHECK_FALSE(at.cluster.broker(gone).partition_of("t", 0));
  CHECK_FALSE(at.files(gone).empty());
  at.cluster.machine(gone).disk->fail_removals("", 0);
  at.write(5);
  at.settle();
  CHECK(at.cluster.broker(gone).partition_of("t", 0));
  at.finish();
}

TEST_CASE("a node that was away while its replica went and came back keeps what it has") {
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    CAPTURE(seed);
    bench at(4, 3, seed);
    at.write(60);
    const auto before = at.placed().nodes;
    const auto gone = at.follower();
    auto there = before;
    std::ranges::replace(there, gone, at.outsider());
    const auto held = at.files(gone);
    at.move(there);
    REQUIRE(at.cluster.run_until(
        [&] {
          const auto leader = at.cluster.leader_of("t", 0);
          const auto group =
              leader == 0 ? std::nullopt : at.cluster.broker(leader).report(at.group);
          return group && group->members.voters.size() == 4;
        },
        patience_ms));
    // Not for so long that it counts as gone.
    at.cluster.wires().isolate(gone, 4);
    at.settle();
    at.move(before);
    at.cluster.wires().heal();
    at.write(5);
    at.settle();
    const auto holds = at.files(gone);
    CHECK(std::ranges::includes(holds, held));
    at.finish();
  }
}

TEST_CASE("moves to and fro, as fast as they are allowed, lose nothing") {
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    CAPTURE(seed);
    bench at(4, 3, seed);
    at.write(30);
    for (int i = 0; i < 6; ++i) {
      auto to = at.placed().nodes;
      std::ranges::replace(to, at.follower(), at.outsider());
      at.move(to);
      at.write(3);
      at.settle();
    }
    at.finish();
  }
}

// -- taken back -----------------------------------------------------------------------------------

TEST_CASE("a move to a node that is not there is taken back") {
  bench at(4);
  at.write(30);
  const auto before = at.placed().nodes;
  auto there = before;
  const auto target = at.outsider();
  std::ranges::replace(there, at.follower(), target);
  at.cluster.kill(target);
  at.move(there);
  REQUIRE(at.cluster.run_until([&] { return !at.members().learners.empty(); }, patience_ms));
  at.write(5);
  CHECK(at.placed().is_moving());
  CHECK(at.cancel());
  at.settle();
  CHECK(at.placed().nodes == before);
  CHECK(at.members().voters.size() == 3);
  CHECK(at.members().learners.empty());
  CHECK_FALSE(at.cancel());
  at.cluster.start(target);
  at.finish();
  CHECK(at.cluster.run_until([&] { return at.files(target).empty(); }, patience_ms));
}

TEST_CASE("a move is taken back from every point on its way, or is done") {
  int cancelled = 0;
  int done = 0;
  std::set<std::size_t> voters_seen;
  for (std::int64_t ms = 0; ms <= 12'000; ms += ms < 200 ? 10 : ms / 2) {
    CAPTURE(ms);
    bench at(4, 3, static_cast<std::uint64_t>(ms) + 1);
    at.write(30);
    const auto before = at.placed().nodes;
    auto there = before;
    const auto target = at.outsider();
    // The one that leads, or one that does not.
    std::ranges::replace(there, ms % 20 == 0 ? at.cluster.leader_of("t", 0) : at.follower(),
                         target);
    const auto who = at.cluster.controller();
    bool is_decided = false;
    at.cluster.broker(who).ask_controller(
        move_question{"t", 0, there, false},
        [&](const result<controller_answer>& answer) { is_decided = answer.has_value(); });
    REQUIRE(at.cluster.run_until([&] { return is_decided; }, patience_ms));
    at.cluster.run_for(ms);
    voters_seen.insert(at.members().voters.size());
    const bool was_cancelled = at.cancel();
    ++(was_cancelled ? cancelled : done);
    at.write(5);
    at.settle();
    CHECK(at.placed().nodes == (was_cancelled ? before : there));
    at.finish();
    if (was_cancelled)
      CHECK(at.cluster.run_until([&] { return at.files(target).empty(); }, patience_ms));
  }
  // Both came up, and so did groups with a member more.
  CHECK(cancelled > 0);
  CHECK(done > 0);
  CHECK(voters_seen.contains(4));
}

TEST_CASE("a replica that was found damaged while it was to leave is repaired when it stays") {
  bench at(4);
  at.write(120);
  const auto leaves = at.follower();
  auto there = at.placed().nodes;
  const auto target = at.outsider();
  std::ranges::replace(there, leaves, target);
  at.cluster.kill(target);
  at.move(there);
  at.spoil_entry(leaves);
  at.cluster.broker(leaves).scrub();
  at.cluster.run_for(3000);
  const auto changes = at.placed().changes;
  CHECK(at.placed().repairs.empty());
  CHECK(at.cancel());
  CHECK(at.cluster.run_until([&] { return at.is_repaired(changes + 2); }, patience_ms));
  at.cluster.start(target);
  at.finish();
}

TEST_CASE("a move that is taken back to a node that is gone for good is taken back once more") {
  int stuck = 0;
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    CAPTURE(seed);
    bench at(5, 2, seed);
    at.write(30);
    const auto before = at.placed().nodes;
    std::vector<std::int32_t> there;
    for (std::int32_t node = 1; node <= 5 && there.size() < 2; ++node)
      if (!at.placed().is_on(node))
        there.push_back(node);
    at.move(there);
    // The group has let go of one already.
    std::int32_t gone = 0;
    REQUIRE(at.cluster.run_until(
        [&] {
          const auto voters = at.members().voters;
          for (const auto node : before)
            if (voters.size() == 3 && std::ranges::none_of(voters, [&](raft::replica_id who) {
                  return who.node.value == node;
                }))
              gone = node;
          return gone != 0;
        },
        patience_ms));
    if (gone == at.cluster.controller())
      continue;
    at.cluster.kill(gone);
    if (!at.cancel())
      continue;
    ++stuck;
    at.cluster.run_for(20'000);
    REQUIRE(at.placed().nodes == before);
    REQUIRE(at.placed().is_moving());
    at.write(5);

    CHECK(at.cancel());
    CHECK(at.placed().nodes == there);
    CHECK(at.cluster.run_until([&] { return !at.placed().is_moving(); }, patience_ms));
    CHECK(at.placed().nodes == there);
    CHECK(at.members().voters.size() == 2);
    CHECK(at.members().learners.empty());
    at.cluster.start(gone);
    CHECK(at.cluster.run_until([&] { return at.files(gone).empty(); }, patience_ms));
    at.finish();
  }
  // Not all were too late, or took the controller away.
  CHECK(stuck > 0);
}

TEST_CASE(
    "a replica whose repair was given up for a move is repaired when the move is taken back") {
  bench at(4);
  at.write(120);
  const auto bad = at.follower();
  const auto leader = at.cluster.leader_of("t", 0);
  auto there = at.placed().nodes;
  const auto before = there;
  std::ranges::replace(there, bad, at.outsider());
  std::int32_t third = 0;
  for (const auto node : before)
    if (node != bad && node != leader)
      third = node;
  // Without it the group cannot go on without the damaged replica.
  at.cluster.kill(third);
  const auto changes = at.placed().changes;
  at.spoil_entry(bad);
  at.cluster.broker(bad).scrub();
  REQUIRE(at.cluster.run_until([&] { return !at.placed().repairs.empty(); }, patience_ms));
  at.cluster.run_for(3000);
  REQUIRE(at.placed().repair_of(bad) == repair_stage::leaving);

  at.move(there);
  CHECK(at.placed().repairs.empty());
  at.cluster.run_for(3000);
  CHECK(at.cancel());
  CHECK(at.placed().nodes == before);
  at.cluster.start(third);
  // It was to be repaired, to move and to stay, has come back, and only then is it repaired.
  CHECK(at.cluster.run_until([&] { return at.is_repaired(changes + 4); }, patience_ms));
  at.finish();
}

TEST_CASE("a topic that is deleted while a replica of it is being removed leaves nothing") {
  bench at(4);
  at.write(60);
  const auto gone = at.follower();
  auto there = at.placed().nodes;
  const auto before = there;
  std::ranges::replace(there, gone, at.outsider());
  at.cluster.machine(gone).disk->fail_removals("/data/groups/" + to_string(at.group), 2);
  at.move(there);
  at.settle();
  at.move(before);
  at.cluster.delete_topic(at.cluster.controller(), "t");
  CHECK(at.cluster.run_until(
      [&] {
        for (std::int32_t node = 1; node <= 4; ++node)
          if (!at.files(node).empty())
            return false;
        return at.cluster.topics().empty();
      },
      patience_ms));
  at.finish();
}

TEST_CASE("a node stops while it cannot remove a replica, and goes on when it starts") {
  bench at(4);
  at.write(60);
  const auto before = at.placed().nodes;
  const auto gone = at.follower();
  auto there = before;
  std::ranges::replace(there, gone, at.outsider());
  at.cluster.machine(gone).disk->fail_removals("/data/groups/" + to_string(at.group), 1000);
  at.move(there);
  at.settle();
  at.cluster.run_for(100);
  CHECK(at.cluster.stop(gone));
  at.move(before);
  at.write(5);
  at.cluster.machine(gone).disk->fail_removals("", 0);
  at.cluster.start(gone);
  at.settle();
  at.finish();
}

TEST_CASE("power cuts while a replica goes and comes back lose nothing") {
  for (std::uint64_t changes = 1; changes <= 24; ++changes) {
    CAPTURE(changes);
    bench at(4, 3, changes);
    at.write(30);
    const auto before = at.placed().nodes;
    const auto gone = at.follower();
    auto there = before;
    std::ranges::replace(there, gone, at.outsider());
    at.move(there);
    at.cluster.machine(gone).disk->crash_after(changes);
    at.settle();
    at.cluster.run_for(static_cast<std::int64_t>(changes) * 10);
    if (!at.cluster.is_up(gone))
      at.cluster.start(gone);
    at.move(before);
    at.cluster.run_for(500);
    if (at.cluster.is_up(gone))
      at.cluster.kill(gone);
    at.cluster.start(gone);
    at.write(3);
    at.settle();
    at.finish();
  }
}

// -- repair ---------------------------------------------------------------------------------------

TEST_CASE("a replica that does not open is replaced from the others, which serve on") {
  bench at(3);
  at.write(80);
  const auto bad = at.follower();
  const auto changes = at.placed().changes;
  at.cluster.kill(bad);
  at.lose_segment(bad);
  at.cluster.start(bad);
  at.write(20);
  CHECK(at.cluster.run_until([&] { return at.is_repaired(changes); }, patience_ms));
  at.cluster.run_for(100);
  CHECK(at.files(bad, true).empty());
  at.finish();
}

TEST_CASE("damage that a scrub finds in a follower's closed segment is repaired") {
  bench at(3);
  at.write(120);
  const auto bad = at.follower();
  const auto changes = at.placed().changes;
  at.spoil_entry(bad);
  at.cluster.broker(bad).scrub();
  at.write(5);
  CHECK(at.cluster.run_until([&] { return at.is_repaired(changes); }, patience_ms));
  at.finish();
}

TEST_CASE("a leader with damage hands its office over and is repaired") {
  bench at(3);
  at.write(120);
  const auto bad = at.cluster.leader_of("t", 0);
  const auto changes = at.placed().changes;
  at.spoil_entry(bad);
  at.cluster.broker(bad).scrub();
  CHECK(at.cluster.run_until([&] { return at.is_repaired(changes); }, patience_ms));
  at.write(5);
  at.finish();
}

TEST_CASE("a reader that comes across damage has it repaired") {
  bench at(3);
  at.write(120);
  const auto bad = at.cluster.leader_of("t", 0);
  const auto changes = at.placed().changes;
  at.spoil_entry(bad);
  // What is not in memory any more is read from the disk.
  for (std::int64_t offset = 0; offset < 60; offset += 5)
    at.cluster.fetch(bad, "t", 0, offset);
  CHECK(at.cluster.run_until([&] { return at.is_repaired(changes); }, patience_ms));
  at.finish();
}

TEST_CASE("a replica that forgot its votes is replaced by one that never gave any") {
  bench at(3);
  at.write(30);
  const auto bad = at.follower();
  const auto changes = at.placed().changes;
  at.cluster.kill(bad);
  storage::write_batch batch;
  for (const char copy : {'a', 'b'})
    batch.put(storage::family::hard_state, copy + storage::group_prefix(at.group), "rotten");
  REQUIRE(at.cluster.machine(bad).kv->write(batch, storage::durability::synced));
  at.cluster.start(bad);
  at.write(5);
  CHECK(at.cluster.run_until([&] { return at.is_repaired(changes); }, patience_ms));
  at.finish();
}

TEST_CASE("without a majority of the others nothing is removed, and the group stays down") {
  bench at(3);
  at.write(80);
  const auto leader = at.cluster.leader_of("t", 0);
  std::vector<std::int32_t> bad;
  for (const auto node : at.placed().nodes)
    if (node != leader)
      bad.push_back(node);
  for (const auto node : bad)
    at.cluster.kill(node);
  for (const auto node : bad)
    at.lose_segment(node);
  const auto before = at.files(bad[0]).size() + at.files(bad[1]).size();
  for (const auto node : bad)
    at.cluster.start(node);
  at.cluster.run_for(30'000);

  CHECK(at.cluster.leader_of("t", 0) == 0);
  CHECK(at.files(bad[0]).size() + at.files(bad[1]).size() == before);
  for (const auto node : bad)
    CHECK(at.files(node, true).empty());
  const auto repairs = at.placed().repairs;
  REQUIRE(repairs.size() == 1);
  CHECK(repairs.front().stage == repair_stage::leaving);
}

TEST_CASE("a group of one has nowhere to be repaired from, and stays as it is") {
  bench at(3, 1);
  at.write(120);
  const auto only = at.cluster.leader_of("t", 0);
  const auto changes = at.placed().changes;
  at.spoil_entry(only);
  at.cluster.broker(only).scrub();
  at.cluster.run_for(5000);
  CHECK(at.placed().changes == changes);
  CHECK(at.placed().repairs.empty());
  at.write(5);
}

TEST_CASE("a deleted topic takes a repair that is under way along") {
  for (std::int64_t wait = 0; wait < 120; wait += 10) {
    CAPTURE(wait);
    bench at(3);
    at.write(80);
    const auto bad = at.follower();
    at.cluster.kill(bad);
    at.lose_segment(bad);
    at.cluster.start(bad);
    REQUIRE(at.cluster.run_until([&] { return !at.placed().repairs.empty(); }, patience_ms));
    at.cluster.run_for(wait);
    at.cluster.delete_topic(at.cluster.controller(), "t");
    CHECK(at.cluster.run_until([&] { return at.cluster.topics().empty(); }, patience_ms));
    CHECK(at.cluster.run_until([&] { return at.files(bad).empty() && at.files(bad, true).empty(); },
                               patience_ms));
    at.finish();
  }
}

TEST_CASE("power cuts of the damaged node at any change of its disk are survived by its repair") {
  for (std::uint64_t changes = 1; changes <= 60; changes += 2) {
    CAPTURE(changes);
    bench at(3, 3, changes);
    at.write(80);
    const auto bad = at.follower();
    const auto before = at.placed().changes;
    at.cluster.kill(bad);
    at.lose_segment(bad);
    at.cluster.start(bad);
    at.cluster.machine(bad).disk->crash_after(changes);
    const bool cut = at.cluster.run_until([&] { return !at.cluster.is_up(bad); }, 5000);
    if (cut)
      at.cluster.start(bad);
    at.write(3);
    CHECK(at.cluster.run_until([&] { return at.is_repaired(before); }, patience_ms));
    at.finish();
  }
}

TEST_CASE("kills of any node in the middle of a repair are survived by it") {
  for (std::int32_t victim = 1; victim <= 3; ++victim)
    for (std::int64_t wait = 20; wait <= 200; wait += 60) {
      CAPTURE(victim);
      CAPTURE(wait);
      bench at(3);
      at.write(80);
      const auto bad = at.follower();
      const auto before = at.placed().changes;
      at.cluster.kill(bad);
      at.lose_segment(bad);
      at.cluster.start(bad);
      REQUIRE(at.cluster.run_until([&] { return at.cluster.is_ready(bad); }, patience_ms));
      at.cluster.run_for(wait);
      at.cluster.kill(victim);
      at.cluster.run_for(1500);
      at.cluster.start(victim);
      at.write(3);
      CHECK(at.cluster.run_until([&] { return at.is_repaired(before); }, patience_ms));
      at.finish();
    }
}

TEST_SUITE_END();
