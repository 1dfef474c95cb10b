// A group of one: what its core accepts to start from, and a randomised life with power cuts.
#include "raft/generator.hpp"
#include "raft/invariant.hpp"
#include "tests/raft/replica.hpp"

#include <doctest/doctest.h>

#include <set>
#include <string>

namespace aqueduct::raft::test {

namespace {

core_options options_of(int node, std::uint64_t seed = 1) {
  core_options o;
  o.self = id_of(node);
  o.seed = seed;
  return o;
}

restored_state with_log(std::vector<term_run> terms, std::uint64_t last) {
  restored_state s;
  s.hard.term = term_id(9);
  s.base.membership = voters_of({1});
  s.terms = std::move(terms);
  s.last = log_index(last);
  return s;
}

bool is_refused(const restored_state& s, const core_options& o = options_of(1)) {
  const auto made = core::create(o, s);
  const auto* wrong = std::get_if<invalid_state>(&made);
  return wrong && !wrong->reason.empty();
}

/// Drives one replica through random inputs and power cuts, and remembers what it promised.
class life {
public:
  explicit life(std::uint64_t seed)
      : random_(seed), replica_(small_options(seed), voters_of({1}), ledger_) {}

  void run(int steps) {
    for (int i = 0; i < steps; ++i)
      step();
    finish();
  }

  [[nodiscard]] std::uint64_t trace() const { return replica_.trace; }
  [[nodiscard]] std::size_t acknowledged() const { return acknowledged_.size(); }

private:
  static core_options small_options(std::uint64_t seed) {
    auto o = options_of(1, seed);
    o.pending_bytes_max = 700;
    o.tail_bytes_max = 300;
    o.unapplied_bytes_max = 300;
    o.load_bytes_max = 60;
    o.hibernate_after_ticks = 4;
    return o;
  }

  void step() {
    auto& r = replica_;
    switch (random_.below(15)) {
    case 0:
      r.call([](core& c) { return c.campaign(); });
      break;
    case 1:
    case 2:
      r.call([](core& c) { return c.tick(); });
      break;
    case 3:
    case 4:
    case 5:
      propose();
      break;
    case 6:
    case 7:
      if (!r.storage().pending().empty())
        r.complete_write();
      break;
    case 8:
      if (!r.storage().pending().empty())
        r.complete_silently();
      break;
    case 9:
      if (!r.untold().empty())
        r.tell_completion(random_.below(r.untold().size()));
      break;
    case 10:
      if (!r.loads().empty())
        answer_load();
      break;
    case 11:
    case 12:
      apply();
      break;
    case 13:
      r.flush_state();
      if (random_.below(3) == 0)
        r.call([&](core& c) {
          return c.compact(log_index(random_.below(r.durable_applied().value + 1)));
        });
      break;
    default:
      rare();
      break;
    }
  }

  void rare() {
    auto& r = replica_;
    switch (random_.below(8)) {
    case 0:
      if (!r.storage().pending().empty())
        r.call([&](core& c) { return c.persist_failed(r.storage().pending().front().ticket); });
      break;
    case 1:
      // Of a former life: counts for nothing.
      r.call([&](core& c) { return c.persisted({random_.below(r.options.life), 1}); });
      break;
    case 2:
    case 3:
      r.call([&](core& c) { return c.read_index(++context_); });
      break;
    default:
      power_cut();
      break;
    }
  }

  void propose() {
    std::vector<std::string> batch(1 + random_.below(5));
    for (auto& text : batch)
      text = std::to_string(++proposed_) + std::string(random_.below(40), '.');
    const auto outcome = replica_.propose(batch);
    if (const auto* ok = std::get_if<proposal_accepted>(&outcome.answer)) {
      for (std::size_t i = 0; i < batch.size(); ++i)
        waiting_[ok->first + i] = {ok->term, batch[i]};
    }
  }

  /// Applies, and acknowledges the proposals that were committed in the term that they were
  /// accepted in.
  void apply() {
    for (const auto& e : replica_.unapplied()) {
      const auto at = waiting_.find(e.index);
      if (at == waiting_.end())
        continue;
      if (at->second.first == e.term) {
        CHECK(at->second.second == text_of(e.body));
        acknowledged_.push_back(at->second.second);
      }
      waiting_.erase(at);
    }
    replica_.apply_all();
  }

  void answer_load() {
    if (random_.below(5) != 0) {
      replica_.answer_load();
      return;
    }
    const auto id = replica_.loads().front().id;
    replica_.loads().pop_front();
    replica_.call([&](core& c) { return c.load_failed(id); });
  }

  void power_cut() {
    const auto& pending = replica_.storage().pending();
    replica_.crash(random_.below(pending.size() + 1), random_.below(4));
    replica_.restart();
    waiting_.clear();
  }

  /// Brings it back to work, and looks for everything that was acknowledged.
  void finish() {
    power_cut();
    replica_.flush_state();
    replica_.call([](core& c) { return c.campaign(); });
    for (int i = 0; i < 50; ++i) {
      replica_.call([](core& c) { return c.tick(); });
      replica_.settle();
    }
    REQUIRE(replica_.node().is_leader());
    REQUIRE(replica_.applied() == replica_.node().last_index());
    const std::multiset<std::string> state(replica_.state().begin(), replica_.state().end());
    for (const auto& text : acknowledged_)
      REQUIRE(state.count(text) == 1);
    for (const auto& [index, value] : ledger_.entries())
      REQUIRE(index <= replica_.node().commit_index());
  }

  generator random_;
  ledger ledger_;
  replica replica_;
  std::map<log_index, std::pair<term_id, std::string>> waiting_;
  std::vector<std::string> acknowledged_;
  std::uint64_t proposed_ = 0;
  std::uint64_t context_ = 0;
};

} // namespace

TEST_SUITE("raft.single_voter") {
  TEST_CASE("a restored state that contradicts itself is refused with a reason") {
    CHECK_FALSE(is_refused(with_log({{term_id(1), log_index(1)}, {term_id(4), log_index(3)}}, 5)));
    SUBCASE("terms that leave a hole at the beginning") {
      CHECK(is_refused(with_log({{term_id(1), log_index(2)}}, 5)));
    }
    SUBCASE("terms that go back") {
      CHECK(is_refused(with_log({{term_id(4), log_index(1)}, {term_id(3), log_index(3)}}, 5)));
    }
    SUBCASE("a run beyond the end") {
      CHECK(is_refused(with_log({{term_id(1), log_index(1)}, {term_id(4), log_index(6)}}, 5)));
    }
    SUBCASE("no terms for a log that has entries") {
      CHECK(is_refused(with_log({}, 5)));
    }
    SUBCASE("a log that ends before its base") {
      auto s = with_log({}, 5);
      s.base.last = {term_id(2), log_index(7)};
      CHECK(is_refused(s));
    }
    SUBCASE("a commit index above the log: committed entries are lost") {
      auto s = with_log({{term_id(1), log_index(1)}}, 5);
      s.commit = log_index(6);
      CHECK(is_refused(s));
    }
    SUBCASE("a state machine that is ahead of the log") {
      auto s = with_log({{term_id(1), log_index(1)}}, 5);
      s.applied = log_index(6);
      CHECK(is_refused(s));
    }
    SUBCASE("a membership outside the log") {
      auto s = with_log({{term_id(1), log_index(1)}}, 5);
      s.memberships = {{log_index(6), voters_of({1})}};
      CHECK(is_refused(s));
    }
    SUBCASE("a membership without voters") {
      auto s = with_log({{term_id(1), log_index(1)}}, 5);
      s.memberships = {{log_index(3), {}}};
      CHECK(is_refused(s));
    }
    SUBCASE("options without a timeout") {
      auto o = options_of(1);
      o.election_timeout_ticks = 1;
      CHECK(is_refused(with_log({}, 0), o));
    }
  }

  TEST_CASE("an entry on disk whose term is above the hard state's raises the term") {
    auto s = with_log({{term_id(1), log_index(1)}, {term_id(4), log_index(3)}}, 5);
    s.hard = {term_id(3), id_of(1)};
    auto made = core::create(options_of(1), s);
    auto& c = std::get<core>(made);
    CHECK(c.hard() == hard_state{term_id(4), std::nullopt});
    const auto out = c.campaign();
    REQUIRE(out.persist);
    CHECK(out.persist->hard == hard_state{term_id(5), id_of(1)});
  }

  TEST_CASE("a replica with another incarnation than its membership neither votes nor campaigns") {
    auto o = options_of(1);
    o.self.incarnation = incarnation(2);
    ledger committed;
    replica r(o, voters_of({1, 2, 3}), committed);
    r.call([](core& c) { return c.campaign(); });
    for (int i = 0; i < 50; ++i)
      r.call([](core& c) { return c.tick(); });
    CHECK(r.node().role() == role_kind::follower);
    CHECK(r.node().term() == term_id(0));
    CHECK(r.storage().pending().empty());

    r.call([](core& c) { return c.step(id_of(2), vote_request{term_id(1), {}, false}); });
    r.settle_disk();
    CHECK(r.sent.empty());
    CHECK(r.storage().hard() == hard_state{});
  }

  TEST_CASE("a large batch is taken over without a copy of its payloads") {
    ledger committed;
    replica r(options_of(1), voters_of({1}), committed);
    r.call([](core& c) { return c.campaign(); });
    r.settle();
    const auto shared = payload_of("the same bytes");
    std::vector<proposal> batch(500, {entry_kind::records, shared});
    auto outcome = r.node().propose(std::move(batch));
    REQUIRE(outcome.then.persist);
    REQUIRE(outcome.then.persist->append.size() == 500);
    CHECK(outcome.then.persist->append[499].body.data.get() == shared.data.get());
    CHECK(outcome.then.persist->append[499].index == log_index(501));
  }

  TEST_CASE("a proposal that only the core may make is a broken invariant") {
    ledger committed;
    replica r(options_of(1), voters_of({1}), committed);
    r.call([](core& c) { return c.campaign(); });
    r.settle();
    std::vector<proposal> batch{{entry_kind::membership, payload_of("forged")}};
    CHECK_THROWS_AS((void)r.node().propose(std::move(batch)), invariant_violation);
    CHECK_THROWS_AS((void)r.node().propose({}), invariant_violation);
  }

  TEST_CASE(
      "to apply what was not handed out, or to compact what is not applied, breaks an invariant") {
    ledger committed;
    replica r(options_of(1), voters_of({1}), committed);
    r.call([](core& c) { return c.campaign(); });
    r.settle_disk();
    CHECK_THROWS_AS((void)core(r.node()).applied(log_index(2)), invariant_violation);
    CHECK_THROWS_AS((void)core(r.node()).compact(log_index(1)), invariant_violation);
    r.apply_all();
    CHECK(core(r.node()).compact(log_index(1)).persist);
  }

  TEST_CASE("entries that are loaded and differ from those that were written are refused") {
    ledger committed;
    replica r(options_of(1), voters_of({1}), committed);
    r.call([](core& c) { return c.campaign(); });
    (void)r.propose({"not yet"});
    r.settle();
    (void)r.propose({"a", "b"});
    r.settle();
    r.crash();
    r.restart();
    r.call([](core& c) { return c.campaign(); });
    r.settle_disk();
    REQUIRE(r.loads().size() == 1);
    const auto request = r.loads().front();
    const auto good = r.storage().read(request.begin, request.end, request.bytes_max);

    const auto try_entries = [&](std::vector<entry> entries) {
      auto copy = r.node();
      return copy.loaded(request.id, std::move(entries));
    };
    auto other_term = good;
    other_term[1].term = term_id(77);
    auto hole = good;
    hole.erase(hole.begin() + 1);
    for (const auto& bad : {std::vector<entry>{}, other_term, hole}) {
      const auto out = try_entries(bad);
      CHECK(out.committed.empty());
      REQUIRE(out.events.size() == 1);
      CHECK(std::get<refused>(out.events[0]).why == refusal::damaged);
    }
    CHECK(try_entries(good).committed.size() >= good.size());
  }

  TEST_CASE("thousands of random lives with power cuts lose and change nothing") {
    std::size_t acknowledged = 0;
    for (std::uint64_t seed = 1; seed <= rounds(4000); ++seed) {
      INFO("seed " << seed);
      life l(seed);
      REQUIRE_NOTHROW(l.run(250));
      acknowledged += l.acknowledged();
    }
    CHECK(acknowledged > rounds(10000)); // or the lives were not worth much
  }

  TEST_CASE("the same seed gives the same trace, another seed another one") {
    const auto trace = [](std::uint64_t seed) {
      life l(seed);
      l.run(400);
      return l.trace();
    };
    CHECK(trace(42) == trace(42));
    CHECK(trace(42) != trace(43));
  }
}

} // namespace aqueduct::raft::test
