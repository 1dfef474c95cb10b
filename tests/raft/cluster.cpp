#include "tests/raft/cluster.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <stdexcept>

namespace aqueduct::raft::test {

cluster::cluster(int voters, int outsiders, const core_options& common, std::uint64_t seed) {
  membership founders;
  for (int node = 1; node <= voters; ++node)
    founders.voters.push_back(id_of(node));
  for (int node = 1; node <= voters + outsiders; ++node) {
    auto o = common;
    o.self = id_of(node);
    o.seed = seed * 1000 + static_cast<std::uint64_t>(node);
    replicas_[node] =
        std::make_unique<replica>(o, node <= voters ? founders : membership{}, ledger_);
  }
}

void cluster::observe(int node) {
  auto& r = at(node);
  for (auto& m : std::exchange(r.sent, {})) {
    check_votes(r, m);
    if (!cuts_.contains({node, m.to.node.value}))
      network_.push_back({r.options.self, std::move(m)});
  }
  check_leaders(r);
}

/// At most one leader per term, and it has everything that was ever committed (paper figure 3).
void cluster::check_leaders(const replica& r) {
  const auto& c = r.node();
  if (!c.is_leader())
    return;
  const auto [known, is_new] = leaders_.try_emplace(c.term(), c.self());
  if (known->second != c.self())
    throw std::logic_error("two leaders in term " + std::to_string(c.term().value));
  if (!is_new)
    return;
  for (const auto& [index, value] : ledger_.entries()) {
    if (index > c.log().base().index && c.log().term_at(index) != value.first)
      throw std::logic_error("the leader of term " + std::to_string(c.term().value) +
                             " lacks the committed entry " + std::to_string(index.value));
  }
}

/// One vote per incarnation and term, and only when it is on disk (R1).
void cluster::check_votes(const replica& r, const outgoing& m) {
  const auto* vote = std::get_if<vote_response>(&m.body);
  if (!vote || !vote->granted)
    return;
  const auto [known, is_new] = votes_.try_emplace({r.options.self, vote->term}, m.to);
  if (known->second != m.to)
    throw std::logic_error(to_string(r.options.self) + " voted twice in term " +
                           std::to_string(vote->term.value));
}

void cluster::deliver(std::size_t n, bool keep) {
  auto e = network_[n];
  if (!keep)
    drop(n);
  const auto to = e.message.to.node.value;
  const auto at_node = replicas_.find(to);
  if (at_node == replicas_.end() || at_node->second->options.self != e.message.to ||
      cuts_.contains({e.from.node.value, to}))
    return;
  at_node->second->call([&](core& c) { return c.step(e.from, std::move(e.message.body)); });
  observe(to);
}

void cluster::drop(std::size_t n) {
  network_.erase(network_.begin() + static_cast<std::ptrdiff_t>(n));
}

void cluster::tick(int node) {
  at(node).call([](core& c) { return c.tick(); });
  observe(node);
}

void cluster::isolate(int node) {
  for (const auto& [other, r] : replicas_) {
    cut(node, other);
    cut(other, node);
  }
}

void cluster::settle() {
  bool moved = true;
  for (int round = 0; moved; ++round) {
    REQUIRE_MESSAGE(round < 100000, "the group never comes to rest");
    moved = false;
    for (auto& [node, r] : replicas_) {
      const auto before = r->trace;
      r->settle();
      if (r->fetch()) {
        auto& source = at(r->fetch()->from.node.value);
        r->install(source);
        r->settle();
      }
      observe(node);
      moved = moved || r->trace != before;
    }
    if (!network_.empty()) {
      deliver(0);
      moved = true;
    }
  }
}

void cluster::pass_time(int ticks) {
  for (; ticks > 0; --ticks) {
    for (auto& [node, r] : replicas_) {
      if (!r->node().is_hibernating())
        tick(node);
    }
    settle();
  }
}

void cluster::elect(int node) {
  settle();
  for (int tries = 0; tries < 100 && leader() != node; ++tries) {
    at(node).call([](core& c) { return c.campaign(); });
    observe(node);
    settle();
    if (leader() != node) // the others protect a leader that they heard of not long ago
      for (auto& [other, r] : replicas_)
        if (!r->node().is_leader())
          tick(other);
  }
  REQUIRE(leader() == node);
}

int cluster::leader() const {
  int best = 0;
  for (const auto& [node, r] : replicas_) {
    if (r->node().is_leader() &&
        (best == 0 || r->node().term() > replicas_.at(best)->node().term()))
      best = node;
  }
  return best;
}

bool cluster::commit(const std::string& text) {
  const int node = leader();
  if (node == 0)
    return false;
  const auto outcome = at(node).propose({text});
  observe(node);
  settle();
  const auto* ok = std::get_if<proposal_accepted>(&outcome.answer);
  if (!ok)
    return false;
  const auto entry = ledger_.entries().find(ok->first);
  return entry != ledger_.entries().end() && entry->second.first == ok->term;
}

bool cluster::converge(int ticks) {
  settle();
  for (; ticks > 0 && !has_converged(); --ticks)
    pass_time();
  return has_converged();
}

std::string cluster::describe() const {
  std::string text;
  for (const auto& [node, r] : replicas_) {
    const auto& c = r->node();
    text += "\n" + to_string(c.self()) + ": " + std::string(to_string(c.role())) + " term " +
            std::to_string(c.term().value) + " base " + to_string(c.log().base()) + " last " +
            to_string(c.log().last()) + " durable " + std::to_string(c.durable_index().value) +
            " commit " + std::to_string(c.commit_index().value) + " applied " +
            std::to_string(r->applied().value) + " members [" + to_string(c.members()) + "] at " +
            std::to_string(c.member_log().latest_index().value) +
            (c.is_hibernating() ? " asleep" : "") + (c.is_poisoned() ? " poisoned" : "");
    for (const auto& p : c.followers())
      text += "\n  " + to_string(p.who()) + " mode " + std::to_string(static_cast<int>(p.mode())) +
              " match " + std::to_string(p.match().value) + " next " +
              std::to_string(p.next().value) + " in flight " +
              std::to_string(p.inflight_requests()) + (p.load ? " loading" : "");
  }
  return text;
}

bool cluster::has_converged() const {
  const int node = leader();
  if (node == 0)
    return false;
  const auto& c = replicas_.at(node)->node();
  if (c.commit_index() != c.last_index())
    return false;
  return std::all_of(replicas_.begin(), replicas_.end(), [&](const auto& item) {
    const auto& r = *item.second;
    return !c.members().contains(r.options.self) ||
           (r.applied() == c.last_index() && r.node().term() == c.term());
  });
}

} // namespace aqueduct::raft::test
