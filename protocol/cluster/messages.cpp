#include "protocol/cluster/messages.hpp"

#include "protocol/native/codec_impl.hpp"

#include <algorithm>

namespace aqueduct::protocol::cluster {

namespace {

constexpr std::uint8_t entry_kind_max = 3;

bool in_range(std::uint64_t number) {
  return number <= number_max;
}

bool in_range(const entry_id& id) {
  return in_range(id.term) && in_range(id.index);
}

bool in_range(const replica& id) {
  return id.node >= 0;
}

bool in_range(const std::vector<replica>& members) {
  return std::ranges::all_of(members, [](const replica& id) { return in_range(id); });
}

bool has_sane_numbers(const pre_vote_request& m) {
  return in_range(m.last);
}
bool has_sane_numbers(const vote_request& m) {
  return in_range(m.last);
}
bool has_sane_numbers(const append_request& m) {
  return in_range(m.previous) && in_range(m.commit) &&
         in_range(m.previous.index + m.entries.size()) &&
         std::ranges::all_of(m.entries, [](const entry& e) {
           return in_range(e.term) && e.kind <= entry_kind_max;
         });
}
bool has_sane_numbers(const append_response& m) {
  return in_range(m.index) && in_range(m.hint);
}
bool has_sane_numbers(const heartbeat_request& m) {
  return in_range(m.commit);
}
bool has_sane_numbers(const snapshot_offer& m) {
  return in_range(m.last) && in_range(m.voters) && in_range(m.learners);
}
bool has_sane_numbers(const snapshot_response& m) {
  return in_range(m.index);
}
bool has_sane_numbers(const read_index_response& m) {
  return in_range(m.index);
}
/// Those with no number but the term.
bool has_sane_numbers(const auto&) {
  return true;
}

} // namespace

std::string_view to_string(refusal why) {
  switch (why) {
  case refusal::none:
    return "none";
  case refusal::other_cluster:
    return "other-cluster";
  case refusal::unknown_version:
    return "unknown-version";
  case refusal::own_id:
    return "own-id";
  case refusal::other_node:
    return "other-node";
  case refusal::older_incarnation:
    return "older-incarnation";
  case refusal::unknown_node:
    return "unknown-node";
  case refusal::duplicate:
    return "duplicate";
  case refusal::no_control:
    return "no-control";
  case refusal::shutting_down:
    return "shutting-down";
  case refusal::malformed:
    return "malformed";
  case refusal::client_port:
    return "client-port";
  }
  return "unknown";
}

std::string_view to_string(purpose what) {
  switch (what) {
  case purpose::control:
    return "control";
  case purpose::bulk:
    return "bulk";
  case purpose::probe:
    return "probe";
  }
  return "unknown";
}

result<void> check(const raft_messages& frame) {
  for (const auto& envelope : frame.messages) {
    const bool sane =
        envelope.partition >= 0 && in_range(envelope.from) && in_range(envelope.to) &&
        std::visit([](const auto& m) { return in_range(m.term) && has_sane_numbers(m); },
                   envelope.message);
    if (!sane)
      return unexpected(errc::invalid_request,
                        "a term, an index, a node or the kind of an entry is out of range in a "
                        "message of group " +
                            aqueduct::to_string(group_id{envelope.topic, envelope.partition}));
  }
  return {};
}

} // namespace aqueduct::protocol::cluster

namespace aqueduct::protocol {

AQUEDUCT_INSTANTIATE_CODEC(cluster::hello)
AQUEDUCT_INSTANTIATE_CODEC(cluster::hello_answer)
AQUEDUCT_INSTANTIATE_CODEC(cluster::ping)
AQUEDUCT_INSTANTIATE_CODEC(cluster::call)
AQUEDUCT_INSTANTIATE_CODEC(cluster::call_answer)
AQUEDUCT_INSTANTIATE_CODEC(cluster::raft_messages)

} // namespace aqueduct::protocol
