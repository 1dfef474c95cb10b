// Groups of replicas under everything at once: lost, repeated and reordered messages, cut links,
// power cuts, late disks, failed writes, snapshots, hand-overs, changes of membership, lost disks.
// SEED=n runs one seed, LIVES=n runs that many.
#include "tests/raft/cluster.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <map>
#include <set>
#include <string>

namespace aqueduct::raft::test {

namespace {

core_options small_options(std::uint64_t seed) {
  core_options o;
  o.pending_bytes_max = 1500;
  o.tail_bytes_max = seed % 3 == 0 ? 100 : 600;
  o.unapplied_bytes_max = o.tail_bytes_max;
  o.load_bytes_max = 80;
  o.append_bytes_max = 200;
  o.inflight_requests_max = 3;
  o.inflight_bytes_max = 400;
  o.hibernate_after_ticks = seed % 2 == 0 ? 5 : 0;
  return o;
}

class storm {
public:
  explicit storm(std::uint64_t seed)
      : random_(seed),
        voters_(1 + static_cast<int>(random_.below(5))),
        cluster_(voters_, 2, small_options(seed), seed),
        faults_(random_.next()) {}

  void run(int steps) {
    // Most storms break out over a group that works.
    if (random_.below(4) != 0)
      cluster_.elect(1);
    for (int i = 0; i < steps; ++i) {
      step();
      acknowledge();
    }
    finish();
  }

  [[nodiscard]] std::uint64_t trace() {
    std::uint64_t hash = 0;
    for (auto& [node, r] : cluster_.replicas())
      hash = hash * 31 + r->trace;
    return hash;
  }
  [[nodiscard]] std::size_t acknowledged() const { return acknowledged_.size(); }
  std::map<std::string, int> marks;

private:
  /// Every storm has its own mixture of faults.
  [[nodiscard]] bool has(int fault) const { return (faults_ >> fault & 1) != 0; }

  int any_node() { return 1 + static_cast<int>(random_.below(cluster_.replicas().size())); }

  void step() {
    const auto dice = random_.below(100);
    const int node = any_node();
    auto& r = cluster_.at(node);
    if (dice < 52)
      network();
    else if (dice < 62)
      cluster_.tick(node);
    else if (dice < 76)
      disk(r);
    else if (dice < 86)
      apply(r);
    else if (dice < 96)
      propose(node);
    else
      rare(node);
    cluster_.observe(node);
  }

  void network() {
    auto& messages = cluster_.network();
    if (messages.empty())
      return;
    const auto n = has(0) ? random_.below(messages.size()) : 0;
    const auto dice = random_.below(20);
    if (dice == 0 && has(1))
      cluster_.drop(n);
    else
      cluster_.deliver(n, dice == 1 && has(2));
    if (messages.size() > 400)
      messages.erase(messages.begin(), messages.begin() + 200);
  }

  void disk(replica& r) {
    if (!r.storage().pending().empty() && (random_.below(2) == 0 || !has(3)))
      r.complete_write();
    else if (!r.storage().pending().empty())
      r.complete_silently();
    else if (!r.untold().empty())
      r.tell_completion(random_.below(r.untold().size()));
  }

  void apply(replica& r) {
    if (!r.loads().empty()) {
      r.answer_load();
      ++marks["load"];
    }
    r.apply_all();
    if (random_.below(3) == 0)
      r.flush_state();
    if (has(4) && random_.below(6) == 0) {
      const auto upto = log_index(random_.below(r.durable_applied().value + 1));
      r.call([&](core& c) { return c.compact(upto); });
      ++marks["compact"];
    }
    if (r.fetch())
      fetch(r);
  }

  void fetch(replica& r) {
    const auto wanted = *r.fetch();
    auto& source = cluster_.at(wanted.from.node.value);
    if (random_.below(4) == 0 || source.options.self != wanted.from ||
        source.applied() < wanted.meta.last.index) {
      r.fetch().reset();
      r.call([](core& c) { return c.snapshot_failed(); });
      return;
    }
    r.install(source);
    ++marks["snapshot"];
  }

  void propose(int node) {
    auto& r = cluster_.at(node);
    if (!r.node().is_leader())
      return;
    std::vector<std::string> batch(1 + random_.below(4));
    for (auto& text : batch)
      text = std::to_string(++proposed_) + std::string(random_.below(60), '.');
    const auto outcome = r.propose(batch);
    if (const auto* ok = std::get_if<proposal_accepted>(&outcome.answer)) {
      for (std::size_t i = 0; i < batch.size(); ++i)
        waiting_[batch[i]] = {ok->term, ok->first + i};
    }
  }

  void rare(int node) {
    auto& r = cluster_.at(node);
    switch (random_.below(14)) {
    case 0:
      if (has(5))
        cut();
      break;
    case 1:
      cluster_.heal();
      break;
    case 2:
    case 3:
      if (has(6))
        power_cut(r);
      break;
    case 4:
      if (has(7) && !r.storage().pending().empty()) {
        r.call([&](core& c) { return c.persist_failed(r.storage().pending().front().ticket); });
        power_cut(r);
        ++marks["failed-write"];
      }
      break;
    case 5:
      if (has(8))
        transfer(cluster_.leader() != 0 ? cluster_.leader() : node);
      break;
    case 6:
      r.call([](core& c) { return c.campaign(); });
      break;
    case 7:
    case 8:
      read(node);
      break;
    case 9:
    case 10:
      if (has(9))
        change_members(cluster_.leader() != 0 ? cluster_.at(cluster_.leader()) : r);
      break;
    case 11:
      if (has(9))
        lose_disk(node);
      break;
    case 12:
      if (random_.below(2) == 0)
        r.call([](core& c) { return c.wake(); });
      else
        r.call([other = node_id(static_cast<std::int32_t>(1 + random_.below(5)))](core& c) {
          return c.lost_contact(other);
        });
      break;
    default:
      if (has(6) && random_.below(8) == 0)
        for (auto& [other, each] : cluster_.replicas())
          power_cut(*each);
      break;
    }
  }

  void transfer(int node) {
    const auto to = cluster_.at(any_node()).options.self;
    cluster_.at(node).call([&](core& c) { return c.transfer_leadership(to); });
    cluster_.observe(node);
    ++marks["transfer"];
  }

  void cut() {
    if (random_.below(2) == 0)
      cluster_.isolate(any_node());
    else
      cluster_.cut(any_node(), any_node());
  }

  void power_cut(replica& r) {
    r.crash(random_.below(r.storage().pending().size() + 1), random_.below(5));
    r.restart();
    reads_.erase(r.options.self.node.value);
    ++marks["power-cut"];
  }

  /// A read must see what was committed before it was asked (R17).
  void read(int node) {
    const auto context = ++context_;
    const auto& entries = cluster_.committed().entries();
    reads_[node][context] = entries.empty() ? log_index{} : entries.rbegin()->first;
    cluster_.at(node).call([&](core& c) { return c.read_index(context); });
  }

  void change_members(replica& r) {
    // A disk that is lost is replaced before anything else is changed, or the group could lose its
    // majority for good.
    int node = any_node();
    for (const auto& [other, each] : cluster_.replicas()) {
      const auto known = r.node().members().find(node_id(other));
      if (known && *known != each->options.self)
        node = other;
    }
    auto who = cluster_.at(node).options.self;
    const auto& learners = r.node().members().learners;
    if (!learners.empty() && random_.below(2) == 0)
      who = learners[random_.below(learners.size())];
    const membership_change changes[] = {add_learner{who}, promote_learner{who},
                                         promote_learner{who}, remove_replica{who}};
    const auto change = changes[random_.below(4)];
    if (std::holds_alternative<remove_replica>(change) && r.node().members().voters.size() <= 2)
      return;
    if (r.change(change).answer == change_outcome::answer_kind::accepted)
      ++marks[std::holds_alternative<promote_learner>(change) ? "promotion" : "change"];
    cluster_.observe(r.options.self.node.value);
  }

  /// Only while that loses nothing for good: the group is whole, agrees on who it is, and still has
  /// a majority without the one.
  void lose_disk(int node) {
    const auto& members = cluster_.at(node).node().members();
    if (members.voters.size() < 3 || !members.learners.empty() ||
        !members.is_voter(cluster_.at(node).options.self))
      return;
    for (const auto& [other, r] : cluster_.replicas()) {
      if (members.is_voter(r->options.self) &&
          (r->node().members() != members ||
           r->node().member_log().latest_index() > r->node().commit_index()))
        return;
      if (members.find(node_id(other)).value_or(r->options.self) != r->options.self)
        return;
      if (!members.contains(r->options.self) && r->node().is_leader())
        return;
    }
    cluster_.at(node).wipe();
    reads_.erase(node);
    ++marks["lost-disk"];
  }

  void acknowledge() {
    for (auto at = waiting_.begin(); at != waiting_.end();) {
      const auto& [term, index] = at->second;
      const auto entry = cluster_.committed().entries().find(index);
      if (entry == cluster_.committed().entries().end()) {
        ++at;
        continue;
      }
      if (entry->second.first == term) {
        REQUIRE(entry->second.second == at->first);
        acknowledged_.insert(at->first);
      }
      at = waiting_.erase(at);
    }
    for (auto& [node, r] : cluster_.replicas()) {
      auto& asked = reads_[node];
      for (const auto& answer : r->take_reads()) {
        const auto at = asked.find(answer.context);
        REQUIRE(at != asked.end()); // or it was answered twice
        if (answer.index) {
          REQUIRE(*answer.index >= at->second);
          ++marks["read"];
        }
        asked.erase(at);
      }
    }
  }

  /// Heals everything, replaces lost disks, and expects all members to agree on everything that was
  /// ever acknowledged.
  void finish() {
    cluster_.heal();
    for (auto& [node, r] : cluster_.replicas())
      r->call([](core& c) { return c.wake(); });
    const bool converged = cluster_.converge(300);
    REQUIRE_MESSAGE(converged, cluster_.describe());
    acknowledge();
    auto& l = cluster_.at(cluster_.leader());
    for (auto& [node, r] : cluster_.replicas()) {
      if (!l.node().members().contains(r->options.self))
        continue;
      REQUIRE(r->state() == l.state());
    }
    const std::multiset<std::string> state(l.state().begin(), l.state().end());
    for (const auto& text : acknowledged_)
      REQUIRE(state.count(text) == 1);
    cluster_.pass_time(30);
    const bool committed = cluster_.commit("the last word");
    REQUIRE_MESSAGE(committed, cluster_.describe());
    acknowledge();
    for (const auto& [node, asked] : reads_)
      REQUIRE(asked.empty()); // no read waits for ever
  }

  generator random_;
  int voters_;
  cluster cluster_;
  std::uint64_t faults_;
  std::map<std::string, std::pair<term_id, log_index>> waiting_;
  std::set<std::string> acknowledged_;
  std::map<int, std::map<std::uint64_t, log_index>> reads_;
  std::uint64_t proposed_ = 0;
  std::uint64_t context_ = 0;
};

std::uint64_t number_from_environment(const char* name, std::uint64_t fallback) {
  const char* text = std::getenv(name);
  return text ? std::stoull(text) : fallback;
}

} // namespace

TEST_SUITE("raft.cluster_random") {
  TEST_CASE("a group under every fault at once loses and changes nothing, and heals") {
    const auto one = number_from_environment("SEED", 0);
    const auto lives = one ? 1 : number_from_environment("LIVES", rounds(1000));
    std::map<std::string, int> marks;
    std::size_t acknowledged = 0;
    for (std::uint64_t i = 0; i < lives; ++i) {
      const auto seed = one ? one : i + 1;
      INFO("SEED=" << seed);
      storm s(seed);
      REQUIRE_NOTHROW(s.run(5000));
      acknowledged += s.acknowledged();
      for (const auto& [mark, count] : s.marks)
        marks[mark] += count;
    }
    if (one || lives < 1000)
      return;
    CHECK(acknowledged > 10000);
    for (const char* mark : {"load", "compact", "snapshot", "power-cut", "failed-write", "change",
                             "promotion", "transfer", "lost-disk", "read"})
      CHECK_MESSAGE(marks[mark] > 20, mark);
  }

  TEST_CASE("the same seed gives the same trace of a whole group, another seed another one") {
    const auto trace = [](std::uint64_t seed) {
      storm s(seed);
      s.run(1000);
      return s.trace();
    };
    CHECK(trace(5) == trace(5));
    CHECK(trace(5) != trace(6));
  }
}

} // namespace aqueduct::raft::test
