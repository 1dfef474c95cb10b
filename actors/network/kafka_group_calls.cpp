#include "actors/network/kafka_group_calls.hpp"

#include "protocol/sentence.hpp"

#include <algorithm>
#include <utility>

namespace aqueduct::actors::network {

namespace {

namespace kafka = protocol::kafka;
using kafka::error_code;
using kafka::number_of;

/// A copy in memory of its own: what members say of themselves is kept for long, and must not keep
/// the read that it came with.
buffer kept(const buffer& bytes) {
  return buffer::copy_of(bytes.bytes());
}

using coordinator = kafka::find_coordinator_response::coordinator_entry;

coordinator nobody(std::string key, error_code code, std::string why) {
  return {std::move(key), -1, "", -1, number_of(code), std::move(why)};
}

coordinator describe_coordinator(const front_services& node, const kafka_answer& to,
                                 const std::string& key, const result<std::int32_t>& found) {
  if (!found) {
    auto row =
        nobody(key, error_code::coordinator_not_available, cut_sentence(found.error().message));
    // Clients wait for a coordinator that is not there yet; one that is loading they ask itself.
    if (found.error().code != errc::coordinator_loading)
      row.error_code = to.error(found.error().code);
    return row;
  }
  const auto broker = find_broker(*node.view, *found);
  if (broker && !has_address(*broker))
    return nobody(key, error_code::coordinator_not_available, no_listener(*node.view, *found));
  if (broker)
    return {key, broker->node, broker->host, broker->port, 0, std::nullopt};
  return nobody(key, error_code::coordinator_not_available,
                "the coordinator of the group is not registered");
}

} // namespace

void serve_kafka(const kafka_request& request, const front_services& node,
                 kafka::find_coordinator_request message) {
  constexpr std::int8_t of_group = 0;
  constexpr std::int16_t many_since = 4;
  const bool many = request.version() >= many_since;
  if (!many)
    message.coordinator_keys = {message.key};
  const auto call = std::make_shared<kafka_group_call<kafka::find_coordinator_response>>(request);
  auto& rows = call->response.coordinators;
  for (const auto& key : message.coordinator_keys)
    rows.push_back(nobody(key, error_code::coordinator_not_available,
                          message.key_type == of_group
                              ? "the coordinator of the group is not known"
                              : "there are no transactions and no share groups yet"));
  const auto fill_first = [many](kafka::find_coordinator_response& response) {
    if (many || response.coordinators.empty())
      return;
    auto& only = response.coordinators.front();
    response.error_code = only.error_code;
    response.error_message = only.error_message;
    response.node_id = only.node_id;
    response.host = only.host;
    response.port = only.port;
  };
  fill_first(call->response);
  if (message.key_type != of_group) {
    call->expect(0);
    return;
  }
  call->expect(rows.size());
  for (std::size_t i = 0; i < message.coordinator_keys.size(); ++i)
    node.groups->find(
        message.coordinator_keys[i], [call, i, node, fill_first, key = message.coordinator_keys[i]](
                                         const result<std::int32_t>& found) {
          call->take([&](auto& response) {
            response.coordinators[i] = describe_coordinator(node, call->answer(), key, found);
            fill_first(response);
          });
        });
}

void serve_kafka(const kafka_request& request, const front_services& node,
                 kafka::join_group_request message) {
  constexpr std::int16_t own_rebalance_timeout_since = 1;
  constexpr std::int16_t member_id_first_since = 4;
  constexpr std::int16_t skipping_since = 9;
  const auto version = request.version();
  join_call join;
  join.group = message.group_id;
  join.member = std::move(message.member_id);
  join.instance = message.group_instance_id.value_or("");
  join.client_id = request.client_id;
  // As Kafka's tools print it, without the port.
  join.client_host = "/" + request.client->peer().substr(0, request.client->peer().rfind(':'));
  join.protocol_type = std::move(message.protocol_type);
  for (auto& protocol : message.protocols)
    join.protocols.push_back({std::move(protocol.name), kept(protocol.metadata)});
  join.session_timeout_ms = message.session_timeout_ms;
  join.rebalance_timeout_ms = version >= own_rebalance_timeout_since ? message.rebalance_timeout_ms
                                                                     : message.session_timeout_ms;
  join.needs_member_id = version >= member_id_first_since;
  join.knows_skipping = version >= skipping_since;
  const auto call = make_group_call<kafka::join_group_response>(request);
  call->response.member_id = join.member;
  join.done = [call](join_answer from) {
    call->take([&](auto& response) {
      response.error_code = call->answer().error(from.error);
      response.member_id = std::move(from.member);
      if (from.error != errc::none)
        return;
      response.generation_id = from.generation;
      response.protocol_type = std::move(from.protocol_type);
      response.protocol_name = std::move(from.protocol);
      response.leader = std::move(from.leader);
      response.skip_assignment = from.skips_assignment;
      for (auto& member : from.members) {
        auto& row = response.members.emplace_back();
        row.member_id = std::move(member.id);
        if (!member.instance.empty())
          row.group_instance_id = std::move(member.instance);
        row.metadata = std::move(member.metadata);
      }
    });
  };
  node.groups->ask(message.group_id, {std::move(join)});
}

void serve_kafka(const kafka_request& request, const front_services& node,
                 kafka::sync_group_request message) {
  sync_call sync;
  sync.group = message.group_id;
  sync.who = {std::move(message.member_id), message.group_instance_id.value_or(""),
              message.generation_id};
  sync.protocol_type = message.protocol_type.value_or("");
  sync.protocol = message.protocol_name.value_or("");
  for (auto& each : message.assignments)
    sync.assignments.push_back({std::move(each.member_id), kept(each.assignment)});
  const auto call = make_group_call<kafka::sync_group_response>(request);
  sync.done = [call](sync_answer from) {
    call->take([&](auto& response) {
      response.error_code = call->answer().error(from.error);
      if (from.error != errc::none)
        return;
      response.protocol_type = std::move(from.protocol_type);
      response.protocol_name = std::move(from.protocol);
      response.assignment = std::move(from.assignment);
    });
  };
  node.groups->ask(message.group_id, {std::move(sync)});
}

void serve_kafka(const kafka_request& request, const front_services& node,
                 kafka::heartbeat_request message) {
  heartbeat_call beat;
  beat.group = message.group_id;
  beat.who = {std::move(message.member_id), message.group_instance_id.value_or(""),
              message.generation_id};
  const auto call = make_group_call<kafka::heartbeat_response>(request);
  beat.done = [call](const heartbeat_answer& from) {
    call->take([&](auto& response) { response.error_code = call->answer().error(from.error); });
  };
  node.groups->ask(message.group_id, {std::move(beat)});
}

void serve_kafka(const kafka_request& request, const front_services& node,
                 kafka::leave_group_request message) {
  constexpr std::int16_t many_since = 3;
  const bool many = request.version() >= many_since;
  if (!many)
    message.members.push_back({message.member_id, std::nullopt, std::nullopt});
  leave_call leave;
  leave.group = message.group_id;
  const auto call = make_group_call<kafka::leave_group_response>(request);
  for (const auto& member : message.members) {
    leave.members.push_back({member.member_id, member.group_instance_id.value_or(""), -1});
    call->response.members.push_back({member.member_id, member.group_instance_id, 0});
  }
  leave.done = [call, many](const leave_answer& from) {
    call->take([&](auto& response) {
      response.error_code = call->answer().error(from.error);
      for (std::size_t i = 0; i < response.members.size() && i < from.members.size(); ++i)
        response.members[i].error_code = call->answer().error(from.members[i]);
      if (!many && from.error == errc::none && !response.members.empty())
        response.error_code = response.members.front().error_code;
    });
  };
  node.groups->ask(message.group_id, {std::move(leave)});
}

} // namespace aqueduct::actors::network
