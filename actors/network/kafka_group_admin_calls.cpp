#include "actors/network/kafka_group_calls.hpp"
#include "protocol/sentence.hpp"

#include <caf/send.hpp>

#include <algorithm>
#include <cctype>
#include <utility>
#include <vector>

namespace aqueduct::actors::network {

namespace {

namespace kafka = protocol::kafka;
using kafka::error_code;
using kafka::number_of;

using described_group = kafka::describe_groups_response::group_entry;

void fill_described(const kafka_answer& to, describe_group_answer from, described_group& row) {
  constexpr std::int16_t unknown_is_error_since = 6;
  const bool is_unknown = from.error == errc::unknown_group;
  row.error_code =
      is_unknown && to.version < unknown_is_error_since ? std::int16_t{0} : to.error(from.error);
  if (from.error != errc::none) {
    row.group_state = is_unknown ? to_string(group_phase::dead) : std::string_view();
    row.error_message = cut_sentence(from.message);
    return;
  }
  row.group_state = to_string(from.phase);
  row.protocol_type = std::move(from.group.protocol_type);
  const bool is_stable = from.phase == group_phase::stable;
  row.protocol_data = is_stable ? from.group.protocol : "";
  for (auto& member : from.group.members) {
    auto& to_row = row.members.emplace_back();
    to_row.member_id = std::move(member.id);
    if (!member.instance.empty())
      to_row.group_instance_id = std::move(member.instance);
    to_row.client_id = std::move(member.client_id);
    to_row.client_host = std::move(member.client_host);
    if (!is_stable)
      continue;
    for (auto& protocol : member.protocols)
      if (protocol.name == from.group.protocol)
        to_row.member_metadata = std::move(protocol.metadata);
    to_row.member_assignment = std::move(member.assignment);
  }
}

/// What Kafka calls groups that are joined and synced.
constexpr std::string_view group_type = "classic";

/// Whether a filter lets a value through; an empty one does with all.
bool passes(const std::vector<std::string>& filter, std::string_view value) {
  const auto same = [&](const std::string& wanted) {
    return std::ranges::equal(
        wanted, value, {}, [](char c) { return std::tolower(c); },
        [](char c) { return std::tolower(c); });
  };
  return filter.empty() || std::ranges::any_of(filter, same);
}

} // namespace

void serve_kafka(const kafka_request& request, const front_services& node,
                 kafka::describe_groups_request message) {
  const auto call = std::make_shared<kafka_group_call<kafka::describe_groups_response>>(request);
  auto& rows = call->response.groups;
  rows.resize(message.groups.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    rows[i].group_id = message.groups[i];
    rows[i].error_code = number_of(error_code::coordinator_not_available);
  }
  call->expect(rows.size());
  for (std::size_t i = 0; i < message.groups.size(); ++i) {
    describe_group_call ask;
    ask.group = message.groups[i];
    ask.done = [call, i](describe_group_answer from) {
      call->take([&](auto& response) {
        fill_described(call->answer(), std::move(from), response.groups[i]);
      });
    };
    node.groups->ask(message.groups[i], {std::move(ask)});
  }
}

void serve_kafka(const kafka_request& request, const front_services& node,
                 kafka::list_groups_request message) {
  const auto call = std::make_shared<kafka_group_call<kafka::list_groups_response>>(request);
  const auto coordinators = node.groups->here();
  if (!passes(message.types_filter, group_type)) {
    call->expect(0);
    return;
  }
  call->expect(coordinators.size());
  for (const auto& coordinator : coordinators)
    caf::anon_send(coordinator, group_call{list_groups_call{[call, states = message.states_filter](
                                                                list_groups_answer from) {
                     call->take([&](auto& response) {
                       for (auto& group : from.groups) {
                         const std::string state(to_string(group.phase));
                         if (passes(states, state))
                           response.groups.push_back({std::move(group.id),
                                                      std::move(group.protocol_type), state,
                                                      std::string(group_type)});
                       }
                     });
                   }}});
}

void serve_kafka(const kafka_request& request, const front_services& node,
                 kafka::delete_groups_request message) {
  const auto call = std::make_shared<kafka_group_call<kafka::delete_groups_response>>(request);
  for (const auto& group : message.groups_names)
    call->response.results.push_back({group, number_of(error_code::coordinator_not_available)});
  call->expect(message.groups_names.size());
  for (std::size_t i = 0; i < message.groups_names.size(); ++i) {
    delete_group_call removal;
    removal.group = message.groups_names[i];
    removal.done = [call, i](const delete_group_answer& from) {
      call->take([&](auto& response) {
        response.results[i].error_code = call->answer().error(from.error);
      });
    };
    node.groups->ask(message.groups_names[i], {std::move(removal)});
  }
}

} // namespace aqueduct::actors::network
