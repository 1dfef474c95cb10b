#include "actors/network/kafka_placement_calls.hpp"

#include "actors/controller/questions.hpp"
#include "actors/network/kafka_change.hpp"
#include "actors/network/topic_lookup.hpp"

#include <caf/send.hpp>

#include <algorithm>
#include <utility>
#include <vector>

namespace aqueduct::actors::network {

namespace {

namespace kafka = protocol::kafka;
using kafka::error_code;
using kafka::number_of;

class reassignments_call : public kafka_call<kafka::alter_partition_reassignments_response> {
public:
  using row = kafka::alter_partition_reassignments_response::topic_entry::partition_entry;

  using kafka_call::kafka_call;

  static void start(const std::shared_ptr<reassignments_call>& self, const front_services& node,
                    const kafka::alter_partition_reassignments_request& message) {
    std::vector<std::pair<controller_question_body, row*>> asked;
    auto& topics = self->response.responses;
    self->response.allow_replication_factor_change = message.allow_replication_factor_change;
    topics.resize(message.topics.size());
    for (std::size_t t = 0; t < topics.size(); ++t) {
      const auto& topic = message.topics[t];
      topics[t].name = topic.name;
      topics[t].partitions.resize(topic.partitions.size());
      const auto route = node.directory->find(topic.name);
      for (std::size_t p = 0; p < topic.partitions.size(); ++p) {
        const auto& partition = topic.partitions[p];
        auto& to = topics[t].partitions[p];
        to.partition_index = partition.partition_index;
        if (!self->may_move(route.get(), topic.name, partition,
                            message.allow_replication_factor_change, to))
          continue;
        if (partition.replicas)
          asked.emplace_back(
              move_question{topic.name, partition.partition_index, *partition.replicas, false},
              &to);
        else
          asked.emplace_back(cancel_move_question{topic.name, partition.partition_index, false},
                             &to);
      }
    }
    self->expect(asked.size());
    for (auto& [question, its_row] : asked) {
      controller_job job;
      const bool cancels = std::holds_alternative<cancel_move_question>(question);
      job.question.body = std::move(question);
      job.deadline_ms = node.env->steady_ms() + std::max(message.timeout_ms, 1);
      job.done = [self, its_row, cancels](const result<controller_answer>& answer) {
        self->moved(*its_row, cancels, answer);
      };
      caf::anon_send(node.controller, controller_call{std::move(job)});
    }
  }

private:
  using asked_partition =
      kafka::alter_partition_reassignments_request::topic_entry::partition_entry;

  /// Whether the controller is to be asked; if not, `to` says why.
  [[nodiscard]] bool may_move(const topic_route* topic, const std::string& name,
                              const asked_partition& partition, bool may_resize, row& to) const {
    const auto number = static_cast<std::size_t>(partition.partition_index);
    if (topic == nullptr || partition.partition_index < 0 ||
        number >= topic->record.partitions.size()) {
      say_refused(answer(), to,
                  topic == nullptr ? no_such_topic(name) : error{errc::unknown_partition, ""});
      return false;
    }
    const auto& present = topic->record.partitions[number];
    if (!may_resize && partition.replicas && partition.replicas->size() != present.nodes.size()) {
      say_refused(answer(), to,
                  {errc::invalid_replication, "the partition has " +
                                                  std::to_string(present.nodes.size()) +
                                                  " replicas, and their number is to stay"});
      return false;
    }
    say_refused(answer(), to, {errc::timed_out, ""});
    return true;
  }

  void moved(row& to, bool was_to_be_cancelled, const result<controller_answer>& outcome) {
    if (outcome) {
      to.error_code = number_of(error_code::none);
      to.error_message = std::nullopt;
    } else {
      say_refused(answer(), to, outcome.error());
      const auto code = outcome.error().code;
      if (was_to_be_cancelled && code == errc::not_found)
        to.error_code = number_of(error_code::no_reassignment_in_progress);
      else if (!was_to_be_cancelled && code == errc::conflict)
        to.error_code = number_of(error_code::reassignment_in_progress);
      else if (!was_to_be_cancelled &&
               (code == errc::invalid_request || code == errc::invalid_replication ||
                code == errc::not_found))
        to.error_code = number_of(error_code::invalid_replica_assignment);
    }
    arrived();
  }
};

} // namespace

void serve_kafka(const kafka_request& request, const front_services& node,
                 kafka::alter_partition_reassignments_request message) {
  reassignments_call::start(std::make_shared<reassignments_call>(request), node, message);
}

void serve_kafka(const kafka_request& request, const front_services& node,
                 kafka::list_partition_reassignments_request message) {
  kafka::list_partition_reassignments_response response;
  const auto add = [&](const topic_route& topic, const std::vector<std::int32_t>* wanted) {
    kafka::list_partition_reassignments_response::topic_entry rows;
    rows.name = topic.record.name;
    for (std::size_t i = 0; i < topic.record.partitions.size(); ++i) {
      const auto number = static_cast<std::int32_t>(i);
      const auto& partition = topic.record.partitions[i];
      if (!partition.is_moving() || (wanted != nullptr && !std::ranges::count(*wanted, number)))
        continue;
      auto& row = rows.partitions.emplace_back();
      row.partition_index = number;
      row.replicas = partition.nodes;
      row.replicas.insert(row.replicas.end(), partition.leaving.begin(), partition.leaving.end());
      row.adding_replicas = partition.adding();
      row.removing_replicas = partition.leaving;
    }
    if (!rows.partitions.empty())
      response.topics.push_back(std::move(rows));
  };
  if (message.topics) {
    for (const auto& asked : *message.topics)
      if (const auto topic = node.directory->find(asked.name))
        add(*topic, &asked.partition_indexes);
  } else {
    for (const auto& topic : node.directory->all())
      add(*topic, nullptr);
  }
  request.respond(response);
}

} // namespace aqueduct::actors::network
