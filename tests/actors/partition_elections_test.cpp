// Who is told what about a preferred replica that is to lead.
#include "actors/election/election_batch.hpp"
#include "actors/election/election_search.hpp"
#include "actors/partition/partition_elections.hpp"
#include "tests/actors/raft_samples.hpp"

#include <doctest/doctest.h>

using namespace aqueduct;
using namespace aqueduct::actors;
using namespace aqueduct::actors::test;
using protocol::cluster::election_outcome;
using protocol::cluster::election_verdict;

namespace {

struct decided_to : election_sink {
  void decided(std::uint32_t slot, election_outcome outcome) override {
    outcomes.emplace_back(slot, std::move(outcome));
  }
  std::vector<std::pair<std::uint32_t, election_outcome>> outcomes;
};

/// Node 1 has a replica; 2 is preferred.
struct lab {
  lab() : members(sample_replica(1), wanted({2, 1, 3})) {
    members.found({{sample_replica(1), sample_replica(2), sample_replica(3)}, {}}, 5);
  }

  static partition_members wanted(std::initializer_list<int> nodes) {
    partition_members made;
    for (const auto node : nodes)
      made.wanted.push_back(sample_replica(node));
    return made;
  }

  void lead(std::uint64_t term) {
    leader = 1;
    members.took_office(term, true);
    (void)members.applied(10 * term, term);
  }
  std::optional<raft::replica_id> ask(std::int32_t to, std::int64_t deadline_ms = 1000) {
    return elections.ask({sink, next++, to, deadline_ms}, members, leader);
  }
  std::optional<raft::replica_id> follow(std::int32_t node) {
    leader = node;
    members.took_office(9, false);
    return elections.led_by(node, members);
  }
  const election_outcome& outcome(std::size_t number) { return sink->outcomes.at(number).second; }

  std::shared_ptr<decided_to> sink = std::make_shared<decided_to>();
  partition_membership members;
  partition_elections elections;
  std::int32_t leader = -1;
  std::uint32_t next = 0;
};

} // namespace

TEST_SUITE("actors.partition_elections") {
  TEST_CASE("the leader hands the office over, and says so when it sees the new one in it") {
    lab it;
    it.lead(3);
    CHECK(it.ask(2) == sample_replica(2));
    CHECK(it.sink->outcomes.empty());
    // For a moment nobody leads that is known.
    CHECK_FALSE(it.follow(-1));
    CHECK(it.sink->outcomes.empty());
    CHECK_FALSE(it.follow(2));
    REQUIRE(it.sink->outcomes.size() == 1);
    CHECK(it.outcome(0).verdict == election_verdict::elected);
    CHECK(it.elections.waiting() == 0);
  }

  TEST_CASE("who leads already need not be elected, whoever is asked") {
    lab it;
    it.leader = 2;
    CHECK_FALSE(it.ask(2));
    CHECK(it.outcome(0).verdict == election_verdict::not_needed);
    it.lead(4);
    it.members.want(lab::wanted({1, 2, 3}));
    CHECK_FALSE(it.ask(1));
    CHECK(it.outcome(1).verdict == election_verdict::not_needed);
  }

  TEST_CASE("a follower names the leader, at once or when there is one") {
    lab it;
    it.leader = 3;
    CHECK_FALSE(it.ask(2));
    CHECK(it.outcome(0).verdict == election_verdict::elsewhere);
    CHECK(it.outcome(0).leader == 3);
    it.leader = -1;
    CHECK_FALSE(it.ask(2));
    CHECK(it.sink->outcomes.size() == 1);
    CHECK_FALSE(it.follow(3));
    CHECK(it.outcome(1).leader == 3);
    // The replica itself comes to lead: it hands over.
    it.leader = -1;
    CHECK_FALSE(it.ask(2));
    it.lead(10);
    CHECK(it.elections.led_by(1, it.members) == sample_replica(2));
  }

  TEST_CASE("an office that nobody takes, and one that another takes, are no success") {
    lab it;
    it.lead(3);
    CHECK(it.ask(2));
    it.elections.not_taken(sample_replica(3));
    CHECK(it.sink->outcomes.empty());
    it.elections.not_taken(sample_replica(2));
    CHECK(it.outcome(0).verdict == election_verdict::refused);

    CHECK(it.ask(2));
    CHECK_FALSE(it.follow(3));
    CHECK(it.outcome(1).verdict == election_verdict::elsewhere);
    CHECK(it.outcome(1).leader == 3);

    it.lead(11);
    CHECK(it.ask(2));
    CHECK_FALSE(it.follow(-1));
    it.lead(13);
    CHECK_FALSE(it.elections.led_by(1, it.members));
    CHECK(it.outcome(2).verdict == election_verdict::refused);
  }

  TEST_CASE("a replica that is not preferred, or has no vote, is refused") {
    lab it;
    it.lead(3);
    CHECK_FALSE(it.ask(3));
    CHECK(it.outcome(0).verdict == election_verdict::refused);
    CHECK(it.outcome(0).message.find("node 3") != std::string::npos);
    it.members.want(lab::wanted({4, 1, 3}));
    it.members.found({{sample_replica(1), sample_replica(3)}, {sample_replica(4)}}, 6);
    CHECK_FALSE(it.ask(4));
    CHECK(it.outcome(1).verdict == election_verdict::refused);
    CHECK(it.outcome(1).message.find("no vote") != std::string::npos);
  }

  TEST_CASE("everyone is answered in time, each at its own") {
    lab it;
    CHECK_FALSE(it.ask(2, 100));
    it.lead(3);
    CHECK(it.ask(2, 200));
    it.elections.expire(99);
    CHECK(it.sink->outcomes.empty());
    it.elections.expire(100);
    REQUIRE(it.sink->outcomes.size() == 1);
    CHECK(it.sink->outcomes[0].first == 0);
    CHECK(it.outcome(0).verdict == election_verdict::timed_out);
    it.elections.expire(1000);
    REQUIRE(it.sink->outcomes.size() == 2);
    CHECK(it.outcome(1).verdict == election_verdict::timed_out);

    CHECK(it.ask(2, 2000));
    it.elections.close();
    CHECK(it.outcome(2).verdict == election_verdict::elsewhere);
    CHECK(it.elections.waiting() == 0);
  }

  TEST_CASE("an election that was ordered keeps the leader from handing over once more") {
    lab it;
    it.lead(3);
    it.members.note_transfer(1000);
    CHECK_FALSE(it.members.transfer_due(5999));
    CHECK(it.members.transfer_due(6000) == sample_replica(2));
  }
}

TEST_SUITE("actors.election_search") {
  TEST_CASE("who is named to lead is asked first, then the others, each once") {
    election_search search({2, 1, 3}, 1);
    CHECK(search.next() == 1);
    CHECK(search.next() == 2);
    search.told(3);
    CHECK(search.next() == 3);
    CHECK_FALSE(search.next());
    // Leadership may have come back.
    search.told(1);
    CHECK(search.next() == 1);
  }

  TEST_CASE("nodes that name each other are not asked for ever") {
    election_search search({2, 1});
    int asked = 0;
    for (int node = 1; search.next(); node = 3 - node) {
      search.told(node);
      REQUIRE(++asked < 100);
    }
    CHECK(asked > 2);
  }
}

TEST_SUITE("actors.election_batch") {
  TEST_CASE("the last outcome tells all, and the end of the batch those that are missing") {
    std::vector<std::vector<election_outcome>> told;
    const auto tell = [&](std::vector<election_outcome> outcomes) {
      told.push_back(std::move(outcomes));
    };
    {
      election_batch batch(2, tell);
      batch.decided(1, {election_verdict::elected, -1, {}});
      CHECK(told.empty());
      batch.decided(0, {election_verdict::refused, -1, "why"});
      REQUIRE(told.size() == 1);
      CHECK(told[0][0].message == "why");
      CHECK(told[0][1].verdict == election_verdict::elected);
    }
    CHECK(told.size() == 1);
    { election_batch(2, tell).decided(0, {election_verdict::elected, -1, {}}); }
    REQUIRE(told.size() == 2);
    CHECK(told[1][0].verdict == election_verdict::elected);
    CHECK(told[1][1].verdict == election_verdict::elsewhere);
  }
}
