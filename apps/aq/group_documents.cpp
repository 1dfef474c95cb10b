#include "apps/aq/group_documents.hpp"

#include <algorithm>

namespace aqueduct::aq {

namespace {

value offset_of(const std::optional<offset_t>& offset) {
  return offset ? value(offset->value) : value();
}

void add_lags(document& doc, std::span<const client::group_lag> rows) {
  auto& lags = doc.tables.emplace_back();
  lags.key = "partitions";
  lags.columns = {{"topic", "TOPIC"},
                  {"partition", "PARTITION", kind::number},
                  {"offset", "OFFSET", kind::number},
                  {"end", "END", kind::number},
                  {"lag", "LAG", kind::number},
                  {"lag_ms", "BEHIND", kind::duration},
                  {"member", "MEMBER"}};
  for (const auto& row : rows)
    lags.rows.push_back({row.partition.topic, row.partition.partition.value, offset_of(row.offset),
                         row.end.value, row.records,
                         row.records == 0 ? value(0)
                         : row.time       ? value(std::int64_t{row.time->count()})
                                          : value(),
                         row.member_id.empty() ? value() : value(row.member_id)});
}

void add_members(document& doc, const client::group_description& group) {
  auto& members = doc.tables.emplace_back();
  members.key = "members";
  members.columns = {{"member", "MEMBER"},
                     {"instance", "INSTANCE"},
                     {"client", "CLIENT"},
                     {"host", "HOST"},
                     {"partitions", "PARTITIONS", kind::number},
                     {"topics", "TOPICS"},
                     {"session_ms", "SESSION", kind::duration, true},
                     {"user_data", "USER DATA", kind::text, true}};
  for (const auto& member : group.members) {
    value::list topics;
    for (const auto& topic : member.topics)
      topics.emplace_back(topic);
    members.rows.push_back({member.member_id,
                            member.instance_id.empty() ? value() : value(member.instance_id),
                            member.client_id, member.client_host, member.assigned.size(),
                            std::move(topics), std::int64_t{member.session_timeout.count()},
                            member.user_data.empty() ? value() : value(member.user_data)});
  }
}

} // namespace

document groups_listed(std::span<const client::group_listing> groups) {
  document doc;
  auto& rows = doc.tables.emplace_back();
  rows.key = "groups";
  rows.columns = {{"group", "GROUP"},
                  {"state", "STATE"},
                  {"members", "MEMBERS", kind::number},
                  {"protocol_type", "TYPE", kind::text, true}};
  for (const auto& group : groups)
    rows.rows.push_back({group.group, group.state, group.members, group.protocol_type});
  return doc;
}

document group_described(const client::group_description& group,
                         std::span<const client::group_lag> lag) {
  document doc;
  doc.add("group", "Group", group.group);
  doc.add("state", "State", group.state);
  doc.add("generation", "Generation", group.generation, kind::number);
  doc.add("assignor", "Assignor", group.assignor.empty() ? value() : value(group.assignor));
  std::int64_t records = 0;
  std::int64_t oldest_ms = 0;
  for (const auto& row : lag) {
    records += row.records;
    oldest_ms = std::max<std::int64_t>(oldest_ms, row.time ? row.time->count() : 0);
  }
  doc.add("lag", "Lag", records, kind::number);
  doc.add("lag_ms", "Behind", oldest_ms, kind::duration);
  add_lags(doc, lag);
  add_members(doc, group);
  return doc;
}

document group_lags(std::span<const client::group_lag> rows) {
  document doc;
  add_lags(doc, rows);
  return doc;
}

document group_members(const client::group_description& group) {
  document doc;
  add_members(doc, group);
  return doc;
}

document offsets_moved(std::span<const client::offset_move> moves) {
  document doc;
  auto& rows = doc.tables.emplace_back();
  rows.key = "offsets";
  rows.columns = {{"topic", "TOPIC"},
                  {"partition", "PARTITION", kind::number},
                  {"from", "FROM", kind::number},
                  {"to", "TO", kind::number}};
  for (const auto& move : moves)
    rows.rows.push_back({move.partition.topic, move.partition.partition.value, offset_of(move.from),
                         move.to.value});
  return doc;
}

} // namespace aqueduct::aq
