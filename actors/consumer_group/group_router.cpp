#include "actors/consumer_group/group_router.hpp"

#include "actors/consumer_group/group_partition.hpp"

#include <caf/send.hpp>

#include <utility>

namespace aqueduct::actors {

namespace {

void refuse_call(group_call& call, const group_answer& why) {
  std::visit([&](auto& what) { refuse(what, why); }, call.what);
}

void pass_on(const partition_route& route, group_call call, std::int64_t now_ms) {
  if (const auto* heartbeat = std::get_if<heartbeat_call>(&call.what);
      heartbeat != nullptr && route.board &&
      route.board->beat(heartbeat->group, heartbeat->who, now_ms))
    heartbeat->done({});
  else if (route.coordinator)
    caf::anon_send(route.coordinator, std::move(call));
  else
    refuse_call(
        call, {errc::not_coordinator, "another broker coordinates the group", route.leader.load()});
}

} // namespace

std::shared_ptr<partition_route> group_router::look_up(std::string_view group) const {
  const auto topic = options_.directory->find(group_topic_name);
  if (!topic || topic->partitions.empty())
    return nullptr;
  return topic->partitions[group_partition_of(group, topic->partitions.size())];
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
    pass_on(*route, std::move(call), options_.env->steady_ms());
    return;
  }
  with_route(group, [call = std::move(call),
                     env = options_.env](result<std::shared_ptr<partition_route>> route) mutable {
    if (route)
      pass_on(**route, std::move(call), env->steady_ms());
    else
      refuse_call(call, {route.error().code, route.error().message, -1});
  });
}

void group_router::find(const std::string& group,
                        std::function<void(result<std::int32_t>)> done) const {
  with_route(
      group, [done = std::move(done)](const result<std::shared_ptr<partition_route>>& route) {
        if (!route)
          done(route.propagate());
        else if ((*route)->leader < 0)
          done(unexpected(errc::coordinator_loading, "the group has no coordinator at the moment"));
        else
          done((*route)->leader.load());
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
