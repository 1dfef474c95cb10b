#include "apps/aq/admin_documents.hpp"

#include "protocol/error.hpp"

#include <algorithm>

namespace aqueduct::aq {

namespace {

value time_or_none(std::int64_t time_ms) {
  return time_ms < 0 ? value() : value(time_ms);
}

} // namespace

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
  doc.add("scrubbing", "SCRUBBING", node.is_scrubbing);
  doc.add("scrubbed", "SCRUBBED", time_or_none(node.scrub_last_ms), kind::time);
  doc.add("next_scrub", "NEXT-SCRUB", time_or_none(node.scrub_next_ms), kind::time);
  doc.add("damaged", "DAMAGED", node.damaged, kind::number);
  doc.add("repairs", "REPAIRS", node.repairs, kind::number);
  return doc;
}

document scrub_described(const actors::admin_scrub_status& scrub) {
  document doc;
  doc.add("running", "RUNNING", scrub.is_running);
  doc.add("current", "CURRENT", scrub.current.empty() ? value() : value(scrub.current));
  doc.add("end", "END", scrub.end.empty() ? value() : value(scrub.end));
  doc.add("started", "STARTED", time_or_none(scrub.started_ms), kind::time);
  doc.add("finished", "FINISHED", time_or_none(scrub.finished_ms), kind::time);
  doc.add("groups_total", "GROUPS", scrub.groups_total, kind::number);
  doc.add("groups_done", "DONE", scrub.groups_done, kind::number);
  doc.add("bytes", "READ", scrub.bytes, kind::bytes);
  doc.add("entries", "ENTRIES", scrub.entries, kind::number);
  doc.add("batches", "BATCHES", scrub.batches, kind::number);
  doc.add("scrubbed", "SCRUBBED", time_or_none(scrub.last_complete_ms), kind::time);
  doc.add("next_scrub", "NEXT-SCRUB", time_or_none(scrub.next_ms), kind::time);
  doc.add("damaged", "DAMAGED", static_cast<std::uint64_t>(scrub.damages.size()), kind::number);
  auto& rows = doc.tables.emplace_back();
  rows.key = "damages";
  rows.columns = {{"partition", "PARTITION"},
                  {"status", "STATUS"},
                  {"found", "FOUND", kind::time},
                  {"problem", "PROBLEM"},
                  {"group", "GROUP", kind::text, true}};
  for (const auto& each : scrub.damages)
    rows.rows.push_back({each.name, to_string(static_cast<errc>(each.error)), each.found_ms,
                         each.message, each.group});
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
                  {"damage", "DAMAGE"},
                  {"topic_id", "ID", kind::text, true}};
  for (const auto& each : held.partitions) {
    value::list replicas;
    for (const auto replica : each.replicas)
      replicas.emplace_back(replica);
    rows.rows.push_back({each.topic, each.partition, each.leader < 0 ? value() : value(each.leader),
                         each.epoch, std::move(replicas), each.log_start, each.high_watermark,
                         each.size_bytes, each.error.empty() ? value() : value(each.error),
                         each.damage.empty() ? value() : value(each.damage), each.topic_id});
  }
  return doc;
}

} // namespace aqueduct::aq
