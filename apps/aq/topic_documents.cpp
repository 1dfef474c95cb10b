#include "apps/aq/topic_documents.hpp"

namespace aqueduct::aq {

namespace {

value optional_id(const std::optional<node_id>& id) {
  return id ? value(id->value) : value();
}

value id_list(const std::vector<node_id>& ids) {
  value::list list;
  for (const auto id : ids)
    list.emplace_back(id.value);
  return list;
}

value age_of(timestamp_ms oldest, timestamp_ms now) {
  return oldest.value < 0 ? value() : value(std::max<std::int64_t>(0, now.value - oldest.value));
}

} // namespace

document topics_created(std::span<const created_row> topics) {
  document doc;
  auto& rows = doc.tables.emplace_back();
  rows.key = "topics";
  rows.columns = {{"name", "NAME"},
                  {"partitions", "PARTITIONS", kind::number},
                  {"replication", "REPLICAS", kind::number},
                  {"id", "ID"}};
  for (const auto& [name, topic] : topics)
    rows.rows.push_back({name, topic.partitions, int{topic.replication},
                         topic.id.is_nil() ? value() : value(to_string(topic.id))});
  return doc;
}

document topics_listed(std::span<const client::topic_summary> topics) {
  document doc;
  auto& rows = doc.tables.emplace_back();
  rows.key = "topics";
  rows.columns = {{"name", "NAME"},
                  {"partitions", "PARTITIONS", kind::number},
                  {"replication", "REPLICAS", kind::number},
                  {"id", "ID", kind::text, true},
                  {"created", "CREATED", kind::time, true}};
  for (const auto& topic : topics)
    rows.rows.push_back({topic.name, topic.partitions, int{topic.replication}, to_string(topic.id),
                         topic.created.value});
  return doc;
}

document topic_described(const client::topic_description& topic, timestamp_ms now) {
  document doc;
  std::int64_t records = 0;
  std::int64_t bytes = 0;
  for (const auto& each : topic.partitions) {
    records += each.high_watermark.value - each.log_start.value;
    bytes += each.size_bytes;
  }
  doc.add("name", "TOPIC", topic.name);
  doc.add("id", "ID", to_string(topic.id));
  doc.add("replication", "REPLICAS", int{topic.replication}, kind::number);
  doc.add("created", "CREATED", topic.created.value, kind::time);
  doc.add("records", "RECORDS", records, kind::number);
  doc.add("size_bytes", "SIZE", bytes, kind::bytes);

  auto& partitions = doc.tables.emplace_back();
  partitions.key = "partitions";
  partitions.columns = {{"partition", "PARTITION", kind::number},
                        {"leader", "LEADER", kind::number},
                        {"leader_epoch", "TERM", kind::number},
                        {"replicas", "REPLICAS"},
                        {"log_start", "LOG-START", kind::number},
                        {"high_watermark", "HIGH-WATERMARK", kind::number},
                        {"last_stable", "LAST-STABLE", kind::number, true},
                        {"size_bytes", "SIZE", kind::bytes},
                        {"age_ms", "OLDEST", kind::duration},
                        {"error", "ERROR", kind::text, true}};
  for (const auto& each : topic.partitions)
    partitions.rows.push_back({each.partition.value, optional_id(each.leader), each.epoch.value,
                               id_list(each.replicas), each.log_start.value,
                               each.high_watermark.value, each.last_stable.value, each.size_bytes,
                               age_of(each.oldest, now),
                               each.error == errc::none ? value() : value(to_string(each.error))});

  auto& settings = doc.tables.emplace_back();
  settings.key = "settings";
  settings.columns = {{"name", "SETTING"}, {"value", "VALUE"}, {"is_default", "DEFAULT"}};
  for (const auto& each : topic.settings)
    settings.rows.push_back({each.name, each.value, each.is_default});
  return doc;
}

document topic_offsets(const std::string& topic,
                       const std::map<std::int32_t, partition_bounds>& bounds,
                       const std::map<std::int32_t, std::int64_t>& at) {
  document doc;
  auto& rows = doc.tables.emplace_back();
  rows.key = "offsets";
  rows.columns = {{"topic", "TOPIC"},
                  {"partition", "PARTITION", kind::number},
                  {"start", "START", kind::number},
                  {"end", "END", kind::number},
                  {"records", "RECORDS", kind::number}};
  if (!at.empty())
    rows.columns.push_back({"offset", "OFFSET", kind::number});
  for (const auto& [partition, known] : bounds) {
    auto& row = rows.rows.emplace_back(
        std::vector<value>{topic, partition, known.start, known.end, known.end - known.start});
    if (!at.empty())
      row.push_back(at.contains(partition) ? value(at.at(partition)) : value());
  }
  return doc;
}

document topics_lost(std::span<const loss_row> topics) {
  document doc;
  auto& rows = doc.tables.emplace_back();
  rows.key = "topics";
  rows.columns = {{"name", "NAME"},
                  {"partitions", "PARTITIONS", kind::number},
                  {"records", "RECORDS", kind::number},
                  {"size_bytes", "SIZE", kind::bytes},
                  {"silent_partitions", "SILENT-PARTITIONS", kind::number}};
  for (const auto& each : topics)
    rows.rows.push_back(
        {each.topic, each.partitions, each.records, each.size_bytes, each.silent_partitions});
  return doc;
}

document topic_trimmed(const std::string& topic, std::span<const trim_row> rows) {
  document doc;
  auto& table_rows = doc.tables.emplace_back();
  table_rows.key = "partitions";
  table_rows.columns = {{"topic", "TOPIC"},
                        {"partition", "PARTITION", kind::number},
                        {"log_start", "LOG-START", kind::number},
                        {"end", "END", kind::number},
                        {"deleted", "DELETED", kind::number},
                        {"error", "ERROR"}};
  for (const auto& each : rows)
    table_rows.rows.push_back({topic, each.partition, each.before, each.end,
                               std::max<std::int64_t>(0, each.before - each.log_start),
                               each.problem.empty() ? value() : value(each.problem)});
  return doc;
}

} // namespace aqueduct::aq
