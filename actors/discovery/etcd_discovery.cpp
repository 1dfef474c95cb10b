#include "actors/discovery/etcd_discovery.hpp"

#include "actors/discovery/strangers.hpp"

#include <caf/actor_system.hpp>
#include <caf/send.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

namespace aqueduct::actors {

namespace {

/// How often a node says what it is waiting for.
constexpr std::chrono::milliseconds reminder_interval{5000};

class watch_sink : public http_stream_sink {
public:
  watch_sink(etcd_discovery_actor to, std::uint64_t number) : to_(std::move(to)), number_(number) {}

  void line(std::string text) override {
    caf::anon_send(to_, etcd_event{etcd_watch_line{number_, std::move(text)}});
  }
  void closed(const error& why) override {
    caf::anon_send(to_, etcd_event{etcd_watch_closed{number_, why}});
  }

private:
  etcd_discovery_actor to_;
  std::uint64_t number_;
};

spdlog::level::level_enum to_spdlog(etcd_core::severity how) {
  switch (how) {
  case etcd_core::severity::info:
    return spdlog::level::info;
  case etcd_core::severity::warning:
    return spdlog::level::warn;
  case etcd_core::severity::failure:
    return spdlog::level::err;
  }
  return spdlog::level::err;
}

struct etcd_discovery_state {
  etcd_discovery_state() = default;

  void begin(etcd_discovery_actor::pointer actor, etcd_discovery_config given) {
    self = actor;
    config = std::move(given);
    const auto us = config.transport->identity();
    etcd_core::options options;
    options.prefix = config.prefix;
    options.ttl_ms = config.ttl_ms;
    for (const auto& member : config.members)
      options.members.push_back(to_string(member));
    options.node = us.self.node.value;
    options.incarnation = us.self.incarnation.value;
    options.address = us.address;
    options.cluster = us.cluster;
    options.decides = config.decided != nullptr;
    options.seed = config.env->random();
    core.emplace(std::move(options));
    if (config.decided)
      remind();
    perform(core->tick(now()));
  }

  // -- effects -----------------------------------------------------------------------------------

  void perform(etcd_core::effects effects) {
    for (const auto& [how, text] : effects.notes)
      config.log->log(to_spdlog(how), "{}", text);
    for (const auto& [node, address] : effects.meet)
      config.transport->add_peer(raft::node_id(node), address);
    if (effects.closes_watch)
      close_watch();
    if (const auto& watch = effects.opens_watch)
      open_watch(*watch);
    if (auto& request = effects.asks)
      ask(std::move(*request));
    set_alarm();
    if (effects.decided && config.decided)
      std::exchange(config.decided, nullptr)(survey_outcome{*effects.decided});
  }

  void ask(etcd_core::effects::request request) {
    auto post = encode(request.what);
    asked = std::move(request.what);
    config.http->post(
        config.members[request.member], std::move(post), request.timeout_ms,
        [to = etcd_discovery_actor(self), number = request.number](result<http_reply> reply) {
          caf::anon_send(to, etcd_event{etcd_answered{number, std::move(reply)}});
        });
  }

  void open_watch(const etcd_core::effects::watch& what) {
    close_watch();
    watch = config.http->open(config.members[what.member],
                              encode_watch(config.prefix + "/", what.from_revision),
                              what.timeout_ms, std::make_shared<watch_sink>(self, what.number));
  }

  void close_watch() {
    if (const auto open = std::exchange(watch, nullptr))
      open->close();
  }

  void set_alarm() {
    const auto wait = std::max<std::int64_t>(core->wake_at() - now(), 1);
    self->delayed_send(self, std::chrono::milliseconds(wait), etcd_event{etcd_alarm{++last_alarm}});
  }

  void remind() { self->delayed_send(self, reminder_interval, etcd_event{etcd_reminder{}}); }

  // -- what comes in -----------------------------------------------------------------------------

  void handle(etcd_answered& event) {
    if (!event.reply)
      perform(core->answered(event.number, event.reply.propagate(), now()));
    else
      perform(core->answered(event.number, decode(asked, event.reply->status, event.reply->body),
                             now()));
  }

  void handle(etcd_watch_line& event) {
    perform(core->watch_said(event.number, decode_watch(event.text), now()));
  }

  void handle(etcd_watch_closed& event) {
    config.log->debug("the watch of etcd ended: {}", to_string(event.why));
    perform(core->watch_closed(event.number, now()));
  }

  void handle(etcd_alarm& event) {
    if (event.number == last_alarm)
      perform(core->tick(now()));
  }

  void handle(etcd_reminder&) {
    if (!config.decided)
      return;
    config.log->warn("{}", core->state());
    remind();
  }

  void handle(stranger_seen& event) { meet_stranger(*config.transport, event.hello); }

  void handle(cluster_joined& event) { perform(core->joined(event.cluster, now())); }

  void handle(discovery_stop&) {
    close_watch();
    config.decided = nullptr;
    self->quit();
  }

  [[nodiscard]] std::int64_t now() const { return config.env->steady_ms(); }

  etcd_discovery_actor::pointer self = nullptr;
  etcd_discovery_config config;
  std::optional<etcd_core> core;
  /// What the core asked last: the answer is read by it.
  etcd_request asked;
  std::unique_ptr<http_stream> watch;
  std::uint64_t last_alarm = 0;
};

etcd_discovery_actor::behavior_type
etcd_discovery(etcd_discovery_actor::stateful_pointer<etcd_discovery_state> self,
               etcd_discovery_config config) {
  self->state.begin(self, std::move(config));
  auto* state = &self->state;
  return {
      [state](etcd_event& event) {
        std::visit([state](auto& what) { state->handle(what); }, event.what);
      },
  };
}

} // namespace

etcd_discovery_actor spawn_etcd_discovery(caf::actor_system& system, etcd_discovery_config config) {
  return system.spawn(etcd_discovery, std::move(config));
}

} // namespace aqueduct::actors
