#include "actors/discovery/discovery.hpp"

#include "actors/discovery/strangers.hpp"
#include "protocol/native/codec.hpp"

#include <caf/actor_system.hpp>
#include <caf/send.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <spdlog/spdlog.h>

#include <chrono>
#include <map>
#include <optional>
#include <utility>

namespace aqueduct::actors {

namespace {

namespace wire = protocol::cluster;

/// Between two surveys of a node that belongs to no cluster yet.
constexpr std::int64_t survey_interval_ms = 200;
/// Between two looks for nodes of the cluster that have no link.
constexpr std::int64_t search_interval_ms = 2000;
constexpr std::int64_t probe_timeout_ms = 2000;
/// How often a node says what it is waiting for.
constexpr std::int64_t reminder_ms = 5000;

class probe_sink : public link_sink {
public:
  probe_sink(discovery_actor to, std::uint64_t probe) : to_(std::move(to)), probe_(probe) {}

  void opened() override { send(seed_opened{probe_}); }
  void arrived(link_frames frames) override {
    if (!frames.frames.empty())
      send(seed_answered{probe_, std::move(frames.frames.front())});
  }
  void sent() override {}
  void closed(const error& why) override { send(seed_closed{probe_, why}); }

private:
  template <class Event>
  void send(Event event) {
    caf::anon_send(to_, discovery_event{std::move(event)});
  }

  discovery_actor to_;
  std::uint64_t probe_;
};

struct discovery_state {
  discovery_state() = default;

  void begin(discovery_actor::pointer actor, discovery_config given) {
    self = actor;
    config = std::move(given);
    survey.emplace(new_survey(config.seeds));
    next_reminder_ms = now() + reminder_ms;
    handle_tick();
  }

  // -- asking ------------------------------------------------------------------------------------

  void handle(discovery_tick&) { handle_tick(); }

  void handle_tick() {
    if (stopped)
      return;
    give_up_late_probes();
    follow_registry();
    if (config.decided)
      continue_survey();
    else
      search();
    const auto wait = config.decided ? survey_interval_ms : search_interval_ms;
    self->delayed_send(self, std::chrono::milliseconds(wait), discovery_event{discovery_tick{}});
  }

  void continue_survey() {
    if (const auto found = survey->outcome()) {
      decide(*found);
      if (!config.decided)
        return;
    }
    if (now() >= next_reminder_ms) {
      next_reminder_ms = now() + reminder_ms;
      config.log->warn("{}", has_no_leave ? "waiting for a node of this process that founds the "
                                            "cluster, or belongs to it"
                                          : survey->state());
    }
    if (!probes.empty())
      return;
    survey->begin();
    for (std::size_t seed = 0; seed < survey->seeds().size(); ++seed)
      probe(seed);
  }

  void decide(const result<survey_outcome>& found) {
    if (!found) {
      if (std::exchange(last_problem, found.error().message) != found.error().message)
        config.log->error("{}", found.error().message);
      return;
    }
    // Who came a moment later may have seen others than who came before.
    has_no_leave = found->cluster.is_nil() && config.seat && !config.seat->may_found();
    if (has_no_leave)
      return;
    std::exchange(config.decided, nullptr)(*found);
  }

  [[nodiscard]] seed_survey new_survey(std::vector<config::endpoint> seeds) const {
    const auto us = config.transport->identity();
    return {std::move(seeds), us.self.node.value, us.session};
  }

  /// The nodes of the process came or went: what was said before is forgotten.
  void follow_registry() {
    if (!config.seat || !probes.empty())
      return;
    auto present = config.seat->addresses();
    if (present == survey->seeds())
      return;
    survey.emplace(new_survey(std::move(present)));
    nodes.clear();
  }

  void search() {
    const auto links = config.transport->status();
    for (std::size_t seed = 0; seed < survey->seeds().size(); ++seed) {
      const auto known = nodes.find(seed);
      const bool linked =
          known != nodes.end() && std::ranges::any_of(links, [&](const peer_status& peer) {
            return peer.peer.value == known->second && peer.is_connected();
          });
      const bool is_self =
          known != nodes.end() && known->second == config.transport->identity().self.node.value;
      if (!linked && !is_self)
        probe(seed);
    }
  }

  void probe(std::size_t seed) {
    const auto number = ++last_probe;
    auto& entry = probes[number];
    entry.seed = seed;
    entry.deadline_ms = now() + probe_timeout_ms;
    entry.connection =
        config.dialler->dial(survey->seeds()[seed], std::make_shared<probe_sink>(self, number));
  }

  void give_up_late_probes() {
    for (auto at = probes.begin(); at != probes.end();) {
      const auto number = at->first;
      const bool is_late = at->second.deadline_ms <= now();
      ++at;
      if (is_late)
        finish(number, error{errc::timed_out, "no answer within 2 s"});
    }
  }

  // -- answers -----------------------------------------------------------------------------------

  void handle(seed_opened& event) {
    const auto at = probes.find(event.probe);
    if (at == probes.end())
      return;
    (void)at->second.connection->write(protocol::encode_frame(
        {0, protocol::frame_kind::request, wire::hello_key, wire::hello_version, errc::none, 0},
        make_hello(config.transport->identity(), raft::node_id(-1), wire::purpose::probe)));
  }

  void handle(seed_answered& event) {
    const auto at = probes.find(event.probe);
    if (at == probes.end())
      return;
    const auto answer = decode_answer(event.frame.header, event.frame.payload);
    if (!answer) {
      finish(event.probe, answer.error());
    } else if (answer->node < 0) {
      finish(event.probe, error{errc::unauthorized, answer->message});
    } else {
      const auto seed = at->second.seed;
      nodes[seed] = answer->node;
      survey->answered(seed, *answer);
      meet(*answer, survey->seeds()[seed]);
      end(event.probe);
    }
    if (config.decided)
      if (const auto found = survey->outcome(); found && survey->is_complete())
        decide(*found);
  }

  void handle(seed_closed& event) { finish(event.probe, event.why); }

  void finish(std::uint64_t probe, const error& why) {
    const auto at = probes.find(probe);
    if (at == probes.end())
      return;
    config.log->debug("{}: {}", to_string(survey->seeds()[at->second.seed]), to_string(why));
    survey->failed(at->second.seed, why);
    end(probe);
  }

  void end(std::uint64_t probe) {
    const auto at = probes.find(probe);
    at->second.connection->close(false);
    probes.erase(at);
  }

  /// A node that may belong together with this one gets a link.
  void meet(const wire::hello_answer& answer, const config::endpoint& address) {
    const auto ours = config.transport->identity().cluster;
    if (ours.is_nil() || answer.cluster.is_nil() || ours == answer.cluster)
      config.transport->add_peer(raft::node_id(answer.node), address);
  }

  void handle(stranger_seen& event) { meet_stranger(*config.transport, event.hello); }

  void handle(discovery_stop&) {
    stopped = true;
    for (auto& [number, probe] : std::exchange(probes, {}))
      probe.connection->close(false);
    config.decided = nullptr;
    self->quit();
  }

  [[nodiscard]] std::int64_t now() const { return config.env->steady_ms(); }

  struct probe_entry {
    std::size_t seed = 0;
    std::int64_t deadline_ms = 0;
    std::shared_ptr<link> connection;
  };

  discovery_actor::pointer self = nullptr;
  discovery_config config;
  std::optional<seed_survey> survey;
  std::map<std::uint64_t, probe_entry> probes;
  std::uint64_t last_probe = 0;
  /// Who answered at a seed last.
  std::map<std::size_t, std::int32_t> nodes;
  std::int64_t next_reminder_ms = 0;
  std::string last_problem;
  /// This node would found the cluster, had not another one been given leave to.
  bool has_no_leave = false;
  bool stopped = false;
};

discovery_actor::behavior_type discovery(discovery_actor::stateful_pointer<discovery_state> self,
                                         discovery_config config) {
  self->state.begin(self, std::move(config));
  auto* state = &self->state;
  return {
      [state](discovery_event& event) {
        std::visit([state](auto& what) { state->handle(what); }, event.what);
      },
  };
}

} // namespace

discovery_actor spawn_discovery(caf::actor_system& system, discovery_config config) {
  return system.spawn(discovery, std::move(config));
}

} // namespace aqueduct::actors
