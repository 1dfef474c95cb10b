#include "tests/simulation/sim_wires.hpp"

#include "protocol/native/frame.hpp"
#include "tests/simulation/sim_environment.hpp"

#include <algorithm>
#include <stdexcept>
#include <string>

namespace aqueduct::actors::test {

namespace {

constexpr std::string_view host_prefix = "node-";
constexpr std::uint16_t cluster_port = 9093;
constexpr std::size_t frame_bytes_max = std::size_t{256} << 20;
/// A stream takes so much before a writer is asked to wait.
constexpr std::size_t window_bytes = 64 * 1024;

/// 0 if it is not one of ours.
std::int32_t node_of(const config::endpoint& address) {
  if (!address.host.starts_with(host_prefix))
    return 0;
  return std::stoi(address.host.substr(host_prefix.size()));
}

} // namespace

/// One end of a wire.
class sim_wires::end : public link {
public:
  end(std::shared_ptr<sim_wires*> wires, std::uint64_t id, std::size_t side, std::string name)
      : wires_(std::move(wires)), id_(id), side_(side), name_(std::move(name)) {}
  end(const end&) = delete;
  end& operator=(const end&) = delete;
  ~end() override { close(true); }

  [[nodiscard]] bool write(buffer_chain bytes) override {
    return *wires_ == nullptr || (*wires_)->write(id_, side_, bytes);
  }
  void establish() override {}
  void close(bool) override {
    if (*wires_ != nullptr)
      (*wires_)->close(id_, side_);
  }
  [[nodiscard]] std::string name() const override { return name_; }

private:
  std::shared_ptr<sim_wires*> wires_;
  std::uint64_t id_;
  std::size_t side_;
  std::string name_;
};

class sim_wires::dialler : public link_dialler {
public:
  dialler(std::shared_ptr<sim_wires*> wires, std::int32_t node)
      : wires_(std::move(wires)), node_(node) {}

  [[nodiscard]] std::shared_ptr<link> dial(const config::endpoint& address,
                                           std::shared_ptr<link_sink> sink) override {
    return (*wires_)->dial(node_, address, std::move(sink));
  }

private:
  std::shared_ptr<sim_wires*> wires_;
  std::int32_t node_;
};

sim_wires::sim_wires(std::uint64_t seed) : chance_(std::make_shared<virtual_environment>(seed)) {}

sim_wires::~sim_wires() {
  *self_ = nullptr;
}

config::endpoint sim_wires::address_of(std::int32_t node) {
  return {std::string(host_prefix) + std::to_string(node), cluster_port};
}

std::shared_ptr<link_dialler> sim_wires::join(std::int32_t node) {
  return std::make_shared<dialler>(self_, node);
}

void sim_wires::listen(std::int32_t node, std::shared_ptr<link_acceptor> acceptor) {
  listening_[node] = std::move(acceptor);
}

void sim_wires::leave(std::int32_t node, std::int64_t told_within_ms) {
  listening_.erase(node);
  frozen_.erase(node);
  for (auto& [id, each] : wires_)
    for (std::size_t side = 0; side < 2; ++side) {
      if (each.nodes[side] != node || each.closed[side])
        continue;
      each.closed[side] = true;
      each.to[side].items.clear();
      const auto late = draw(static_cast<std::uint64_t>(told_within_ms) + 1);
      if (each.to[1 - side].ended)
        continue;
      push(each, 1 - side, item::kind::closed);
      each.to[1 - side].items.back().due_ms += static_cast<std::int64_t>(late);
    }
  // Dropping a sink may close other wires.
  std::vector<std::shared_ptr<link_sink>> dropped;
  for (auto& [id, each] : wires_)
    for (std::size_t side = 0; side < 2; ++side)
      if (each.nodes[side] == node)
        dropped.push_back(std::move(each.sinks[side]));
}

void sim_wires::isolate(std::int32_t node, std::int32_t nodes) {
  for (std::int32_t other = 1; other <= nodes; ++other)
    if (other != node) {
      cut(node, other);
      cut(other, node);
    }
}

void sim_wires::unclog(std::int32_t from, std::int32_t to) {
  if (clogs_.erase({from, to}) == 0)
    return;
  for (const auto& [id, each] : wires_)
    for (std::size_t side = 0; side < 2; ++side)
      if (each.nodes[side] == to && each.nodes[1 - side] == from && !each.closed[side])
        let_go_ += static_cast<std::uint64_t>(std::ranges::count_if(
            each.to[side].items, [this](const item& waits) { return waits.due_ms < now_ms_; }));
}

void sim_wires::heal() {
  cuts_.clear();
  while (!clogs_.empty())
    unclog(clogs_.begin()->first, clogs_.begin()->second);
}

void sim_wires::freeze(std::int32_t node, bool frozen) {
  if (frozen)
    frozen_.insert(node);
  else
    frozen_.erase(node);
}

std::int64_t sim_wires::delay() {
  const auto spread = static_cast<std::uint64_t>(faults_.delay_ms_max - faults_.delay_ms_min + 1);
  return faults_.delay_ms_min + static_cast<std::int64_t>(draw(spread));
}

void sim_wires::push(wire& on, std::size_t to, item::kind what, buffer bytes) {
  auto& into = on.to[to];
  if (into.ended)
    return;
  item made;
  made.what = what;
  made.bytes = std::move(bytes);
  made.due_ms = now_ms_ + delay();
  if (!into.items.empty())
    made.due_ms = std::max(made.due_ms, into.items.back().due_ms);
  into.bytes += made.bytes.size();
  into.ended = what == item::kind::closed;
  into.items.push_back(std::move(made));
}

std::shared_ptr<link> sim_wires::dial(std::int32_t from, const config::endpoint& address,
                                      std::shared_ptr<link_sink> sink) {
  const auto id = ++last_wire_;
  auto& made = wires_[id];
  made.nodes = {from, node_of(address)};
  made.sinks[0] = std::move(sink);
  // It is answered by the other node, which the question has to reach first.
  push(made, 1, item::kind::opened);
  return std::make_shared<end>(self_, id, 0, "node " + std::to_string(made.nodes[1]));
}

bool sim_wires::write(std::uint64_t id, std::size_t side, const buffer_chain& bytes) {
  const auto at = wires_.find(id);
  if (at == wires_.end() || at->second.closed[side] || at->second.to[1 - side].ended)
    return true;
  auto& on = at->second;
  if (draw(10'000) < faults_.breaks) {
    break_off(on);
    return true;
  }
  push(on, 1 - side, item::kind::bytes, bytes.flatten());
  on.waits[side] = on.to[1 - side].bytes > window_bytes;
  return !on.waits[side];
}

void sim_wires::close(std::uint64_t id, std::size_t side) {
  const auto at = wires_.find(id);
  if (at == wires_.end() || at->second.closed[side])
    return;
  auto& on = at->second;
  on.closed[side] = true;
  on.to[side].items.clear();
  on.to[side].ended = false;
  push(on, side, item::kind::closed);
  push(on, 1 - side, item::kind::closed);
}

void sim_wires::break_off(wire& broken) {
  ++broken_;
  for (auto& each : broken.to) {
    each.items.clear();
    each.bytes = 0;
  }
  push(broken, 0, item::kind::closed);
  push(broken, 1, item::kind::closed);
}

std::size_t sim_wires::advance(std::int64_t now_ms) {
  now_ms_ = now_ms;
  std::size_t count = 0;
  // By number, as iterators do not survive what the sinks do.
  for (auto at = wires_.begin(); at != wires_.end();) {
    const auto id = at->first;
    for (std::size_t side = 0; side < 2; ++side)
      while (deliver_one(id, side))
        ++count;
    at = wires_.upper_bound(id);
    const auto& on = wires_.at(id);
    if (!on.sinks[0] && !on.sinks[1] && on.to[0].items.empty() && on.to[1].items.empty())
      wires_.erase(id);
  }
  delivered_ += count;
  return count;
}

bool sim_wires::deliver_one(std::uint64_t id, std::size_t side) {
  auto& on = wires_.at(id);
  auto& from = on.to[side];
  if (from.items.empty() || from.items.front().due_ms > now_ms_ || frozen_.contains(on.nodes[side]))
    return false;
  // What a node does to its own end needs no network.
  const std::pair way(on.nodes[1 - side], on.nodes[side]);
  if (!on.closed[side] && (cuts_.contains(way) || clogs_.contains(way)))
    return false;
  const auto next = std::move(from.items.front());
  from.items.pop_front();
  from.bytes -= std::min(from.bytes, next.bytes.size());
  switch (next.what) {
  case item::kind::opened:
    if (side == 1)
      open(id);
    else if (on.sinks[0])
      on.sinks[0]->opened();
    break;
  case item::kind::bytes:
    deliver_bytes(id, side, next.bytes);
    tell_sent(id, 1 - side);
    break;
  case item::kind::closed:
    end_side(id, side, {errc::broker_unavailable, "the connection ended"});
    break;
  }
  return true;
}

void sim_wires::open(std::uint64_t id) {
  auto& on = wires_.at(id);
  const auto listens = listening_.find(on.nodes[1]);
  if (listens == listening_.end()) {
    on.to[1].ended = true;
    push(on, 0, item::kind::closed);
    return;
  }
  const auto acceptor = listens->second;
  auto sink = acceptor->accepted(
      std::make_shared<end>(self_, id, 1, "node " + std::to_string(on.nodes[0])));
  auto& now = wires_.at(id);
  now.sinks[1] = std::move(sink);
  push(now, 0, item::kind::opened);
}

void sim_wires::deliver_bytes(std::uint64_t id, std::size_t side, const buffer& bytes) {
  link_frames batch;
  for (std::size_t at = 0; at < bytes.size();) {
    const auto header = protocol::read_frame_header(bytes.data() + at, frame_bytes_max);
    if (!header)
      throw std::logic_error("a node wrote no frame: " + to_string(header.error()));
    at += protocol::frame_header_size;
    batch.frames.push_back({*header, bytes.slice(at, header->payload_size())});
    at += header->payload_size();
  }
  if (const auto sink = wires_.at(id).sinks[side]; sink && !batch.frames.empty())
    sink->arrived(std::move(batch));
}

void sim_wires::end_side(std::uint64_t id, std::size_t side, const error& why) {
  auto& on = wires_.at(id);
  on.closed[side] = true;
  on.to[side].items.clear();
  on.to[side].ended = true;
  // The other side hears of it, if it does not know.
  push(on, 1 - side, item::kind::closed);
  if (const auto sink = std::exchange(on.sinks[side], nullptr))
    sink->closed(why);
}

void sim_wires::tell_sent(std::uint64_t id, std::size_t side) {
  auto& on = wires_.at(id);
  if (!on.waits[side] || on.to[1 - side].bytes > window_bytes / 2)
    return;
  on.waits[side] = false;
  if (const auto sink = on.sinks[side]; sink && !on.closed[side])
    sink->sent();
}

} // namespace aqueduct::actors::test
