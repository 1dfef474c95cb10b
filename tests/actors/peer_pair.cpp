#include "tests/actors/peer_pair.hpp"

#include "protocol/native/codec.hpp"

#include <doctest/doctest.h>

#include <algorithm>

namespace aqueduct::actors::test {

namespace {

std::vector<link_frame> frames_in(const buffer_chain& bytes) {
  const auto all = bytes.flatten();
  std::vector<link_frame> frames;
  for (std::size_t at = 0; at < all.size();) {
    const auto header = protocol::read_frame_header(all.data() + at, all.size());
    REQUIRE(header);
    frames.push_back(
        {*header, all.slice(at + protocol::frame_header_size, header->payload_size())});
    at += 4 + header->length;
  }
  return frames;
}

} // namespace

peer_core_options peer_pair::options_of(int node) {
  peer_core_options options;
  options.us.self = {raft::node_id(node), raft::incarnation(1)};
  options.us.session = static_cast<std::uint64_t>(node) * 100;
  options.us.software = "test";
  options.us.frame_bytes_max = 8 << 20;
  options.peer = raft::node_id(3 - node);
  options.election_timeout_ms = election_timeout_ms;
  options.seed = static_cast<std::uint64_t>(node);
  return options;
}

peer_pair::peer_pair() {
  for (const int node : {1, 2})
    ends[node].core = std::make_unique<peer_core>(options_of(node));
}

void peer_pair::restart(int node, const peer_core_options& options) {
  for (auto& w : wires_)
    hang_up(w, node);
  ends[node].core = std::make_unique<peer_core>(options);
}

peer_pair::wire* peer_pair::find(int node, connection_id id) {
  const auto found = std::ranges::find_if(wires_, [&](const wire& w) {
    return id != 0 && (w.dialler == node ? w.dialler_id : w.other_id) == id;
  });
  return found == wires_.end() ? nullptr : &*found;
}

std::size_t peer_pair::open_wires() const {
  return static_cast<std::size_t>(std::ranges::count_if(
      wires_, [](const wire& w) { return w.dialler_id != 0 || w.other_id != 0; }));
}

void peer_pair::perform(int node, peer_effects effects) {
  auto& end = ends[node];
  for (auto& delivery : effects.deliver)
    end.delivered.push_back(std::move(delivery));
  for (auto& call : effects.ended) {
    const bool is_first = end.ended.emplace(call.number, std::move(call.answer)).second;
    REQUIRE(is_first);
  }
  for (auto& question : effects.asked)
    end.asked.push_back(std::move(question));
  for (auto& note : effects.notes)
    end.notes.push_back(note.text);
  for (const auto& what : effects.steps)
    step(node, what);
}

void peer_pair::step(int node, const peer_effects::step& what) {
  if (const auto* dial = std::get_if<peer_effects::dial>(&what)) {
    ++dials;
    wires_.push_back({});
    wires_.back().dialler = node;
    wires_.back().dialler_id = dial->id;
  } else if (const auto* bytes = std::get_if<peer_effects::write>(&what)) {
    if (auto* w = find(node, bytes->id))
      write(node, *w, bytes->bytes);
  } else if (const auto* close = std::get_if<peer_effects::close>(&what)) {
    if (auto* w = find(node, close->id))
      hang_up(*w, node);
  }
}

void peer_pair::write(int node, wire& w, const buffer_chain& bytes) {
  for (auto& frame : frames_in(bytes)) {
    if (frame.header.key == protocol::cluster::raft_key) {
      const auto messages = protocol::decode<protocol::cluster::raft_messages>(frame.payload);
      REQUIRE(messages);
      frames.emplace_back();
      for (const auto& m : messages->messages)
        frames.back().push_back(m.message.index());
    }
    if (!ends[node].mute && !(ends[node].mute_bulk && w.what == purpose::bulk))
      (w.dialler == node ? w.to_other : w.to_dialler).push_back(std::move(frame));
  }
  if (!ends[node].clogged) {
    const auto id = w.dialler == node ? w.dialler_id : w.other_id;
    perform(node, core(node).sent(now_ms, id));
  }
}

void peer_pair::hang_up(wire& w, int by) {
  (w.dialler == by ? w.dialler_id : w.other_id) = 0;
}

void peer_pair::connect() {
  for (std::size_t i = 0; i < wires_.size(); ++i) {
    auto& w = wires_[i];
    if (w.open || w.dialler_id == 0 || ends[w.dialler].frozen || ends[3 - w.dialler].unreachable)
      continue;
    w.open = true;
    perform(w.dialler, core(w.dialler).opened(now_ms, w.dialler_id));
  }
}

bool peer_pair::deliver_one(wire& w) {
  const auto other = 3 - w.dialler;
  if (!w.to_other.empty() && !ends[other].frozen) {
    auto frame = std::move(w.to_other.front());
    w.to_other.pop_front();
    if (!w.greeted) {
      w.greeted = true;
      const auto hello = read_hello(frame.header, frame.payload);
      REQUIRE(hello);
      w.other_id = accepted_++;
      w.what = hello->connection;
      perform(other, core(other).accepted(now_ms, w.other_id, *hello));
    } else if (w.other_id != 0) {
      perform(other, core(other).arrived(now_ms, w.other_id, {std::move(frame)}));
    }
    return true;
  }
  if (!w.to_dialler.empty() && !ends[w.dialler].frozen) {
    auto frame = std::move(w.to_dialler.front());
    w.to_dialler.pop_front();
    if (w.dialler_id != 0)
      perform(w.dialler, core(w.dialler).arrived(now_ms, w.dialler_id, {std::move(frame)}));
    return true;
  }
  // The end of one side reaches the other behind everything that was sent before.
  const error gone{errc::connection_lost, "closed by the other node"};
  if (w.greeted && w.dialler_id == 0 && w.other_id != 0 && w.to_other.empty() &&
      !ends[other].frozen && !ends[w.dialler].mute) {
    perform(other, core(other).closed(now_ms, std::exchange(w.other_id, 0), gone));
    return true;
  }
  if (w.greeted && w.other_id == 0 && w.dialler_id != 0 && w.to_dialler.empty() &&
      !ends[w.dialler].frozen && !ends[other].mute) {
    perform(w.dialler, core(w.dialler).closed(now_ms, std::exchange(w.dialler_id, 0), gone));
    return true;
  }
  return false;
}

void peer_pair::settle() {
  for (bool progress = true; progress;) {
    const auto before = wires_.size();
    connect();
    progress = wires_.size() != before;
    for (std::size_t i = 0; i < wires_.size(); ++i)
      while (deliver_one(wires_[i]))
        progress = true;
  }
}

void peer_pair::run(std::int64_t ms) {
  const auto until = now_ms + ms;
  settle();
  for (int steps = 0;; ++steps) {
    // A deadline that is never met would be for ever.
    REQUIRE(steps < 100'000);
    auto next = until;
    for (auto& [node, end] : ends)
      if (const auto due = end.core->next_tick_ms(); due && !end.frozen)
        next = std::min(next, std::max(*due, now_ms));
    now_ms = next;
    for (auto& [node, end] : ends)
      if (const auto due = end.core->next_tick_ms(); due && *due <= now_ms && !end.frozen)
        perform(node, end.core->tick(now_ms));
    settle();
    if (now_ms >= until)
      return;
  }
}

void peer_pair::cut() {
  const error reset{errc::connection_lost, "connection reset"};
  for (auto& w : wires_) {
    w.to_other.clear();
    w.to_dialler.clear();
    if (w.dialler_id != 0)
      perform(w.dialler, core(w.dialler).closed(now_ms, std::exchange(w.dialler_id, 0), reset));
    if (w.other_id != 0)
      perform(3 - w.dialler,
              core(3 - w.dialler).closed(now_ms, std::exchange(w.other_id, 0), reset));
  }
}

void peer_pair::unclog(int node) {
  ends[node].clogged = false;
  drain_once(node);
}

void peer_pair::drain_once(int node) {
  for (auto& w : wires_)
    if (const auto id = w.dialler == node ? w.dialler_id : w.other_id; id != 0)
      perform(node, core(node).sent(now_ms, id));
}

void peer_pair::inject(int node, purpose what, link_frame frame) {
  for (auto& w : wires_) {
    const auto id = w.dialler == node ? w.dialler_id : w.other_id;
    if (id != 0 && w.greeted && w.what == what) {
      perform(node, core(node).arrived(now_ms, id, {std::move(frame)}));
      return;
    }
  }
  FAIL("no such connection");
}

} // namespace aqueduct::actors::test
