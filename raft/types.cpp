// How the vocabulary prints, and when a piece of a log is one.
#include "raft/types.hpp"

namespace aqueduct::raft {

namespace {

bool valid_id(entry_id id) {
  return (id.index.value == 0) == (id.term.value == 0);
}

} // namespace

bool log_slice::valid() const {
  if (!valid_id(previous) || previous.term > term)
    return false;
  auto before = previous;
  for (const auto& e : entries) {
    if (e.index != before.index.next() || e.term < before.term || e.term > term ||
        e.term.value == 0)
      return false;
    before = e.id();
  }
  return true;
}

std::string_view to_string(entry_kind kind) {
  switch (kind) {
  case entry_kind::noop:
    return "noop";
  case entry_kind::records:
    return "records";
  case entry_kind::command:
    return "command";
  case entry_kind::membership:
    return "membership";
  }
  return "unknown";
}

std::string_view to_string(role_kind role) {
  switch (role) {
  case role_kind::follower:
    return "follower";
  case role_kind::pre_candidate:
    return "pre-candidate";
  case role_kind::candidate:
    return "candidate";
  case role_kind::leader:
    return "leader";
  }
  return "unknown";
}

std::string to_string(const replica_id& id) {
  auto text = std::to_string(id.node.value);
  if (id.incarnation.value != 0)
    text += "." + std::to_string(id.incarnation.value);
  return text;
}

std::string to_string(const entry_id& id) {
  return std::to_string(id.index.value) + "@" + std::to_string(id.term.value);
}

} // namespace aqueduct::raft
