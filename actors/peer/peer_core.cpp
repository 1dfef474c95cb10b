// The life of a link's connections: dialling, greeting, silence, back-off. What they carry is in
// peer_core_traffic.cpp.
#include "actors/peer/peer_core.hpp"

#include "protocol/native/codec.hpp"

#include <algorithm>
#include <utility>

namespace aqueduct::actors {

namespace {

namespace wire = protocol::cluster;
using phase = connection_phase;

constexpr std::int64_t dial_timeout_ms_min = 200;
constexpr std::int64_t backoff_ms_min = 10;
constexpr std::int64_t backoff_ms_max = 1000;
constexpr std::uint32_t doublings_max = 10;
/// Failures that come at once after a refusal that time alone does not cure.
constexpr std::uint32_t refusal_failures = 6;
constexpr std::int64_t bulk_silence_ms_min = 2000;

bool is_refusal(const error& why) {
  return why.code == errc::unauthorized || why.code == errc::unsupported_version;
}

buffer_chain answer_frame(const wire::hello_answer& answer) {
  return protocol::encode_frame(
      {0, protocol::frame_kind::response, wire::hello_key, wire::hello_version, errc::none, 0},
      answer);
}

} // namespace

peer_core::peer_core(peer_core_options options)
    : options_(std::move(options)),
      connections_{connection(purpose::control, options_.control_window_bytes, options_.calls),
                   connection(purpose::bulk, options_.bulk_window_bytes, options_.calls)},
      order_(options_.bulk_from_bytes),
      random_state_(options_.seed) {
  counts_.peer = options_.peer;
}

// -- small things ---------------------------------------------------------------------------------

peer_core::connection* peer_core::find(connection_id id) {
  const auto found = std::ranges::find(connections_, id, &connection::id);
  return id == 0 || found == connections_.end() ? nullptr : &*found;
}

/// SplitMix64 (Steele, Lea, Flood 2014).
std::uint64_t peer_core::random() {
  random_state_ += 0x9e3779b97f4a7c15ULL;
  auto z = random_state_;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}

std::int64_t peer_core::ping_interval_ms() const {
  return std::max<std::int64_t>(options_.election_timeout_ms / 4, 1);
}

std::int64_t peer_core::dial_timeout_ms() const {
  return std::max(options_.election_timeout_ms, dial_timeout_ms_min);
}

void peer_core::note(bool is_warning, const connection& c, const std::string& text) {
  effects_.notes.push_back({is_warning, "node " + std::to_string(options_.peer.value) + ", " +
                                            std::string(wire::to_string(c.what)) + ": " + text});
}

peer_effects peer_core::take() {
  flush_all();
  return std::exchange(effects_, {});
}

std::optional<std::int64_t> peer_core::silence_deadline(const connection& c) const {
  const auto asked = c.ping_sent_ms ? c.ping_sent_ms : c.ping_wanted_ms;
  if (c.status.phase != phase::established || !asked)
    return std::nullopt;
  if (c.what == purpose::control)
    return *asked + std::max<std::int64_t>(options_.election_timeout_ms / 2, 1);
  // The node itself is watched over control. Here a ping waits behind large writes, so that
  // progress counts as life.
  return std::max({*asked, c.status.heard_ms, c.progress_ms}) +
         std::max(2 * options_.election_timeout_ms, bulk_silence_ms_min);
}

std::optional<std::int64_t> peer_core::next_tick_ms() const {
  std::optional<std::int64_t> next;
  const auto consider = [&next](std::optional<std::int64_t> when) {
    if (when && (!next || *when < *next))
      next = when;
  };
  for (const auto& c : connections_) {
    consider(c.deadline_ms);
    if (c.status.phase != phase::established)
      continue;
    consider(silence_deadline(c));
    consider(c.calls.next_deadline_ms());
    if (!c.ping_sent_ms && !c.ping_wanted_ms)
      consider(c.next_ping_ms);
    if (!c.busy)
      consider(c.patient_until_ms);
  }
  return next;
}

peer_status peer_core::status() const {
  auto all = counts_;
  for (std::size_t i = 0; i < connections_.size(); ++i) {
    all.connections[i] = connections_[i].status;
    all.connections[i].window_bytes = connections_[i].queue.bytes();
    all.calls_open += connections_[i].calls.open();
    all.calls_asked += connections_[i].calls.asked();
  }
  all.connections[static_cast<std::size_t>(purpose::bulk)].window_bytes += order_.held_bytes();
  return all;
}

// -- dialling -------------------------------------------------------------------------------------

peer_effects peer_core::start(std::int64_t now_ms) {
  now_ms_ = now_ms;
  running_ = true;
  dial(at(purpose::control));
  return take();
}

void peer_core::dial(connection& c) {
  c.id = ++last_id_;
  c.status.phase = phase::connecting;
  c.status.dialled = true;
  c.status.since_ms = now_ms_;
  c.deadline_ms = now_ms_ + dial_timeout_ms();
  effects_.steps.push_back(peer_effects::dial{c.id});
}

peer_effects peer_core::opened(std::int64_t now_ms, connection_id id) {
  now_ms_ = now_ms;
  auto* c = find(id);
  if (c == nullptr || c->status.phase != phase::connecting)
    return take();
  c->status.phase = phase::greeting;
  auto hello = protocol::encode_frame(
      {0, protocol::frame_kind::request, wire::hello_key, wire::hello_version, errc::none, 0},
      make_hello(options_.us, options_.peer, c->what));
  c->busy = true;
  c->status.bytes_sent += hello.size();
  effects_.steps.push_back(peer_effects::write{id, std::move(hello)});
  return take();
}

void peer_core::answered(connection& c, const link_frame& frame) {
  const auto answer = read_hello_answer(options_.us, options_.peer, frame.header, frame.payload);
  if (!answer)
    drop(c, answer.error());
  else if (answer->incarnation < incarnation_)
    drop(c, {errc::unauthorized, "its disk has had a later life than the one that it now shows; "
                                 "is this a node started from an old copy?"});
  else
    establish(c, *answer, true);
}

void peer_core::establish(connection& c, wire::hello_answer them, bool dialled) {
  c.them = std::move(them);
  c.status.phase = phase::established;
  c.status.dialled = dialled;
  c.status.since_ms = now_ms_;
  c.status.heard_ms = now_ms_;
  c.status.failures = 0;
  c.status.last_error.clear();
  c.deadline_ms.reset();
  c.progress_ms = now_ms_;
  c.next_ping_ms = now_ms_ + ping_interval_ms();
  incarnation_ = c.them.incarnation;
  counts_.incarnation = raft::incarnation(incarnation_);
  counts_.software = c.them.software;
  effects_.steps.push_back(peer_effects::establish{c.id});
  note(false, c,
       "connected, " + std::string(dialled ? "dialled" : "accepted") + "; it is " +
           c.them.software + ", incarnation " + std::to_string(incarnation_));
  if (c.what == purpose::control && dialled)
    dial(at(purpose::bulk));
}

// -- accepting ------------------------------------------------------------------------------------

std::optional<hello_refusal> peer_core::refuse(const connection& c,
                                               const wire::hello& hello) const {
  if (!running_)
    return hello_refusal{wire::refusal::shutting_down, "this node is shutting down"};
  if (hello.incarnation < incarnation_)
    return hello_refusal{wire::refusal::older_incarnation,
                         "the disk of this node has had a later life: incarnation " +
                             std::to_string(incarnation_) + ", not " +
                             std::to_string(hello.incarnation)};
  const auto& control = connections_[static_cast<std::size_t>(purpose::control)];
  if (c.what == purpose::bulk) {
    const bool follows = control.status.phase == phase::established && !control.status.dialled &&
                         control.them.session == hello.session;
    if (follows)
      return std::nullopt;
    return hello_refusal{wire::refusal::no_control,
                         "bulk follows a control connection of the same dialler"};
  }
  if (options_.us.self.node > options_.peer || !c.status.dialled)
    return std::nullopt;
  const bool stays = c.status.phase == phase::greeting ||
                     (c.status.phase == phase::established && c.them.session == hello.session);
  if (stays)
    return hello_refusal{wire::refusal::duplicate, "the connection that node " +
                                                       std::to_string(options_.us.self.node.value) +
                                                       " opened stays"};
  return std::nullopt;
}

peer_effects peer_core::accepted(std::int64_t now_ms, connection_id id, const wire::hello& hello) {
  now_ms_ = now_ms;
  auto& c = at(hello.connection);
  if (const auto refused = refuse(c, hello)) {
    effects_.steps.push_back(
        peer_effects::write{id, answer_frame(make_refusal(options_.us, *refused))});
    effects_.steps.push_back(peer_effects::close{id, true});
    if (refused->why == wire::refusal::older_incarnation)
      note(true, c, "refused: " + refused->message);
    return take();
  }
  if (c.id != 0)
    drop(c, {errc::conflict, "the other node opened a new connection"});
  const auto answer = make_answer(options_.us, hello);
  c.id = id;
  wire::hello_answer them;
  them.cluster = hello.cluster;
  them.node = hello.node;
  them.incarnation = hello.incarnation;
  them.session = hello.session;
  them.protocol = answer.protocol;
  them.frame_bytes_max = hello.frame_bytes_max;
  them.software = hello.software;
  establish(c, std::move(them), false);
  auto bytes = answer_frame(answer);
  c.busy = true;
  c.status.bytes_sent += bytes.size();
  effects_.steps.push_back(peer_effects::write{id, std::move(bytes)});
  return take();
}

// -- the end of a connection ----------------------------------------------------------------------

void peer_core::drop(connection& c, const error& why) {
  effects_.steps.push_back(peer_effects::close{c.id});
  lost(c, why);
}

void peer_core::back_off(connection& c, const error& why) {
  // A duplicate is no failure: the connection that stays is on its way.
  if (why.code != errc::conflict)
    ++c.status.failures;
  if (is_refusal(why))
    c.status.failures = std::max(c.status.failures, refusal_failures);
  const auto least = std::max(options_.election_timeout_ms / 20, backoff_ms_min);
  const auto most = std::max(options_.election_timeout_ms, backoff_ms_max);
  const auto doublings = std::min(c.status.failures > 0 ? c.status.failures - 1 : 0, doublings_max);
  const auto wait = std::min(least << doublings, most);
  const auto jitter =
      static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(wait / 2 + 1));
  c.deadline_ms = now_ms_ + wait - jitter;
}

void peer_core::forget_traffic(connection& c, const error& why) {
  counts_.dropped_unconnected += c.queue.lose() + order_.lost(c.what);
  const bool ends = why.code == errc::shutting_down;
  for (const auto number : c.calls.lose())
    effects_.ended.push_back(
        {number, unexpected(ends ? errc::shutting_down : errc::connection_lost,
                            "the connection to node " + std::to_string(options_.peer.value) +
                                " ended before it answered: " + why.message)});
  c.them = {};
  c.busy = false;
  c.frames_left = 0;
  c.pings = 0;
  c.ping_wanted_ms.reset();
  c.ping_sent_ms.reset();
  c.pong_owed.reset();
  c.patient_until_ms.reset();
}

void peer_core::lost(connection& c, const error& why) {
  const bool was_up = c.status.phase == phase::established;
  c.id = 0;
  c.deadline_ms.reset();
  c.status.phase = phase::idle;
  c.status.since_ms = now_ms_;
  forget_traffic(c, why);
  // That our dial gives way to theirs is no news.
  if (was_up || (why.code != errc::conflict && c.status.last_error != why.message))
    note(running_, c, (was_up ? "connection lost: " : "cannot connect: ") + why.message);
  c.status.last_error = why.message;
  if (c.what == purpose::control) {
    auto& bulk = at(purpose::bulk);
    if (bulk.id != 0)
      drop(bulk, {errc::connection_lost, "the control connection ended"});
    bulk.deadline_ms.reset();
  }
  if (running_)
    back_off(c, why);
}

peer_effects peer_core::closed(std::int64_t now_ms, connection_id id, const error& why) {
  now_ms_ = now_ms;
  if (auto* c = find(id))
    lost(*c, why);
  return take();
}

peer_effects peer_core::readdressed(std::int64_t now_ms) {
  now_ms_ = now_ms;
  auto& control = at(purpose::control);
  if (running_ && control.status.phase != phase::established) {
    if (control.id != 0)
      drop(control, {errc::conflict, "the address changed"});
    control.status.failures = 0;
    dial(control);
  }
  return take();
}

peer_effects peer_core::stop() {
  running_ = false;
  for (auto& c : connections_) {
    if (c.id != 0)
      drop(c, {errc::shutting_down, "this node closes the link"});
    c.deadline_ms.reset();
  }
  return take();
}

// -- time -----------------------------------------------------------------------------------------

void peer_core::check_deadlines(connection& c) {
  if (c.deadline_ms && now_ms_ >= *c.deadline_ms) {
    const auto& control = at(purpose::control);
    const bool may_dial = c.what == purpose::control ||
                          (control.status.phase == phase::established && control.status.dialled);
    const auto limit = std::to_string(dial_timeout_ms()) + " ms";
    if (c.status.phase == phase::connecting)
      drop(c, {errc::timed_out, "no connection within " + limit});
    else if (c.status.phase == phase::greeting)
      drop(c, {errc::timed_out, "connected, but it said nothing within " + limit});
    else if (may_dial)
      dial(c);
    else
      c.deadline_ms.reset();
    return;
  }
  if (c.status.phase != phase::established)
    return;
  if (const auto silence = silence_deadline(c); silence && now_ms_ >= *silence)
    drop(c, {errc::timed_out, "it does not answer; last heard " +
                                  std::to_string(now_ms_ - c.status.heard_ms) + " ms ago"});
  else if (now_ms_ >= c.next_ping_ms)
    want_ping(c);
  end_overdue_calls(c);
}

peer_effects peer_core::tick(std::int64_t now_ms) {
  now_ms_ = now_ms;
  for (auto& c : connections_)
    check_deadlines(c);
  return take();
}

} // namespace aqueduct::actors
