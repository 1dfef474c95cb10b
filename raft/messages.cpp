// How messages print.
#include "raft/messages.hpp"

namespace aqueduct::raft {

namespace {

std::string num(std::uint64_t value) {
  return std::to_string(value);
}

std::string yes(bool value) {
  return value ? "yes" : "no";
}

/// Each prints what follows the term.
struct printer {
  std::string operator()(const pre_vote_request& m) const {
    return "pre-vote-request" + term(m.term) + " last=" + to_string(m.last);
  }
  std::string operator()(const pre_vote_response& m) const {
    return "pre-vote-response" + term(m.term) + " granted=" + yes(m.granted);
  }
  std::string operator()(const vote_request& m) const {
    return "vote-request" + term(m.term) + " last=" + to_string(m.last) +
           (m.transfer ? " transfer" : "");
  }
  std::string operator()(const vote_response& m) const {
    return "vote-response" + term(m.term) + " granted=" + yes(m.granted);
  }
  std::string operator()(const append_request& m) const {
    return "append-request" + term(m.term) + " previous=" + to_string(m.previous) +
           " commit=" + num(m.commit.value) + " entries=" + num(m.entries.size());
  }
  std::string operator()(const append_response& m) const {
    return "append-response" + term(m.term) + " accepted=" + yes(m.accepted) +
           " index=" + num(m.index.value) + (m.accepted ? "" : " hint=" + to_string(m.hint));
  }
  std::string operator()(const heartbeat_request& m) const {
    return "heartbeat-request" + term(m.term) + " commit=" + num(m.commit.value) +
           " round=" + num(m.read_round) + (m.hibernate ? " hibernate" : "");
  }
  std::string operator()(const heartbeat_response& m) const {
    return "heartbeat-response" + term(m.term) + " round=" + num(m.read_round);
  }
  std::string operator()(const snapshot_offer& m) const {
    return "snapshot-offer" + term(m.term) + " last=" + to_string(m.meta.last) + " members=[" +
           to_string(m.meta.membership) + "]";
  }
  std::string operator()(const snapshot_response& m) const {
    return "snapshot-response" + term(m.term) + " installed=" + yes(m.installed) +
           " index=" + num(m.index.value);
  }
  std::string operator()(const timeout_now& m) const { return "timeout-now" + term(m.term); }
  std::string operator()(const read_index_request& m) const {
    return "read-index-request" + term(m.term) + " context=" + num(m.context);
  }
  std::string operator()(const read_index_response& m) const {
    return "read-index-response" + term(m.term) + " context=" + num(m.context) +
           " confirmed=" + yes(m.confirmed) + " index=" + num(m.index.value);
  }

  static std::string term(term_id t) { return " term=" + num(t.value); }
};

} // namespace

term_id term_of(const message& m) {
  return std::visit([](const auto& body) { return body.term; }, m);
}

std::string to_string(const message& m) {
  return std::visit(printer{}, m);
}

} // namespace aqueduct::raft
