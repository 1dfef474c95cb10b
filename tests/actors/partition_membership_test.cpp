// What the leader of a partition does about who its replicas are and which of them leads.
#include "actors/partition/partition_membership.hpp"
#include "tests/actors/raft_samples.hpp"

#include <doctest/doctest.h>

using namespace aqueduct;
using namespace aqueduct::actors;
using namespace aqueduct::actors::test;

namespace {

raft::membership voters(std::initializer_list<int> nodes) {
  raft::membership made;
  for (const auto node : nodes)
    made.voters.push_back(sample_replica(node));
  return made;
}

partition_members wanted(std::initializer_list<int> nodes, bool is_moving = false) {
  partition_members made;
  for (const auto node : nodes)
    made.wanted.push_back(sample_replica(node));
  made.is_moving = is_moving;
  made.changes = 7;
  return made;
}

/// Node 1 leads in term 3, and everything up to the entry 10 of that term is handed out.
partition_membership leader_of(const raft::membership& members, partition_members want) {
  partition_membership made(sample_replica(1), std::move(want));
  made.found(members, 5);
  made.took_office(3, true);
  (void)made.applied(10, 3);
  return made;
}

} // namespace

TEST_SUITE("actors.partition_membership") {
  TEST_CASE("members that are as wanted give the leader nothing to do") {
    auto it = leader_of(voters({1, 2, 3}), wanted({1, 2, 3}));
    CHECK(it.is_settled());
    CHECK(it.is_preferred());
    CHECK_FALSE(it.is_restless());
    CHECK_FALSE(it.next_change());
    CHECK_FALSE(it.transfer_due(0));
    CHECK_FALSE(it.has_moved());
    CHECK(it.has_other_voters());
  }

  TEST_CASE("only the leader changes members, one at a time") {
    partition_membership it(sample_replica(1), wanted({1, 2, 4}));
    it.found(voters({1, 2, 3}), 5);
    it.took_office(3, false);
    CHECK_FALSE(it.next_change());
    CHECK_FALSE(it.is_restless());
    it.took_office(4, true);
    REQUIRE(it.next_change());
    CHECK(raft::to_string(*it.next_change()) ==
          raft::to_string(raft::membership_change{raft::add_learner{sample_replica(4)}}));
    CHECK(it.is_restless());
    CHECK_FALSE(it.transfer_due(0));
    it.resign();
    CHECK_FALSE(it.leads());
    CHECK_FALSE(it.next_change());
  }

  TEST_CASE("they are settled by what is committed in the leader's own term") {
    partition_membership it(sample_replica(1), wanted({1, 2, 3}, true));
    it.found(voters({1, 2, 3}), 8);
    it.took_office(3, true);
    // Of the leader before: it may yet be replaced.
    CHECK_FALSE(it.applied(9, 2));
    CHECK_FALSE(it.has_moved());
    CHECK(it.applied(10, 3));
    CHECK(it.has_moved());
    CHECK(it.changes() == 7);
    // Said once only.
    CHECK_FALSE(it.applied(11, 3));

    // In another term it is to be proven again.
    it.took_office(4, true);
    CHECK_FALSE(it.is_settled());
    CHECK(it.applied(12, 4));

    // A change that is not handed out yet is not in force for whoever leads next.
    it.found(voters({1, 2, 3}), 20);
    CHECK_FALSE(it.is_settled());
    CHECK(it.applied(20, 4));
  }

  TEST_CASE("the office goes to the preferred replica, with time between the tries") {
    auto it = leader_of(voters({1, 2, 3}), wanted({2, 1, 3}));
    CHECK_FALSE(it.is_preferred());
    CHECK(it.is_restless());
    CHECK(it.transfer_due(1000) == sample_replica(2));
    CHECK_FALSE(it.transfer_due(5999));
    CHECK(it.transfer_due(6000) == sample_replica(2));
    it.took_office(4, false);
    CHECK_FALSE(it.transfer_due(20'000));
  }

  TEST_CASE("who is to lead and has no vote yet is waited for") {
    auto it = leader_of(voters({1, 2, 3}), wanted({4, 2, 3}));
    CHECK(it.next_change());
    CHECK_FALSE(it.transfer_due(0));
  }

  TEST_CASE("a leader that is to leave hands over first, and has not moved before") {
    // Everybody else is in place.
    auto it = leader_of(voters({1, 2, 3}), wanted({2, 3}, true));
    CHECK_FALSE(it.next_change());
    CHECK_FALSE(it.has_moved());
    CHECK(it.transfer_due(0) == sample_replica(2));
  }

  TEST_CASE("a move that is taken back is undone from wherever it had come") {
    const auto back = wanted({1, 2, 3}, true);
    const auto change_of = [&](raft::membership members) {
      const auto change = leader_of(members, back).next_change();
      return change ? raft::to_string(*change) : std::string();
    };
    const auto text = [](raft::membership_change change) { return raft::to_string(change); };
    const auto fourth = sample_replica(4);
    const auto third = sample_replica(3);
    // The new one was being filled.
    auto filling = voters({1, 2, 3});
    filling.learners = {fourth};
    CHECK(change_of(filling) == text(raft::remove_replica{fourth}));
    // It had a vote, and the old one still had its own.
    CHECK(change_of(voters({1, 2, 3, 4})) == text(raft::remove_replica{fourth}));
    // The old one was out: it is filled again, and votes before the new one goes.
    CHECK(change_of(voters({1, 2, 4})) == text(raft::add_learner{third}));
    auto returning = voters({1, 2, 4});
    returning.learners = {third};
    CHECK(change_of(returning) == text(raft::promote_learner{third}));
    CHECK(change_of(voters({1, 2, 3})).empty());
    CHECK(leader_of(voters({1, 2, 3}), back).has_moved());
    // The leader itself was the new one: it goes when another one leads.
    auto new_leader = leader_of(voters({1, 2, 3, 4}), wanted({4, 2, 3}, true));
    CHECK_FALSE(new_leader.next_change());
    CHECK_FALSE(new_leader.has_moved());
    CHECK(new_leader.transfer_due(0) == fourth);
  }

  TEST_CASE("a replica alone may sleep, one that others know of may not") {
    CHECK(leader_of(voters({1}), wanted({1})).is_alone());
    CHECK_FALSE(leader_of(voters({1}), wanted({1, 2})).is_alone());
    CHECK_FALSE(leader_of(voters({1}), wanted({1}, true)).is_alone());
    CHECK_FALSE(leader_of(voters({1, 2}), wanted({1})).is_alone());
    CHECK_FALSE(leader_of(voters({1}), wanted({1})).has_other_voters());
  }
}
