// What the connections of a link carry: batches of Raft messages, pings and their answers.
#include "actors/peer/peer_core.hpp"
#include "protocol/native/codec.hpp"

#include <algorithm>
#include <utility>

namespace aqueduct::actors {

namespace {

namespace wire = protocol::cluster;
using phase = connection_phase;

/// Messages of several groups share a frame up to this size.
constexpr std::size_t batch_bytes = 256 * 1024;
/// Frames are written until this much is under way: a ping waits behind no more.
constexpr std::size_t control_write_bytes = 256 * 1024;
constexpr std::size_t bulk_write_bytes = 512 * 1024;
constexpr std::size_t call_write_bytes = 64 * 1024;

bool is_append(const raft::message& m) {
  return std::holds_alternative<raft::append_request>(m);
}

void append(buffer_chain& to, const buffer_chain& more) {
  for (const auto& part : more.parts())
    to.append(part);
}

} // namespace

template <class M>
buffer_chain peer_core::frame_of(const connection& c, protocol::frame_kind kind,
                                 protocol::api_key key, const M& message,
                                 std::uint32_t correlation) const {
  return protocol::encode_frame({0, kind, key, c.them.protocol, errc::none, correlation}, message);
}

// -- out ------------------------------------------------------------------------------------------

peer_effects peer_core::send(std::int64_t now_ms, std::vector<raft_parcel> parcels) {
  now_ms_ = now_ms;
  for (auto& parcel : parcels)
    enqueue(std::move(parcel));
  return take();
}

void peer_core::enqueue(raft_parcel parcel) {
  if (!is_append(parcel.body)) {
    push(at(purpose::control), std::move(parcel));
    return;
  }
  const auto size = wire_size(parcel.body);
  auto& bulk = at(purpose::bulk);
  // What no longer fits control is better off on bulk than lost.
  const bool fits = at(purpose::control).queue.has_room_for(size);
  const auto weight = fits ? size : options_.bulk_from_bytes;
  switch (order_.way_of(parcel.group, weight)) {
  case append_order::way::control:
    push(at(purpose::control), std::move(parcel));
    break;
  case append_order::way::bulk:
    push(bulk, std::move(parcel));
    break;
  case append_order::way::wait:
    if (bulk.id == 0) {
      ++counts_.dropped_unconnected;
    } else if (!bulk.queue.has_room_for(order_.held_bytes() + size)) {
      ++counts_.dropped_full;
    } else {
      order_.hold(std::move(parcel));
      want_ping(at(purpose::control));
    }
    break;
  }
}

void peer_core::push(connection& c, raft_parcel parcel) {
  // What is sent again if it is lost does not wait for a connection that may never come.
  if (c.id == 0 && !send_queue::supersedes(parcel.body)) {
    ++counts_.dropped_unconnected;
    return;
  }
  const auto group = parcel.group;
  const bool append = is_append(parcel.body);
  switch (c.queue.push(std::move(parcel))) {
  case send_queue::outcome::queued:
    if (append)
      order_.queued(group, c.what);
    break;
  case send_queue::outcome::superseded:
    ++counts_.superseded;
    break;
  case send_queue::outcome::dropped:
    ++counts_.dropped_full;
    break;
  }
}

void peer_core::want_ping(connection& c) {
  if (c.status.phase == phase::established && !c.ping_sent_ms && !c.ping_wanted_ms)
    c.ping_wanted_ms = now_ms_;
}

void peer_core::write_raft(connection& c, buffer_chain& out) {
  const auto enough = c.what == purpose::control ? control_write_bytes : bulk_write_bytes;
  while (!c.queue.empty() && out.size() < enough) {
    wire::raft_messages frame;
    std::vector<group_id> appends;
    for (auto& parcel : c.queue.take(batch_bytes)) {
      if (is_append(parcel.body))
        appends.push_back(parcel.group);
      if (wire_size(parcel.body) > c.them.frame_bytes_max) {
        ++counts_.dropped_full;
        note(true, c,
             "a message of " + std::to_string(wire_size(parcel.body)) +
                 " bytes is larger than the frames that it takes; group " +
                 to_string(parcel.group));
        continue;
      }
      frame.messages.push_back(to_wire(std::move(parcel)));
    }
    order_.left(c.what, ++c.frames_left, appends);
    if (frame.messages.empty())
      continue;
    ++c.status.frames_sent;
    counts_.messages_sent += frame.messages.size();
    append(out, frame_of(c, protocol::frame_kind::push, wire::raft_key, frame));
  }
}

/// Behind the Raft messages, which may take all of what is written at once: so much more, at least
/// one, so that neither waits for ever.
void peer_core::write_calls(connection& c, buffer_chain& out) {
  const auto enough = out.size() + call_write_bytes;
  while (c.queue.has_calls() && out.size() < enough) {
    const auto parcel = *c.queue.take_call();
    ++c.status.frames_sent;
    if (const auto* call = std::get_if<wire::call>(&parcel.what))
      append(out,
             frame_of(c, protocol::frame_kind::request, wire::call_key, *call, parcel.correlation));
    else
      append(out, frame_of(c, protocol::frame_kind::response, wire::call_key,
                           std::get<wire::call_answer>(parcel.what), parcel.correlation));
  }
}

void peer_core::flush(connection& c) {
  if (c.status.phase != phase::established || c.busy)
    return;
  buffer_chain out;
  if (c.pong_owed)
    append(out, frame_of(c, protocol::frame_kind::response, wire::ping_key,
                         wire::ping{*std::exchange(c.pong_owed, std::nullopt)}));
  const bool waits_for_company = !c.queue.empty() && c.queue.is_patient() && out.empty() &&
                                 !c.ping_wanted_ms &&
                                 now_ms_ < c.patient_until_ms.value_or(now_ms_ + 1);
  if (waits_for_company) {
    if (!c.patient_until_ms)
      c.patient_until_ms = now_ms_ + options_.company_wait_ms;
    if (now_ms_ < *c.patient_until_ms)
      return;
  }
  c.patient_until_ms.reset();
  write_raft(c, out);
  write_calls(c, out);
  if (c.ping_wanted_ms) {
    c.ping_wanted_ms.reset();
    c.ping_sent_ms = now_ms_;
    c.frames_before_ping = c.frames_left;
    append(out, frame_of(c, protocol::frame_kind::request, wire::ping_key, wire::ping{++c.pings}));
  }
  if (out.empty())
    return;
  c.busy = true;
  c.status.bytes_sent += out.size();
  effects_.steps.push_back(peer_effects::write{c.id, std::move(out)});
}

void peer_core::flush_all() {
  for (auto& c : connections_)
    flush(c);
}

peer_effects peer_core::sent(std::int64_t now_ms, connection_id id) {
  now_ms_ = now_ms;
  if (auto* c = find(id)) {
    c->busy = false;
    c->progress_ms = now_ms;
    c->queue.sent();
  }
  return take();
}

// -- in -------------------------------------------------------------------------------------------

peer_effects peer_core::arrived(std::int64_t now_ms, connection_id id,
                                std::vector<link_frame> frames) {
  now_ms_ = now_ms;
  auto* c = find(id);
  for (auto& frame : frames) {
    if (c == nullptr || c->id != id)
      break;
    c->status.heard_ms = now_ms;
    c->status.bytes_received += protocol::frame_header_size + frame.payload.size();
    if (c->status.phase == phase::greeting)
      answered(*c, frame);
    else
      arrived_frame(*c, frame);
  }
  return take();
}

void peer_core::arrived_frame(connection& c, link_frame& frame) {
  const auto& header = frame.header;
  const bool is_raft = header.key == wire::raft_key && header.kind == protocol::frame_kind::push;
  const bool is_ping = header.key == wire::ping_key && header.kind != protocol::frame_kind::push;
  const bool is_call = header.key == wire::call_key && header.kind != protocol::frame_kind::push &&
                       header.version >= wire::protocol_with_calls;
  if (c.status.phase != phase::established || header.version != c.them.protocol ||
      (!is_raft && !is_ping && !is_call)) {
    drop(c, {errc::invalid_request,
             "a frame with kind " + std::to_string(static_cast<int>(header.kind)) + ", number " +
                 std::to_string(static_cast<int>(header.key)) + " and version " +
                 std::to_string(header.version) + " has no place here"});
    return;
  }
  if (is_raft) {
    arrived_raft(c, frame);
    return;
  }
  if (is_call) {
    if (header.kind == protocol::frame_kind::request)
      arrived_call(c, frame);
    else
      arrived_answer(c, frame);
    return;
  }
  const auto ping = protocol::decode<wire::ping>(frame.payload, header.version);
  if (!ping)
    drop(c, ping.error());
  else if (header.kind == protocol::frame_kind::request)
    c.pong_owed = ping->number;
  else
    pong(c, ping->number);
}

void peer_core::arrived_raft(connection& c, const link_frame& frame) {
  auto messages = protocol::decode<wire::raft_messages>(frame.payload, frame.header.version);
  if (!messages) {
    drop(c, messages.error());
    return;
  }
  if (const auto sane = wire::check(*messages); !sane) {
    drop(c, sane.error());
    return;
  }
  ++c.status.frames_received;
  for (auto& envelope : messages->messages) {
    auto delivery = from_wire(std::move(envelope));
    const raft::replica_id them{options_.peer, raft::incarnation(c.them.incarnation)};
    if (delivery.from == them && delivery.to == options_.us.self) {
      ++counts_.messages_received;
      effects_.deliver.push_back(std::move(delivery));
    } else {
      ++counts_.dropped_misaddressed;
    }
  }
}

void peer_core::pong(connection& c, std::uint64_t number) {
  if (!c.ping_sent_ms || number != c.pings)
    return;
  c.status.round_trip_ms = now_ms_ - *c.ping_sent_ms;
  c.next_ping_ms = std::max(now_ms_, *c.ping_sent_ms + ping_interval_ms());
  c.ping_sent_ms.reset();
  for (auto& parcel : order_.arrived(c.what, c.frames_before_ping))
    push(at(purpose::bulk), std::move(parcel));
  if (c.what == purpose::control && order_.held_bytes() > 0)
    want_ping(c);
}

} // namespace aqueduct::actors
