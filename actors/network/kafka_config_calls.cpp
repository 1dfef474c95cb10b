#include "actors/network/kafka_config_calls.hpp"

#include "actors/network/kafka_change.hpp"
#include "actors/network/topic_lookup.hpp"
#include "config/topic_model.hpp"

#include <caf/send.hpp>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace aqueduct::actors::network {

namespace {

namespace kafka = protocol::kafka;

/// What settings can belong to.
enum class resource : std::int8_t { topic = 2, broker = 4 };
/// Where a value comes from.
enum class source : std::int8_t { topic = 1, broker = 4, preset = 5 };
/// How a value is to be read.
enum class value_type : std::int8_t { boolean = 1, string = 2, integer = 3, long_integer = 5 };

using settings = std::vector<protocol::topic_setting>;
using described = kafka::describe_configs_response::result_entry;
using described_row = described::config_entry;

error not_served(std::int8_t type) {
  return {errc::invalid_request, "settings of resources of type " + std::to_string(type) +
                                     " are not known; topics are 2, brokers 4"};
}

std::int8_t type_of(const config::topic_setting_view& setting) {
  const bool is_number = setting.type != "choice" && setting.type != "text";
  return static_cast<std::int8_t>(is_number ? value_type::long_integer : value_type::string);
}

described_row describe(const config::topic_setting_view& setting, bool synonyms, bool documents) {
  described_row row;
  row.name = setting.key;
  row.value = setting.value;
  row.config_source = static_cast<std::int8_t>(setting.overridden ? source::topic : source::preset);
  row.config_type = type_of(setting);
  if (documents)
    row.documentation = setting.documentation;
  if (synonyms) {
    if (setting.overridden)
      row.synonyms.push_back({setting.key, setting.value, static_cast<std::int8_t>(source::topic)});
    row.synonyms.push_back(
        {setting.key, setting.default_value, static_cast<std::int8_t>(source::preset)});
  }
  return row;
}

/// What tools look at of a broker.
std::vector<described_row> describe_broker(const front_services& node) {
  std::vector<described_row> rows;
  const auto add = [&](std::string name, std::string value, value_type type) {
    auto& row = rows.emplace_back();
    row.name = std::move(name);
    row.value = std::move(value);
    row.read_only = true;
    row.config_source = static_cast<std::int8_t>(source::broker);
    row.config_type = static_cast<std::int8_t>(type);
  };
  add("auto.create.topics.enable", node.live->auto_create ? "true" : "false", value_type::boolean);
  add("broker.id", std::to_string(node.node), value_type::integer);
  add("log.dirs", node.data_dir, value_type::string);
  add("message.max.bytes", std::to_string(node.live->topic_defaults.load()->message_bytes_max),
      value_type::integer);
  add("socket.request.max.bytes", std::to_string(node.limits.frame_bytes_max), value_type::integer);
  return rows;
}

/// Changes that make settings that were `present` those of `wanted`.
settings
replace_all(const settings& present,
            const std::vector<kafka::alter_configs_request::resource_entry::config_entry>& wanted) {
  settings changes;
  for (const auto& setting : wanted)
    changes.push_back({setting.name, setting.value});
  for (const auto& one : present)
    if (std::ranges::find(changes, one.name, &protocol::topic_setting::name) == changes.end())
      changes.push_back({one.name, std::nullopt});
  return changes;
}

/// Whether nothing would be set: what broker-wide settings there are is in the node's file.
bool only_removes(const settings& changes) {
  return std::ranges::none_of(changes, [](const auto& one) { return one.value.has_value(); });
}

error fixed_in_file() {
  return {errc::invalid_request,
          "settings of brokers are in their configuration files; this request cannot change them"};
}

using increment = kafka::incremental_alter_configs_request::resource_entry::config_entry;

result<settings> increments(const std::vector<increment>& wanted) {
  constexpr std::int8_t set = 0;
  constexpr std::int8_t remove = 1;
  settings changes;
  for (const auto& setting : wanted) {
    if (setting.config_operation != set && setting.config_operation != remove)
      return unexpected(errc::invalid_config, "setting '" + setting.name +
                                                  "' is no list: it can be set or deleted, "
                                                  "nothing can be added to it or taken from it");
    if (setting.config_operation == set && !setting.value)
      return unexpected(errc::invalid_config, "setting '" + setting.name + "' has no value");
    // As Kafka has it: what nobody can have set is gone already.
    if (setting.config_operation == remove && !config::topic_model().find(setting.name))
      continue;
    changes.push_back(
        {setting.name, setting.config_operation == set ? setting.value : std::nullopt});
  }
  return changes;
}

/// Asks the controller for the changes of each resource that `changes_of` finds no fault with.
template <class Response, class Request, class F>
void alter(const kafka_request& request, const front_services& node, const Request& message,
           F changes_of) {
  using row = typename decltype(Response::responses)::value_type;
  using base = kafka_changes_call<Response, row>;
  struct call : base {
    using base::answer;
    using base::arrived;
    using base::base;
    using base::expect;
    using base::response;
  };
  const auto to = std::make_shared<call>(request);
  auto& rows = to->response.responses;
  rows.resize(message.resources.size());
  std::vector<std::pair<protocol::alter_topic_request, row*>> asked;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto& resource = message.resources[i];
    rows[i].resource_type = resource.resource_type;
    rows[i].resource_name = resource.resource_name;
    const auto refuse = [&](const error& why) { say_refused(to->answer(), rows[i], why); };
    if (resource.resource_type == static_cast<std::int8_t>(resource::broker)) {
      // Tools that move replicas take the throttles away that Kafka would have had on its brokers.
      if (const auto changes = changes_of({}, resource); !changes)
        refuse(changes.error());
      else if (!only_removes(*changes))
        refuse(fixed_in_file());
      continue;
    }
    if (resource.resource_type != static_cast<std::int8_t>(resource::topic)) {
      refuse(not_served(resource.resource_type));
      continue;
    }
    const auto topic = node.directory->find(resource.resource_name);
    if (!topic) {
      refuse(no_such_topic(resource.resource_name));
      continue;
    }
    auto changes = changes_of(topic->record.overrides, resource);
    if (!changes) {
      refuse(changes.error());
      continue;
    }
    if (changes->empty())
      continue;
    protocol::alter_topic_request change;
    change.name = resource.resource_name;
    change.settings = std::move(*changes);
    change.validate_only = message.validate_only;
    asked.emplace_back(std::move(change), &rows[i]);
  }
  to->expect(asked.size());
  for (auto& [change, its_row] : asked)
    caf::anon_send(node.controller, controller_call{alter_topic_call{
                                        std::move(change), base::sink_for(to, *its_row)}});
}

} // namespace

void serve_kafka(const kafka_request& request, const front_services& node,
                 kafka::describe_configs_request message) {
  kafka::describe_configs_response response;
  for (const auto& asked : message.resources) {
    auto& to = response.results.emplace_back();
    to.resource_type = asked.resource_type;
    to.resource_name = asked.resource_name;
    if (asked.resource_type == static_cast<std::int8_t>(resource::topic)) {
      const auto topic = node.directory->find(asked.resource_name);
      if (!topic) {
        say_refused(request.answer, to, no_such_topic(asked.resource_name));
        continue;
      }
      for (const auto& setting :
           config::describe_topic(*node.live->topic_defaults.load(), overrides_of(topic->record)))
        to.configs.push_back(
            describe(setting, message.include_synonyms, message.include_documentation));
    } else if (asked.resource_type != static_cast<std::int8_t>(resource::broker)) {
      say_refused(request.answer, to, not_served(asked.resource_type));
    } else if (asked.resource_name.empty()) {
      // Nothing is set for all brokers alike.
    } else if (asked.resource_name == std::to_string(node.node)) {
      to.configs = describe_broker(node);
    } else {
      say_refused(request.answer, to,
                  {errc::invalid_request, "this is broker " + std::to_string(node.node) +
                                              "; ask broker '" + asked.resource_name + "' itself"});
    }
    if (const auto& keys = asked.configuration_keys)
      std::erase_if(to.configs,
                    [&](const auto& row) { return !std::ranges::count(*keys, row.name); });
  }
  request.respond(response);
}

void serve_kafka(const kafka_request& request, const front_services& node,
                 kafka::alter_configs_request message) {
  alter<kafka::alter_configs_response>(
      request, node, message, [](const settings& present, const auto& resource) {
        return result<settings>(replace_all(present, resource.configs));
      });
}

void serve_kafka(const kafka_request& request, const front_services& node,
                 kafka::incremental_alter_configs_request message) {
  alter<kafka::incremental_alter_configs_response>(
      request, node, message, [](const settings& /*present*/, const auto& resource) {
        return increments(resource.configs);
      });
}

} // namespace aqueduct::actors::network
