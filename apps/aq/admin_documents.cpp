#include "apps/aq/admin_documents.hpp"

#include <algorithm>

namespace aqueduct::aq {

document node_described(const actors::admin_status& node, timestamp_ms now) {
  document doc;
  doc.add("node", "NODE", node.node, kind::number);
  doc.add("cluster", "CLUSTER", node.cluster);
  doc.add("state", "STATE", node.state);
  doc.add("software", "SOFTWARE", node.software);
  doc.add("address", "ADDRESS", node.address);
  doc.add("data_dir", "DATA", node.data_dir);
  doc.add("started", "STARTED", node.started_ms, kind::time);
  doc.add("uptime_ms", "UPTIME", std::max<std::int64_t>(0, now.value - node.started_ms),
          kind::duration);
  doc.add("controller", "CONTROLLER", node.controller < 0 ? value() : value(node.controller),
          kind::number);
  doc.add("topics", "TOPICS", node.topics, kind::number);
  doc.add("partitions", "PARTITIONS", node.partitions, kind::number);
  doc.add("connections", "CONNECTIONS", node.connections, kind::number);
  doc.add("resident_bytes", "MEMORY", node.resident_bytes, kind::bytes);
  doc.add("cache_bytes", "CACHE", node.cache_bytes, kind::bytes);
  doc.add("disk_free_bytes", "DISK-FREE", node.disk_free_bytes, kind::bytes);
  doc.add("disk_total_bytes", "DISK-TOTAL", node.disk_total_bytes, kind::bytes);
  return doc;
}

document partitions_described(const actors::admin_partitions& held) {
  document doc;
  auto& rows = doc.tables.emplace_back();
  rows.key = "partitions";
  rows.columns = {{"topic", "TOPIC"},
                  {"partition", "PARTITION", kind::number},
                  {"leader", "LEADER", kind::number},
                  {"leader_epoch", "TERM", kind::number},
                  {"replicas", "REPLICAS"},
                  {"log_start", "LOG-START", kind::number},
                  {"high_watermark", "HIGH-WATERMARK", kind::number},
                  {"size_bytes", "SIZE", kind::bytes},
                  {"error", "ERROR"},
                  {"topic_id", "ID", kind::text, true}};
  for (const auto& each : held.partitions) {
    value::list replicas;
    for (const auto replica : each.replicas)
      replicas.emplace_back(replica);
    rows.rows.push_back({each.topic, each.partition, each.leader < 0 ? value() : value(each.leader),
                         each.epoch, std::move(replicas), each.log_start, each.high_watermark,
                         each.size_bytes, each.error.empty() ? value() : value(each.error),
                         each.topic_id});
  }
  return doc;
}

} // namespace aqueduct::aq
