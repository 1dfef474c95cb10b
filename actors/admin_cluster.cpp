#include "actors/admin_cluster.hpp"

#include <caf/send.hpp>

#include <algorithm>
#include <chrono>
#include <future>
#include <map>
#include <memory>
#include <utility>

namespace aqueduct::actors {

namespace {

constexpr auto patience = std::chrono::seconds(10);
constexpr std::string_view controller_name = "controller";

std::string address_of(const std::string& host, std::uint16_t port) {
  return to_string(config::endpoint{host, port});
}

std::string state_of(const broker_record& broker) {
  if (broker.fenced)
    return "gone";
  if (broker.evacuating)
    return "evacuating";
  return broker.draining ? "draining" : "there";
}

admin_link to_admin(const peer_status& peer) {
  admin_link link;
  link.is_up = peer.is_connected();
  link.round_trip_ms = peer.connections[0].round_trip_ms;
  for (const auto& each : peer.connections) {
    link.bytes_sent += each.bytes_sent;
    link.bytes_received += each.bytes_received;
  }
  link.dropped = peer.dropped_full + peer.dropped_unconnected;
  link.last_error = peer.connections[0].last_error;
  return link;
}

std::string name_of(raft::progress_mode mode) {
  switch (mode) {
  case raft::progress_mode::probe:
    return "probe";
  case raft::progress_mode::replicate:
    return "replicate";
  case raft::progress_mode::snapshot:
    return "snapshot";
  }
  return "unknown";
}

std::vector<std::int32_t> nodes_of(const std::vector<raft::replica_id>& replicas) {
  std::vector<std::int32_t> nodes;
  for (const auto& each : replicas)
    nodes.push_back(each.node.value);
  return nodes;
}

void fill(admin_group& row, const replica_report& report) {
  row.role = std::string(to_string(report.role));
  row.term = report.term;
  row.leader = report.leader ? report.leader->node.value : -1;
  row.first = report.first;
  row.last = report.last;
  row.commit = report.commit;
  row.applied = report.applied;
  row.is_hibernating = report.hibernating;
  row.voters = nodes_of(report.members.voters);
  row.learners = nodes_of(report.members.learners);
  for (const auto& each : report.followers)
    row.followers.push_back({each.who.node.value, each.who.incarnation.value,
                             report.members.is_learner(each.who), name_of(each.mode), each.match});
}

/// Waits for what an actor answers once. An actor that is gone drops the promise.
template <class Answer>
class answer_box {
public:
  [[nodiscard]] std::function<void(result<Answer>)> taker() {
    return [to = promise_](result<Answer> answer) { to->set_value(std::move(answer)); };
  }
  [[nodiscard]] result<Answer> wait(std::chrono::steady_clock::time_point deadline) {
    promise_.reset();
    if (answer_.wait_until(deadline) != std::future_status::ready)
      return unexpected(errc::timed_out, "no answer in time");
    try {
      return answer_.get();
    } catch (const std::future_error&) {
      return unexpected(errc::shutting_down, "the group is being closed");
    }
  }

private:
  std::shared_ptr<std::promise<result<Answer>>> promise_ =
      std::make_shared<std::promise<result<Answer>>>();
  std::future<result<Answer>> answer_ = promise_->get_future();
};

struct named_group {
  admin_group row;
  group_id group;
};

std::vector<named_group> groups_here(const admin_services& node,
                                     const admin_groups_request& request) {
  std::vector<named_group> found;
  if (request.topic.empty() || request.topic == controller_name)
    found.push_back({{}, controller_group});
  for (const auto& topic : node.directory->all()) {
    if (!request.topic.empty() && topic->record.name != request.topic)
      continue;
    for (std::size_t i = 0; i < topic->partitions.size(); ++i) {
      const auto number = static_cast<std::int32_t>(i);
      if (!topic->partitions[i]->handle || (request.partition >= 0 && request.partition != number))
        continue;
      named_group named;
      named.row.topic = topic->record.name;
      named.row.partition = number;
      named.group = {topic->record.id, number};
      found.push_back(std::move(named));
    }
  }
  return found;
}

result<replica_report> describe(const admin_services& node, const group_id& group) {
  const auto replica = node.groups->find(group);
  if (!replica)
    return unexpected(errc::not_found, "the group is not open on this node");
  answer_box<replica_report> answer;
  caf::anon_send(replica, replica_request{replica_describe{answer.taker()}});
  return answer.wait(std::chrono::steady_clock::now() + patience);
}

/// A partition, or the controller's group. Errors: unknown_topic, unknown_partition.
result<group_id> group_named(const admin_services& node, const std::string& topic,
                             std::int32_t partition) {
  if (topic == controller_name)
    return controller_group;
  const auto found = node.directory->find(topic);
  if (!found)
    return unexpected(errc::unknown_topic, "there is no topic '" + topic + "'");
  const auto count = found->partitions.size();
  if (partition < 0 || static_cast<std::size_t>(partition) >= count)
    return unexpected(errc::unknown_partition, "the topic has " + std::to_string(count) +
                                                   " partitions, from 0; there is no " +
                                                   std::to_string(partition));
  return group_id{found->record.id, partition};
}

/// Has the controller that leads do something.
result<controller_answer> ask_controller(const admin_services& node,
                                         controller_question_body question) {
  answer_box<controller_answer> answer;
  controller_job job;
  job.question.body = std::move(question);
  job.deadline_ms = node.env->steady_ms() +
                    std::chrono::duration_cast<std::chrono::milliseconds>(patience).count();
  job.done = answer.taker();
  caf::anon_send(node.controller, controller_call{std::move(job)});
  return answer.wait(std::chrono::steady_clock::now() + patience + std::chrono::seconds(1));
}

admin_moves to_moves(const result<controller_answer>& answer) {
  admin_moves moves;
  if (!answer) {
    moves.error = static_cast<std::uint16_t>(answer.error().code);
    moves.message = answer.error().message;
    return moves;
  }
  for (const auto& move : answer->moves)
    moves.moves.push_back({move.topic, move.partition, move.from, move.to});
  return moves;
}

} // namespace

admin_brokers describe_brokers(const admin_services& node) {
  admin_brokers answer;
  answer.node = node.node;
  std::map<std::int32_t, admin_broker> rows;
  if (const auto view = node.view->load()) {
    answer.cluster = to_string(view->id);
    for (const auto& broker : view->registered) {
      auto& row = rows[broker.node];
      row.address = address_of(broker.host, broker.port);
      row.cluster_address = address_of(broker.cluster_host, broker.cluster_port);
      for (const auto& each : broker.listeners)
        row.listeners.push_back(each.name + "=" + address_of(each.host, each.port));
      row.rack = broker.rack;
      row.incarnation = broker.incarnation;
      row.state = state_of(broker);
      row.is_controller = view->controller == broker.node;
    }
  }
  for (const auto& topic : node.directory->all())
    for (const auto& placed : topic->record.partitions) {
      for (const auto at : placed.nodes)
        ++rows[at].replicas;
      for (const auto at : placed.leaving)
        ++rows[at].leaving;
      if (!placed.nodes.empty())
        ++rows[placed.nodes.front()].preferred;
    }
  if (const auto metadata = describe(node, controller_group))
    for (auto& [id, row] : rows)
      row.votes =
          metadata->members.is_voter({raft::node_id(id), raft::incarnation(row.incarnation)});
  for (const auto& peer : node.links())
    if (const auto row = rows.find(peer.peer.value); row != rows.end())
      row->second.link = to_admin(peer);
  for (auto& [id, row] : rows) {
    row.node = id;
    answer.brokers.push_back(std::move(row));
  }
  return answer;
}

admin_groups describe_groups(const admin_services& node, const admin_groups_request& request) {
  auto found = groups_here(node, request);
  std::vector<answer_box<replica_report>> answers(found.size());
  const auto deadline = std::chrono::steady_clock::now() + patience;
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (const auto replica = node.groups->find(found[i].group))
      caf::anon_send(replica, replica_request{replica_describe{answers[i].taker()}});
    else
      found[i].row.role = "asleep";
  }
  admin_groups answer;
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (found[i].row.role.empty()) {
      if (const auto report = answers[i].wait(deadline))
        fill(found[i].row, *report);
      else
        found[i].row.error = report.error().message;
    }
    answer.groups.push_back(std::move(found[i].row));
  }
  return answer;
}

result<void> transfer_leadership(const admin_services& node,
                                 const admin_transfer_request& request) {
  const auto group = group_named(node, request.topic, request.partition);
  if (!group)
    return group.propagate();
  const auto report = describe(node, *group);
  if (!report)
    return report.propagate();
  if (report->role != raft::role_kind::leader)
    return unexpected(errc::not_leader, report->leader
                                            ? "node " + std::to_string(report->leader->node.value) +
                                                  " leads the group; ask that one"
                                            : std::string("nobody leads the group now"));
  if (request.to == node.node)
    return {};
  const auto to = report->members.find(raft::node_id(request.to));
  if (!to || !report->members.is_voter(*to))
    return unexpected(errc::invalid_request,
                      "node " + std::to_string(request.to) + " has no vote in the group");
  if (const auto replica = node.groups->find(*group))
    caf::anon_send(replica, replica_request{replica_transfer{*to, false}});
  return {};
}

result<void> take_snapshot(const admin_services& node, const admin_snapshot_request& request) {
  const auto group = group_named(node, request.topic, request.partition);
  if (!group)
    return group.propagate();
  const auto report = describe(node, *group);
  if (!report)
    return report.propagate();
  if (auto flushed = node.flush(); !flushed)
    return flushed;
  if (*group == controller_group)
    if (const auto replica = node.groups->find(*group))
      caf::anon_send(replica, replica_request{replica_compact{report->applied + 1}});
  return {};
}

result<void> change_broker(const admin_services& node, const admin_broker_change_request& request) {
  result<controller_answer> answer = unexpected(
      errc::invalid_request, "'" + request.change +
                                 "' is no change of a broker; it is drain, evacuate, shrink, "
                                 "undrain or remove");
  if (request.change == "drain")
    answer = ask_controller(node, drain_broker_command{request.node, true, false});
  else if (request.change == "evacuate")
    answer = ask_controller(node, drain_broker_command{request.node, true, true});
  else if (request.change == "shrink")
    answer = ask_controller(node, drain_broker_command{request.node, true, true, true});
  else if (request.change == "undrain")
    answer = ask_controller(node, drain_broker_command{request.node, false, false});
  else if (request.change == "remove")
    answer = ask_controller(node, remove_broker_command{request.node});
  return answer ? result<void>() : answer.propagate();
}

admin_moves move_replicas(const admin_services& node, const admin_move_request& request) {
  return to_moves(ask_controller(
      node, move_question{request.topic, request.partition, request.to, request.dry_run}));
}

admin_moves cancel_move(const admin_services& node, const admin_cancel_move_request& request) {
  return to_moves(ask_controller(
      node, cancel_move_question{request.topic, request.partition, request.dry_run}));
}

admin_moves plan_moves(const admin_services& node, const admin_plan_request& request) {
  if (request.evacuate >= 0 && !request.dry_run)
    return to_moves(unexpected(errc::invalid_request,
                               "an evacuation is begun by the change 'evacuate' or 'shrink' of the "
                               "broker"));
  return to_moves(
      ask_controller(node, plan_question{request.evacuate, request.dry_run, request.shrink}));
}

} // namespace aqueduct::actors
