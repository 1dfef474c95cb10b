#include "actors/controller/placement_plan.hpp"

#include "actors/controller/disk_weight.hpp"

#include <algorithm>
#include <set>
#include <tuple>
#include <utility>

namespace aqueduct::actors {

std::vector<std::int32_t> placement_plan::place(std::size_t replication) {
  level_disks(brokers_, [](candidate& broker) { return &broker.disk; });
  std::vector<candidate*> order;
  for (auto& broker : brokers_)
    order.push_back(&broker);
  std::ranges::sort(order, [](const candidate* a, const candidate* b) {
    const auto room = a->disk.free_quarters();
    const auto other = b->disk.free_quarters();
    if (bears_less(a->replicas, room, b->replicas, other))
      return true;
    return !bears_less(b->replicas, other, a->replicas, room) && a->node < b->node;
  });
  std::vector<candidate*> chosen;
  std::set<std::string> racks;
  const auto take = [&](bool full_too, bool only_new_racks) {
    for (auto& broker : order) {
      if (chosen.size() == replication)
        return;
      if (broker == nullptr || (!full_too && broker->disk.is_full()) ||
          (only_new_racks && racks.contains(broker->rack)))
        continue;
      // Brokers without a rack are each one of their own.
      if (!broker->rack.empty())
        racks.insert(broker->rack);
      chosen.push_back(std::exchange(broker, nullptr));
    }
  };
  for (const bool full_too : {false, true})
    for (const bool only_new_racks : {true, false})
      take(full_too, only_new_racks);
  const auto leader = std::ranges::min_element(
      chosen, {}, [](const candidate* c) { return std::tie(c->preferred, c->replicas, c->node); });
  std::rotate(chosen.begin(), leader, chosen.end());
  ++chosen.front()->preferred;
  std::vector<std::int32_t> nodes;
  for (auto* broker : chosen) {
    ++broker->replicas;
    nodes.push_back(broker->node);
  }
  return nodes;
}

} // namespace aqueduct::actors
