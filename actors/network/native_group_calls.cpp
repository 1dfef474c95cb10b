#include "actors/network/native_group_calls.hpp"

#include "actors/network/topic_lookup.hpp"
#include "protocol/consumer_protocol.hpp"

#include <caf/send.hpp>

#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace aqueduct::actors::network {

namespace {

using protocol::named_partitions;

std::string address_of(const known_cluster& brokers, std::int32_t broker) {
  const auto found = find_broker(brokers, broker);
  return found ? client_address(*found) : "";
}

std::shared_ptr<native_call> call_of(const native_request& request) {
  return std::make_shared<native_call>(request.client, request.header, request.frame_bytes);
}

/// Answers a refused question. False: it was not refused.
bool refused(const group_answer& answer, native_call& call, const known_cluster& brokers) {
  if (answer.error == errc::none)
    return false;
  call.fail({answer.error, answer.message}, answer.coordinator,
            answer.coordinator < 0 ? "" : address_of(brokers, answer.coordinator));
  return true;
}

std::vector<named_partitions> to_native(const buffer& assignment) {
  std::vector<named_partitions> topics;
  if (const auto read = protocol::decode_assignment(assignment))
    for (const auto& topic : read->partitions)
      topics.push_back({topic.topic, topic.partitions});
  return topics;
}

/// Topics of a request, by id; what is not there is said in the answer.
class offset_names {
public:
  explicit offset_names(const front_services& node) : directory_(*node.directory) {}

  /// Notes a partition and returns whether it is there; if not, the error of its row.
  [[nodiscard]] errc find(const std::string& topic, std::int32_t partition, offset_key& key) {
    if (!topic_ || topic_->record.name != topic)
      topic_ = directory_.find(topic);
    if (!topic_)
      return errc::unknown_topic;
    if (partition < 0 || static_cast<std::size_t>(partition) >= topic_->partitions.size())
      return errc::unknown_partition;
    key = {topic_->record.id, partition};
    return errc::none;
  }

private:
  const topic_directory& directory_;
  std::shared_ptr<const topic_route> topic_;
};

/// Rows of the answer that a question to the coordinator was made for, in its order.
using row_places = std::vector<std::pair<std::size_t, std::size_t>>;

} // namespace

void serve(const native_request& request, const front_services& node,
           protocol::find_coordinator_request message) {
  node.groups->find(
      message.group, [call = call_of(request), brokers = node.view](result<std::int32_t> found) {
        if (!found) {
          call->fail(found.error());
          return;
        }
        protocol::find_coordinator_response response;
        response.node = *found;
        const auto broker = find_broker(*brokers, *found);
        if (!broker) {
          call->fail({errc::coordinator_loading, "the coordinator of the group is not registered"});
          return;
        }
        if (!has_address(*broker)) {
          call->fail({errc::broker_unavailable, no_listener(*brokers, *found)});
          return;
        }
        response.host = broker->host;
        response.port = broker->port;
        call->respond(response);
      });
}

// -- membership -----------------------------------------------------------------------------------

void serve(const native_request& request, const front_services& node,
           protocol::join_group_request message) {
  join_call join;
  join.group = message.group;
  join.member = std::move(message.member_id);
  join.instance = std::move(message.instance_id);
  join.client_id = std::move(message.client_id);
  join.client_host = request.client->peer();
  join.protocol_type = protocol::consumer_protocol_type;
  join.session_timeout_ms = message.session_timeout_ms;
  join.rebalance_timeout_ms = message.rebalance_timeout_ms;
  join.kind = member_kind::coordinator_assigned;
  join.brings_id = !join.member.empty() && message.generation < 0;
  protocol::consumer_subscription wish;
  wish.topics = std::move(message.subscription);
  wish.user_data = std::move(message.user_data);
  wish.generation = message.generation;
  for (auto& topic : message.owned)
    wish.owned.push_back({std::move(topic.topic), std::move(topic.partitions)});
  const auto metadata = protocol::encode_subscription(wish);
  for (auto& assignor : message.assignors)
    join.protocols.push_back({std::move(assignor), metadata});
  join.done = [call = call_of(request), brokers = node.view](join_answer answer) {
    if (refused(answer, *call, *brokers))
      return;
    protocol::join_group_response response;
    response.member_id = std::move(answer.member);
    response.generation = answer.generation;
    response.assignor = std::move(answer.protocol);
    response.leader = std::move(answer.leader);
    response.assignment = to_native(answer.assignment);
    call->respond(response);
  };
  node.groups->ask(message.group, {std::move(join)});
}

void serve(const native_request& request, const front_services& node,
           protocol::leave_group_request message) {
  leave_call leave;
  leave.group = message.group;
  for (auto& member : message.members)
    leave.members.push_back({std::move(member.member_id), std::move(member.instance_id), -1});
  leave.done = [call = call_of(request), brokers = node.view](leave_answer answer) {
    if (!refused(answer, *call, *brokers))
      call->respond(protocol::leave_group_response{std::move(answer.members)});
  };
  node.groups->ask(message.group, {std::move(leave)});
}

void serve(const native_request& request, const front_services& node,
           protocol::heartbeat_request message) {
  heartbeat_call beat;
  beat.group = message.group;
  beat.who = {std::move(message.member_id), std::move(message.instance_id), message.generation};
  beat.done = [call = call_of(request), brokers = node.view](const heartbeat_answer& answer) {
    if (!refused(answer, *call, *brokers))
      call->respond(protocol::heartbeat_response());
  };
  node.groups->ask(message.group, {std::move(beat)});
}

void serve(const native_request& request, const front_services& node,
           protocol::fetch_assignment_request message) {
  sync_call sync;
  sync.group = message.group;
  sync.who = {std::move(message.member_id), std::move(message.instance_id), message.generation};
  sync.done = [call = call_of(request), brokers = node.view](sync_answer answer) {
    if (!refused(answer, *call, *brokers))
      call->respond(protocol::fetch_assignment_response{std::move(answer.protocol),
                                                        to_native(answer.assignment)});
  };
  node.groups->ask(message.group, {std::move(sync)});
}

// -- offsets --------------------------------------------------------------------------------------

void serve(const native_request& request, const front_services& node,
           protocol::commit_offset_request message) {
  commit_call commit;
  commit.group = message.group;
  commit.who = {std::move(message.member_id), std::move(message.instance_id), message.generation};
  protocol::commit_offset_response response;
  offset_names names(node);
  row_places places;
  for (auto& topic : message.topics) {
    auto& row = response.topics.emplace_back();
    row.topic = topic.topic;
    for (auto& each : topic.partitions) {
      offset_key key;
      const auto error = names.find(topic.topic, each.partition, key);
      row.partitions.push_back({each.partition, error});
      if (error != errc::none)
        continue;
      places.emplace_back(response.topics.size() - 1, row.partitions.size() - 1);
      commit.rows.push_back({key, each.offset, each.leader_epoch, std::move(each.metadata)});
    }
  }
  commit.done = [call = call_of(request), brokers = node.view, response = std::move(response),
                 places = std::move(places)](const commit_answer& answer) mutable {
    if (refused(answer, *call, *brokers))
      return;
    for (std::size_t i = 0; i < places.size() && i < answer.rows.size(); ++i)
      response.topics[places[i].first].partitions[places[i].second].error = answer.rows[i];
    call->respond(response);
  };
  node.groups->ask(message.group, {std::move(commit)});
}

namespace {

/// All offsets of a group, under the names that their topics have now.
protocol::fetch_offset_response all_offsets(const topic_directory& directory,
                                            const std::vector<offset_row>& rows) {
  std::map<std::string, std::vector<protocol::committed_offset>> by_name;
  for (const auto& row : rows)
    if (const auto name = directory.name_of(row.key.topic))
      by_name[*name].push_back({row.key.partition, errc::none, row.value.offset,
                                row.value.leader_epoch, row.value.metadata,
                                row.value.committed_ms});
  protocol::fetch_offset_response response;
  for (auto& [name, partitions] : by_name)
    response.topics.push_back({name, std::move(partitions)});
  return response;
}

} // namespace

void serve(const native_request& request, const front_services& node,
           protocol::fetch_offset_request message) {
  fetch_offsets_call fetch;
  fetch.group = message.group;
  auto call = call_of(request);
  if (message.all) {
    fetch.done = [call, brokers = node.view,
                  directory = node.directory](const fetch_offsets_answer& answer) {
      if (!refused(answer, *call, *brokers))
        call->respond(all_offsets(*directory, answer.rows));
    };
    node.groups->ask(message.group, {std::move(fetch)});
    return;
  }
  protocol::fetch_offset_response response;
  offset_names names(node);
  std::multimap<offset_key, std::pair<std::size_t, std::size_t>> places;
  fetch.keys.emplace();
  for (const auto& topic : message.topics) {
    auto& row = response.topics.emplace_back();
    row.topic = topic.topic;
    for (const auto partition : topic.partitions) {
      offset_key key;
      auto& slot = row.partitions.emplace_back();
      slot.partition = partition;
      slot.error = names.find(topic.topic, partition, key);
      if (slot.error != errc::none)
        continue;
      places.emplace(key, std::pair(response.topics.size() - 1, row.partitions.size() - 1));
      fetch.keys->push_back(key);
    }
  }
  fetch.done = [call, brokers = node.view, response = std::move(response),
                places = std::move(places)](const fetch_offsets_answer& answer) mutable {
    if (refused(answer, *call, *brokers))
      return;
    for (const auto& found : answer.rows) {
      const auto [from, to] = places.equal_range(found.key);
      for (auto at = from; at != to; ++at) {
        auto& slot = response.topics[at->second.first].partitions[at->second.second];
        slot.offset = found.value.offset;
        slot.leader_epoch = found.value.leader_epoch;
        slot.metadata = found.value.metadata;
        slot.committed_ms = found.value.committed_ms;
      }
    }
    call->respond(response);
  };
  node.groups->ask(message.group, {std::move(fetch)});
}

void serve(const native_request& request, const front_services& node,
           protocol::delete_offsets_request message) {
  delete_offsets_call removal;
  removal.group = message.group;
  protocol::delete_offsets_response response;
  offset_names names(node);
  row_places places;
  for (const auto& topic : message.topics) {
    auto& row = response.topics.emplace_back();
    row.topic = topic.topic;
    for (const auto partition : topic.partitions) {
      offset_key key;
      const auto error = names.find(topic.topic, partition, key);
      row.partitions.push_back({partition, error});
      if (error != errc::none)
        continue;
      places.emplace_back(response.topics.size() - 1, row.partitions.size() - 1);
      removal.rows.push_back({key, topic.topic});
    }
  }
  removal.done = [call = call_of(request), brokers = node.view, response = std::move(response),
                  places = std::move(places)](const delete_offsets_answer& answer) mutable {
    if (refused(answer, *call, *brokers))
      return;
    for (std::size_t i = 0; i < places.size() && i < answer.rows.size(); ++i)
      response.topics[places[i].first].partitions[places[i].second].error = answer.rows[i];
    call->respond(response);
  };
  node.groups->ask(message.group, {std::move(removal)});
}

// -- looking at groups ----------------------------------------------------------------------------

namespace {

/// Answers when the coordinators of this node have.
class list_groups_gathering {
public:
  list_groups_gathering(std::shared_ptr<native_call> call, std::size_t coordinators)
      : call_(std::move(call)), left_(coordinators) {}

  void arrived(list_groups_answer answer) {
    const std::lock_guard lock(mutex_);
    for (auto& group : answer.groups)
      response_.groups.push_back({std::move(group.id), std::move(group.protocol_type),
                                  std::string(to_string(group.phase)), group.members});
    if (--left_ > 0)
      return;
    std::ranges::sort(response_.groups, {}, &protocol::listed_group::group);
    call_->respond(response_);
  }

private:
  std::shared_ptr<native_call> call_;
  std::mutex mutex_;
  std::size_t left_;
  protocol::list_groups_response response_;
};

protocol::described_member to_native(const member_record& member, std::string_view assignor) {
  protocol::described_member row;
  row.member_id = member.id;
  row.instance_id = member.instance;
  row.client_id = member.client_id;
  row.client_host = member.client_host;
  row.session_timeout_ms = member.session_timeout_ms;
  row.rebalance_timeout_ms = member.rebalance_timeout_ms;
  row.assignment = to_native(member.assignment);
  for (const auto& each : member.protocols)
    if (each.name == assignor || member.protocols.size() == 1)
      if (auto wish = protocol::decode_subscription(each.metadata)) {
        row.subscription = std::move(wish->topics);
        row.user_data = std::move(wish->user_data);
      }
  return row;
}

} // namespace

void serve(const native_request& request, const front_services& node,
           protocol::list_groups_request) {
  const auto coordinators = node.groups->here();
  if (coordinators.empty()) {
    call_of(request)->respond(protocol::list_groups_response());
    return;
  }
  const auto gathering =
      std::make_shared<list_groups_gathering>(call_of(request), coordinators.size());
  for (const auto& coordinator : coordinators)
    caf::anon_send(coordinator, group_call{list_groups_call{[gathering](list_groups_answer answer) {
                     gathering->arrived(std::move(answer));
                   }}});
}

void serve(const native_request& request, const front_services& node,
           protocol::describe_group_request message) {
  describe_group_call ask;
  ask.group = message.group;
  ask.done = [call = call_of(request), brokers = node.view](describe_group_answer answer) {
    if (refused(answer, *call, *brokers))
      return;
    protocol::describe_group_response response;
    response.group = std::move(answer.group.id);
    response.state = to_string(answer.phase);
    response.protocol_type = std::move(answer.group.protocol_type);
    response.assignor = answer.group.protocol;
    response.generation = answer.group.generation;
    response.leader = std::move(answer.group.leader);
    for (const auto& member : answer.group.members)
      response.members.push_back(to_native(member, answer.group.protocol));
    call->respond(response);
  };
  node.groups->ask(message.group, {std::move(ask)});
}

void serve(const native_request& request, const front_services& node,
           protocol::delete_group_request message) {
  delete_group_call removal;
  removal.group = message.group;
  removal.done = [call = call_of(request), brokers = node.view](const delete_group_answer& answer) {
    if (!refused(answer, *call, *brokers))
      call->respond(protocol::delete_group_response());
  };
  node.groups->ask(message.group, {std::move(removal)});
}

} // namespace aqueduct::actors::network
