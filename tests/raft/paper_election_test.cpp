// What the Raft paper and thesis say about elections, one test per claim. Numbers are sections of
// the paper (Ongaro, Ousterhout: In Search of an Understandable Consensus Algorithm, extended
// version).
#include "tests/raft/cluster.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>

namespace aqueduct::raft::test {

namespace {

constexpr std::uint32_t timeout = 10;

core_options common() {
  core_options o;
  o.election_timeout_ticks = timeout;
  o.heartbeat_ticks = 2;
  return o;
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

void receive(replica& r, int from, message m) {
  r.call([&](core& c) { return c.step(id_of(from), std::move(m)); });
}

/// A lone replica of a group of `voters`, so that a test can play the others.
struct one {
  explicit one(int voters = 3) : group(voters, 0, common()), r(group.at(1)) {}
  cluster group;
  replica& r;
};

/// Ticks until it asks for pre-votes. Returns how many it took.
int ticks_until_pre_vote(replica& r) {
  for (int ticks = 1; ticks < 100; ++ticks) {
    r.call([](core& c) { return c.tick(); });
    if (r.node().role() == role_kind::pre_candidate)
      return ticks;
  }
  return 0;
}

} // namespace

TEST_SUITE("raft.paper_election") {
  TEST_CASE("a replica starts as a follower and stays one while it hears from a leader (5.2)") {
    one t;
    CHECK(t.r.node().role() == role_kind::follower);
    for (int i = 0; i < 100; ++i) {
      t.r.call([](core& c) { return c.tick(); });
      receive(t.r, 2, heartbeat_request{term_id(1), {}, 0, false});
    }
    CHECK(t.r.node().role() == role_kind::follower);
    CHECK(t.r.node().leader() == id_of(2));
  }

  TEST_CASE(
      "a follower that hears nothing asks for pre-votes without raising its term (thesis 9.6)") {
    one t;
    REQUIRE(ticks_until_pre_vote(t.r) != 0);
    CHECK(t.r.node().term() == term_id(0));
    CHECK(t.r.storage().pending().empty());
    const auto asked = sent_of<pre_vote_request>(t.r);
    REQUIRE(asked.size() == 2);
    CHECK(std::get<pre_vote_request>(asked[0].body).term == term_id(1));
  }

  TEST_CASE("election timeouts lie between one and two timeouts and are spread (5.2)") {
    std::set<int> seen;
    for (std::uint64_t seed = 1; seed <= 60; ++seed) {
      cluster group(3, 0, common(), seed);
      const int ticks = ticks_until_pre_vote(group.at(1));
      CHECK(ticks >= static_cast<int>(timeout));
      CHECK(ticks < 2 * static_cast<int>(timeout));
      seen.insert(ticks);
    }
    CHECK(seen.size() == timeout);
  }

  TEST_CASE("a candidate raises its term and votes for itself before it asks anybody (5.2, R1)") {
    one t;
    t.r.call([](core& c) { return c.campaign(); });
    receive(t.r, 2, pre_vote_response{term_id(1), true});
    CHECK(t.r.node().role() == role_kind::candidate);
    CHECK(t.r.node().term() == term_id(1));
    CHECK(sent_of<vote_request>(t.r).empty());
    t.r.complete_write();
    CHECK(t.r.storage().hard() == hard_state{term_id(1), id_of(1)});
    CHECK(sent_of<vote_request>(t.r).size() == 2);
  }

  TEST_CASE("the own vote counts only when it is durable (R1)") {
    one t;
    t.r.call([](core& c) { return c.campaign(); });
    receive(t.r, 2, pre_vote_response{term_id(1), true});
    receive(t.r, 3, vote_response{term_id(1), true});
    CHECK(t.r.node().role() == role_kind::candidate);
    t.r.complete_write();
    CHECK(t.r.node().is_leader());
  }

  TEST_CASE("a candidate needs the votes of a majority, each counted once (5.2)") {
    one t(5);
    t.r.call([](core& c) { return c.campaign(); });
    receive(t.r, 2, pre_vote_response{term_id(1), true});
    receive(t.r, 2, pre_vote_response{term_id(1), true});
    CHECK(t.r.node().role() == role_kind::pre_candidate);
    receive(t.r, 3, pre_vote_response{term_id(1), true});
    t.r.settle_disk();
    receive(t.r, 4, vote_response{term_id(1), true});
    receive(t.r, 4, vote_response{term_id(1), true});
    CHECK(t.r.node().role() == role_kind::candidate);
    SUBCASE("a majority") {
      receive(t.r, 5, vote_response{term_id(1), true});
      CHECK(t.r.node().is_leader());
    }
    SUBCASE("votes of strangers and of former lives do not count") {
      receive(t.r, 9, vote_response{term_id(1), true});
      t.r.call([](core& c) { return c.step(id_of(5, 1), vote_response{term_id(1), true}); });
      CHECK(t.r.node().role() == role_kind::candidate);
    }
    SUBCASE("votes of another term do not count") {
      receive(t.r, 5, vote_response{term_id(0), true});
      CHECK(t.r.node().role() == role_kind::candidate);
    }
    SUBCASE("refused by a majority, it gives up") {
      receive(t.r, 2, vote_response{term_id(1), false});
      receive(t.r, 3, vote_response{term_id(1), false});
      CHECK(t.r.node().role() == role_kind::candidate);
      receive(t.r, 5, vote_response{term_id(1), false});
      CHECK(t.r.node().role() == role_kind::follower);
    }
  }

  TEST_CASE("a candidate follows a leader of its term (5.2)") {
    one t;
    t.r.call([](core& c) { return c.campaign(); });
    receive(t.r, 2, pre_vote_response{term_id(1), true});
    t.r.settle_disk();
    receive(t.r, 3, append_request{term_id(1), {}, {}, {}});
    CHECK(t.r.node().role() == role_kind::follower);
    CHECK(t.r.node().leader() == id_of(3));
    CHECK(t.r.node().hard().voted_for == id_of(1)); // the vote of the term is still given
  }

  TEST_CASE("a replica votes for one candidate per term, first come, first served (5.2)") {
    one t;
    receive(t.r, 2, vote_request{term_id(1), {}, false});
    receive(t.r, 3, vote_request{term_id(1), {}, false});
    receive(t.r, 2, vote_request{term_id(1), {}, false});
    t.r.settle_disk();
    const auto votes = sent_of<vote_response>(t.r);
    REQUIRE(votes.size() == 3);
    for (const auto& vote : votes)
      CHECK(std::get<vote_response>(vote.body).granted == (vote.to == id_of(2)));
  }

  TEST_CASE("a vote leaves only when it is durable, and is remembered after a crash (R1)") {
    one t;
    receive(t.r, 2, vote_request{term_id(1), {}, false});
    CHECK(t.r.sent.empty());
    SUBCASE("the vote was durable") {
      t.r.crash(1);
      t.r.restart();
      receive(t.r, 3, vote_request{term_id(1), {}, false});
      t.r.settle_disk();
      const auto votes = sent_of<vote_response>(t.r);
      REQUIRE(votes.size() == 1);
      CHECK_FALSE(std::get<vote_response>(votes[0].body).granted);
    }
    SUBCASE("the vote was lost, and so was the answer") {
      t.r.crash(0);
      t.r.restart();
      receive(t.r, 3, vote_request{term_id(1), {}, false});
      t.r.settle_disk();
      const auto votes = sent_of<vote_response>(t.r);
      REQUIRE(votes.size() == 1);
      CHECK(votes[0].to == id_of(3));
      CHECK(std::get<vote_response>(votes[0].body).granted);
    }
  }

  TEST_CASE("a vote in a term that is known already is written as well (R1)") {
    one t;
    t.r.preload(5, {1});
    receive(t.r, 2, vote_request{term_id(5), {term_id(1), log_index(1)}, false});
    CHECK(t.r.sent.empty());
    REQUIRE(t.r.storage().pending().size() == 1);
    CHECK(t.r.storage().pending()[0].hard == hard_state{term_id(5), id_of(2)});
    t.r.settle_disk();
    REQUIRE(sent_of<vote_response>(t.r).size() == 1);
    CHECK(std::get<vote_response>(t.r.sent[0].body).granted);
  }

  TEST_CASE("who is no member grants neither votes nor pre-votes, in whatever term (R15)") {
    cluster group(3, 1, common());
    auto& stranger = group.at(4);
    stranger.preload(5, {1});
    const entry_id far{term_id(4), log_index(9)};
    for (const std::uint64_t term : {5, 6}) {
      receive(stranger, 2, pre_vote_request{term_id(term), far});
      receive(stranger, 2, vote_request{term_id(term), far, false});
    }
    stranger.settle_disk();
    for (const auto& m : stranger.sent) {
      const auto* pre = std::get_if<pre_vote_response>(&m.body);
      const auto* real = std::get_if<vote_response>(&m.body);
      CHECK_FALSE((pre ? pre->granted : real->granted));
    }
    CHECK(stranger.storage().hard() == hard_state{term_id(5), std::nullopt});
  }

  TEST_CASE("a vote is refused to a candidate whose log is behind (5.4.1)") {
    struct row {
      entry_id candidate;
      bool granted;
    };
    const auto id = [](std::uint64_t index, std::uint64_t term) {
      return entry_id{term_id(term), log_index(index)};
    };
    // The voter's log ends with 3@2.
    const row table[] = {
        {id(3, 2), true},  {id(4, 2), true},  {id(1, 3), true},  {id(3, 3), true},
        {id(2, 2), false}, {id(3, 1), false}, {id(9, 1), false}, {{}, false},
    };
    for (const auto& [candidate, granted] : table) {
      CAPTURE(to_string(candidate));
      one t;
      t.r.preload(3, {1, 1, 2});
      receive(t.r, 2, pre_vote_request{term_id(4), candidate});
      const auto pre = sent_of<pre_vote_response>(t.r);
      REQUIRE(pre.size() == 1);
      CHECK(std::get<pre_vote_response>(pre[0].body).granted == granted);
      receive(t.r, 2, vote_request{term_id(4), candidate, false});
      t.r.settle_disk();
      const auto real = sent_of<vote_response>(t.r);
      REQUIRE(real.size() == 1);
      CHECK(std::get<vote_response>(real[0].body).granted == granted);
      CHECK(t.r.node().term() == term_id(4));
    }
  }

  TEST_CASE("who waits for a leader waits no longer because others try in vain (5.2)") {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
      CAPTURE(seed);
      cluster group(3, 0, common(), seed);
      auto& r = group.at(3);
      r.preload(3, {1, 1, 2});
      // Another one asks for votes at every tick, and its log is behind.
      std::uint64_t term = 4;
      std::uint32_t ticks = 0;
      while (r.node().role() == role_kind::follower && ticks < 5 * timeout) {
        receive(r, 1, vote_request{term_id(term), {term_id(1), log_index(1)}, false});
        CHECK(r.node().term() == term_id(term));
        ++term;
        ++ticks;
        r.call([](core& c) { return c.tick(); });
      }
      CHECK(ticks >= timeout);
      CHECK(ticks < 2 * timeout);
    }
  }

  TEST_CASE("any message of a newer term makes a leader step down (5.1)") {
    cluster group(3, 0, common());
    group.elect(1);
    receive(group.at(1), 2, append_response{term_id(7), false, {}, {}});
    CHECK(group.at(1).node().role() == role_kind::follower);
    CHECK(group.at(1).node().term() == term_id(7));
  }

  TEST_CASE("requests of an older term are refused and tell the newer one (5.1)") {
    one t;
    t.r.preload(5, {1});
    receive(t.r, 2, append_request{term_id(3), {}, {}, {}});
    receive(t.r, 2, vote_request{term_id(3), {}, false});
    receive(t.r, 2, pre_vote_request{term_id(5), {term_id(4), log_index(9)}});
    REQUIRE(t.r.sent.size() == 3);
    for (const auto& m : t.r.sent)
      CHECK(term_of(m.body) == term_id(5));
    CHECK_FALSE(t.r.node().leader());
  }

  TEST_CASE("who hears from a leader refuses to depose it (thesis 4.2.3)") {
    cluster group(3, 0, common());
    group.elect(1);
    auto& f = group.at(2);
    const auto term = f.node().term();
    const entry_id far{term, log_index(99)};
    receive(f, 3, vote_request{term.next(), far, false});
    CHECK(f.node().term() == term);
    CHECK(f.sent.empty());
    receive(f, 3, pre_vote_request{term.next(), far});
    REQUIRE(f.sent.size() == 1);
    CHECK_FALSE(std::get<pre_vote_response>(f.sent[0].body).granted);
    // Unless the leader itself hands over.
    receive(f, 3, vote_request{term.next(), far, true});
    CHECK(f.node().term() == term.next());
  }

  TEST_CASE("a replica that was cut off comes back without a newer term and deposes nobody (R11)") {
    cluster group(3, 0, common());
    group.elect(1);
    const auto term = group.at(1).node().term();
    group.isolate(3);
    group.pass_time(20 * timeout);
    CHECK(group.at(3).node().term() == term);
    group.heal();
    group.pass_time(3 * timeout);
    CHECK(group.leader() == 1);
    CHECK(group.at(1).node().term() == term);
    CHECK(group.at(3).node().leader() == id_of(1));
  }

  TEST_CASE("a leader that hears from no majority steps down, whichever way the link fails (R12)") {
    cluster group(3, 0, common());
    group.elect(1);
    SUBCASE("nothing comes back") {
      group.cut(2, 1);
      group.cut(3, 1);
    }
    SUBCASE("nothing arrives") {
      group.cut(1, 2);
      group.cut(1, 3);
    }
    SUBCASE("neither") {
      group.isolate(1);
    }
    group.pass_time(2 * timeout);
    CHECK_FALSE(group.at(1).node().is_leader());
  }

  TEST_CASE("followers that lost the link to their leader elect another one within few ticks") {
    for (const int gone : {1, 2, 3, 4, 5}) {
      cluster group(5, 0, common());
      group.elect(gone);
      group.isolate(gone);
      for (int node = 1; node <= 5; ++node)
        if (node != gone)
          group.at(node).call([&](core& c) { return c.lost_contact(node_id(gone)); });
      group.pass_time(4);
      CHECK(group.leader() != 0);
      CHECK(group.leader() != gone);
      CHECK(group.at(group.leader()).node().term() == term_id(2));
    }
  }

  TEST_CASE("one follower that lost the link to its leader disturbs nobody") {
    cluster group(3, 0, common());
    group.elect(1);
    group.pass_time(1);
    group.at(2).call([](core& c) { return c.lost_contact(node_id(1)); });
    group.pass_time(10 * timeout);
    CHECK(group.leader() == 1);
    CHECK(group.at(1).node().term() == term_id(1));
  }

  TEST_CASE("a leader of which one follower is gone stays") {
    cluster group(3, 0, common());
    group.elect(1);
    group.isolate(3);
    group.pass_time(10 * timeout);
    CHECK(group.leader() == 1);
    CHECK(group.at(1).node().term() == term_id(1));
  }

  TEST_CASE(
      "if some majority is connected, it has a leader that commits within ten timeouts (R10)") {
    // Every set of cut links among five nodes that leaves three of them fully connected.
    cluster warm(5, 0, common());
    std::vector<std::pair<int, int>> links;
    for (int a = 1; a <= 5; ++a)
      for (int b = a + 1; b <= 5; ++b)
        links.emplace_back(a, b);
    int tried = 0;
    for (unsigned cuts = 0; cuts < 1U << links.size(); ++cuts) {
      const auto is_cut = [&](int a, int b) {
        const auto at =
            std::find(links.begin(), links.end(), std::pair(std::min(a, b), std::max(a, b)));
        return (cuts >> (at - links.begin()) & 1) != 0;
      };
      bool majority_connected = false;
      for (int a = 1; a <= 5; ++a)
        for (int b = a + 1; b <= 5; ++b)
          for (int c = b + 1; c <= 5; ++c)
            majority_connected =
                majority_connected || (!is_cut(a, b) && !is_cut(a, c) && !is_cut(b, c));
      if (!majority_connected)
        continue;
      ++tried;
      cluster group(5, 0, common(), cuts + 1);
      group.elect(1);
      for (const auto& [a, b] : links) {
        if (is_cut(a, b)) {
          group.cut(a, b);
          group.cut(b, a);
        }
      }
      group.pass_time(10 * timeout);
      bool committed = false;
      for (auto& [node, r] : group.replicas()) {
        if (!r->node().is_leader())
          continue;
        const auto before = r->node().commit_index();
        (void)r->propose({"after the cut"});
        group.observe(node);
        group.settle();
        committed = committed || r->node().commit_index() > before;
      }
      CAPTURE(cuts);
      REQUIRE(committed);
    }
    CHECK(tried > 300);
  }

  TEST_CASE("split votes are resolved by the next timeouts (5.2)") {
    for (std::uint64_t seed = 1; seed <= 50; ++seed) {
      cluster group(4, 0, common(), seed);
      for (int node = 1; node <= 4; ++node) {
        group.at(node).call([](core& c) { return c.campaign(); });
        group.observe(node);
      }
      CAPTURE(seed);
      CHECK(group.converge(10 * timeout));
    }
  }

  TEST_CASE("a leader whose disk stands still gives its office to one that is up to date (R19)") {
    cluster group(3, 0, common());
    group.elect(1);
    const auto term = group.at(1).node().term();
    (void)group.at(1).propose({"stuck"});
    group.observe(1);
    // The write never completes; heartbeats and acknowledgements go on.
    for (std::uint32_t tick = 0; tick < 2 * timeout && group.at(1).node().is_leader(); ++tick) {
      for (int node = 1; node <= 3; ++node)
        group.tick(node);
      for (int node = 2; node <= 3; ++node) {
        group.at(node).settle();
        group.observe(node);
      }
      while (!group.network().empty())
        group.deliver(0);
    }
    CHECK_FALSE(group.at(1).node().is_leader());
    for (int round = 0; round < 20; ++round) {
      for (int node = 2; node <= 3; ++node) {
        group.at(node).settle();
        group.observe(node);
      }
      while (!group.network().empty())
        group.deliver(0);
    }
    REQUIRE(group.leader() != 0);
    CHECK(group.leader() != 1);
    CHECK(group.at(group.leader()).node().term() > term);
  }

  TEST_CASE("all replicas lose power at once under load: nothing acknowledged is lost (R2, R20)") {
    for (std::size_t kept = 0; kept < 4; ++kept) {
      cluster group(3, 0, common());
      group.elect(1);
      for (int i = 0; i < 5; ++i)
        REQUIRE(group.commit("acked " + std::to_string(i)));
      (void)group.at(1).propose({"in flight", "too"});
      group.observe(1);
      while (!group.network().empty())
        group.deliver(0);
      for (int node = 1; node <= 3; ++node)
        group.at(node).crash(kept & 1, kept >> 1);
      for (int node = 1; node <= 3; ++node)
        group.at(node).restart();
      group.network().clear();
      REQUIRE(group.converge(20 * timeout));
      for (int node = 1; node <= 3; ++node) {
        const auto& state = group.at(node).state();
        REQUIRE(state.size() >= 5);
        for (int i = 0; i < 5; ++i)
          CHECK(state[static_cast<std::size_t>(i)] == "acked " + std::to_string(i));
      }
    }
  }
}

} // namespace aqueduct::raft::test
