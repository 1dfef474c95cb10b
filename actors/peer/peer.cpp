#include "actors/peer/peer.hpp"

#include <caf/actor_addr.hpp>
#include <caf/actor_cast.hpp>
#include <caf/actor_system.hpp>
#include <caf/send.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <functional>
#include <optional>
#include <unordered_map>
#include <utility>

namespace aqueduct::actors {

namespace {

/// How old the status of a link may be while something happens on it.
constexpr std::int64_t publish_interval_ms = 100;

class peer_sink : public link_sink {
public:
  peer_sink(peer_actor to, connection_id id) : to_(std::move(to)), id_(id) {}

  void opened() override { send(peer_opened{id_}); }
  void arrived(link_frames frames) override { send(peer_arrived{id_, std::move(frames)}); }
  void sent() override { send(peer_sent{id_}); }
  void closed(const error& why) override { send(peer_closed{id_, why}); }

private:
  template <class Event>
  void send(Event event) {
    caf::anon_send(to_, peer_event{std::move(event)});
  }

  peer_actor to_;
  connection_id id_;
};

/// Takes the answer to a call of the other node to the actor, from whatever thread. Holds nothing
/// that lives: whoever keeps it does not keep the link.
std::function<void(result<buffer>)> make_way_back(const peer_actor& to,
                                                  const std::shared_ptr<peer_inbox>& inbox,
                                                  const asked_call& call) {
  return [address = caf::actor_cast<caf::actor_addr>(to), inbox = std::weak_ptr(inbox),
          call](result<buffer> answer) {
    const auto present = inbox.lock();
    if (!present || !present->push(outgoing_answer{call, std::move(answer)}))
      return;
    if (const auto alive = caf::actor_cast<peer_actor>(address))
      caf::anon_send(alive, peer_event{peer_wake{}});
  };
}

struct peer_state {
  peer_state() = default;

  void begin(peer_actor::pointer actor, peer_config given) {
    self = actor;
    config = std::move(given);
    core.emplace(config.core);
    perform(core->start(now()));
  }

  // -- events ------------------------------------------------------------------------------------

  void handle(peer_wake&) {
    auto mail = config.inbox->take();
    perform(core->send(now(), std::move(mail.parcels)));
    for (auto& call : mail.calls) {
      const auto number = ++last_call;
      calls.emplace(number, std::move(call.answered));
      perform(core->call(now(), number, call.what, std::move(call.question), call.deadline_ms));
    }
    for (auto& answer : mail.answers)
      perform(core->answer(now(), answer.to, std::move(answer.answer)));
  }

  void handle(peer_tick& tick) {
    if (scheduled_ms != tick.due_ms)
      return;
    scheduled_ms.reset();
    perform(core->tick(now()));
    publish();
  }

  void handle(peer_opened& event) { perform(core->opened(now(), event.id)); }

  void handle(peer_arrived& event) {
    perform(core->arrived(now(), event.id, std::move(event.frames.frames)));
    // Handed over: the connection may read on.
    event.frames.charge.reset();
  }

  void handle(peer_sent& event) { perform(core->sent(now(), event.id)); }

  void handle(peer_closed& event) {
    links.erase(event.id);
    perform(core->closed(now(), event.id, event.why));
  }

  void handle(peer_accepted& event) {
    links[event.id] = event.from;
    perform(core->accepted(now(), event.id, event.hello));
  }

  void handle(peer_readdress& event) {
    if (event.address == config.address)
      return;
    config.address = event.address;
    perform(core->readdressed(now()));
  }

  void handle(peer_join& event) { core->join(event.cluster); }

  void handle(peer_stop&) {
    perform(core->stop());
    for (auto& call : config.inbox->close().calls)
      call.answered(unexpected(errc::shutting_down, "this node closes the link"));
    links.clear();
    self->quit();
  }

  // -- effects -----------------------------------------------------------------------------------

  void perform(peer_effects first) {
    std::deque<peer_effects> todo;
    todo.push_back(std::move(first));
    for (; !todo.empty(); todo.pop_front()) {
      auto& effects = todo.front();
      if (!effects.deliver.empty())
        config.receiver->deliver(std::move(effects.deliver));
      for (auto& ended : effects.ended)
        end_call(std::move(ended));
      for (auto& question : effects.asked)
        ask(std::move(question));
      for (const auto& note : effects.notes)
        config.log->log(note.is_warning ? spdlog::level::warn : spdlog::level::info, "{}",
                        note.text);
      if (!effects.notes.empty())
        publish();
      for (auto& step : effects.steps)
        if (const auto sent = std::visit([this](auto& what) { return carry_out(what); }, step))
          todo.push_back(core->sent(now(), *sent));
    }
    if (core->is_connected() != up)
      changed();
    else if (now() >= published_ms + publish_interval_ms)
      publish();
    schedule();
  }

  void end_call(peer_effects::ended_call ended) {
    auto call = calls.extract(ended.number);
    call.mapped()(std::move(ended.answer));
  }

  void ask(peer_effects::question question) {
    auto answer = answer_once(make_way_back(self, config.inbox, question.call),
                              {errc::internal, "the part of the node that was asked is gone"});
    if (config.calls)
      config.calls->asked(config.core.peer, question.what, std::move(question.body),
                          std::move(answer));
    else
      answer(unexpected(errc::unsupported_api, "this node answers no calls"));
  }

  using all_sent = std::optional<connection_id>;

  all_sent carry_out(peer_effects::dial& step) {
    links[step.id] = config.dialler->dial(config.address, make_peer_sink(self, step.id));
    return std::nullopt;
  }

  all_sent carry_out(peer_effects::write& step) {
    const auto found = links.find(step.id);
    if (found != links.end() && found->second->write(std::move(step.bytes)))
      return step.id;
    return std::nullopt;
  }

  all_sent carry_out(peer_effects::establish& step) {
    if (const auto found = links.find(step.id); found != links.end())
      found->second->establish();
    return std::nullopt;
  }

  all_sent carry_out(peer_effects::close& step) {
    if (const auto found = links.find(step.id); found != links.end()) {
      found->second->close(step.after_sending);
      links.erase(found);
    }
    return std::nullopt;
  }

  void changed() {
    up = !up;
    publish();
    if (config.changed)
      config.changed(config.core.peer, up);
  }

  void publish() {
    published_ms = now();
    config.board->write(core->status());
  }

  void schedule() {
    const auto next = core->next_tick_ms();
    if (!next || (scheduled_ms && *scheduled_ms <= *next))
      return;
    scheduled_ms = *next;
    self->delayed_send(self, std::chrono::milliseconds(std::max<std::int64_t>(*next - now(), 0)),
                       peer_event{peer_tick{*next}});
  }

  [[nodiscard]] std::int64_t now() const { return config.env->steady_ms(); }

  peer_actor::pointer self = nullptr;
  peer_config config;
  std::optional<peer_core> core;
  /// Every connection that is neither closed nor given up.
  std::unordered_map<connection_id, std::shared_ptr<link>> links;
  /// Who asked, of each call that the core has not ended.
  std::unordered_map<call_number, std::function<void(result<buffer>)>> calls;
  call_number last_call = 0;
  /// When the tick that counts is due.
  std::optional<std::int64_t> scheduled_ms;
  bool up = false;
  std::int64_t published_ms = 0;
};

peer_actor::behavior_type peer(peer_actor::stateful_pointer<peer_state> self, peer_config config) {
  self->state.begin(self, std::move(config));
  auto* state = &self->state;
  return {
      [state](peer_event& event) {
        std::visit([state](auto& what) { state->handle(what); }, event.what);
      },
  };
}

} // namespace

peer_actor spawn_peer(caf::actor_system& system, peer_config config) {
  return system.spawn(peer, std::move(config));
}

std::shared_ptr<link_sink> make_peer_sink(peer_actor to, connection_id id) {
  return std::make_shared<peer_sink>(std::move(to), id);
}

} // namespace aqueduct::actors
