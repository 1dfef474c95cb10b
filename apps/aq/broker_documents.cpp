#include "apps/aq/broker_documents.hpp"

#include <fmt/format.h>

namespace aqueduct::aq {

namespace {

value list_of(const std::vector<std::int32_t>& nodes) {
  value::list all;
  for (const auto node : nodes)
    all.emplace_back(node);
  return all;
}

value text_or_none(const std::string& text) {
  return text.empty() ? value() : value(text);
}

value list_or_none(const std::vector<std::string>& texts) {
  if (texts.empty())
    return {};
  value::list all;
  for (const auto& text : texts)
    all.emplace_back(text);
  return all;
}

value node_or_none(std::int32_t node) {
  return node < 0 ? value() : value(node);
}

/// A node has no link to itself.
value link_state(const actors::admin_broker& broker, std::int32_t asked) {
  if (broker.node == asked)
    return {};
  return broker.link.is_up ? "up" : "down";
}

value round_trip(const actors::admin_broker& broker) {
  return broker.link.round_trip_ms < 0 ? value() : value(broker.link.round_trip_ms);
}

} // namespace

document brokers_described(const actors::admin_brokers& all) {
  document doc;
  auto& rows = doc.tables.emplace_back();
  rows.key = "brokers";
  rows.columns = {{"node", "NODE", kind::number},
                  {"address", "ADDRESS"},
                  {"rack", "RACK"},
                  {"state", "STATE"},
                  {"is_controller", "CONTROLLER"},
                  {"votes", "VOTES", kind::text, true},
                  {"preferred", "PREFERRED", kind::number},
                  {"replicas", "REPLICAS", kind::number},
                  {"leaving", "LEAVING", kind::number},
                  {"link", "LINK"},
                  {"round_trip_ms", "ROUND-TRIP", kind::duration},
                  {"cluster_address", "CLUSTER-ADDRESS", kind::text, true},
                  {"incarnation", "INCARNATION", kind::number, true},
                  {"bytes_sent", "SENT", kind::bytes, true},
                  {"bytes_received", "RECEIVED", kind::bytes, true},
                  {"dropped", "DROPPED", kind::number, true},
                  {"link_error", "LINK-ERROR", kind::text, true}};
  for (const auto& each : all.brokers)
    rows.rows.push_back({each.node, text_or_none(each.address), text_or_none(each.rack), each.state,
                         each.is_controller, each.votes, each.preferred, each.replicas,
                         each.leaving, link_state(each, all.node), round_trip(each),
                         text_or_none(each.cluster_address), each.incarnation, each.link.bytes_sent,
                         each.link.bytes_received, each.link.dropped,
                         text_or_none(each.link.last_error)});
  return doc;
}

document broker_described(const actors::admin_broker& broker, std::int32_t asked) {
  document doc;
  doc.add("node", "NODE", broker.node, kind::number);
  doc.add("state", "STATE", broker.state);
  doc.add("address", "ADDRESS", text_or_none(broker.address));
  doc.add("cluster_address", "CLUSTER-ADDRESS", text_or_none(broker.cluster_address));
  doc.add("listeners", "LISTENERS", list_or_none(broker.listeners));
  doc.add("rack", "RACK", text_or_none(broker.rack));
  doc.add("incarnation", "INCARNATION", broker.incarnation, kind::number);
  doc.add("is_controller", "CONTROLLER", broker.is_controller);
  doc.add("votes", "VOTES", broker.votes);
  doc.add("preferred", "PREFERRED", broker.preferred, kind::number);
  doc.add("replicas", "REPLICAS", broker.replicas, kind::number);
  doc.add("leaving", "LEAVING", broker.leaving, kind::number);
  doc.add("seen_from", "SEEN-FROM", asked, kind::number);
  doc.add("link", "LINK", link_state(broker, asked));
  doc.add("round_trip_ms", "ROUND-TRIP", round_trip(broker), kind::duration);
  doc.add("bytes_sent", "SENT", broker.link.bytes_sent, kind::bytes);
  doc.add("bytes_received", "RECEIVED", broker.link.bytes_received, kind::bytes);
  doc.add("dropped", "DROPPED", broker.link.dropped, kind::number);
  doc.add("link_error", "LINK-ERROR", text_or_none(broker.link.last_error));
  return doc;
}

document moves_described(const std::vector<actors::admin_move>& moves, bool was_done) {
  document doc;
  doc.add("moves_total", "MOVES", static_cast<std::uint64_t>(moves.size()), kind::number);
  doc.add("done", "DONE", was_done);
  auto& rows = doc.tables.emplace_back();
  rows.key = "moves";
  rows.columns = {
      {"topic", "TOPIC"}, {"partition", "PARTITION", kind::number}, {"from", "FROM"}, {"to", "TO"}};
  for (const auto& each : moves)
    rows.rows.push_back({each.topic, each.partition, list_of(each.from), list_of(each.to)});
  return doc;
}

std::string name_of(const actors::admin_group& group) {
  return group.topic.empty() ? "controller" : fmt::format("{}:{}", group.topic, group.partition);
}

std::uint64_t lag_of(const actors::admin_group& group, const actors::admin_follower& follower) {
  return group.last > follower.match ? group.last - follower.match : 0;
}

document groups_described(const actors::admin_groups& groups) {
  document doc;
  table states;
  states.key = "groups";
  states.columns = {{"group", "GROUP"},
                    {"role", "ROLE"},
                    {"term", "TERM", kind::number},
                    {"leader", "LEADER", kind::number},
                    {"first", "FIRST", kind::number},
                    {"last", "LAST", kind::number},
                    {"commit", "COMMIT", kind::number},
                    {"applied", "APPLIED", kind::number},
                    {"voters", "VOTERS"},
                    {"learners", "LEARNERS"},
                    {"error", "ERROR"},
                    {"hibernating", "HIBERNATING", kind::text, true}};
  table followers;
  followers.key = "followers";
  followers.columns = {{"group", "GROUP"},
                       {"node", "FOLLOWER", kind::number},
                       {"learner", "LEARNER"},
                       {"mode", "MODE"},
                       {"match", "MATCH", kind::number},
                       {"lag", "LAG", kind::number},
                       {"incarnation", "INCARNATION", kind::number, true}};
  for (const auto& each : groups.groups) {
    if (!each.error.empty() || each.role == "asleep") {
      states.rows.push_back({name_of(each), text_or_none(each.role), value(), value(), value(),
                             value(), value(), value(), value::list{}, value::list{},
                             text_or_none(each.error), value()});
      continue;
    }
    states.rows.push_back({name_of(each), each.role, each.term, node_or_none(each.leader),
                           each.first, each.last, each.commit, each.applied, list_of(each.voters),
                           list_of(each.learners), value(), each.is_hibernating});
    for (const auto& follower : each.followers)
      followers.rows.push_back({name_of(each), follower.node, follower.is_learner, follower.mode,
                                follower.match, lag_of(each, follower), follower.incarnation});
  }
  doc.tables = {std::move(states), std::move(followers)};
  return doc;
}

} // namespace aqueduct::aq
