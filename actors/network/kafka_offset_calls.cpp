#include "actors/network/kafka_group_calls.hpp"
#include "actors/network/kafka_offset_rows.hpp"

#include <utility>
#include <vector>

namespace aqueduct::actors::network {

namespace {

namespace kafka = protocol::kafka;
using kafka::error_code;
using kafka::number_of;

/// Rows of an answer with topics and partitions, which the coordinator was asked about in order.
template <class Response>
class partition_rows {
public:
  using topic_row = typename decltype(Response::topics)::value_type;
  using row = typename decltype(topic_row::partitions)::value_type;

  /// Rows for everything in `message`; calls `ask(key, topic, partition)` for what is there.
  template <class Request, class F>
  partition_rows(const front_services& node, const Request& message, Response& response, F&& ask) {
    response.topics.resize(message.topics.size());
    for (std::size_t t = 0; t < message.topics.size(); ++t) {
      const auto& topic = message.topics[t];
      auto& rows = response.topics[t].partitions;
      response.topics[t].name = topic.name;
      rows.resize(topic.partitions.size());
      const auto route = node.directory->find(topic.name);
      for (std::size_t p = 0; p < rows.size(); ++p) {
        rows[p].partition_index = topic.partitions[p].partition_index;
        const auto key = offset_key_of(route.get(), rows[p].partition_index);
        rows[p].error_code = number_of(key ? error_code::coordinator_not_available
                                           : error_code::unknown_topic_or_partition);
        if (!key)
          continue;
        asked_.push_back(&rows[p]);
        ask(*key, topic, topic.partitions[p]);
      }
    }
  }

  /// Errors of the rows, or the one of the question as a whole.
  void fill(const kafka_answer& to, errc whole, const std::vector<errc>& each) const {
    for (std::size_t i = 0; i < asked_.size(); ++i)
      asked_[i]->error_code = to.error(whole == errc::none && i < each.size() ? each[i] : whole);
  }

private:
  std::vector<row*> asked_;
};

} // namespace

void serve_kafka(const kafka_request& request, const front_services& node,
                 kafka::offset_commit_request message) {
  commit_call commit;
  commit.group = message.group_id;
  commit.who = {std::move(message.member_id), message.group_instance_id.value_or(""),
                message.generation_id_or_member_epoch};
  const auto call = make_group_call<kafka::offset_commit_response>(request);
  const partition_rows<kafka::offset_commit_response> rows(
      node, message, call->response, [&](const offset_key& key, const auto&, const auto& asked) {
        commit.rows.push_back({key, asked.committed_offset, asked.committed_leader_epoch,
                               asked.committed_metadata.value_or("")});
      });
  commit.done = [call, rows](const commit_answer& from) {
    call->take([&](auto&) { rows.fill(call->answer(), from.error, from.rows); });
  };
  node.groups->ask(message.group_id, {std::move(commit)});
}

void serve_kafka(const kafka_request& request, const front_services& node,
                 kafka::offset_delete_request message) {
  delete_offsets_call removal;
  removal.group = message.group_id;
  const auto call = make_group_call<kafka::offset_delete_response>(request);
  const partition_rows<kafka::offset_delete_response> rows(
      node, message, call->response, [&](const offset_key& key, const auto& topic, const auto&) {
        removal.rows.push_back({key, topic.name});
      });
  removal.done = [call, rows](const delete_offsets_answer& from) {
    call->take([&](auto& response) {
      response.error_code = call->answer().error(from.error);
      rows.fill(call->answer(), from.error, from.rows);
    });
  };
  node.groups->ask(message.group_id, {std::move(removal)});
}

void serve_kafka(const kafka_request& request, const front_services& node,
                 kafka::offset_fetch_request message) {
  constexpr std::int16_t groups_since = 8;
  const auto call = std::make_shared<kafka_group_call<kafka::offset_fetch_response>>(request);
  if (request.version() < groups_since) {
    fetch_offsets_call fetch;
    fetch.group = message.group_id;
    const kafka_offset_rows rows(*node.directory, message.topics, call->response);
    fetch.keys = rows.keys();
    call->expect(1);
    fetch.done = [call, node, rows](const fetch_offsets_answer& from) {
      call->take(
          [&](auto& response) { rows.fill(*node.directory, call->answer(), from, response); });
    };
    node.groups->ask(message.group_id, {std::move(fetch)});
    return;
  }
  call->response.groups.resize(message.groups.size());
  std::vector<fetch_offsets_call> questions(message.groups.size());
  for (std::size_t i = 0; i < questions.size(); ++i) {
    auto& group = call->response.groups[i];
    group.group_id = questions[i].group = message.groups[i].group_id;
    const kafka_offset_rows rows(*node.directory, message.groups[i].topics, group);
    questions[i].keys = rows.keys();
    questions[i].done = [call, node, rows, i](const fetch_offsets_answer& from) {
      call->take([&](auto& response) {
        rows.fill(*node.directory, call->answer(), from, response.groups[i]);
      });
    };
  }
  call->expect(questions.size());
  for (auto& question : questions) {
    const auto group = question.group;
    node.groups->ask(group, {std::move(question)});
  }
}

} // namespace aqueduct::actors::network
