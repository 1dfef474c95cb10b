// Calls over a link: asking the other node, and answering it.
#include "actors/peer/peer_core.hpp"
#include "protocol/native/codec.hpp"
#include "protocol/sentence.hpp"

#include <utility>

namespace aqueduct::actors {

namespace {

namespace wire = protocol::cluster;
using phase = connection_phase;

/// Bodies below this size are copied out of the frame that they came in.
constexpr std::size_t copy_below_bytes = 32 * 1024;

purpose way_of(call_kind what) {
  return what == call_kind::fetch_state ? purpose::bulk : purpose::control;
}

bool is_known(std::uint16_t kind) {
  return kind == static_cast<std::uint16_t>(call_kind::controller) ||
         kind == static_cast<std::uint16_t>(call_kind::fetch_state) ||
         kind == static_cast<std::uint16_t>(call_kind::elect);
}

/// A body in memory of its own if it is small, so that it does not keep a whole read alive.
buffer keep(const buffer& body) {
  return body.size() < copy_below_bytes ? buffer::copy_of(body.bytes()) : body;
}

wire::call_answer to_wire(result<buffer> answer) {
  if (answer)
    return {errc::none, {}, *std::move(answer)};
  const auto& why = answer.error();
  return {why.code == errc::none ? errc::internal : why.code, cut_sentence(why.message), {}};
}

result<buffer> from_wire(const wire::call_answer& answer) {
  if (answer.code == errc::none)
    return keep(answer.body);
  // A number of a later release.
  const bool is_known = describe(answer.code).code == answer.code;
  return unexpected(is_known ? answer.code : errc::internal, cut_sentence(answer.message));
}

} // namespace

// -- asking ---------------------------------------------------------------------------------------

peer_effects peer_core::call(std::int64_t now_ms, call_number number, call_kind what,
                             buffer question, std::int64_t deadline_ms) {
  now_ms_ = now_ms;
  auto& c = at(way_of(what));
  if (auto begun = begin_call(c, number, what, std::move(question), deadline_ms); !begun)
    effects_.ended.push_back({number, begun.propagate()});
  return take();
}

result<void> peer_core::begin_call(connection& c, call_number number, call_kind what,
                                   buffer question, std::int64_t deadline_ms) {
  const auto node = "node " + std::to_string(options_.peer.value);
  if (c.status.phase != phase::established)
    return unexpected(running_ ? errc::broker_unavailable : errc::shutting_down,
                      "there is no " + std::string(wire::to_string(c.what)) + " connection to " +
                          node + (c.status.last_error.empty() ? "" : ": " + c.status.last_error));
  if (c.them.protocol < wire::protocol_with_calls)
    return unexpected(errc::unsupported_version,
                      node + " runs " + c.them.software + ", which cannot be asked by other nodes");
  if (deadline_ms <= now_ms_)
    return unexpected(errc::timed_out, "there was no time to ask " + node);
  if (c.calls.is_full())
    return unexpected(errc::overloaded,
                      std::to_string(c.calls.open()) + " calls to " + node + " are under way");
  call_parcel parcel{0, wire::call{static_cast<std::uint16_t>(what), std::move(question)}};
  const auto size = parcel.bytes();
  if (size > c.them.frame_bytes_max || size > c.queue.window_bytes())
    return unexpected(errc::message_too_large, "a call of " + std::to_string(size) +
                                                   " bytes is larger than what " + node +
                                                   " takes or the link may hold");
  if (c.queue.bytes() + size > c.queue.window_bytes())
    return unexpected(errc::overloaded, "too many bytes are under way to " + node);
  parcel.correlation = c.calls.begin(number, deadline_ms);
  ++counts_.calls_sent;
  (void)c.queue.push_call(std::move(parcel));
  return {};
}

void peer_core::arrived_answer(connection& c, const link_frame& frame) {
  const auto answer = protocol::decode<wire::call_answer>(frame.payload, frame.header.version);
  if (!answer) {
    drop(c, answer.error());
    return;
  }
  ++c.status.frames_received;
  // One that comes too late is of no use to anybody.
  if (const auto number = c.calls.finish(frame.header.correlation_id))
    effects_.ended.push_back({*number, from_wire(*answer)});
}

void peer_core::end_overdue_calls(connection& c) {
  for (const auto number : c.calls.overdue(now_ms_))
    effects_.ended.push_back(
        {number, unexpected(errc::timed_out, "node " + std::to_string(options_.peer.value) +
                                                 " did not answer in time")});
}

// -- answering ------------------------------------------------------------------------------------

void peer_core::arrived_call(connection& c, const link_frame& frame) {
  const auto correlation = frame.header.correlation_id;
  const auto call = protocol::decode<wire::call>(frame.payload, frame.header.version);
  if (!call) {
    drop(c, call.error());
    return;
  }
  using admission = call_table::admission;
  const auto admitted =
      correlation == 0 ? admission::repeated : c.calls.admit(correlation, call->body.size());
  if (admitted == admission::repeated) {
    drop(c, {errc::invalid_request, "a call has correlation id " + std::to_string(correlation) +
                                        ", which is 0 or that of a call under way"});
    return;
  }
  ++c.status.frames_received;
  if (admitted == admission::full) {
    queue_answer(c, correlation,
                 unexpected(errc::overloaded,
                            "node " + std::to_string(options_.us.self.node.value) +
                                " has too many calls of this node that are not answered yet"));
    return;
  }
  ++counts_.calls_received;
  if (is_known(call->kind))
    effects_.asked.push_back(
        {{c.id, correlation}, static_cast<call_kind>(call->kind), keep(call->body)});
  else if (c.calls.answered(correlation))
    queue_answer(c, correlation,
                 unexpected(errc::unsupported_api,
                            "node " + std::to_string(options_.us.self.node.value) + " runs " +
                                options_.us.software + ", which knows no call of kind " +
                                std::to_string(call->kind)));
}

peer_effects peer_core::answer(std::int64_t now_ms, const asked_call& to, result<buffer> with) {
  now_ms_ = now_ms;
  auto* c = find(to.connection);
  // The connection that asked may be gone.
  if (c != nullptr && c->calls.answered(to.correlation))
    queue_answer(*c, to.correlation, std::move(with));
  return take();
}

/// An answer that does not fit gives way to an error. An error that does not fit is not sent: the
/// other node has its deadline.
void peer_core::queue_answer(connection& c, std::uint32_t correlation, result<buffer> with) {
  call_parcel parcel{correlation, to_wire(std::move(with))};
  const auto size = parcel.bytes();
  if (size > c.them.frame_bytes_max || size > c.queue.window_bytes())
    parcel.what = to_wire(
        unexpected(errc::message_too_large, "the answer of " + std::to_string(size) +
                                                " bytes is larger than what the link takes"));
  else if (c.queue.bytes() + size > c.queue.window_bytes())
    parcel.what = to_wire(unexpected(errc::overloaded, "too many bytes are under way back"));
  if (!c.queue.push_call(std::move(parcel)))
    ++counts_.dropped_full;
}

} // namespace aqueduct::actors
