// Each promise of Raft is broken once, by hand: the checks that run after every call of a core have
// to notice.
#include "raft/core.hpp"
#include "tests/simulation/replica_safety.hpp"

#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <variant>
#include <vector>

using namespace aqueduct;
using namespace aqueduct::actors::test;

TEST_SUITE_BEGIN("simulation.replica_safety");

namespace {

constexpr group_id group{uuid{{7}}, 0};

raft::replica_id replica(std::int32_t node) {
  return {raft::node_id(node), raft::incarnation(1)};
}

raft::membership voters(std::initializer_list<std::int32_t> nodes) {
  raft::membership made;
  for (const auto node : nodes)
    made.voters.push_back(replica(node));
  return made;
}

/// A replica with three entries of one term, of which so many are committed.
raft::core made_of(std::int32_t node, raft::membership members, std::uint64_t term,
                   std::uint64_t committed) {
  raft::core_options options;
  options.self = replica(node);
  options.life = 1;
  raft::restored_state state;
  state.hard.term = raft::term_id(term);
  state.base.membership = std::move(members);
  state.terms = {{raft::term_id(term), raft::log_index(1)}};
  state.last = raft::log_index(3);
  state.commit = raft::log_index(committed);
  return std::get<raft::core>(raft::core::create(options, state));
}

/// The core campaigns; its writes are durable at once, and another node grants whatever is asked.
/// With `answers` it also acknowledges entries, which it has nowhere.
void lead(raft::core& core, replica_safety& safety, bool answers = false) {
  std::vector<raft::effects> todo;
  todo.push_back(core.campaign());
  while (!todo.empty()) {
    const auto effects = std::move(todo.back());
    todo.pop_back();
    safety.acted(group, core, effects);
    if (effects.persist)
      todo.push_back(core.persisted(effects.persist->ticket));
    for (const auto& sent : effects.send) {
      if (const auto* asked = std::get_if<raft::pre_vote_request>(&sent.body))
        todo.push_back(core.step(sent.to, raft::pre_vote_response{asked->term, true}));
      else if (const auto* vote = std::get_if<raft::vote_request>(&sent.body))
        todo.push_back(core.step(sent.to, raft::vote_response{vote->term, true}));
      else if (const auto* append = std::get_if<raft::append_request>(&sent.body);
               append != nullptr && answers && !append->entries.empty())
        todo.push_back(core.step(
            sent.to, raft::append_response{append->term, true, append->entries.back().index, {}}));
    }
  }
}

bool says(replica_safety& safety, std::string_view words) {
  for (const auto& sentence : safety.take_broken())
    if (sentence.find(words) != std::string::npos)
      return true;
  return false;
}

} // namespace

TEST_CASE("a replica that leads and commits breaks no promise") {
  replica_safety safety;
  auto core = made_of(1, voters({1}), 1, 0);
  safety.opened(group, core);
  lead(core, safety);
  CHECK(core.is_leader());
  CHECK(core.commit_index() > raft::log_index(3));
  CHECK(safety.looks() > 2);
  CHECK(safety.is_clean());
}

TEST_CASE("two leaders of a term are noticed") {
  replica_safety safety;
  auto one = made_of(1, voters({1}), 1, 0);
  auto other = made_of(2, voters({2}), 1, 0);
  lead(one, safety);
  CHECK(safety.is_clean());
  lead(other, safety);
  REQUIRE(one.term() == other.term());
  CHECK(says(safety, "replicas 1.1 and 2.1 lead"));
}

TEST_CASE("two entries that are committed at an index are noticed") {
  replica_safety safety;
  safety.opened(group, made_of(1, voters({1, 2}), 1, 3));
  CHECK(safety.is_clean());
  safety.opened(group, made_of(2, voters({1, 2}), 2, 2));
  CHECK(says(safety, "is committed with term 1 and, by replica 2.1, with term 2"));
}

TEST_CASE("a leader that lacks what was committed is noticed") {
  replica_safety safety;
  safety.opened(group, made_of(1, voters({1, 2}), 1, 3));
  auto core = made_of(2, voters({2}), 2, 0);
  lead(core, safety);
  REQUIRE(core.is_leader());
  CHECK(says(safety, "without entry 3, which is committed"));
}

TEST_CASE("a commit that no majority has on its disks is noticed") {
  replica_safety safety;
  auto core = made_of(1, voters({1, 2, 3}), 1, 0);
  lead(core, safety, true);
  REQUIRE(core.commit_index() > raft::log_index(3));
  CHECK(says(safety, "not durable on a majority"));
}

TEST_CASE("what is said before it is durable is noticed") {
  replica_safety safety;
  auto core = made_of(1, voters({1, 2, 3}), 1, 0);
  raft::effects effects;
  SUBCASE("entries") {
    effects.send.push_back(
        {replica(2), raft::append_response{core.term(), true, raft::log_index(4), {}}});
    safety.acted(group, core, effects);
    CHECK(says(safety, "acknowledges entry 4, which is not durable"));
  }
  SUBCASE("a vote") {
    // It votes for itself; the write is under way.
    effects = core.step(
        replica(2), raft::vote_request{raft::term_id(5), {raft::term_id(5), raft::log_index(9)}});
    REQUIRE(effects.persist);
    effects.send.push_back({replica(2), raft::vote_response{raft::term_id(5), true}});
    safety.acted(group, core, effects);
    CHECK(says(safety, "grants a vote that is not durable"));
  }
}

TEST_CASE("two votes in a term are noticed, though the replica was started again between them") {
  replica_safety safety;
  const auto vote_for = [&](std::int32_t node) {
    const auto core = made_of(1, voters({1, 2, 3}), 1, 0);
    safety.opened(group, core);
    raft::effects effects;
    effects.send.push_back({replica(node), raft::vote_response{raft::term_id(5), true}});
    safety.acted(group, core, effects);
  };
  vote_for(2);
  vote_for(2);
  CHECK(safety.is_clean());
  vote_for(3);
  CHECK(says(safety, "votes for 2.1 and 3.1 in term 5"));
}

TEST_CASE("what is cut off or taken back though it is committed is noticed") {
  replica_safety safety;
  const auto core = made_of(1, voters({1, 2, 3}), 1, 3);
  REQUIRE(core.commit_index() == raft::log_index(3));
  safety.opened(group, core);
  raft::effects effects;
  effects.persist.emplace();
  SUBCASE("behind it") {
    effects.persist->truncate_from = raft::log_index(4);
    safety.acted(group, core, effects);
    CHECK(safety.is_clean());
  }
  SUBCASE("cut off") {
    effects.persist->truncate_from = raft::log_index(3);
    safety.acted(group, core, effects);
    CHECK(says(safety, "cuts off entry 3, which is committed"));
  }
  SUBCASE("taken back") {
    safety.acted(group, made_of(1, voters({1, 2, 3}), 1, 2), {});
    CHECK(says(safety, "took back what it had committed"));
  }
  SUBCASE("of an older term") {
    safety.opened(group, made_of(1, voters({1, 2, 3}), 2, 0));
    (void)safety.take_broken();
    safety.acted(group, made_of(1, voters({1, 2, 3}), 1, 0), {});
    CHECK(says(safety, "went back to term 1"));
  }
}

TEST_SUITE_END();
