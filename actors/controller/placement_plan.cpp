#include "actors/controller/placement_plan.hpp"

#include <algorithm>
#include <set>
#include <tuple>
#include <utility>

namespace aqueduct::actors {

std::vector<std::int32_t> placement_plan::place(std::size_t replication) {
  std::vector<candidate*> order;
  for (auto& broker : brokers_)
    order.push_back(&broker);
  std::ranges::sort(order, {}, [](const candidate* c) { return std::tie(c->replicas, c->node); });
  std::vector<candidate*> chosen;
  std::set<std::string> racks;
  const auto take = [&](bool only_new_racks) {
    for (auto& broker : order) {
      if (chosen.size() == replication)
        return;
      if (broker == nullptr || (only_new_racks && racks.contains(broker->rack)))
        continue;
      // Brokers without a rack are each one of their own.
      if (!broker->rack.empty())
        racks.insert(broker->rack);
      chosen.push_back(std::exchange(broker, nullptr));
    }
  };
  take(true);
  take(false);
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
