// What the Raft paper and thesis say about replication, one test per claim, and the ways in which
// others got it wrong (R2 to R9, R16).
#include "raft/invariant.hpp"
#include "tests/raft/cluster.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <functional>

namespace aqueduct::raft::test {

namespace {

core_options common() {
  core_options o;
  o.election_timeout_ticks = 10;
  o.heartbeat_ticks = 2;
  return o;
}

template <class Message>
std::vector<Message> take(replica& r, int to = 0) {
  std::vector<Message> found;
  for (const auto& m : r.sent) {
    const auto* body = std::get_if<Message>(&m.body);
    if (body && (to == 0 || m.to.node == node_id(to)))
      found.push_back(*body);
  }
  r.sent.clear();
  return found;
}

void receive(replica& r, int from, message m) {
  r.call([&](core& c) { return c.step(id_of(from), std::move(m)); });
}

entry_id id(std::uint64_t index, std::uint64_t term) {
  return {term_id(term), log_index(index)};
}

entry make(std::uint64_t index, std::uint64_t term, const std::string& text = "x") {
  return {log_index(index), term_id(term), entry_kind::records, payload_of(text)};
}

/// Node 1 of `voters` leads in term 1, its no-op at 1 is committed everywhere; the test plays the
/// rest.
struct led {
  explicit led(core_options o = common(), int voters = 3) : group(voters, 0, o), r(group.at(1)) {
    group.elect(1);
  }
  cluster group;
  replica& r;
};

using terms = std::vector<std::uint64_t>;

/// The leader sends 98 entries, but commits nothing for want of a majority. `look` after each that
/// is on the follower's disk.
void feed_uncommitted(led& t, replica& follower, const std::function<void()>& look) {
  t.group.isolate(3);
  for (std::uint64_t i = 2; i < 100; ++i) {
    receive(follower, 1, append_request{term_id(1), id(i - 1, 1), log_index(1), {make(i, 1)}});
    follower.settle_disk();
    look();
  }
}

/// It hears that they are committed.
void commit_all(replica& follower) {
  receive(follower, 1, append_request{term_id(1), id(99, 1), log_index(99), {}});
  follower.settle();
  CHECK(follower.applied() == log_index(99));
  CHECK(follower.state().size() == 98);
}

} // namespace

TEST_SUITE("raft.paper_replication") {
  TEST_CASE("a leader begins its term with an entry of its own (thesis 6.4, 5.4.2)") {
    led t;
    CHECK(t.r.node().log().last() == id(1, 1));
    CHECK(t.r.storage().entries()[0].kind == entry_kind::membership);
    CHECK(t.r.node().commit_index() == log_index(1));
  }

  TEST_CASE(
      "a leader sends while it writes, and commits when a majority has it on disk (5.3, R3)") {
    led t;
    (void)t.r.propose({"a"});
    CHECK(t.r.storage().pending().size() == 1);
    CHECK(take<append_request>(t.r).size() == 2);
    SUBCASE("its own disk and another one") {
      t.r.complete_write();
      CHECK(t.r.node().commit_index() == log_index(1));
      receive(t.r, 2, append_response{term_id(1), true, log_index(2), {}});
      CHECK(t.r.node().commit_index() == log_index(2));
      CHECK(t.r.unapplied().size() == 1);
    }
    SUBCASE("two others, before its own: committed, but not applied (thesis 10.2.1)") {
      receive(t.r, 2, append_response{term_id(1), true, log_index(2), {}});
      CHECK(t.r.node().commit_index() == log_index(1));
      receive(t.r, 3, append_response{term_id(1), true, log_index(2), {}});
      CHECK(t.r.node().commit_index() == log_index(2));
      CHECK(t.r.unapplied().empty());
      t.r.complete_write();
      CHECK(t.r.unapplied().size() == 1);
    }
  }

  TEST_CASE("a follower acknowledges only what is on its disk (R2)") {
    led t;
    auto& f = t.group.at(2);
    receive(f, 1, append_request{term_id(1), id(1, 1), log_index(1), {make(2, 1), make(3, 1)}});
    CHECK(f.sent.empty());
    receive(f, 1, append_request{term_id(1), id(3, 1), log_index(1), {make(4, 1)}});
    f.complete_silently();
    f.complete_silently();
    f.tell_completion(1);
    CHECK(f.sent.empty());
    f.tell_completion(0);
    const auto answers = take<append_response>(f);
    REQUIRE(answers.size() == 2);
    CHECK(answers[0].index == log_index(3));
    CHECK(answers[1].index == log_index(4));
  }

  TEST_CASE("a follower does not apply what is committed but not on its disk") {
    led t;
    auto& f = t.group.at(2);
    receive(f, 1, append_request{term_id(1), id(1, 1), log_index(2), {make(2, 1)}});
    CHECK(f.node().commit_index() == log_index(2));
    CHECK(f.unapplied().empty());
    f.complete_write();
    CHECK(f.unapplied().size() == 1);
  }

  TEST_CASE("a follower refuses entries whose predecessor it lacks, and says where to look (5.3)") {
    led t;
    auto& f = t.group.at(2);
    receive(f, 1, append_request{term_id(1), id(5, 1), log_index(1), {make(6, 1)}});
    const auto answers = take<append_response>(f);
    REQUIRE(answers.size() == 1);
    CHECK_FALSE(answers[0].accepted);
    CHECK(answers[0].index == log_index(5));
    CHECK(answers[0].hint == id(1, 1));
  }

  TEST_CASE("a leader brings every log of figure 7 to its own, in a round trip per term at most") {
    const terms leader_log = {1, 1, 1, 4, 4, 5, 5, 6, 6, 6};
    const terms logs[] = {
        {1, 1, 1, 4, 4, 5, 5, 6, 6},
        {1, 1, 1, 4},
        {1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6},
        {1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7},
        {1, 1, 1, 4, 4, 4, 4},
        {1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3},
    };
    for (const auto& log : logs) {
      cluster group(3, 0, common());
      group.at(1).preload(7, leader_log);
      group.at(2).preload(7, log);
      group.at(3).preload(7, leader_log);
      group.cut(1, 2);
      group.cut(2, 1);
      group.elect(1);
      group.heal();
      group.at(1).call([](core& c) { return c.tick(); });
      int refusals = 0;
      for (int round = 0; round < 200; ++round) {
        for (int node = 1; node <= 3; ++node) {
          group.at(node).settle();
          group.observe(node);
        }
        if (group.network().empty())
          group.tick(1);
        while (!group.network().empty()) {
          const auto* answer = std::get_if<append_response>(&group.network()[0].message.body);
          refusals += answer && !answer->accepted ? 1 : 0;
          group.deliver(0);
        }
      }
      CHECK(group.at(2).terms() == group.at(1).terms());
      CHECK(group.at(2).applied() == log_index(11));
      CHECK(refusals <= 4);
    }
  }

  TEST_CASE("an entry of an older term is not committed by counting replicas (figure 8, R6)") {
    // S1 has replicated 2@2 to itself and S2, crashed, and leads again in term 4.
    cluster group(5, 0, common());
    group.at(1).preload(3, {1, 2});
    group.at(2).preload(3, {1, 2});
    group.at(3).preload(3, {1});
    group.at(4).preload(3, {1});
    group.at(5).preload(3, {1, 3});
    auto& s1 = group.at(1);
    s1.call([](core& c) { return c.campaign(); });
    for (const int node : {2, 3})
      receive(s1, node, pre_vote_response{term_id(4), true});
    s1.settle_disk();
    for (const int node : {2, 3})
      receive(s1, node, vote_response{term_id(4), true});
    REQUIRE(s1.node().is_leader());
    s1.settle_disk();

    // (c) 2@2 is on S1, S2 and S3 now: a majority.
    receive(s1, 2, append_response{term_id(4), true, log_index(2), {}});
    receive(s1, 3, append_response{term_id(4), true, log_index(2), {}});
    CHECK(s1.node().commit_index() == log_index(0));
    // (e) With an entry of its own term on a majority, everything before it is committed.
    receive(s1, 2, append_response{term_id(4), true, log_index(3), {}});
    CHECK(s1.node().commit_index() == log_index(0));
    receive(s1, 3, append_response{term_id(4), true, log_index(3), {}});
    CHECK(s1.node().commit_index() == log_index(3));
  }

  TEST_CASE("figure 8 (d): S5 can still replace what was replicated but not committed") {
    cluster group(5, 0, common());
    group.at(1).preload(4, {1, 2});
    group.at(2).preload(4, {1, 2});
    group.at(3).preload(4, {1, 2});
    group.at(4).preload(4, {1});
    group.at(5).preload(4, {1, 3});
    group.elect(5);
    for (int node = 1; node <= 5; ++node)
      CHECK(group.at(node).terms() == terms{1, 3, 5});
  }

  TEST_CASE("a proposal whose place was taken by another term's entry is told apart (R5)") {
    led t;
    const auto lost = t.r.propose({"lost"});
    const auto accepted = std::get<proposal_accepted>(lost.answer);
    CHECK(accepted.first == log_index(2));
    t.r.sent.clear();
    receive(t.r, 2, append_request{term_id(2), id(1, 1), log_index(1), {make(2, 2, "other")}});
    t.r.settle_disk();
    // A late acknowledgement of the old term, and the commit of the new one.
    receive(t.r, 3, append_response{term_id(1), true, log_index(2), {}});
    CHECK(t.r.node().commit_index() == log_index(1));
    receive(t.r, 2, append_request{term_id(2), id(2, 2), log_index(2), {}});
    REQUIRE(t.r.unapplied().size() == 1);
    CHECK(t.r.unapplied()[0].index == accepted.first);
    CHECK(t.r.unapplied()[0].term != accepted.term);
  }

  TEST_CASE(
      "a write of an older term that completes late counts for nothing that took its place (R4)") {
    led t;
    auto& f = t.group.at(2);
    receive(f, 1, append_request{term_id(1), id(1, 1), log_index(1), {make(2, 1), make(3, 1)}});
    receive(f, 3, append_request{term_id(2), id(1, 1), log_index(1), {make(2, 2), make(3, 2)}});
    REQUIRE(f.storage().pending().size() == 2);
    CHECK(f.storage().pending()[1].truncate_from == log_index(2));
    f.complete_write();
    CHECK(f.node().durable_index() == log_index(1));
    f.complete_write();
    CHECK(f.node().durable_index() == log_index(3));
    CHECK(f.terms() == terms{1, 2, 2});
  }

  TEST_CASE("a heartbeat never commits more than the follower has acknowledged in this term (R7)") {
    led t;
    (void)t.r.propose({"a"});
    t.r.complete_write();
    take<append_request>(t.r);
    receive(t.r, 2, append_response{term_id(1), true, log_index(2), {}});
    REQUIRE(t.r.node().commit_index() == log_index(2));
    take<append_request>(t.r);
    for (int i = 0; i < 2; ++i)
      t.r.call([](core& c) { return c.tick(); });
    REQUIRE(t.r.sent.size() == 2);
    for (const auto& m : t.r.sent) {
      if (const auto* heartbeat = std::get_if<heartbeat_request>(&m.body))
        CHECK(heartbeat->commit == (m.to == id_of(2) ? log_index(2) : log_index(1)));
    }
  }

  TEST_CASE("a commit index covers only what the request has verified (R7)") {
    led t;
    auto& f = t.group.at(2);
    // 2@1 and 3@1 of a leader that is gone; the new one has committed 3@2.
    receive(f, 1, append_request{term_id(1), id(1, 1), log_index(1), {make(2, 1), make(3, 1)}});
    f.settle_disk();
    receive(f, 3, append_request{term_id(2), id(1, 1), log_index(3), {}});
    CHECK(f.node().commit_index() == log_index(1));
    receive(f, 3, append_request{term_id(2), id(1, 1), log_index(3), {make(2, 2), make(3, 2)}});
    CHECK(f.node().commit_index() == log_index(3));
  }

  TEST_CASE("late, repeated and reordered requests take nothing back (R8)") {
    led t;
    auto& f = t.group.at(2);
    const append_request first{term_id(1), id(1, 1), log_index(1), {make(2, 1), make(3, 1)}};
    const append_request second{term_id(1), id(3, 1), log_index(1), {make(4, 1)}};
    receive(f, 1, first);
    receive(f, 1, second);
    f.settle_disk();
    receive(f, 1, append_request{term_id(1), id(1, 1), log_index(1), {make(2, 1)}});
    receive(f, 1, append_request{term_id(1), {}, {}, {}});
    receive(f, 1, first);
    CHECK(f.node().last_index() == log_index(4));
    CHECK(f.storage().pending().empty());
    receive(f, 1, append_request{term_id(1), id(4, 1), log_index(4), {}});
    receive(f, 1, append_request{term_id(1), id(1, 1), log_index(1), {make(2, 1)}});
    CHECK(f.node().commit_index() == log_index(4));
    const auto answers = take<append_response>(f);
    CHECK(std::all_of(answers.begin(), answers.end(), [](const auto& a) { return a.accepted; }));
    CHECK(answers.back().index == log_index(4)); // it is committed, so the leader has it too
  }

  TEST_CASE("a late refusal does not take back what a follower has acknowledged (R8)") {
    led t;
    (void)t.r.propose({"a"});
    t.r.complete_write();
    receive(t.r, 2, append_response{term_id(1), true, log_index(2), {}});
    const auto before = t.r.node().followers()[0];
    receive(t.r, 2, append_response{term_id(1), false, log_index(1), {}});
    receive(t.r, 2, append_response{term_id(1), false, log_index(2), id(1, 1)});
    receive(t.r, 2, append_response{term_id(1), true, log_index(1), {}});
    const auto& after = t.r.node().followers()[0];
    CHECK(after.match() == log_index(2));
    CHECK(after.next() == before.next());
    CHECK(after.mode() == progress_mode::replicate);
  }

  TEST_CASE("a leader that contradicts what is committed stops the replica (R8, R9)") {
    led t;
    auto& f = t.group.at(2);
    const auto conflicting = [&](append_request m) {
      auto copy = f.node();
      (void)copy.step(id_of(3), std::move(m));
    };
    CHECK_THROWS_AS(conflicting({term_id(2), {}, {}, {make(1, 2)}}), invariant_violation);
    CHECK_THROWS_AS(conflicting({term_id(2), id(1, 2), {}, {make(2, 2)}}), invariant_violation);
  }

  TEST_CASE("malformed requests change nothing") {
    led t;
    auto& f = t.group.at(2);
    const append_request bad[] = {
        {term_id(1), id(1, 1), {}, {make(3, 1)}},
        {term_id(1), id(1, 1), {}, {make(2, 2)}},
        {term_id(1), id(1, 2), {}, {}},
        {term_id(1), id(1, 1), {}, {make(2, 0)}},
        {term_id(1), id(1, 1), {}, {{log_index(2), term_id(1), entry_kind::membership, {}}}},
    };
    for (const auto& m : bad)
      receive(f, 1, m);
    CHECK(f.node().last_index() == log_index(1));
    CHECK(f.storage().pending().empty());
    CHECK(f.sent.empty());
    // Two leaders in one term cannot be: the second is not believed.
    receive(f, 3, append_request{term_id(1), id(1, 1), {}, {make(2, 1)}});
    CHECK(f.node().last_index() == log_index(1));
    receive(t.r, 3, append_request{term_id(1), id(1, 1), {}, {make(2, 1)}});
    CHECK(t.r.node().is_leader());
    receive(t.r, 2, append_response{term_id(1), true, log_index(99), {}});
    CHECK(t.r.node().commit_index() == log_index(1));
  }

  TEST_CASE("a leader sends on without waiting, as far as the window allows") {
    auto o = common();
    o.inflight_requests_max = 3;
    led t(o);
    t.r.sent.clear();
    for (int i = 0; i < 10; ++i)
      (void)t.r.propose({"x"});
    CHECK(take<append_request>(t.r, 2).size() == 3);
    receive(t.r, 2, append_response{term_id(1), true, log_index(2), {}});
    const auto more = take<append_request>(t.r, 2);
    REQUIRE(more.size() == 1);
    CHECK(more[0].entries.size() == 7); // all that waited, in one request
  }

  TEST_CASE("a window in bytes holds large entries back") {
    auto o = common();
    o.inflight_bytes_max = 1000;
    o.append_bytes_max = 600;
    led t(o);
    t.r.sent.clear();
    (void)t.r.propose(std::vector<std::string>(6, std::string(400, 'x')));
    const auto sent = take<append_request>(t.r, 2);
    REQUIRE(sent.size() == 3);
    for (const auto& m : sent)
      CHECK(m.entries.size() == 1);
  }

  TEST_CASE("requests that are lost are sent again after a heartbeat") {
    led t;
    (void)t.r.propose({"lost"});
    t.r.settle();
    t.r.sent.clear();
    CHECK(t.group.at(2).node().last_index() == log_index(1));
    t.group.pass_time(8);
    CHECK(t.group.at(2).state() == std::vector<std::string>{"lost"});
    CHECK(t.group.at(3).state() == std::vector<std::string>{"lost"});
  }

  TEST_CASE("a follower that restarts learns the commit index without new entries") {
    led t;
    REQUIRE(t.group.commit("a"));
    t.group.at(2).crash();
    t.group.at(2).restart();
    t.group.pass_time(5);
    CHECK(t.group.at(2).applied() == log_index(2));
  }

  TEST_CASE("a follower far behind is fed from disk, in chunks, and catches up") {
    auto o = common();
    o.tail_bytes_max = 300;
    o.append_bytes_max = 250;
    led t(o);
    t.group.isolate(3);
    for (int i = 0; i < 50; ++i)
      REQUIRE(t.group.commit("entry " + std::to_string(i)));
    CHECK(t.r.node().log().tail_bytes() <= 300);
    t.group.heal();
    t.r.printed.clear();
    t.group.pass_time(60);
    CHECK(t.r.printed.find("load ") != std::string::npos);
    CHECK(t.group.at(3).state() == t.r.state());
  }

  TEST_CASE("a follower keeps no more in memory than its bound and what is not on disk") {
    auto o = common();
    o.unapplied_bytes_max = 300;
    led t(o);
    auto& f = t.group.at(2);
    feed_uncommitted(t, f, [&] { REQUIRE(f.node().log().tail_bytes() <= 300); });
    // What was dropped is loaded again when it commits.
    commit_all(f);
  }

  TEST_CASE("a follower that is ahead of the majority applies from memory what it has written") {
    auto o = common();
    o.tail_bytes_max = 300;
    led t(o);
    auto& f = t.group.at(2);
    feed_uncommitted(t, f, [] {});
    REQUIRE(f.node().log().tail_bytes() > 300);
    f.printed.clear();
    commit_all(f);
    CHECK(f.printed.find("load ") == std::string::npos);
    // What is applied leaves the memory.
    CHECK(f.node().log().tail_bytes() == 0);
  }

  TEST_CASE("a follower whose next entry is compacted fetches a state, and then follows the log") {
    led t;
    t.group.isolate(3);
    for (int i = 0; i < 20; ++i)
      REQUIRE(t.group.commit("entry " + std::to_string(i)));
    t.r.call([](core& c) { return c.compact(log_index(15)); });
    t.group.heal();
    t.group.pass_time(30);
    REQUIRE(t.group.commit("after"));
    t.group.pass_time(5);
    CHECK(t.group.at(3).node().first_index() > log_index(15));
    CHECK(t.group.at(3).state() == t.r.state());
    CHECK(t.group.at(3).state().size() == 21);
  }

  TEST_CASE(
      "a state replaces a log that conflicts with it, and survives a crash at any point (R16)") {
    for (std::size_t parts = 0; parts < 4; ++parts) {
      led t;
      for (int i = 0; i < 6; ++i)
        REQUIRE(t.group.commit("entry " + std::to_string(i)));
      // Node 3 has other entries of an older leader after 1@1.
      auto& f = t.group.at(3);
      f.wipe();
      f.options.self = id_of(3);
      f.preload(1, {1, 1, 1});
      t.r.call([](core& c) { return c.compact(log_index(5)); });
      receive(f, 1, snapshot_offer{term_id(1), t.r.node().meta_at(log_index(5))});
      REQUIRE(f.fetch());
      const auto again = *f.fetch();
      receive(f, 1, snapshot_offer{term_id(1), again.meta});
      f.install(t.r);
      if (parts != 0) {
        f.crash(0, parts - 1);
        f.restart();
      }
      f.settle();
      CHECK(f.node().log().last() == id(7, 1));
      CHECK(f.node().first_index() == log_index(8));
      CHECK(f.state() == t.r.state());
    }
  }

  TEST_CASE("entries after a state stay only if they continue it (figure 13, R16)") {
    led t;
    auto& f = t.group.at(3);
    const auto install = [&](entry_id last) {
      f.call([&](core& c) { return c.snapshot_installed({last, voters_of({1, 2, 3})}); });
      f.settle_disk();
    };
    SUBCASE("they continue it") {
      f.preload(2, {1, 2, 2, 2, 2});
      install(id(3, 2));
      CHECK(f.terms() == terms{2, 2});
      CHECK(f.node().first_index() == log_index(4));
    }
    SUBCASE("the log has another entry where the state ends") {
      f.preload(3, {1, 2, 2, 2, 2});
      install(id(3, 3));
      CHECK(f.terms().empty());
      CHECK(f.node().log().last() == id(3, 3));
      CHECK(f.storage().entries().empty());
    }
    SUBCASE("they are not on disk yet") {
      receive(f, 1, append_request{term_id(1), id(1, 1), log_index(1), {make(2, 1), make(3, 1)}});
      install(id(2, 1));
      CHECK(f.node().log().last() == id(2, 1));
      CHECK(f.node().durable_index() == log_index(2));
    }
    CHECK(f.node().commit_index() == f.node().first_index() - 1);
    CHECK(f.node().applied_index() == f.node().commit_index());
  }

  TEST_CASE("a refusal that comes twice is answered once (R8)") {
    cluster group(3, 0, common());
    group.at(1).preload(2, {1, 1, 1, 1, 1, 1});
    auto& r = group.at(1);
    r.call([](core& c) { return c.campaign(); });
    receive(r, 2, pre_vote_response{term_id(3), true});
    r.settle_disk();
    receive(r, 2, vote_response{term_id(3), true});
    r.settle_disk();
    r.sent.clear();
    const append_response refusal{term_id(3), false, log_index(6), id(2, 1)};
    receive(r, 2, refusal);
    const auto probe = take<append_request>(r, 2);
    // Its payload is on disk only.
    CHECK(probe.empty());
    CHECK(r.node().followers()[0].next() == log_index(3));
    receive(r, 2, refusal);
    CHECK(r.node().followers()[0].next() == log_index(3));
    receive(r, 2, append_response{term_id(3), false, log_index(5), id(1, 1)});
    CHECK(r.node().followers()[0].next() == log_index(3));
  }

  TEST_CASE("a state that is older than what is committed changes nothing, however often it comes "
            "(R16)") {
    led t;
    for (int i = 0; i < 6; ++i)
      REQUIRE(t.group.commit("entry"));
    auto& f = t.group.at(2);
    const auto old = f.node().meta_at(log_index(3));
    for (int i = 0; i < 2; ++i) {
      f.call([&](core& c) { return c.snapshot_installed(old); });
      receive(f, 1, snapshot_offer{term_id(1), old});
    }
    CHECK_FALSE(f.fetch());
    CHECK(f.node().log().last() == id(7, 1));
    CHECK(f.node().first_index() == log_index(1));
    for (const auto& answer : take<snapshot_response>(f))
      CHECK(answer.index == log_index(7));
  }

  TEST_CASE("a fetch that fails is offered again") {
    led t;
    t.group.isolate(3);
    for (int i = 0; i < 6; ++i)
      REQUIRE(t.group.commit("entry"));
    t.r.call([](core& c) { return c.compact(log_index(7)); });
    t.group.heal();
    auto& f = t.group.at(3);
    for (int failures = 0; failures < 3; ++failures) {
      for (int i = 0; i < 40 && !f.fetch(); ++i) {
        t.group.tick(1);
        while (!t.group.network().empty())
          t.group.deliver(0);
        for (int node = 1; node <= 3; ++node) {
          t.group.at(node).settle_disk();
          t.group.observe(node);
        }
      }
      REQUIRE(f.fetch());
      f.fetch().reset();
      f.call([](core& c) { return c.snapshot_failed(); });
      t.group.observe(3);
    }
    t.group.pass_time(40);
    CHECK(f.state() == t.r.state());
  }

  TEST_CASE("a failed write of a follower does not stop the group, and counts for nothing (S6)") {
    led t;
    auto& f = t.group.at(2);
    (void)t.r.propose({"not on disk"});
    t.group.observe(1);
    while (!t.group.network().empty())
      t.group.deliver(0);
    REQUIRE(f.storage().pending().size() == 1);
    f.call([&](core& c) { return c.persist_failed(f.storage().pending().front().ticket); });
    CHECK(f.node().is_poisoned());
    CHECK(f.sent.empty());
    receive(f, 3, vote_request{term_id(9), id(99, 8), true});
    receive(f, 1, heartbeat_request{term_id(1), {}, 0, false});
    CHECK(f.sent.empty());
    CHECK(f.node().term() == term_id(1));
    REQUIRE(t.group.commit("goes on"));
    f.crash();
    f.restart();
    t.group.pass_time(10);
    CHECK(f.state() == t.r.state());
  }
}

} // namespace aqueduct::raft::test
