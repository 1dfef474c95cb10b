#include "actors/network/kafka_group_calls.hpp"

#include <map>
#include <set>
#include <utility>
#include <vector>

namespace aqueduct::actors::network {

namespace {

namespace kafka = protocol::kafka;
using kafka::error_code;
using kafka::number_of;

/// The partition in the coordinator's terms; nothing if it is not there.
std::optional<offset_key> key_of(const topic_route* topic, std::int32_t partition) {
  if (topic == nullptr || partition < 0 ||
      static_cast<std::size_t>(partition) >= topic->partitions.size())
    return std::nullopt;
  return offset_key{topic->record.id, partition};
}

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
        const auto key = key_of(route.get(), rows[p].partition_index);
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

// -- fetch ----------------------------------------------------------------------------------------

/// The offsets of one group, written into the rows of an answer.
template <class TopicRow>
void fill_offsets(const front_services& node, const std::vector<offset_row>& found,
                  std::vector<TopicRow>& topics) {
  std::map<offset_key, const offset_row*> by_key;
  for (const auto& row : found)
    by_key[row.key] = &row;
  for (auto& topic : topics) {
    const auto route = node.directory->find(topic.name);
    for (auto& partition : topic.partitions) {
      const auto key = key_of(route.get(), partition.partition_index);
      const auto row = key ? by_key.find(*key) : by_key.end();
      if (row == by_key.end())
        continue;
      partition.committed_offset = row->second->value.offset;
      partition.committed_leader_epoch = row->second->value.leader_epoch;
      partition.metadata = row->second->value.metadata;
    }
  }
}

/// A row without an offset: none was committed.
template <class Row>
Row empty_row(std::int32_t partition) {
  Row row;
  row.partition_index = partition;
  row.metadata = "";
  return row;
}

/// Rows for all partitions that have an offset.
template <class TopicRow>
void add_rows(const front_services& node, const std::vector<offset_row>& found,
              std::vector<TopicRow>& topics) {
  using row = typename decltype(TopicRow::partitions)::value_type;
  std::map<uuid, std::string> names;
  for (const auto& topic : node.directory->all())
    names[topic->record.id] = topic->record.name;
  for (const auto& each : found) {
    const auto name = names.find(each.key.topic);
    if (name == names.end())
      continue;
    if (topics.empty() || topics.back().name != name->second)
      topics.emplace_back().name = name->second;
    topics.back().partitions.push_back(empty_row<row>(each.key.partition));
  }
}

/// What is to be asked for the topics of a request, and the rows of its answer.
template <class Asked, class TopicRow>
std::optional<std::vector<offset_key>> prepare(const front_services& node,
                                               const std::optional<std::vector<Asked>>& asked,
                                               std::vector<TopicRow>& topics) {
  using row = typename decltype(TopicRow::partitions)::value_type;
  if (!asked)
    return std::nullopt;
  std::set<offset_key> keys;
  for (const auto& topic : *asked) {
    auto& rows = topics.emplace_back();
    rows.name = topic.name;
    const auto route = node.directory->find(topic.name);
    for (const auto partition : topic.partition_indexes) {
      rows.partitions.push_back(empty_row<row>(partition));
      if (const auto key = key_of(route.get(), partition))
        keys.insert(*key);
    }
  }
  return std::vector<offset_key>(keys.begin(), keys.end());
}

/// Fills the rows of one group by what its coordinator said.
template <class Rows>
void fill_group(const front_services& node, const kafka_answer& to,
                const fetch_offsets_answer& from, bool all, Rows& rows) {
  rows.error_code = to.error(from.error);
  if (from.error == errc::none) {
    if (all)
      add_rows(node, from.rows, rows.topics);
    fill_offsets(node, from.rows, rows.topics);
    return;
  }
  // Versions without an error of the group say it in every row.
  for (auto& topic : rows.topics)
    for (auto& partition : topic.partitions)
      partition.error_code = rows.error_code;
}

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
  const auto unavailable = number_of(error_code::coordinator_not_available);
  if (request.version() < groups_since) {
    fetch_offsets_call fetch;
    fetch.group = message.group_id;
    fetch.keys = prepare(node, message.topics, call->response.topics);
    call->response.error_code = unavailable;
    call->expect(1);
    fetch.done = [call, node, all = !message.topics](const fetch_offsets_answer& from) {
      call->take([&](auto& response) { fill_group(node, call->answer(), from, all, response); });
    };
    node.groups->ask(message.group_id, {std::move(fetch)});
    return;
  }
  call->response.groups.resize(message.groups.size());
  std::vector<fetch_offsets_call> questions(message.groups.size());
  for (std::size_t i = 0; i < questions.size(); ++i) {
    auto& rows = call->response.groups[i];
    rows.group_id = questions[i].group = message.groups[i].group_id;
    rows.error_code = unavailable;
    questions[i].keys = prepare(node, message.groups[i].topics, rows.topics);
    questions[i].done = [call, node, i,
                         all = !message.groups[i].topics](const fetch_offsets_answer& from) {
      call->take(
          [&](auto& response) { fill_group(node, call->answer(), from, all, response.groups[i]); });
    };
  }
  call->expect(questions.size());
  for (auto& question : questions) {
    const auto group = question.group;
    node.groups->ask(group, {std::move(question)});
  }
}

} // namespace aqueduct::actors::network
