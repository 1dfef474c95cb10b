// What options and restored states are refused, with the sentence that says why.
#include "raft/options.hpp"

namespace aqueduct::raft {

namespace {

std::string at(log_index index) {
  return std::to_string(index.value);
}

std::optional<std::string> validate_terms(const restored_state& s) {
  const auto base = s.base.last;
  if ((base.index.value == 0) != (base.term.value == 0))
    return "the base " + to_string(base) + " is no entry";
  if (s.last < base.index)
    return "the log ends at " + at(s.last) + ", before its base " + at(base.index);
  if (s.terms.empty() != (s.last == base.index))
    return "the terms do not cover the log up to " + at(s.last);
  auto before = term_run{base.term, base.index};
  for (const auto& run : s.terms) {
    const bool first = &run == &s.terms.front();
    // The first run may go on with the term of the base.
    if (first ? run.first != base.index.next() || run.term < base.term
              : run.first <= before.first || run.term <= before.term)
      return "the run of term " + std::to_string(run.term.value) + " at " + at(run.first) +
             " does not follow " + at(before.first);
    if (run.first > s.last || run.term.value == 0)
      return "the run at " + at(run.first) + " is outside the log";
    before = run;
  }
  return std::nullopt;
}

std::optional<std::string> validate_members(const restored_state& s) {
  if (!s.base.membership.valid())
    return "the membership of the base is not valid";
  auto before = s.base.last.index;
  for (const auto& e : s.memberships) {
    if (e.index <= before || e.index > s.last)
      return "the membership at " + at(e.index) + " is outside the log or out of order";
    if (!e.membership.valid() || e.membership.voters.empty())
      return "the membership at " + at(e.index) + " is not valid";
    before = e.index;
  }
  return std::nullopt;
}

} // namespace

std::optional<std::string> validate(const core_options& o) {
  if (o.self.node.value < 0)
    return "the node id must not be negative";
  if (o.heartbeat_ticks == 0)
    return "heartbeat_ticks must be at least 1";
  if (o.election_timeout_ticks < 2 || o.election_timeout_ticks <= o.heartbeat_ticks)
    return "election_timeout_ticks must be at least 2 and more than heartbeat_ticks";
  if (o.pending_bytes_max == 0 || o.load_bytes_max == 0 || o.append_bytes_max == 0 ||
      o.inflight_requests_max == 0 || o.inflight_bytes_max == 0)
    return "every limit must be at least 1";
  return std::nullopt;
}

std::optional<std::string> validate(const restored_state& s) {
  if (auto wrong = validate_terms(s))
    return wrong;
  if (auto wrong = validate_members(s))
    return wrong;
  if (s.commit > s.last)
    return "the commit index " + at(s.commit) + " is above the end of the log " + at(s.last) +
           ": committed entries are lost";
  if (s.applied < s.base.last.index || s.applied > s.last)
    return "the state machine has applied " + at(s.applied) + ", which is outside the log (" +
           at(s.base.last.index) + ", " + at(s.last) + "]";
  return std::nullopt;
}

} // namespace aqueduct::raft
