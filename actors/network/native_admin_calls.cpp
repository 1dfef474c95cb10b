#include "actors/network/native_admin_calls.hpp"

#include "actors/calls.hpp"
#include "actors/controller/controller_core.hpp"
#include "actors/network/request_cost.hpp"
#include "actors/network/topic_lookup.hpp"
#include "config/topic_config.hpp"

#include <caf/send.hpp>

#include <atomic>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <vector>

namespace aqueduct::actors::network {

namespace {

using protocol::frame_header;

/// A call whose answer needs one outcome per slot.
class gathered_call : public native_call {
public:
  using native_call::native_call;

protected:
  void expect(std::size_t slots) { left_ = slots; }
  /// True for the last of them.
  [[nodiscard]] bool arrived() { return left_.fetch_sub(1) == 1; }

private:
  std::atomic<std::size_t> left_{0};
};

// -- metadata -------------------------------------------------------------------------------------

protocol::topic_metadata describe_route(const topic_route& topic) {
  protocol::topic_metadata row;
  row.name = topic.record.name;
  row.id = topic.record.id;
  for (std::size_t i = 0; i < topic.partitions.size(); ++i) {
    auto& partition = row.partitions.emplace_back();
    partition.partition = static_cast<std::int32_t>(i);
    partition.leader = topic.partitions[i]->leader;
    partition.leader_epoch = topic.partitions[i]->leader_epoch;
    partition.replicas = topic.record.partitions[i].nodes;
    if (partition.leader < 0)
      partition.error = errc::broker_unavailable;
  }
  return row;
}

/// Why topics could not be created, by name.
using creation_errors = std::map<std::string, error>;

protocol::metadata_response build_metadata(const front_services& node,
                                           const protocol::metadata_request& message,
                                           const creation_errors& failed = {}) {
  protocol::metadata_response response;
  if (const auto view = node.view->load()) {
    response.cluster = view->id;
    response.controller = view->controller;
    for (const auto& broker : view->brokers)
      if (has_address(broker))
        response.brokers.push_back({broker.node, broker.host, broker.port, broker.rack});
  }
  response.metadata_version = node.directory->version();
  if (!message.topics) {
    for (const auto& topic : node.directory->all())
      response.topics.push_back(describe_route(*topic));
    return response;
  }
  std::set<std::string_view> seen;
  for (const auto& name : *message.topics) {
    if (!seen.insert(name).second)
      continue;
    if (const auto topic = node.directory->find(name)) {
      response.topics.push_back(describe_route(*topic));
      continue;
    }
    auto& row = response.topics.emplace_back();
    row.name = name;
    if (const auto why = failed.find(name); why != failed.end()) {
      row.error = why->second.code;
      row.message = why->second.message;
      continue;
    }
    row.error = check_topic_name(name) ? errc::unknown_topic : errc::invalid_topic;
  }
  return response;
}

/// Creates the topics that are missing, then answers.
class metadata_call : public gathered_call {
public:
  metadata_call(const native_request& request, const front_services& node,
                protocol::metadata_request message, std::vector<std::string> missing)
      : gathered_call(request),
        node_(node),
        message_(std::move(message)),
        missing_(std::move(missing)),
        errors_(missing_.size()) {
    expect(missing_.size());
    // Of those that exist already as of those that do not.
    std::size_t rows = 0;
    for (const auto& name : *message_.topics)
      if (const auto topic = node_.directory->find(name))
        rows += topic->partitions.size();
    expect_answer(rows * sizeof(protocol::partition_metadata));
  }

  void start(const std::shared_ptr<metadata_call>& self) {
    for (std::size_t i = 0; i < missing_.size(); ++i) {
      protocol::create_topic_request create;
      create.name = missing_[i];
      caf::anon_send(node_.controller,
                     controller_call{create_topic_call{std::move(create),
                                                       std::make_shared<creation>(self, i)}});
    }
  }

private:
  struct creation : topic_sink {
    creation(std::shared_ptr<metadata_call> to, std::size_t slot)
        : call(std::move(to)), number(slot) {}
    void finished(result<topic_outcome> outcome) override {
      call->created(number, std::move(outcome));
    }
    std::shared_ptr<metadata_call> call;
    std::size_t number;
  };

  void created(std::size_t number, const result<topic_outcome>& outcome) {
    // If somebody else created it, it is in the directory, or is gone again.
    if (!outcome && outcome.error().code != errc::topic_exists)
      errors_[number] = outcome.error();
    if (!arrived())
      return;
    creation_errors failed;
    for (std::size_t i = 0; i < errors_.size(); ++i)
      if (errors_[i])
        failed.emplace(missing_[i], std::move(*errors_[i]));
    respond(build_metadata(node_, message_, failed));
  }

  front_services node_;
  protocol::metadata_request message_;
  std::vector<std::string> missing_;
  /// By number of the missing topic, each written by its own creation.
  std::vector<std::optional<error>> errors_;
};

} // namespace

void serve(const native_request& request, const front_services& node,
           protocol::metadata_request message) {
  std::set<std::string> missing;
  if (message.auto_create && node.live->auto_create && message.topics)
    for (const auto& name : *message.topics)
      if (!node.directory->find(name) && check_topic_name(name))
        missing.insert(name);
  if (missing.empty()) {
    native_call(request).respond(build_metadata(node, message));
    return;
  }
  const auto call = std::make_shared<metadata_call>(
      request, node, std::move(message), std::vector<std::string>(missing.begin(), missing.end()));
  call->start(call);
}

void serve(const native_request& request, const front_services& node,
           protocol::controller_discover_request) {
  protocol::controller_discover_response response;
  if (const auto view = node.view->load()) {
    response.node = view->controller;
    for (const auto& broker : view->brokers)
      if (broker.node == view->controller)
        response.address = client_address(broker);
  }
  native_call(request).respond(response);
}

void serve(const native_request& request, const front_services& node,
           protocol::list_topics_request message) {
  protocol::list_topics_response response;
  for (const auto& topic : node.directory->all()) {
    const auto& record = topic->record;
    if (!message.include_internal && record.name.starts_with("__"))
      continue;
    response.topics.push_back({record.name, record.id,
                               static_cast<std::int32_t>(record.partitions.size()),
                               record.replication(), record.created_ms});
  }
  native_call(request).respond(response);
}

// -- one topic ------------------------------------------------------------------------------------

namespace {

class topic_info_call : public gathered_call, public query_sink {
public:
  topic_info_call(const native_request& request, const front_services& node,
                  const topic_route& topic)
      : gathered_call(request) {
    const auto& record = topic.record;
    response_.name = record.name;
    response_.id = record.id;
    response_.replication = record.replication();
    response_.created_ms = record.created_ms;
    for (auto& setting :
         config::describe_topic(*node.live->topic_defaults.load(), overrides_of(record)))
      response_.settings.push_back(
          {std::move(setting.key), std::move(setting.value), !setting.overridden});
    for (std::size_t i = 0; i < topic.partitions.size(); ++i) {
      auto& row = response_.partitions.emplace_back();
      row.partition = static_cast<std::int32_t>(i);
      row.replicas = record.partitions[i].nodes;
      row.leader = topic.partitions[i]->leader;
      row.leader_epoch = topic.partitions[i]->leader_epoch;
      row.error = topic.partitions[i]->handle ? errc::shutting_down : errc::not_leader;
    }
  }

  void start(const topic_route& topic, const std::shared_ptr<topic_info_call>& self) {
    std::size_t here = 0;
    for (const auto& partition : topic.partitions)
      here += partition->handle ? 1 : 0;
    expect(here);
    if (here == 0)
      respond(response_);
    else
      expect_answer(here * item_cost_bytes);
    for (std::uint32_t i = 0; i < topic.partitions.size(); ++i)
      if (topic.partitions[i]->handle)
        caf::anon_send(topic.partitions[i]->handle, partition_call{describe_item{self, i}});
  }

  void described(std::uint32_t slot, describe_outcome outcome) override {
    auto& row = response_.partitions[slot];
    row.error = outcome.error;
    row.leader = outcome.leader;
    row.leader_epoch = outcome.leader_epoch;
    row.log_start = outcome.log_start;
    row.high_watermark = outcome.high_watermark;
    row.last_stable = outcome.last_stable;
    row.size_bytes = outcome.size_bytes;
    row.oldest_ms = outcome.oldest_ms;
    if (arrived())
      respond(response_);
  }
  void found_offset(std::uint32_t, offset_outcome) override {}
  void trimmed(std::uint32_t, trim_outcome) override {}

private:
  protocol::get_topic_info_response response_;
};

template <class Response>
class topic_change_call : public native_call, public topic_sink {
public:
  explicit topic_change_call(const native_request& request) : native_call(request) {}

  void finished(result<topic_outcome> outcome) override {
    if (!outcome) {
      fail(outcome.error());
      return;
    }
    Response response;
    response.id = outcome->id;
    if constexpr (std::is_same_v<Response, protocol::create_topic_response>) {
      response.replication = outcome->replication;
    }
    if constexpr (requires { response.partitions; })
      response.partitions = outcome->partitions;
    respond(response);
  }
};

} // namespace

void serve(const native_request& request, const front_services& node,
           protocol::get_topic_info_request message) {
  const auto topic = node.directory->find(message.name);
  if (!topic) {
    native_call(request).fail(no_such_topic(message.name));
    return;
  }
  const auto call = std::make_shared<topic_info_call>(request, node, *topic);
  call->start(*topic, call);
}

void serve(const native_request& request, const front_services& node,
           protocol::create_topic_request message) {
  auto call = std::make_shared<topic_change_call<protocol::create_topic_response>>(request);
  caf::anon_send(node.controller,
                 controller_call{create_topic_call{std::move(message), std::move(call)}});
}

void serve(const native_request& request, const front_services& node,
           protocol::alter_topic_request message) {
  auto call = std::make_shared<topic_change_call<protocol::alter_topic_response>>(request);
  caf::anon_send(node.controller,
                 controller_call{alter_topic_call{std::move(message), std::move(call)}});
}

void serve(const native_request& request, const front_services& node,
           protocol::delete_topic_request message) {
  auto call = std::make_shared<topic_change_call<protocol::delete_topic_response>>(request);
  caf::anon_send(node.controller,
                 controller_call{delete_topic_call{std::move(message), std::move(call)}});
}

// -- offsets --------------------------------------------------------------------------------------

namespace {

class list_offsets_call : public gathered_call, public query_sink {
public:
  explicit list_offsets_call(const native_request& request) : gathered_call(request) {}

  void start(const front_services& node, const protocol::list_offsets_request& message,
             const std::shared_ptr<list_offsets_call>& self) {
    for (const auto& topic : message.topics) {
      auto& row = response_.topics.emplace_back();
      row.name = topic.name;
      row.partitions.resize(topic.partitions.size());
    }
    struct question {
      std::shared_ptr<partition_route> route;
      std::int64_t timestamp_ms;
    };
    std::vector<question> questions;
    for (std::size_t t = 0; t < message.topics.size(); ++t) {
      const auto& topic = message.topics[t];
      topic_lookup lookup(*node.directory, topic.name);
      for (std::size_t p = 0; p < topic.partitions.size(); ++p) {
        auto& row = response_.topics[t].partitions[p];
        row.partition = topic.partitions[p].partition;
        auto found = lookup.partition(row.partition);
        if (!found.route) {
          row.error = found.why.code;
          row.message = std::move(found.why.message);
          row.leader = found.leader;
          continue;
        }
        row.error = errc::shutting_down;
        slots_.push_back(&row);
        questions.push_back({std::move(found.route), topic.partitions[p].timestamp_ms});
      }
    }
    expect(questions.size());
    if (questions.empty())
      respond(response_);
    for (std::uint32_t slot = 0; slot < questions.size(); ++slot)
      caf::anon_send(
          questions[slot].route->handle,
          partition_call{offset_item{self, slot, questions[slot].timestamp_ms, std::nullopt}});
  }

  void found_offset(std::uint32_t slot, offset_outcome outcome) override {
    auto& row = *slots_[slot];
    row.error = outcome.error;
    row.message = std::move(outcome.message);
    row.offset = outcome.offset;
    row.timestamp_ms = outcome.timestamp_ms;
    row.leader_epoch = outcome.leader_epoch;
    row.leader = outcome.leader;
    if (arrived())
      respond(response_);
  }
  void described(std::uint32_t, describe_outcome) override {}
  void trimmed(std::uint32_t, trim_outcome) override {}

private:
  protocol::list_offsets_response response_;
  std::vector<protocol::list_offsets_partition_result*> slots_;
};

class delete_records_call : public gathered_call, public query_sink {
public:
  explicit delete_records_call(const native_request& request) : gathered_call(request) {}

  void start(const front_services& node, const protocol::delete_records_request& message,
             const std::shared_ptr<delete_records_call>& self) {
    topic_lookup lookup(*node.directory, message.topic);
    const auto deadline = node.env->steady_ms() + std::max(message.timeout_ms, 1);
    std::vector<std::pair<std::shared_ptr<partition_route>, trim_item>> questions;
    response_.partitions.resize(message.partitions.size());
    for (std::uint32_t i = 0; i < message.partitions.size(); ++i) {
      auto& row = response_.partitions[i];
      row.partition = message.partitions[i].partition;
      auto found = lookup.partition(row.partition);
      if (!found.route) {
        row.error = found.why.code;
        row.message = std::move(found.why.message);
        row.leader = found.leader;
        continue;
      }
      row.error = errc::shutting_down;
      questions.emplace_back(std::move(found.route),
                             trim_item{self, i, message.partitions[i].before_offset, deadline});
    }
    expect(questions.size());
    if (questions.empty())
      respond(response_);
    for (auto& [route, item] : questions)
      caf::anon_send(route->handle, partition_call{std::move(item)});
  }

  void trimmed(std::uint32_t slot, trim_outcome outcome) override {
    auto& row = response_.partitions[slot];
    row.error = outcome.error;
    row.message = std::move(outcome.message);
    row.log_start = outcome.log_start;
    row.leader = outcome.leader;
    if (arrived())
      respond(response_);
  }
  void found_offset(std::uint32_t, offset_outcome) override {}
  void described(std::uint32_t, describe_outcome) override {}

private:
  protocol::delete_records_response response_;
};

class producer_id_answer : public native_call, public producer_id_sink {
public:
  explicit producer_id_answer(const native_request& request) : native_call(request) {}

  void allocated(result<std::int64_t> id) override {
    if (id)
      respond(protocol::init_producer_id_response{*id, 0});
    else
      fail(id.error());
  }
};

} // namespace

void serve(const native_request& request, const front_services& node,
           protocol::list_offsets_request message) {
  const auto call = std::make_shared<list_offsets_call>(request);
  call->start(node, message, call);
}

void serve(const native_request& request, const front_services& node,
           protocol::delete_records_request message) {
  const auto call = std::make_shared<delete_records_call>(request);
  call->start(node, message, call);
}

void serve(const native_request& request, const front_services& node,
           protocol::init_producer_id_request message) {
  if (message.producer_id >= 0 && message.producer_epoch >= 0 &&
      message.producer_epoch < std::numeric_limits<std::int16_t>::max()) {
    // The partitions fence the former epoch when they see the next one.
    native_call(request).respond(protocol::init_producer_id_response{
        message.producer_id, static_cast<std::int16_t>(message.producer_epoch + 1)});
    return;
  }
  auto call = std::make_shared<producer_id_answer>(request);
  caf::anon_send(node.controller, controller_call{producer_id_call{std::move(call)}});
}

} // namespace aqueduct::actors::network
