#include "actors/controller/move_plan.hpp"

#include "actors/controller/disk_weight.hpp"

#include <algorithm>
#include <string>
#include <tuple>
#include <utility>

namespace aqueduct::actors {

void move_plan::add(broker b) {
  brokers_.push_back({std::move(b), 0, 0});
}

void move_plan::add(std::vector<std::int32_t> nodes, bool fixed, std::int32_t ailing) {
  for (const auto node : nodes)
    if (auto* at = find(node))
      ++at->replicas;
  if (!nodes.empty())
    if (auto* at = find(nodes.front()))
      ++at->preferred;
  partitions_.push_back({std::move(nodes), fixed, ailing});
}

move_plan::place* move_plan::find(std::int32_t node) {
  const auto at = std::ranges::find(brokers_, node, [](const place& p) { return p.what.node; });
  return at == brokers_.end() ? nullptr : &*at;
}

bool move_plan::has_rack(const partition& p, const std::string& rack, std::int32_t except) {
  return !rack.empty() && std::ranges::any_of(p.nodes, [&](std::int32_t node) {
    const auto* at = find(node);
    return node != except && at != nullptr && at->what.rack == rack;
  });
}

/// Whether a replica that leaves `leaving` should rather go to `one`.
bool move_plan::is_better(const partition& p, std::int32_t leaving, const place& one,
                          const place& other) {
  const auto last_resort = [&](const place& at) {
    return std::tuple(at.what.disk.is_full(), has_rack(p, at.what.rack, leaving));
  };
  if (last_resort(one) != last_resort(other))
    return last_resort(one) < last_resort(other);
  const auto room = one.what.disk.free_quarters();
  const auto other_room = other.what.disk.free_quarters();
  if (bears_less(one.replicas, room, other.replicas, other_room))
    return true;
  return !bears_less(other.replicas, other_room, one.replicas, room) &&
         one.what.node < other.what.node;
}

/// The best broker for a replica that leaves `leaving`.
move_plan::place* move_plan::replacement(const partition& p, std::int32_t leaving) {
  place* best = nullptr;
  for (auto& candidate : brokers_) {
    if (!candidate.what.takes || candidate.what.node == leaving ||
        std::ranges::find(p.nodes, candidate.what.node) != p.nodes.end())
      continue;
    if (best == nullptr || is_better(p, leaving, candidate, *best))
      best = &candidate;
  }
  return best;
}

void move_plan::replace(partition& p, std::int32_t from, std::int32_t to) {
  const bool led = p.nodes.front() == from;
  std::ranges::replace(p.nodes, from, to);
  for (const auto& [node, change] : {std::pair(from, -1), std::pair(to, 1)})
    if (auto* at = find(node)) {
      at->replicas += change;
      at->preferred += led ? change : 0;
    }
}

std::vector<move_plan::move> move_plan::changes(const std::vector<partition>& before) const {
  std::vector<move> moves;
  for (std::size_t i = 0; i < partitions_.size(); ++i)
    if (partitions_[i].nodes != before[i].nodes)
      moves.push_back({i, partitions_[i].nodes});
  return moves;
}

/// Whether the group of a partition can do without the replica on `node`, which nobody can take
/// now.
result<void> move_plan::check_loss(const partition& p, std::int32_t node) {
  std::size_t left = 0;
  std::size_t sound = 0;
  for (const auto other : p.nodes) {
    if (other == node)
      continue;
    ++left;
    const auto* at = find(other);
    sound += at != nullptr && !at->what.is_gone && other != p.ailing ? 1 : 0;
  }
  if (left == 0)
    return unexpected(errc::invalid_replication,
                      "some partition has its only replica there, and no other broker to go to");
  if (sound * 2 <= left)
    return unexpected(errc::invalid_replication,
                      "some partition needs the replica there: of its others not enough are on "
                      "brokers that are there, or in good health");
  for (const auto& each : brokers_)
    if (each.what.is_gone && !each.what.is_draining && each.what.node != node &&
        std::ranges::find(p.nodes, each.what.node) == p.nodes.end())
      return unexpected(errc::invalid_replication,
                        "broker " + std::to_string(each.what.node) +
                            " is gone and could take replicas when it is back; wait for it, or "
                            "drain it first");
  return {};
}

void move_plan::give_up(partition& p, std::int32_t node) {
  const bool led = p.nodes.front() == node;
  std::erase(p.nodes, node);
  if (auto* at = find(node)) {
    --at->replicas;
    at->preferred -= led ? 1 : 0;
  }
  if (auto* heir = find(p.nodes.front()); heir != nullptr && led)
    ++heir->preferred;
}

result<std::vector<move_plan::move>> move_plan::evacuate(std::int32_t node, bool shrink) {
  level_disks(brokers_, [](place& at) { return at.what.takes ? &at.what.disk : nullptr; });
  const auto before = partitions_;
  for (auto& p : partitions_) {
    if (p.fixed || std::ranges::find(p.nodes, node) == p.nodes.end())
      continue;
    if (const auto* to = replacement(p, node)) {
      replace(p, node, to->what.node);
      continue;
    }
    if (!shrink)
      return unexpected(errc::invalid_replication,
                        "some partition has no other broker to go to: replicas of a partition are "
                        "on distinct brokers, and there are too few that are there and not "
                        "draining; such partitions can have fewer replicas from now on (shrink)");
    if (auto allowed = check_loss(p, node); !allowed)
      return allowed.propagate();
    give_up(p, node);
  }
  return changes(before);
}

/// One move from the broker with the most that can give to the one with the fewest that can take.
/// False: none helps.
bool move_plan::even_out_replicas() {
  std::vector<place*> order;
  for (auto& b : brokers_)
    if (b.what.takes)
      order.push_back(&b);
  std::ranges::sort(order, {},
                    [](const place* p) { return std::tuple(p->replicas, p->what.node); });
  for (auto from = order.rbegin(); from != order.rend(); ++from)
    for (auto* to : order) {
      if ((*from)->replicas - to->replicas < 2)
        break;
      if (to->what.disk.is_full())
        continue;
      for (auto& p : partitions_) {
        const auto on = [&](std::int32_t node) {
          return std::ranges::find(p.nodes, node) != p.nodes.end();
        };
        const auto giver = (*from)->what.node;
        if (p.fixed || !on(giver) || on(to->what.node) || has_rack(p, to->what.rack, giver))
          continue;
        replace(p, giver, to->what.node);
        return true;
      }
    }
  return false;
}

/// Gives one partition another preferred leader among its own nodes. False: none helps.
bool move_plan::even_out_leaders() {
  for (auto& p : partitions_) {
    if (p.fixed || p.nodes.empty())
      continue;
    auto* now = find(p.nodes.front());
    for (auto node = p.nodes.begin() + 1; node != p.nodes.end(); ++node) {
      auto* other = find(*node);
      if (now == nullptr || other == nullptr || !other->what.takes ||
          now->preferred - other->preferred < 2)
        continue;
      --now->preferred;
      ++other->preferred;
      std::iter_swap(p.nodes.begin(), node);
      return true;
    }
  }
  return false;
}

std::vector<move_plan::move> move_plan::rebalance() {
  const auto before = partitions_;
  // Each step lowers the sum of squares of what brokers have, so both loops end.
  while (even_out_replicas()) {
  }
  while (even_out_leaders()) {
  }
  return changes(before);
}

} // namespace aqueduct::actors
