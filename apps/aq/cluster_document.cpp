#include "apps/aq/cluster_document.hpp"

#include <map>

namespace aqueduct::aq {

document cluster_described(const client::cluster_layout& layout, const std::string& software) {
  struct load {
    std::int64_t leaders = 0;
    std::int64_t replicas = 0;
  };
  std::map<std::int32_t, load> loads;
  std::int64_t partitions = 0;
  std::int64_t leaderless = 0;
  for (const auto& topic : layout.topics)
    for (const auto& each : topic.partitions) {
      ++partitions;
      leaderless += each.leader ? 0 : 1;
      if (each.leader)
        ++loads[each.leader->value].leaders;
      for (const auto replica : each.replicas)
        ++loads[replica.value].replicas;
    }

  document doc;
  doc.add("cluster", "CLUSTER", to_string(layout.cluster));
  doc.add("controller", "CONTROLLER", layout.controller ? value(layout.controller->value) : value(),
          kind::number);
  doc.add("software", "SOFTWARE", software);
  doc.add("metadata_version", "METADATA", layout.version, kind::number);
  doc.add("topics", "TOPICS", static_cast<std::int64_t>(layout.topics.size()), kind::number);
  doc.add("partitions", "PARTITIONS", partitions, kind::number);
  doc.add("leaderless_partitions", "LEADERLESS", leaderless, kind::number);
  auto& brokers = doc.tables.emplace_back();
  brokers.key = "brokers";
  brokers.columns = {{"node", "NODE", kind::number},       {"host", "HOST"},
                     {"port", "PORT", kind::number},       {"rack", "RACK"},
                     {"leaders", "LEADERS", kind::number}, {"replicas", "REPLICAS", kind::number},
                     {"is_controller", "CONTROLLER"}};
  for (const auto& broker : layout.brokers) {
    const auto& own = loads[broker.node.value];
    brokers.rows.push_back({broker.node.value, broker.host, int{broker.port}, broker.rack,
                            own.leaders, own.replicas,
                            layout.controller && *layout.controller == broker.node});
  }
  return doc;
}

} // namespace aqueduct::aq
