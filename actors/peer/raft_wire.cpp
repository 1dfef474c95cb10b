#include "actors/peer/raft_wire.hpp"

#include <type_traits>
#include <utility>

namespace aqueduct::actors {

namespace {

namespace wire = protocol::cluster;

/// Bodies below this size are copied out of the frame that they came in.
constexpr std::size_t copy_below_bytes = 32 * 1024;
/// What an envelope and an entry take beside their bodies.
constexpr std::size_t envelope_bytes = 96;
constexpr std::size_t entry_bytes = 24;

// -- out ------------------------------------------------------------------------------------------

wire::replica out(const raft::replica_id& id) {
  return {id.node.value, id.incarnation.value};
}
wire::entry_id out(const raft::entry_id& id) {
  return {id.term.value, id.index.value};
}
std::vector<wire::replica> out(const std::vector<raft::replica_id>& ids) {
  std::vector<wire::replica> converted;
  converted.reserve(ids.size());
  for (const auto& id : ids)
    converted.push_back(out(id));
  return converted;
}

wire::raft_message out(raft::pre_vote_request&& m) {
  return wire::pre_vote_request{m.term.value, out(m.last)};
}
wire::raft_message out(raft::pre_vote_response&& m) {
  return wire::pre_vote_response{m.term.value, m.granted};
}
wire::raft_message out(raft::vote_request&& m) {
  return wire::vote_request{m.term.value, out(m.last), m.transfer};
}
wire::raft_message out(raft::vote_response&& m) {
  return wire::vote_response{m.term.value, m.granted};
}
wire::raft_message out(raft::append_request&& m) {
  wire::append_request converted{m.term.value, out(m.previous), m.commit.value, {}};
  converted.entries.reserve(m.entries.size());
  for (auto& e : m.entries)
    converted.entries.push_back({e.term.value, static_cast<std::uint8_t>(e.kind),
                                 buffer(std::move(e.body.data), e.body.size)});
  return converted;
}
wire::raft_message out(raft::append_response&& m) {
  return wire::append_response{m.term.value, m.accepted, m.index.value, out(m.hint)};
}
wire::raft_message out(raft::heartbeat_request&& m) {
  return wire::heartbeat_request{m.term.value, m.commit.value, m.read_round, m.hibernate};
}
wire::raft_message out(raft::heartbeat_response&& m) {
  return wire::heartbeat_response{m.term.value, m.read_round};
}
wire::raft_message out(raft::snapshot_offer&& m) {
  return wire::snapshot_offer{m.term.value, out(m.meta.last), out(m.meta.membership.voters),
                              out(m.meta.membership.learners)};
}
wire::raft_message out(raft::snapshot_response&& m) {
  return wire::snapshot_response{m.term.value, m.installed, m.index.value};
}
wire::raft_message out(raft::timeout_now&& m) {
  return wire::timeout_now{m.term.value};
}
wire::raft_message out(raft::read_index_request&& m) {
  return wire::read_index_request{m.term.value, m.context};
}
wire::raft_message out(raft::read_index_response&& m) {
  return wire::read_index_response{m.term.value, m.context, m.confirmed, m.index.value};
}

// -- in -------------------------------------------------------------------------------------------

raft::term_id term(std::uint64_t value) {
  return raft::term_id(value);
}
raft::log_index index(std::uint64_t value) {
  return raft::log_index(value);
}
raft::replica_id in(const wire::replica& id) {
  return {raft::node_id(id.node), raft::incarnation(id.incarnation)};
}
raft::entry_id in(const wire::entry_id& id) {
  return {term(id.term), index(id.index)};
}
std::vector<raft::replica_id> in(const std::vector<wire::replica>& ids) {
  std::vector<raft::replica_id> converted;
  converted.reserve(ids.size());
  for (const auto& id : ids)
    converted.push_back(in(id));
  return converted;
}
raft::payload in(buffer&& body) {
  if (body.empty())
    return {};
  const auto kept = body.size() < copy_below_bytes ? buffer::copy_of(body.bytes()) : body;
  return {kept.owner(), kept.size()};
}

raft::message in(wire::pre_vote_request&& m) {
  return raft::pre_vote_request{term(m.term), in(m.last)};
}
raft::message in(wire::pre_vote_response&& m) {
  return raft::pre_vote_response{term(m.term), m.granted};
}
raft::message in(wire::vote_request&& m) {
  return raft::vote_request{term(m.term), in(m.last), m.transfer};
}
raft::message in(wire::vote_response&& m) {
  return raft::vote_response{term(m.term), m.granted};
}
raft::message in(wire::append_request&& m) {
  raft::append_request converted{term(m.term), in(m.previous), index(m.commit), {}};
  converted.entries.reserve(m.entries.size());
  auto at = converted.previous.index;
  for (auto& e : m.entries) {
    at = at.next();
    converted.entries.push_back(
        {at, term(e.term), static_cast<raft::entry_kind>(e.kind), in(std::move(e.body))});
  }
  return converted;
}
raft::message in(wire::append_response&& m) {
  return raft::append_response{term(m.term), m.accepted, index(m.index), in(m.hint)};
}
raft::message in(wire::heartbeat_request&& m) {
  return raft::heartbeat_request{term(m.term), index(m.commit), m.read_round, m.hibernate};
}
raft::message in(wire::heartbeat_response&& m) {
  return raft::heartbeat_response{term(m.term), m.read_round};
}
raft::message in(wire::snapshot_offer&& m) {
  return raft::snapshot_offer{term(m.term), {in(m.last), {in(m.voters), in(m.learners)}}};
}
raft::message in(wire::snapshot_response&& m) {
  return raft::snapshot_response{term(m.term), m.installed, index(m.index)};
}
raft::message in(wire::timeout_now&& m) {
  return raft::timeout_now{term(m.term)};
}
raft::message in(wire::read_index_request&& m) {
  return raft::read_index_request{term(m.term), m.context};
}
raft::message in(wire::read_index_response&& m) {
  return raft::read_index_response{term(m.term), m.context, m.confirmed, index(m.index)};
}

} // namespace

std::size_t wire_size(const raft::message& message) {
  auto bytes = envelope_bytes;
  if (const auto* append = std::get_if<raft::append_request>(&message)) {
    for (const auto& e : append->entries)
      bytes += entry_bytes + e.body.size;
  } else if (const auto* offer = std::get_if<raft::snapshot_offer>(&message)) {
    const auto& members = offer->meta.membership;
    bytes += (members.voters.size() + members.learners.size()) * sizeof(wire::replica);
  }
  return bytes;
}

wire::raft_envelope to_wire(raft_parcel&& parcel) {
  wire::raft_envelope envelope;
  envelope.topic = parcel.group.topic;
  envelope.partition = parcel.group.partition;
  envelope.from = out(parcel.from);
  envelope.to = out(parcel.to);
  envelope.message = std::visit([](auto&& m) { return out(std::move(m)); }, std::move(parcel.body));
  return envelope;
}

raft_delivery from_wire(wire::raft_envelope&& envelope) {
  raft_delivery delivery;
  delivery.group = {envelope.topic, envelope.partition};
  delivery.from = in(envelope.from);
  delivery.to = in(envelope.to);
  delivery.body =
      std::visit([](auto&& m) { return in(std::move(m)); }, std::move(envelope.message));
  return delivery;
}

} // namespace aqueduct::actors
