#include "tests/simulation/replica_safety.hpp"

#include "raft/core.hpp"
#include "raft/quorum.hpp"

#include <algorithm>

namespace aqueduct::actors::test {

namespace {

/// One fault shows in many calls.
constexpr std::size_t sentences_max = 20;

std::string name_of(raft::replica_id who) {
  return std::to_string(who.node.value) + "." + std::to_string(who.incarnation.value);
}

} // namespace

void replica_safety::broke(std::string sentence) {
  if (broken_.size() < sentences_max)
    broken_.push_back(std::move(sentence));
}

void replica_safety::opened(const group_id& group, const raft::core& core) {
  auto& of = groups_[group];
  auto& now = of.replicas[core.self()];
  now = {core.term(), core.commit_index(), core.last_index(), false};
  look_at_commits(group, of, core, raft::log_index());
}

void replica_safety::acted(const group_id& id, const raft::core& core,
                           const raft::effects& effects) {
  ++looks_;
  auto& of = groups_[id];
  auto& known = of.replicas[core.self()];
  const auto before = known;
  known = {core.term(), core.commit_index(), core.durable_index(), core.is_leader()};
  const auto who = [&] { return "replica " + name_of(core.self()) + " of " + to_string(id); };
  if (core.term() < before.term)
    broke(who() + " went back to term " + std::to_string(core.term().value));
  if (core.commit_index() < before.commit)
    broke(who() + " took back what it had committed");
  if (core.applied_index() > core.handed_out_index() ||
      core.handed_out_index() > core.commit_index() || core.commit_index() > core.last_index())
    broke(who() + " applied " + std::to_string(core.applied_index().value) + " of " +
          std::to_string(core.commit_index().value) + " committed entries of " +
          std::to_string(core.last_index().value));
  if (effects.persist && effects.persist->truncate_from &&
      *effects.persist->truncate_from <= before.commit)
    broke(who() + " cuts off entry " + std::to_string(effects.persist->truncate_from->value) +
          ", which is committed");
  if (core.commit_index() > before.commit)
    look_at_commits(id, of, core, before.commit);
  if (core.is_leader())
    look_at_leader(id, of, core, before);
  look_at_messages(id, of, core, effects);
}

void replica_safety::look_at_commits(const group_id& id, group& of, const raft::core& core,
                                     raft::log_index after) {
  for (auto at = std::max(after.next(), core.first_index()); at <= core.commit_index();
       at = at.next()) {
    const auto term = core.log().term_at(at);
    if (!term)
      continue;
    const auto [first, is_new] = of.committed.emplace(at, *term);
    if (!is_new && first->second != *term)
      broke("entry " + std::to_string(at.value) + " of " + to_string(id) +
            " is committed with term " + std::to_string(first->second.value) + " and, by replica " +
            name_of(core.self()) + ", with term " + std::to_string(term->value));
  }
}

void replica_safety::look_at_leader(const group_id& id, group& of, const raft::core& core,
                                    const replica& before) {
  const bool is_elected = !before.leads || before.term != core.term();
  if (is_elected) {
    const auto [first, is_new] = of.leaders.emplace(core.term(), core.self());
    if (!is_new && first->second != core.self())
      broke("replicas " + name_of(first->second) + " and " + name_of(core.self()) + " lead " +
            to_string(id) + " in term " + std::to_string(core.term().value));
    voted(id, of, core.self(), core.term(), core.self());
    // What was committed in later terms it need not have: it was elected before, and hears late.
    const auto last = std::find_if(of.committed.rbegin(), of.committed.rend(),
                                   [&](const auto& each) { return each.second < core.term(); });
    if (last != of.committed.rend() && last->first > core.log().base().index &&
        !core.log().has({last->second, last->first}))
      broke("replica " + name_of(core.self()) + " leads " + to_string(id) + " in term " +
            std::to_string(core.term().value) + " without entry " +
            std::to_string(last->first.value) + ", which is committed");
  }
  if (core.commit_index() <= before.commit || is_elected)
    return;
  std::vector<raft::log_index> durable;
  for (const auto& voter : core.members().voters) {
    const auto found = of.replicas.find(voter);
    durable.push_back(found == of.replicas.end() ? raft::log_index() : found->second.durable);
  }
  if (!durable.empty() && raft::reached_by_majority(std::move(durable)) < core.commit_index())
    broke("replica " + name_of(core.self()) + " commits entry " +
          std::to_string(core.commit_index().value) + " of " + to_string(id) +
          ", which is not durable on a majority");
}

void replica_safety::look_at_messages(const group_id& id, group& of, const raft::core& core,
                                      const raft::effects& effects) {
  for (const auto& sent : effects.send) {
    if (const auto* vote = std::get_if<raft::vote_response>(&sent.body); vote && vote->granted) {
      voted(id, of, core.self(), vote->term, sent.to);
      if (vote->term == core.term() && core.writes().hard_state_in_flight())
        broke("replica " + name_of(core.self()) + " of " + to_string(id) +
              " grants a vote that is not durable");
    }
    // An answer in a term that has passed may have waited for its write while the leader of a later
    // one had its entries cut off. Who was elected without them had a majority that lacked them, so
    // that the answer cannot commit them.
    if (const auto* answer = std::get_if<raft::append_response>(&sent.body);
        answer && answer->accepted && answer->term == core.term() &&
        answer->index > core.durable_index())
      broke("replica " + name_of(core.self()) + " of " + to_string(id) + " acknowledges entry " +
            std::to_string(answer->index.value) + ", which is not durable");
  }
}

void replica_safety::voted(const group_id& id, group& of, raft::replica_id who, raft::term_id term,
                           raft::replica_id whom) {
  const auto [first, is_new] = of.votes.emplace(std::pair(who, term), whom);
  if (!is_new && first->second != whom)
    broke("replica " + name_of(who) + " of " + to_string(id) + " votes for " +
          name_of(first->second) + " and " + name_of(whom) + " in term " +
          std::to_string(term.value));
}

} // namespace aqueduct::actors::test
