#include "actors/consumer_group/group_router.hpp"

#include "actors/consumer_group/group_partition.hpp"

#include <caf/send.hpp>

#include <algorithm>
#include <utility>

namespace aqueduct::actors {

namespace {

void refuse_call(group_call& call, const group_answer& why) {
  std::visit([&](auto& what) { refuse(what, why); }, call.what);
}

} // namespace

std::shared_ptr<partition_route> group_router::look_up(std::string_view group) const {
  const auto topic = options_.directory->find(group_topic_name);
  if (!topic || topic->partitions.empty())
    return nullptr;
  return topic->partitions[group_partition_of(group, topic->partitions.size())];
}

std::int32_t group_router::who_knows(std::string_view group) const {
  const auto topic = options_.directory->find(group_topic_name);
  if (!topic || topic->record.partitions.empty())
    return -1;
  const auto& placed =
      topic->record.partitions[group_partition_of(group, topic->record.partitions.size())];
  const auto view = options_.view->load();
  std::int32_t named = -1;
  for (const auto node : placed.nodes) {
    if (node == options_.node)
      continue;
    if (view && std::ranges::find(view->brokers, node, &broker_record::node) != view->brokers.end())
      return node;
    if (named < 0)
      named = node;
  }
  return named;
}

void group_router::pass_on(const partition_route& route, std::string_view group,
                           group_call call) const {
  if (const auto* heartbeat = std::get_if<heartbeat_call>(&call.what);
      heartbeat != nullptr && route.board &&
      route.board->beat(heartbeat->group, heartbeat->who, options_.env->steady_ms()))
    heartbeat->done({});
  else if (route.coordinator)
    caf::anon_send(route.coordinator, std::move(call));
  else
    refuse_call(call,
                {errc::not_coordinator, "another broker coordinates the group", who_knows(group)});
}

void group_router::with_route(const std::string& group, waiter done) const {
  if (auto route = look_up(group)) {
    done(std::move(route));
    return;
  }
  own_topic_question question;
  question.name = group_topic_name;
  question.partitions = options_.partitions;
  question.replication = options_.replication;
  controller_job job;
  job.question.body = std::move(question);
  job.deadline_ms = options_.env->steady_ms() + options_.timeout_ms;
  job.done = [self = shared_from_this(), group,
              done = std::move(done)](const result<controller_answer>& answer) {
    // If somebody else created it, it is here, or will be in a moment.
    if (auto route = self->look_up(group))
      done(std::move(route));
    else if (!answer && answer.error().code != errc::topic_exists)
      done(answer.propagate());
    else
      done(unexpected(errc::coordinator_loading,
                      "the coordinators of consumer groups are being created"));
  };
  caf::anon_send(options_.controller, controller_call{std::move(job)});
}

void group_router::ask(const std::string& group, group_call call) const {
  if (const auto route = look_up(group)) {
    pass_on(*route, group, std::move(call));
    return;
  }
  with_route(group, [call = std::move(call), group, self = shared_from_this()](
                        const result<std::shared_ptr<partition_route>>& route) mutable {
    if (route)
      self->pass_on(**route, group, std::move(call));
    else
      refuse_call(call, {route.error().code, route.error().message, -1});
  });
}

void group_router::find(const std::string& group,
                        std::function<void(result<std::int32_t>)> done) const {
  with_route(group, [self = shared_from_this(), group, done = std::move(done)](
                        const result<std::shared_ptr<partition_route>>& found) mutable {
    if (!found) {
      done(found.propagate());
      return;
    }
    const auto& route = **found;
    if (!route.coordinator)
      done(self->who_knows(group));
    else if (const std::int32_t leader = route.leader; leader >= 0)
      done(leader);
    else
      caf::anon_send(route.coordinator, find_coordinator_call{self->options_.env->steady_ms() +
                                                                  self->options_.election_ms,
                                                              std::move(done)});
  });
}

std::vector<group_partition_actor> group_router::here() const {
  std::vector<group_partition_actor> found;
  if (const auto topic = options_.directory->find(group_topic_name))
    for (const auto& route : topic->partitions)
      if (route->coordinator)
        found.push_back(route->coordinator);
  return found;
}

} // namespace aqueduct::actors
