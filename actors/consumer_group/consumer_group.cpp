#include "actors/consumer_group/consumer_group.hpp"

#include "actors/reply_scope.hpp"

#include <caf/actor_system.hpp>
#include <caf/send.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <spdlog/spdlog.h>

#include <exception>
#include <optional>
#include <utility>

namespace aqueduct::actors {

namespace {

struct consumer_group_state {
  void begin(consumer_group_actor::pointer actor, consumer_group_config given) {
    self = actor;
    group = given.opening.group;
    life = given.opening.life;
    coordinator = std::move(given.coordinator);
    log = std::move(given.log);
    self->link_to(coordinator);
    guard([&] { core.emplace(std::move(given.opening), std::move(given.options)); });
  }

  void handle(group_order& order) {
    if (std::holds_alternative<group_end>(order.what)) {
      end(order);
      return;
    }
    if (broken)
      std::visit([this](auto& what) { refuse_if_asked(what); }, order.what);
    else
      guard([&] { core->handle(std::move(order)); });
  }

  void end(group_order& order) {
    try {
      if (core)
        core->handle(std::move(order));
    } catch (const std::exception& failed) {
      log->error("consumer group {} did not end well: {}", group, failed.what());
    }
    self->quit();
  }

  template <class What>
  void refuse_if_asked(What& what) const {
    if constexpr (requires { what.done; })
      refuse(what, {broken->code, broken->message, -1});
  }

  /// Reports are in the coordinator's mailbox before any answer leaves: who was answered finds the
  /// coordinator knowing as much.
  template <class Work>
  void guard(Work work) {
    try {
      work();
      for (auto& each : core->take_reports())
        self->send(coordinator, std::move(each));
    } catch (const std::exception& failed) {
      log->error("consumer group {} is out of service: {}", group, failed.what());
      broken = error{errc::internal, failed.what()};
      self->send(coordinator, group_report{life, group, group_broken{*broken}});
    }
  }

  consumer_group_actor::pointer self = nullptr;
  std::string group;
  std::uint64_t life = 0;
  group_partition_actor coordinator;
  std::shared_ptr<spdlog::logger> log;
  std::optional<group_core> core;
  std::optional<error> broken;
};

consumer_group_actor::behavior_type
consumer_group(consumer_group_actor::stateful_pointer<consumer_group_state> self,
               consumer_group_config config) {
  self->state.begin(self, std::move(config));
  auto* state = &self->state;
  return {[=](group_order& order) {
    const reply_scope together;
    state->handle(order);
  }};
}

} // namespace

consumer_group_actor spawn_consumer_group(caf::actor_system& system, consumer_group_config config) {
  return system.spawn(consumer_group, std::move(config));
}

} // namespace aqueduct::actors
