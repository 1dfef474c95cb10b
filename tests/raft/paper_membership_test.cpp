// What the Raft thesis says about changes of membership (chapter 4), hand-over (3.10) and reads
// (6.4), one test per claim; and groups that sleep.
#include "tests/raft/cluster.hpp"

#include <doctest/doctest.h>

#include <algorithm>

namespace aqueduct::raft::test {

namespace {

using answer_kind = change_outcome::answer_kind;

core_options common() {
  core_options o;
  o.election_timeout_ticks = 10;
  o.heartbeat_ticks = 2;
  return o;
}

answer_kind change(cluster& group, const membership_change& c) {
  const int node = group.leader();
  const auto answer = group.at(node).change(c).answer;
  group.observe(node);
  return answer;
}

/// Makes the change and lets it commit.
void must_change(cluster& group, const membership_change& c) {
  for (int i = 0; i < 50; ++i) {
    const auto answer = group.leader() == 0 ? answer_kind::not_ready : change(group, c);
    group.pass_time();
    if (answer == answer_kind::accepted)
      return;
    REQUIRE(answer == answer_kind::not_ready);
  }
  FAIL("the group is never ready for the change");
}

void join(cluster& group, int node) {
  const auto who = group.at(node).options.self;
  must_change(group, add_learner{who});
  group.pass_time(10);
  must_change(group, promote_learner{who});
}

void receive(replica& r, replica_id from, message m) {
  r.call([&](core& c) { return c.step(from, std::move(m)); });
}

template <class Message>
std::vector<outgoing> sent_of(const replica& r) {
  std::vector<outgoing> found;
  for (const auto& m : r.sent) {
    if (std::holds_alternative<Message>(m.body))
      found.push_back(m);
  }
  return found;
}

} // namespace

TEST_SUITE("raft.paper_membership") {
  TEST_CASE("a group of one grows to three without moving data by hand") {
    cluster group(1, 2, common());
    group.elect(1);
    for (int i = 0; i < 10; ++i)
      REQUIRE(group.commit("entry " + std::to_string(i)));
    join(group, 2);
    join(group, 3);
    group.pass_time(10);
    for (int node = 1; node <= 3; ++node) {
      CHECK(group.at(node).node().members() == voters_of({1, 2, 3}));
      CHECK(group.at(node).state().size() == 10);
    }
    group.isolate(1);
    group.pass_time(50);
    CHECK(group.leader() != 0);
    REQUIRE(group.commit("without the founder"));
  }

  TEST_CASE("a group of one whose log is compacted grows by a state") {
    cluster group(1, 1, common());
    group.elect(1);
    for (int i = 0; i < 10; ++i)
      REQUIRE(group.commit("entry " + std::to_string(i)));
    group.at(1).call([](core& c) { return c.compact(log_index(8)); });
    join(group, 2);
    group.pass_time(10);
    CHECK(group.at(2).state() == group.at(1).state());
    CHECK(group.at(2).node().members() == voters_of({1, 2}));
  }

  TEST_CASE("a change is refused before the leader has committed an entry of its own (R13)") {
    cluster group(3, 1, common());
    auto& r = group.at(1);
    r.call([](core& c) { return c.campaign(); });
    receive(r, id_of(2), pre_vote_response{term_id(1), true});
    r.settle_disk();
    receive(r, id_of(2), vote_response{term_id(1), true});
    REQUIRE(r.node().is_leader());
    CHECK(r.change(add_learner{id_of(4)}).answer == answer_kind::not_ready);
    r.settle_disk();
    receive(r, id_of(2), append_response{term_id(1), true, log_index(1), {}});
    CHECK(r.change(add_learner{id_of(4)}).answer == answer_kind::accepted);
    // One at a time.
    CHECK(r.change(remove_replica{id_of(3)}).answer == answer_kind::not_ready);
  }

  TEST_CASE("a later leader, too, is refused a change before it has committed an entry (R13)") {
    cluster group(3, 1, common());
    group.elect(2);
    auto& r = group.at(1);
    r.settle();
    r.flush_state();
    r.crash();
    r.restart();
    const auto term = r.node().term().next();
    r.call([](core& c) { return c.campaign(); });
    receive(r, id_of(3), pre_vote_response{term, true});
    r.settle_disk();
    receive(r, id_of(3), vote_response{term, true});
    r.settle_disk();
    REQUIRE(r.node().is_leader());
    REQUIRE(r.node().member_log().latest_index() == r.node().commit_index());
    CHECK(r.change(add_learner{id_of(4)}).answer == answer_kind::not_ready);
    receive(r, id_of(3), append_response{term, true, r.node().last_index(), {}});
    CHECK(r.change(add_learner{id_of(4)}).answer == answer_kind::accepted);
  }

  TEST_CASE("only the leader changes the membership, and only in ways that apply") {
    cluster group(3, 1, common());
    group.elect(1);
    CHECK(group.at(2).change(add_learner{id_of(4)}).answer == answer_kind::not_leader);
    CHECK(group.at(1).change(promote_learner{id_of(4)}).answer == answer_kind::invalid);
    CHECK(group.at(1).change(remove_replica{id_of(4)}).answer == answer_kind::invalid);
    CHECK(group.at(1).change(add_learner{id_of(2)}).answer == answer_kind::invalid);
  }

  TEST_CASE(
      "a change is in force when it is appended, and no longer when it is truncated (4.1, R14)") {
    cluster group(3, 1, common());
    group.elect(1);
    group.isolate(1);
    CHECK(change(group, remove_replica{id_of(3)}) == answer_kind::accepted);
    CHECK(group.at(1).node().members() == voters_of({1, 2}));
    group.at(1).settle();
    // A restart between append and commit finds it in the log.
    group.at(1).crash();
    group.at(1).restart();
    CHECK(group.at(1).node().members() == voters_of({1, 2}));
    group.pass_time(50);
    const int other = group.leader();
    REQUIRE((other == 2 || other == 3));
    REQUIRE(group.commit("goes on"));
    group.heal();
    group.pass_time(50);
    CHECK(group.at(1).node().members() == voters_of({1, 2, 3}));
    CHECK(group.at(1).state() == group.at(other).state());
  }

  TEST_CASE("a learner receives everything and decides nothing (4.2.1)") {
    cluster group(3, 1, common());
    group.elect(1);
    must_change(group, add_learner{id_of(4)});
    group.pass_time(5);
    CHECK(group.at(4).node().log().last() == group.at(1).node().log().last());
    // Two voters are gone: the learner's acknowledgement is none.
    group.isolate(2);
    group.isolate(3);
    CHECK_FALSE(group.commit("no majority"));
    CHECK(group.at(4).node().last_index() == group.at(1).node().last_index());
    group.at(4).call([](core& c) { return c.campaign(); });
    CHECK(group.at(4).node().role() == role_kind::follower);
    group.pass_time(40);
    CHECK(group.leader() == 0);
  }

  TEST_CASE("a learner is made a voter only when it has caught up (4.2.1)") {
    auto o = common();
    o.append_bytes_max = 200;
    o.inflight_requests_max = 1;
    cluster group(1, 1, o);
    group.elect(1);
    for (int i = 0; i < 20; ++i)
      REQUIRE(group.commit("entry " + std::to_string(i)));
    REQUIRE(change(group, add_learner{id_of(2)}) == answer_kind::accepted);
    group.at(1).settle();
    group.observe(1);
    CHECK(change(group, promote_learner{id_of(2)}) == answer_kind::not_ready);
    group.pass_time(20);
    CHECK(change(group, promote_learner{id_of(2)}) == answer_kind::accepted);
  }

  TEST_CASE("a learner that was made a voter by an entry it lacks can be asked for its vote") {
    cluster group(1, 1, common());
    group.elect(1);
    must_change(group, add_learner{id_of(2)});
    group.pass_time(10);
    group.isolate(2);
    REQUIRE(change(group, promote_learner{id_of(2)}) == answer_kind::accepted);
    group.at(1).settle();
    group.at(1).crash();
    group.at(1).restart();
    group.heal();
    REQUIRE(group.at(2).node().members().is_learner(id_of(2)));
    CHECK(group.converge(100));
    CHECK(group.at(2).node().members() == voters_of({1, 2}));
  }

  TEST_CASE("a leader that is removed commits that without its own vote, and steps down (4.2.2)") {
    cluster group(3, 0, common());
    group.elect(1);
    REQUIRE(change(group, remove_replica{id_of(1)}) == answer_kind::accepted);
    auto& r = group.at(1);
    CHECK(r.node().is_leader());
    r.settle_disk();
    const auto index = r.node().last_index();
    receive(r, id_of(2), append_response{r.node().term(), true, index, {}});
    CHECK(r.node().is_leader()); // one of {2, 3} is no majority
    receive(r, id_of(3), append_response{r.node().term(), true, index, {}});
    CHECK(r.node().commit_index() == index);
    CHECK_FALSE(r.node().is_leader());
    CHECK(sent_of<timeout_now>(r).size() == 1);
  }

  TEST_CASE("who is removed neither leads again nor disturbs the others (4.2.3, R14)") {
    cluster group(3, 0, common());
    group.elect(1);
    must_change(group, remove_replica{id_of(3)});
    group.pass_time(100);
    CHECK(group.leader() == 1);
    CHECK(group.at(1).node().term() == term_id(1));
    group.at(3).call([](core& c) { return c.campaign(); });
    group.observe(3);
    group.pass_time(100);
    CHECK(group.leader() == 1);
    CHECK(group.at(1).node().term() == term_id(1));
  }

  TEST_CASE("who removed itself and was restarted can still commit that, and votes (4.2.2)") {
    // It joined, led, and removed itself; the entry is on its disk alone, and what was committed
    // before is not known after the restart.
    core_options options = common();
    options.self = id_of(3);
    restored_state state;
    state.hard.term = term_id(2);
    state.terms = {{term_id(2), log_index(1)}};
    state.last = log_index(3);
    state.memberships = {{log_index(1), voters_of({1})},
                         {log_index(2), voters_of({1, 3})},
                         {log_index(3), voters_of({1})}};
    auto made = std::get<core>(core::create(options, state));

    const auto voted =
        made.step(id_of(1), vote_request{term_id(3), {term_id(2), log_index(3)}, true});
    REQUIRE(voted.persist);
    REQUIRE(voted.persist->hard);
    CHECK(voted.persist->hard->voted_for == id_of(1));

    const auto asked = made.campaign();
    REQUIRE(asked.send.size() == 1);
    CHECK(asked.send.front().to == id_of(1));
    CHECK(std::holds_alternative<pre_vote_request>(asked.send.front().body));
  }

  TEST_CASE("a replica that lost its disk votes only as a new member that has caught up (R15)") {
    cluster group(3, 0, common());
    group.elect(1);
    REQUIRE(group.commit("acked by 1 and 3 only"));
    group.at(3).wipe();
    const auto reborn = group.at(3).options.self;
    CHECK(reborn == id_of(3, 1));

    // Its former self's votes and acknowledgements are not its own.
    receive(group.at(3), id_of(2), vote_request{term_id(9), {}, true});
    group.at(3).settle();
    CHECK(group.at(3).sent.empty());
    group.isolate(2);
    CHECK_FALSE(group.commit("one of three"));
    const auto before = group.at(1).node().commit_index();
    receive(group.at(1), reborn,
            append_response{group.at(1).node().term(), true, group.at(1).node().last_index(), {}});
    CHECK(group.at(1).node().commit_index() == before);

    group.heal();
    group.pass_time(60);
    join(group, 3);
    group.pass_time(20);
    CHECK(group.at(1).node().members() == membership{{id_of(1), id_of(2), reborn}, {}});
    group.isolate(2);
    group.pass_time(60);
    CHECK(group.commit("with the new one"));
  }
}

TEST_SUITE("raft.paper_transfer") {
  TEST_CASE("leadership is handed over in order, without an election timeout (3.10)") {
    cluster group(3, 0, common());
    group.elect(1);
    group.at(1).call([](core& c) { return c.transfer_leadership(id_of(3)); });
    group.observe(1);
    group.settle();
    CHECK(group.leader() == 3);
    CHECK(group.at(3).node().term() == term_id(2));
    CHECK(group.at(1).node().leader() == id_of(3));
    CHECK(group.at(1).printed.find("aborted") == std::string::npos);
  }

  TEST_CASE(
      "the target campaigns only when it has the whole log; until then nothing is taken (3.10)") {
    cluster group(3, 0, common());
    group.elect(1);
    auto& r = group.at(1);
    (void)r.propose({"not there yet"});
    r.call([](core& c) { return c.transfer_leadership(id_of(2)); });
    CHECK(sent_of<timeout_now>(r).empty());
    CHECK(std::holds_alternative<proposal_overloaded>(r.propose({"later"}).answer));
    CHECK(r.change(remove_replica{id_of(3)}).answer == answer_kind::not_ready);
    r.settle_disk();
    receive(r, id_of(2), append_response{term_id(1), true, log_index(2), {}});
    const auto words = sent_of<timeout_now>(r);
    REQUIRE(words.size() == 1);
    CHECK(words[0].to == id_of(2));
  }

  TEST_CASE("a hand-over that takes longer than an election timeout is given up (3.10, R20)") {
    cluster group(3, 0, common());
    group.elect(1);
    group.isolate(2);
    (void)group.at(1).propose({"2 lacks this"});
    group.observe(1);
    group.at(1).call([](core& c) { return c.transfer_leadership(id_of(2)); });
    group.pass_time(5);
    CHECK_FALSE(group.commit("refused"));
    group.pass_time(6);
    CHECK(group.leader() == 1);
    CHECK(group.at(1).printed.find("transfer to 2 aborted") != std::string::npos);
    CHECK(group.commit("taken again"));
  }

  TEST_CASE("a hand-over to who is gone is given up at once when the link to it is lost") {
    cluster group(3, 0, common());
    group.elect(1);
    group.isolate(2);
    group.at(1).call([](core& c) { return c.transfer_leadership(id_of(2)); });
    CHECK_FALSE(group.commit("refused"));
    group.at(1).call([](core& c) { return c.lost_contact(node_id(3)); });
    CHECK_FALSE(group.commit("refused as well"));
    group.at(1).call([](core& c) { return c.lost_contact(node_id(2)); });
    CHECK(group.at(1).printed.find("transfer to 2 aborted") != std::string::npos);
    CHECK(group.leader() == 1);
    CHECK(group.commit("taken again"));
  }

  TEST_CASE("a leader knows for how long it did not hear of each follower") {
    cluster group(3, 0, common());
    group.elect(1);
    const auto silent_for = [&](int node) {
      for (const auto& each : group.at(1).node().followers())
        if (each.who() == id_of(node))
          return each.silent_ticks;
      return std::uint32_t{0};
    };
    group.pass_time(8);
    CHECK(silent_for(2) <= common().heartbeat_ticks);
    group.isolate(2);
    group.pass_time(8);
    CHECK(silent_for(2) >= 8);
    CHECK(silent_for(3) <= common().heartbeat_ticks);
    group.heal();
    group.pass_time(4);
    CHECK(silent_for(2) <= common().heartbeat_ticks);
  }

  TEST_CASE("leadership goes to voters only") {
    cluster group(3, 1, common());
    group.elect(1);
    must_change(group, add_learner{id_of(4)});
    for (const int to : {1, 4, 9})
      group.at(1).call([&](core& c) { return c.transfer_leadership(id_of(to)); });
    CHECK(sent_of<timeout_now>(group.at(1)).empty());
    CHECK(group.commit("still taken"));
    // And only the leader's word counts.
    receive(group.at(2), id_of(3), timeout_now{term_id(1)});
    CHECK(group.at(2).node().role() == role_kind::follower);
  }
}

TEST_SUITE("raft.paper_reads") {
  TEST_CASE("a read waits for a round of heartbeats that began after it (6.4, R17)") {
    cluster group(3, 0, common());
    group.elect(1);
    auto& r = group.at(1);
    const auto round_of = [](const outgoing& m) {
      return std::get<heartbeat_request>(m.body).read_round;
    };
    r.call([](core& c) { return c.read_index(1); });
    const auto first = sent_of<heartbeat_request>(r);
    REQUIRE(first.size() == 2);
    r.sent.clear();
    // A second read, while the first round is out, needs another round.
    r.call([](core& c) { return c.read_index(2); });
    CHECK(r.sent.empty());
    CHECK(r.take_reads().empty());
    receive(r, id_of(2), heartbeat_response{term_id(1), round_of(first[0])});
    auto answers = r.take_reads();
    REQUIRE(answers.size() == 1);
    CHECK(answers[0].context == 1);
    CHECK(answers[0].index == log_index(1));
    const auto second = sent_of<heartbeat_request>(r);
    REQUIRE(second.size() == 2);
    CHECK(round_of(second[0]) > round_of(first[0]));
    receive(r, id_of(3), heartbeat_response{term_id(1), round_of(first[0])}); // a late answer
    CHECK(r.take_reads().empty());
    receive(r, id_of(3), heartbeat_response{term_id(1), round_of(second[0])});
    CHECK(r.take_reads().size() == 1);
  }

  TEST_CASE("a leader that was replaced while it stood still answers no read (R17)") {
    cluster group(3, 0, common());
    group.elect(1);
    group.isolate(1);
    for (int i = 0; i < 60 && group.leader() != 2 && group.leader() != 3; ++i) {
      group.tick(2);
      group.tick(3);
      group.settle();
    }
    REQUIRE(group.commit("the former leader lacks this"));
    REQUIRE(group.at(1).node().is_leader()); // no tick has passed there
    group.heal();
    group.at(1).call([](core& c) { return c.read_index(7); });
    group.observe(1);
    group.settle();
    const auto answers = group.at(1).take_reads();
    REQUIRE(answers.size() == 1);
    CHECK_FALSE(answers[0].index);
  }

  TEST_CASE("a follower asks its leader, and is refused at once when it knows none") {
    cluster group(3, 0, common());
    group.at(2).call([](core& c) { return c.read_index(1); });
    CHECK_FALSE(group.at(2).take_reads().at(0).index);
    group.elect(1);
    REQUIRE(group.commit("a"));
    group.at(2).call([](core& c) { return c.read_index(2); });
    group.observe(2);
    group.settle();
    auto answers = group.at(2).take_reads();
    REQUIRE(answers.size() == 1);
    CHECK(answers[0].index == log_index(2));
    // The leader is gone: the read is answered after a timeout, not never.
    group.isolate(1);
    group.at(2).call([](core& c) { return c.read_index(3); });
    group.pass_time(15);
    answers = group.at(2).take_reads();
    REQUIRE(answers.size() == 1);
    CHECK_FALSE(answers[0].index);
  }
}

TEST_SUITE("raft.hibernation") {
  TEST_CASE("a group without work falls asleep as a whole, and then nobody says anything") {
    auto o = common();
    o.hibernate_after_ticks = 5;
    cluster group(3, 0, o);
    group.elect(1);
    REQUIRE(group.commit("a"));
    group.pass_time(20);
    for (int node = 1; node <= 3; ++node) {
      CHECK(group.at(node).node().is_hibernating());
      CHECK(group.at(node).applied() == log_index(2));
    }
    for (int node = 1; node <= 3; ++node) {
      group.at(node).printed.clear();
      for (int i = 0; i < 100; ++i)
        group.tick(node);
      CHECK(group.at(node).printed.empty());
    }
    SUBCASE("a proposal wakes everybody") {
      REQUIRE(group.commit("b"));
      CHECK_FALSE(group.at(1).node().is_hibernating());
      CHECK_FALSE(group.at(2).node().is_hibernating());
      group.pass_time(20);
      CHECK(group.at(3).state().size() == 2);
      CHECK(group.at(1).node().term() == term_id(1));
      CHECK(group.at(3).node().is_hibernating());
    }
    SUBCASE("when the leader's node dies, the others are woken and elect another") {
      group.isolate(1);
      for (const int node : {2, 3})
        group.at(node).call([](core& c) { return c.wake(); });
      for (int i = 0; i < 60; ++i) {
        group.tick(2);
        group.tick(3);
        group.settle();
      }
      CHECK((group.leader() == 2 || group.leader() == 3));
      REQUIRE(group.commit("b"));
    }
    SUBCASE("a read at a follower wakes the leader") {
      group.at(2).call([](core& c) { return c.read_index(5); });
      group.observe(2);
      group.settle();
      CHECK(group.at(2).take_reads().at(0).index == log_index(2));
    }
  }

  TEST_CASE("a group with a member that lags or is gone stays awake") {
    auto o = common();
    o.hibernate_after_ticks = 5;
    cluster group(3, 0, o);
    group.elect(1);
    group.isolate(3);
    REQUIRE(group.commit("3 lacks this"));
    group.pass_time(50);
    CHECK_FALSE(group.at(1).node().is_hibernating());
    group.heal();
    group.pass_time(30);
    CHECK(group.at(1).node().is_hibernating());
    CHECK(group.at(3).state().size() == 1);
  }

  TEST_CASE("who was removed and does not know it neither wakes a sleeping group nor unseats it") {
    auto o = common();
    o.hibernate_after_ticks = 5;
    cluster group(3, 1, o);
    group.elect(1);
    // Node 2 hears nothing of what happens now, and never of node 4.
    group.isolate(2);
    join(group, 4);
    must_change(group, remove_replica{id_of(2)});
    group.elect(4);
    const auto term = group.at(4).node().term();
    group.pass_time(30);
    REQUIRE(group.at(4).node().is_hibernating());
    group.heal();
    group.pass_time(200);
    CHECK(group.leader() == 4);
    CHECK(group.at(4).node().term() == term);
    CHECK(group.at(1).node().is_hibernating());
  }

  TEST_CASE(
      "a follower that missed the word to sleep wakes the others without deposing the leader") {
    auto o = common();
    o.hibernate_after_ticks = 5;
    cluster group(3, 0, o);
    group.elect(1);
    REQUIRE(group.commit("a"));
    for (int i = 0; i < 20 && !group.at(1).node().is_hibernating(); ++i) {
      group.tick(1);
      while (!group.network().empty()) {
        const auto* beat = std::get_if<heartbeat_request>(&group.network()[0].message.body);
        if (beat && beat->hibernate && group.network()[0].message.to == id_of(3))
          group.drop(0);
        else
          group.deliver(0);
      }
    }
    REQUIRE(group.at(1).node().is_hibernating());
    REQUIRE(group.at(2).node().is_hibernating());
    REQUIRE_FALSE(group.at(3).node().is_hibernating());
    group.pass_time(60);
    CHECK(group.leader() == 1);
    CHECK(group.at(1).node().term() == term_id(1));
    for (int node = 1; node <= 3; ++node)
      CHECK(group.at(node).node().is_hibernating());
  }
}

} // namespace aqueduct::raft::test
