// The promises that one replica can be held to, from outside.
#include "raft/invariants.hpp"

#include "raft/invariant.hpp"

#include <string>

namespace aqueduct::raft {

namespace {

std::string num(log_index index) {
  return std::to_string(index.value);
}

std::string show(const observation& o) {
  return std::string(to_string(o.role)) + " term " + std::to_string(o.hard.term.value) + " base " +
         to_string(o.base) + " last " + to_string(o.last) + " commit " + to_string(o.commit) +
         " applied " + num(o.applied) + " handed out " + num(o.handed_out);
}

void check_leader(const core& c, const observation& now) {
  RAFT_INVARIANT(!c.is_poisoned(), show(now));
  RAFT_INVARIANT(c.hard().voted_for == c.self(), show(now));
  RAFT_INVARIANT(now.last.term == c.term(), show(now)); // at least its no-op
  for (const auto& p : c.followers()) {
    RAFT_INVARIANT(p.match() < p.next() && p.match() <= now.last.index,
                   to_string(p.who()) + " match " + num(p.match()) + " next " + num(p.next()));
    RAFT_INVARIANT(c.members().contains(p.who()) && p.who() != c.self(), to_string(p.who()));
  }
}

} // namespace

observation observe(const core& c) {
  const auto commit = c.commit_index();
  return {c.hard(),
          c.role(),
          c.log().base(),
          c.log().last(),
          {c.log().term_at(commit).value_or(term_id{}), commit},
          c.applied_index(),
          c.handed_out_index(),
          c.is_poisoned()};
}

void check(const core& c) {
  const auto now = observe(c);
  RAFT_INVARIANT(now.base.index <= now.applied, show(now));
  RAFT_INVARIANT(now.applied <= now.handed_out && now.handed_out <= now.commit.index, show(now));
  RAFT_INVARIANT(now.commit.index <= now.last.index, show(now));
  RAFT_INVARIANT(now.handed_out <= c.durable_index(), show(now));
  RAFT_INVARIANT(c.durable_index() <= c.writes().written_index(), show(now));
  RAFT_INVARIANT(c.is_poisoned() || c.writes().written_index() == now.last.index, show(now));
  RAFT_INVARIANT(c.log().has(c.writes().durable()), show(now));
  RAFT_INVARIANT(c.log().tail_begin() > now.base.index, show(now));
  // What is not yet durable can be nowhere but in memory.
  RAFT_INVARIANT(c.log().tail_begin() <= c.durable_index().next(), show(now));
  RAFT_INVARIANT(now.last.term <= now.hard.term, show(now));
  RAFT_INVARIANT(now.commit.term <= now.hard.term, show(now));
  RAFT_INVARIANT(c.members().valid() && c.member_log().latest_index() <= now.last.index, show(now));
  if (c.is_leader())
    check_leader(c, now);
  if (c.role() == role_kind::candidate)
    RAFT_INVARIANT(c.hard().voted_for == c.self(), show(now));
  if (c.is_poisoned())
    RAFT_INVARIANT(c.role() == role_kind::follower && c.writes().held_messages() == 0, show(now));
}

void check_step(const observation& before, const core& after) {
  check(after);
  const auto now = observe(after);
  const auto both = show(before) + " -> " + show(now);
  RAFT_INVARIANT(now.hard.term >= before.hard.term, both);
  if (now.hard.term == before.hard.term && before.hard.voted_for)
    RAFT_INVARIANT(now.hard.voted_for == before.hard.voted_for, both);
  RAFT_INVARIANT(now.commit.index >= before.commit.index, both);
  RAFT_INVARIANT(now.applied >= before.applied && now.handed_out >= before.handed_out, both);
  RAFT_INVARIANT(now.base.index >= before.base.index, both);
  // Nothing at or below the commit index is ever truncated or replaced.
  RAFT_INVARIANT(now.last.index >= before.commit.index, both);
  if (before.commit.index >= now.base.index)
    RAFT_INVARIANT(after.log().has(before.commit), both);
  RAFT_INVARIANT(!before.poisoned || now.poisoned, both);
  const bool same_office =
      before.role == role_kind::leader && after.is_leader() && before.hard.term == now.hard.term;
  if (same_office) // leader append-only (paper 5.3)
    RAFT_INVARIANT(now.last.index >= before.last.index &&
                       (before.last.index < now.base.index || after.log().has(before.last)),
                   both);
  if (before.role != role_kind::leader && after.is_leader())
    RAFT_INVARIANT(before.role == role_kind::candidate && now.hard.term == before.hard.term, both);
}

void check_effects(const observation& before, const core& after, const effects& out) {
  auto expected = before.handed_out.next();
  for (const auto& e : out.committed) {
    RAFT_INVARIANT(e.index == expected, num(e.index) + " handed out, expected " + num(expected));
    RAFT_INVARIANT(after.log().has(e.id()), to_string(e.id()));
    expected = expected.next();
  }
  if (out.persist && out.persist->truncate_from)
    RAFT_INVARIANT(*out.persist->truncate_from > before.commit.index,
                   "truncation from " + num(*out.persist->truncate_from));
}

} // namespace aqueduct::raft
