#include "apps/aq/health.hpp"

#include "apps/aq/broker_documents.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <set>

namespace aqueduct::aq {

namespace {

using node_set = std::set<std::int32_t>;

node_set set_of(const std::vector<std::int32_t>& nodes) {
  return {nodes.begin(), nodes.end()};
}

std::string list_text(const node_set& nodes) {
  return nodes.empty() ? "none" : fmt::format("{}", fmt::join(nodes, ","));
}

void judge_broker(const actors::admin_broker& broker, std::int32_t asked,
                  std::vector<cluster_trouble>& found) {
  const auto name = fmt::format("broker {}", broker.node);
  if (broker.state.empty())
    found.push_back({name, fmt::format("not registered, but {} replicas are placed on it",
                                       broker.replicas + broker.leaving)});
  else if (broker.state == "gone")
    found.push_back({name, fmt::format("gone, with {} replicas", broker.replicas)});
  else if (broker.node != asked && !broker.link.is_up)
    found.push_back({fmt::format("link {}-{}", asked, broker.node),
                     broker.link.last_error.empty() ? "down" : "down: " + broker.link.last_error});
  if (broker.state == "evacuating" && broker.replicas > 0)
    found.push_back({name, fmt::format("evacuating, {} replicas to go", broker.replicas)});
  if (broker.leaving > 0)
    found.push_back({name, fmt::format("{} replicas are moving away from it", broker.leaving)});
}

/// `placed`: where the controller wants it; empty if that is not known.
void judge_group(const actors::admin_group& group, const node_set& placed, const node_set& gone,
                 std::vector<cluster_trouble>& found) {
  const auto name = name_of(group);
  if (!group.error.empty()) {
    found.push_back({name, group.error});
    return;
  }
  if (group.role == "asleep")
    return;
  if (group.leader < 0)
    found.push_back({name, "nobody leads it"});
  const auto voters = set_of(group.voters);
  if (!placed.empty() && voters != placed)
    found.push_back({name, fmt::format("is placed on {}, but its voters are {} and its learners {}",
                                       list_text(placed), list_text(voters),
                                       list_text(set_of(group.learners)))});
  for (const auto& each : group.followers) {
    if (gone.contains(each.node))
      continue;
    const auto lag = lag_of(group, each);
    if (each.mode == "snapshot")
      found.push_back({name, fmt::format("node {} takes over the state", each.node)});
    else if (each.mode == "probe" && lag > 0)
      found.push_back({name, fmt::format("node {} does not answer its leader, it lacks {} entries",
                                         each.node, lag)});
    else if (lag > lag_reported)
      found.push_back({name, fmt::format("node {} is {} entries behind", each.node, lag)});
  }
}

} // namespace

std::vector<cluster_trouble> find_trouble(const cluster_report& report) {
  std::vector<cluster_trouble> found;
  node_set gone;
  bool has_controller = false;
  for (const auto& each : report.brokers.brokers) {
    judge_broker(each, report.brokers.node, found);
    if (each.state.empty() || each.state == "gone")
      gone.insert(each.node);
    has_controller |= each.is_controller;
  }
  if (!has_controller)
    found.push_back({"controller", "nobody leads the cluster's metadata"});
  std::map<std::pair<std::string, std::int32_t>, node_set> placed;
  for (const auto& each : report.partitions.partitions) {
    placed[{each.topic, each.partition}] = set_of(each.replicas);
    const auto name = fmt::format("{}:{}", each.topic, each.partition);
    if (!each.error.empty())
      found.push_back({name, each.error});
    if (!each.damage.empty())
      found.push_back({name, each.damage});
  }
  for (const auto& each : report.groups.groups) {
    const auto where = placed.find({each.topic, each.partition});
    judge_group(each, where == placed.end() ? node_set() : where->second, gone, found);
  }
  return found;
}

document health_described(const cluster_report& report,
                          const std::vector<cluster_trouble>& trouble) {
  const auto& brokers = report.brokers.brokers;
  const auto there = std::ranges::count_if(
      brokers, [](const auto& each) { return !each.state.empty() && each.state != "gone"; });
  document doc;
  doc.add("cluster", "CLUSTER", report.brokers.cluster);
  doc.add("state", "STATE", trouble.empty() ? "healthy" : "unhealthy");
  doc.add("seen_from", "SEEN-FROM", report.brokers.node, kind::number);
  doc.add("brokers_total", "BROKERS", static_cast<std::uint64_t>(brokers.size()), kind::number);
  doc.add("brokers_there", "THERE", static_cast<std::int64_t>(there), kind::number);
  doc.add("groups", "GROUPS", static_cast<std::uint64_t>(report.groups.groups.size()),
          kind::number);
  auto& rows = doc.tables.emplace_back();
  rows.key = "findings";
  rows.columns = {{"what", "WHAT"}, {"problem", "PROBLEM"}};
  for (const auto& each : trouble)
    rows.rows.push_back({each.what, each.problem});
  return doc;
}

} // namespace aqueduct::aq
