#include "actors/network/kafka_topic_calls.hpp"

#include "actors/network/kafka_change.hpp"
#include "actors/network/topic_lookup.hpp"

#include <caf/send.hpp>

#include <algorithm>
#include <map>
#include <vector>

namespace aqueduct::actors::network {

namespace {

namespace kafka = protocol::kafka;
using kafka::error_code;
using kafka::number_of;

/// "The broker's default"; what the native protocol means by it too.
constexpr std::int32_t default_count = -1;

// -- create ---------------------------------------------------------------------------------------

using created_row = kafka::create_topics_response::topic_entry;

class create_topics_call : public kafka_changes_call<kafka::create_topics_response, created_row> {
public:
  create_topics_call(const kafka_request& request, const front_services& node,
                     kafka::create_topics_request message)
      : kafka_changes_call(request), node_(node), message_(std::move(message)) {}

  static void start(const std::shared_ptr<create_topics_call>& self) {
    auto& rows = self->response.topics;
    auto& topics = self->message_.topics;
    rows.resize(topics.size());
    std::map<std::string_view, int> times_named;
    for (const auto& topic : topics)
      ++times_named[topic.name];
    std::vector<std::size_t> asked;
    for (std::size_t i = 0; i < topics.size(); ++i) {
      rows[i].name = topics[i].name;
      if (times_named[topics[i].name] > 1)
        say_refused(self->answer(), rows[i],
                    {errc::invalid_request, "the topic is named twice in the request"});
      else if (!topics[i].assignments.empty())
        self->refuse_assignment(rows[i]);
      else
        asked.push_back(i);
    }
    self->expect(asked.size());
    for (const auto i : asked)
      caf::anon_send(self->node_.controller,
                     controller_call{create_topic_call{self->native(i), sink_for(self, rows[i])}});
  }

private:
  static void refuse_assignment(created_row& row) {
    row.error_code = number_of(error_code::invalid_replica_assignment);
    row.error_message = "the brokers of a new topic are chosen by the cluster";
  }

  [[nodiscard]] protocol::create_topic_request native(std::size_t number) const {
    const auto& topic = message_.topics[number];
    protocol::create_topic_request create;
    create.name = topic.name;
    create.partitions = topic.num_partitions;
    create.replication = topic.replication_factor;
    for (const auto& setting : topic.configs)
      create.settings.push_back({setting.name, setting.value});
    create.validate_only = message_.validate_only;
    create.timeout_ms = message_.timeout_ms;
    return create;
  }

  void succeeded(created_row& row, const topic_outcome& change) override {
    row.topic_id = change.id;
    row.num_partitions = change.partitions;
    row.replication_factor = change.replication;
    const auto& topic = message_.topics[static_cast<std::size_t>(&row - response.topics.data())];
    config::topic_overrides overrides;
    for (const auto& setting : topic.configs)
      if (setting.value)
        overrides.emplace_back(setting.name, *setting.value);
    row.configs.emplace();
    for (auto& setting : config::describe_topic(*node_.live->topic_defaults.load(), overrides))
      row.configs->push_back({std::move(setting.key), std::move(setting.value), false,
                              static_cast<std::int8_t>(setting.overridden ? 1 : 5), false});
  }

  front_services node_;
  kafka::create_topics_request message_;
};

// -- other changes --------------------------------------------------------------------------------

using deleted_row = kafka::delete_topics_response::response_entry;
using delete_topics_call = kafka_changes_call<kafka::delete_topics_response, deleted_row>;

using grown_row = kafka::create_partitions_response::result_entry;
using create_partitions_call = kafka_changes_call<kafka::create_partitions_response, grown_row>;

/// A call whose answer needs what `expect` of the base counts.
template <class Call>
class startable : public Call {
public:
  using Call::answer;
  using Call::arrived;
  using Call::Call;
  using Call::expect;
  using Call::response;
};

// -- questions to partitions ----------------------------------------------------------------------

class delete_records_call : public kafka_call<kafka::delete_records_response>, public query_sink {
public:
  using row = kafka::delete_records_response::topic_entry::partition_entry;

  using kafka_call::kafka_call;

  void start(const front_services& node, const kafka::delete_records_request& message,
             const std::shared_ptr<delete_records_call>& self) {
    const auto deadline = node.env->steady_ms() + std::max(message.timeout_ms, 1);
    std::vector<std::pair<std::shared_ptr<partition_route>, std::int64_t>> questions;
    response.topics.resize(message.topics.size());
    for (std::size_t t = 0; t < message.topics.size(); ++t) {
      const auto& topic = message.topics[t];
      auto& rows = response.topics[t].partitions;
      response.topics[t].name = topic.name;
      rows.resize(topic.partitions.size());
      topic_lookup lookup(*node.directory, topic.name);
      for (std::size_t p = 0; p < rows.size(); ++p) {
        rows[p].partition_index = topic.partitions[p].partition_index;
        rows[p].low_watermark = -1;
        auto found = lookup.partition(rows[p].partition_index);
        rows[p].error_code = answer().error(found.route ? errc::timed_out : found.why.code);
        if (!found.route)
          continue;
        slots_.push_back(&rows[p]);
        questions.emplace_back(std::move(found.route), topic.partitions[p].offset);
      }
    }
    expect(questions.size());
    for (std::uint32_t slot = 0; slot < questions.size(); ++slot)
      caf::anon_send(questions[slot].first->handle,
                     partition_call{trim_item{self, slot, questions[slot].second, deadline}});
  }

  void trimmed(std::uint32_t slot, trim_outcome outcome) override {
    slots_[slot]->error_code = answer().error(outcome.error);
    slots_[slot]->low_watermark = outcome.log_start;
    arrived();
  }
  void found_offset(std::uint32_t, offset_outcome) override {}
  void described(std::uint32_t, describe_outcome) override {}

private:
  std::vector<row*> slots_;
};

class log_dirs_call : public kafka_call<kafka::describe_log_dirs_response>, public query_sink {
public:
  using row = kafka::describe_log_dirs_response::result_entry::topic_entry::partition_entry;

  using kafka_call::kafka_call;

  void start(const front_services& node, const kafka::describe_log_dirs_request& message,
             const std::shared_ptr<log_dirs_call>& self) {
    auto& directory = response.results.emplace_back();
    directory.log_dir = node.data_dir;
    std::vector<std::shared_ptr<partition_route>> here;
    const auto add = [&](const topic_route& topic, const std::vector<std::int32_t>* wanted) {
      auto& rows = directory.topics.emplace_back();
      rows.name = topic.record.name;
      for (std::size_t i = 0; i < topic.partitions.size(); ++i) {
        const auto number = static_cast<std::int32_t>(i);
        if (!topic.partitions[i]->handle ||
            (wanted != nullptr && !wanted->empty() && !std::ranges::count(*wanted, number)))
          continue;
        rows.partitions.push_back({number, 0, 0, false});
        here.push_back(topic.partitions[i]);
      }
    };
    if (message.topics) {
      for (const auto& asked : *message.topics)
        if (const auto topic = node.directory->find(asked.topic))
          add(*topic, &asked.partitions);
    } else {
      for (const auto& topic : node.directory->all())
        add(*topic, nullptr);
    }
    std::erase_if(directory.topics, [](const auto& topic) { return topic.partitions.empty(); });
    for (auto& topic : directory.topics)
      for (auto& partition : topic.partitions)
        slots_.push_back(&partition);
    expect(here.size());
    for (std::uint32_t slot = 0; slot < here.size(); ++slot)
      caf::anon_send(here[slot]->handle, partition_call{describe_item{self, slot}});
  }

  void described(std::uint32_t slot, describe_outcome outcome) override {
    slots_[slot]->partition_size = outcome.size_bytes;
    arrived();
  }
  void found_offset(std::uint32_t, offset_outcome) override {}
  void trimmed(std::uint32_t, trim_outcome) override {}

private:
  std::vector<row*> slots_;
};

} // namespace

void serve_kafka(const kafka_request& request, const front_services& node,
                 kafka::create_topics_request message) {
  create_topics_call::start(
      std::make_shared<create_topics_call>(request, node, std::move(message)));
}

void serve_kafka(const kafka_request& request, const front_services& node,
                 kafka::delete_topics_request message) {
  const auto call = std::make_shared<startable<delete_topics_call>>(request);
  for (auto& name : message.topic_names)
    message.topics.push_back({std::move(name), {}});
  auto& rows = call->response.responses;
  rows.resize(message.topics.size());
  std::vector<std::size_t> asked;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    auto& topic = message.topics[i];
    if (!topic.name)
      topic.name = node.directory->name_of(topic.topic_id);
    rows[i].topic_id = topic.topic_id;
    rows[i].name = topic.name;
    if (topic.name)
      asked.push_back(i);
    else
      rows[i].error_code = number_of(error_code::unknown_topic_id);
  }
  call->expect(asked.size());
  for (const auto i : asked) {
    protocol::delete_topic_request remove;
    remove.name = *message.topics[i].name;
    remove.timeout_ms = message.timeout_ms;
    caf::anon_send(node.controller,
                   controller_call{delete_topic_call{std::move(remove),
                                                     delete_topics_call::sink_for(call, rows[i])}});
  }
}

void serve_kafka(const kafka_request& request, const front_services& node,
                 kafka::create_partitions_request message) {
  const auto call = std::make_shared<startable<create_partitions_call>>(request);
  auto& rows = call->response.results;
  rows.resize(message.topics.size());
  std::vector<std::size_t> asked;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto& topic = message.topics[i];
    rows[i].name = topic.name;
    const auto route = node.directory->find(topic.name);
    const auto present = route ? static_cast<std::int32_t>(route->partitions.size()) : 0;
    if (topic.assignments) {
      rows[i].error_code = number_of(error_code::invalid_replica_assignment);
      rows[i].error_message = "the brokers of new partitions are chosen by the cluster";
    } else if (route && (topic.count == present || topic.count == default_count)) {
      say_refused(call->answer(), rows[i],
                  {errc::invalid_partitions,
                   "the topic has " + std::to_string(present) + " partitions; ask for more"});
    } else {
      asked.push_back(i);
    }
  }
  call->expect(asked.size());
  for (const auto i : asked) {
    protocol::alter_topic_request grow;
    grow.name = message.topics[i].name;
    grow.partitions = message.topics[i].count;
    grow.validate_only = message.validate_only;
    grow.timeout_ms = message.timeout_ms;
    caf::anon_send(node.controller,
                   controller_call{alter_topic_call{
                       std::move(grow), create_partitions_call::sink_for(call, rows[i])}});
  }
}

void serve_kafka(const kafka_request& request, const front_services& node,
                 kafka::delete_records_request message) {
  const auto call = std::make_shared<delete_records_call>(request);
  call->start(node, message, call);
}

void serve_kafka(const kafka_request& request, const front_services& node,
                 kafka::describe_log_dirs_request message) {
  const auto call = std::make_shared<log_dirs_call>(request);
  call->start(node, message, call);
}

void serve_kafka(const kafka_request& request, const front_services& node,
                 kafka::describe_cluster_request message) {
  constexpr std::int8_t brokers = 1;
  kafka::describe_cluster_response response;
  response.endpoint_type = message.endpoint_type;
  response.cluster_authorized_operations = kafka::operations_unknown;
  if (message.endpoint_type != brokers) {
    response.error_code = number_of(error_code::unsupported_endpoint_type);
    response.error_message = "there are brokers only, none of which is only a controller";
    request.respond(response);
    return;
  }
  response.controller_id = node.node;
  if (const auto view = node.view->load()) {
    response.cluster_id = to_string(view->id);
    for (const auto& broker : message.include_fenced_brokers ? view->registered : view->brokers) {
      if (!has_address(broker))
        continue;
      auto& row = response.brokers.emplace_back();
      row.broker_id = broker.node;
      row.host = broker.host;
      row.port = broker.port;
      row.is_fenced = broker.fenced;
      if (!broker.rack.empty())
        row.rack = broker.rack;
      if (broker.node == view->controller)
        response.controller_id = view->controller;
    }
  }
  request.respond(response);
}

} // namespace aqueduct::actors::network
