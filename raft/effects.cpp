// How events print.
#include "raft/effects.hpp"

namespace aqueduct::raft {

namespace {

struct printer {
  std::string operator()(const role_changed& e) const {
    return "role " + std::string(to_string(e.from)) + " -> " + std::string(to_string(e.to)) +
           in(e.term);
  }
  std::string operator()(const election_started& e) const {
    return (e.pre_vote ? "pre-vote started" : "election started") + in(e.term);
  }
  std::string operator()(const refused& e) const {
    return "refused " + to_string(e.who) + in(e.term) + " why=" + std::string(to_string(e.why));
  }
  std::string operator()(const log_truncated& e) const {
    return "log truncated from " + num(e.from.value) + in(e.term);
  }
  std::string operator()(const membership_changed& e) const {
    return "membership [" + to_string(e.membership) + "] at " + num(e.index.value);
  }
  std::string operator()(const follower_behind& e) const {
    return "follower " + to_string(e.who) + " behind, next " + num(e.next.value);
  }
  std::string operator()(const snapshot_restored& e) const {
    return "snapshot restored " + to_string(e.last);
  }
  std::string operator()(const log_compacted& e) const {
    return "log compacted " + to_string(e.last);
  }
  std::string operator()(const replica_poisoned& e) const {
    return "poisoned by write " + num(e.ticket.number);
  }
  std::string operator()(const leader_resigned& e) const {
    return "resigned" + in(e.term) + " why=" + std::string(to_string(e.why));
  }
  std::string operator()(const transfer_started& e) const {
    return "transfer to " + to_string(e.to) + " started";
  }
  std::string operator()(const transfer_aborted& e) const {
    return "transfer to " + to_string(e.to) + " aborted";
  }
  std::string operator()(const hibernated&) const { return "hibernated"; }
  std::string operator()(const woke_up&) const { return "woke up"; }

  static std::string num(std::uint64_t value) { return std::to_string(value); }
  static std::string in(term_id term) { return " term=" + num(term.value); }
};

} // namespace

std::string to_string(const event& e) {
  return std::visit(printer{}, e);
}

std::string_view to_string(refusal why) {
  switch (why) {
  case refusal::older_term:
    return "older-term";
  case refusal::log_behind:
    return "log-behind";
  case refusal::voted_for_other:
    return "voted-for-other";
  case refusal::leader_alive:
    return "leader-alive";
  case refusal::not_a_member:
    return "not-a-member";
  case refusal::previous_missing:
    return "previous-missing";
  case refusal::malformed:
    return "malformed";
  case refusal::damaged:
    return "damaged";
  }
  return "unknown";
}

std::string_view to_string(resignation why) {
  switch (why) {
  case resignation::quorum_lost:
    return "quorum-lost";
  case resignation::disk_stalled:
    return "disk-stalled";
  case resignation::removed:
    return "removed";
  case resignation::poisoned:
    return "poisoned";
  }
  return "unknown";
}

} // namespace aqueduct::raft
