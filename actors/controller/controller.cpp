#include "actors/controller/controller.hpp"

#include "actors/reply_scope.hpp"
#include "protocol/invariant.hpp"

#include <caf/actor_system.hpp>
#include <caf/send.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <spdlog/spdlog.h>

#include <chrono>
#include <deque>
#include <optional>

namespace aqueduct::actors {

namespace {

constexpr std::string_view state_prefix = "state/";
/// Producer ids that a node sets aside at once.
constexpr std::int64_t producer_id_block = 1000;
constexpr std::int64_t tick_ms = 100;
/// Groups with data that are opened per tick after a start.
constexpr std::size_t wakes_per_tick = 20;

/// A command under way and who waits for it.
struct pending_command {
  std::uint64_t index = 0;
  std::uint64_t term = 0;
  std::shared_ptr<topic_sink> sink;
  std::int64_t deadline_ms = 0;
};

topic_outcome outcome_of(const topic_record& topic) {
  return {topic.id, static_cast<std::int32_t>(topic.partitions.size()), topic.replication()};
}

struct controller_state {
  controller_state() = default;

  void begin(controller_actor::pointer actor, controller_config given) {
    self = actor;
    config = std::move(given);
    core.emplace(config.limits);
    host.emplace(self->system(), topic_host::options{config.services, config.directory,
                                                     config.limits.topic_defaults});
    replica_config group;
    group.group = controller_group;
    group.core = core_options_of(*config.services);
    group.storage = config.services->storage_of(controller_group);
    group.reader = config.services->reader_of(controller_group);
    group.state_machine = state_machine_actor(self);
    group.env = config.services->env;
    group.log = config.services->raft_log;
    group.state_family = storage::family::cluster_state;
    group.state_prefix = std::string(state_prefix);
    group.segment_bytes = std::uint64_t{16} << 20;
    group.segment_age_ms = -1;
    group.tick_ms = config.services->raft_tick_ms;
    group.founders.voters = {config.services->replica};
    replica = spawn_replica(self->system(), std::move(group));
    schedule_tick();
  }

  // -- the Raft group ----------------------------------------------------------------------------

  void handle(group_opened& opened) {
    for (const auto& [key, value] : opened.state)
      if (auto restored = core->restore(key, buffer::copy_of(value)); !restored) {
        fail(restored.error());
        return;
      }
    for (const auto& [id, topic] : core->topics())
      follow_topic(topic);
    publish_view();
  }

  void handle(group_proposed& news) {
    for (std::size_t i = 0; i < news.count; ++i) {
      auto& command = pending[indexed++];
      command.index = news.first + i;
      command.term = news.term;
    }
  }

  void handle(group_refused& news) {
    for (std::size_t i = 0; i < news.count; ++i) {
      auto command = std::move(pending[indexed]);
      pending.erase(pending.begin() + static_cast<std::ptrdiff_t>(indexed));
      if (command.sink)
        command.sink->finished(unexpected(news.why, "the controller does not lead"));
    }
  }

  void handle(group_committed& news) {
    storage_write_state write;
    write.group = controller_group;
    write.from = nullptr;
    for (const auto& entry : news.entries) {
      if (entry.kind == raft::entry_kind::command)
        apply(entry, write.batch);
      if (leads && !established && entry.term.value == term)
        establish();
    }
    const auto last = news.entries.back().index.value;
    storage::put_applied_index(write.batch, controller_group, last);
    self->send(config.services->storage_of(controller_group), storage_request{std::move(write)});
    if (news.confirm)
      self->send(replica, replica_request{replica_applied{last}});
    report_ready();
  }

  void handle(group_leadership& news) {
    term = news.term;
    leads = news.here;
    leader = news.leader;
    if (!leads) {
      established = false;
      allocating = false;
    }
    publish_view();
  }

  void handle(group_failed& news) { fail(std::move(news.why)); }
  void handle(group_space&) {}
  void handle(group_read_ready&) {}
  void handle(group_members&) {}

  void handle(group_closed&) {
    replica = nullptr;
    finish_stop();
  }

  // -- commands ----------------------------------------------------------------------------------

  void apply(const raft::entry& entry, storage::write_batch& batch) {
    const auto command = decode_controller_command(buffer(entry.body.data, entry.body.size));
    AQUEDUCT_INVARIANT(command.has_value(), "entry " + std::to_string(entry.index.value));
    auto outcome = core->replay(*command);
    for (const auto& change : outcome.writes) {
      const auto key = std::string(state_prefix) + change.key;
      if (change.value)
        batch.put(storage::family::cluster_state, key, change.value->text());
      else
        batch.remove(storage::family::cluster_state, key);
    }
    if (outcome.refused)
      config.log->info("refused {}: {}", summary(*command), to_string(*outcome.refused));
    else
      config.log->info("applied {}", summary(*command));
    topic_outcome answer;
    if (outcome.change)
      answer = act(*outcome.change);
    finish_pending(entry, outcome.refused, answer);
  }

  topic_outcome act(const cluster_change& change) {
    if (const auto* created = std::get_if<topic_created>(&change)) {
      follow_topic(created->topic);
      return outcome_of(created->topic);
    }
    if (const auto* altered = std::get_if<topic_altered>(&change)) {
      const auto before = host->alter(altered->topic);
      if (stopping && altered->topic.partitions.size() > before)
        unstopped += host->stop(altered->topic.id, before, tell_stopped());
      return outcome_of(altered->topic);
    }
    if (const auto* deleted = std::get_if<topic_deleted>(&change)) {
      follow_topic(deleted->topic);
      return outcome_of(deleted->topic);
    }
    if (const auto* ids = std::get_if<producer_ids_allocated>(&change)) {
      // Only a block that was asked for in this life: one that is replayed after a crash was given
      // out, in part, by the life before.
      if (ids->node == config.self.node && allocating) {
        next_producer_id = ids->first;
        producer_ids_end = ids->first + ids->count;
        allocating = false;
        serve_producer_ids();
      }
      return {};
    }
    publish_view();
    return {};
  }

  void follow_topic(const topic_record& topic) {
    if (topic.phase == topic_phase::active) {
      host->add(topic);
      // What is committed while the node stops has come too late for `stop_all`.
      if (stopping)
        unstopped += host->stop(topic.id, 0, tell_stopped());
      return;
    }
    // The partitions are on their way out already: the next start removes the files.
    if (stopping)
      return;
    ++purging;
    host->remove(topic, [to = controller_actor(self), id = topic.id](bool complete) {
      caf::anon_send(to, controller_call{topic_purged{id, complete}});
    });
  }

  void finish_pending(const raft::entry& entry, const std::optional<error>& refused,
                      const topic_outcome& answer) {
    if (indexed == 0 || pending.front().index != entry.index.value)
      return;
    const auto command = std::move(pending.front());
    pending.pop_front();
    --indexed;
    if (!command.sink)
      return;
    if (command.term != entry.term.value)
      command.sink->finished(unexpected(errc::timed_out, "another controller took over; the "
                                                         "change may or may not be made"));
    else if (refused)
      command.sink->finished(unexpected(*refused));
    else
      command.sink->finished(answer);
  }

  void propose(const controller_command& command, std::shared_ptr<topic_sink> sink,
               std::int32_t timeout_ms) {
    const auto wait = std::max<std::int64_t>(timeout_ms, 1);
    pending.push_back({0, 0, std::move(sink), config.services->env->steady_ms() + wait});
    replica_propose proposal;
    proposal.term = term;
    proposal.entries.push_back({raft::entry_kind::command, encode(command)});
    self->send(replica, replica_request{std::move(proposal)});
  }

  /// This node leads and knows everything that was committed before.
  void establish() {
    established = true;
    if (core->cluster_id().is_nil())
      propose(create_cluster_command{random_uuid(*config.services->env)}, nullptr, 0);
    const auto known = core->brokers().find(config.self.node);
    if (known == core->brokers().end() || known->second != config.self)
      propose(register_broker_command{config.self}, nullptr, 0);
    for (auto& call : std::exchange(early, {}))
      std::visit([this](auto& what) { handle(what); }, call.what);
    for (const auto& [id, topic] : core->topics())
      if (topic.phase == topic_phase::deleting && purged_early.contains(id))
        propose(topic_purged_command{id, config.self.node}, nullptr, 0);
    purged_early.clear();
  }

  void report_ready() {
    if (!config.ready || !established || core->cluster_id().is_nil())
      return;
    const auto known = core->brokers().find(config.self.node);
    if (known == core->brokers().end() || known->second != config.self)
      return;
    std::exchange(config.ready, nullptr)({});
    const auto to = controller_actor(self);
    self->send(config.services->storage.front(),
               storage_request{storage_list{[to](result<std::vector<group_id>> groups) {
                 if (groups)
                   caf::anon_send(to, controller_call{groups_listed{std::move(*groups)}});
               }}});
  }

  void publish_view() {
    auto view = std::make_shared<cluster_view>();
    view->id = core->cluster_id();
    view->controller = leader;
    for (const auto& [node, broker] : core->brokers())
      view->brokers.push_back(broker);
    config.view->store(std::move(view));
  }

  // -- calls -------------------------------------------------------------------------------------

  /// True if the call may be decided now; else it was kept or answered.
  template <class Call>
  bool can_decide(Call& call) {
    if (failed || stopping) {
      const auto why = failed ? *failed : error{errc::shutting_down, "the node is shutting down"};
      call.sink->finished(unexpected(why));
      return false;
    }
    if (established)
      return true;
    if (leads || leader < 0)
      early.push_back({std::move(call)});
    else
      call.sink->finished(unexpected(errc::not_leader, "node " + std::to_string(leader) +
                                                           " leads the cluster's metadata"));
    return false;
  }

  template <class Call, class Command>
  void decided(Call& call, result<Command> command) {
    if (!command) {
      call.sink->finished(command.propagate());
      return;
    }
    propose(*command, std::move(call.sink), call.request.timeout_ms);
  }

  void handle(create_topic_call& call) {
    if (!can_decide(call))
      return;
    auto command = core->decide_create(call.request, random_uuid(*config.services->env),
                                       config.services->env->now_ms());
    if (command && call.request.validate_only) {
      auto outcome = outcome_of(command->topic);
      outcome.id = {};
      call.sink->finished(outcome);
      return;
    }
    decided(call, std::move(command));
  }

  void handle(alter_topic_call& call) {
    if (!can_decide(call))
      return;
    auto command = core->decide_alter(call.request);
    if (command && call.request.validate_only) {
      auto outcome = outcome_of(core->topics().at(command->id));
      outcome.partitions = std::max(outcome.partitions, command->partitions);
      call.sink->finished(outcome);
      return;
    }
    decided(call, std::move(command));
  }

  void handle(delete_topic_call& call) {
    if (can_decide(call))
      decided(call, core->decide_delete(call.request));
  }

  void handle(producer_id_call& call) {
    if (failed || stopping) {
      call.sink->allocated(unexpected(errc::shutting_down, "the node is shutting down"));
      return;
    }
    producer_waiters.push_back(std::move(call.sink));
    serve_producer_ids();
  }

  void serve_producer_ids() {
    while (!producer_waiters.empty() && next_producer_id < producer_ids_end) {
      producer_waiters.front()->allocated(next_producer_id++);
      producer_waiters.pop_front();
    }
    if (producer_waiters.empty() || allocating || !established)
      return;
    allocating = true;
    propose(allocate_producer_ids_command{config.self.node, producer_id_block}, nullptr, 0);
  }

  void handle(topic_purged& call) {
    --purging;
    if (stopping)
      stop_replica_when_alone();
    else if (!call.complete)
      return;
    else if (established)
      propose(topic_purged_command{call.id, config.self.node}, nullptr, 0);
    else
      purged_early.insert(call.id);
  }

  void handle(groups_listed& call) {
    for (const auto& unknown : host->plan_wake(call.groups))
      config.log->warn("group {} has files here and is not in the cluster's metadata; it is left "
                       "alone",
                       to_string(unknown));
  }

  void handle(controller_configure& call) {
    core->change_limits(call.limits);
    host->change_defaults(call.limits.topic_defaults);
  }

  void handle(controller_tick&) {
    if (stopping)
      return;
    host->wake_some(wakes_per_tick);
    serve_producer_ids();
    const auto now = config.services->env->steady_ms();
    for (auto& command : pending)
      if (command.sink && command.deadline_ms <= now)
        std::exchange(command.sink, nullptr)
            ->finished(unexpected(errc::timed_out,
                                  "the change was not committed in time; it may still be"));
    schedule_tick();
  }

  // -- the end -----------------------------------------------------------------------------------

  void handle(controller_stop& call) {
    if (stopping)
      return;
    stopping = std::move(call);
    for (auto& sink : std::exchange(producer_waiters, {}))
      sink->allocated(unexpected(errc::shutting_down, "the node is shutting down"));
    for (auto& kept : std::exchange(early, {}))
      std::visit([this](auto& what) { handle(what); }, kept.what);
    unstopped = host->stop_all(tell_stopped());
    stop_replica_when_alone();
  }

  [[nodiscard]] std::function<void(group_id)> tell_stopped() {
    return [to = controller_actor(self)](group_id group) {
      caf::anon_send(to, controller_call{partition_stopped{group}});
    };
  }

  void handle(partition_stopped&) {
    --unstopped;
    stop_replica_when_alone();
  }

  /// The controller's own group goes last: after the partitions, and after those that are being
  /// removed, which need the storage pool to come to their end.
  void stop_replica_when_alone() {
    if (unstopped > 0 || purging > 0 || std::exchange(replica_stopping, true))
      return;
    if (replica)
      self->send(replica, replica_request{replica_stop{}});
    else
      finish_stop();
  }

  void finish_stop() {
    if (!stopping)
      return;
    for (auto& command : std::exchange(pending, {}))
      if (command.sink)
        command.sink->finished(unexpected(errc::shutting_down, "the node is shutting down"));
    stopping->done({});
    self->quit();
  }

  void fail(error why) {
    if (failed)
      return;
    config.log->error("the cluster's metadata is out of service: {}", to_string(why));
    failed = why;
    for (auto& command : std::exchange(pending, {}))
      if (command.sink)
        command.sink->finished(unexpected(why));
    indexed = 0;
    established = false;
    for (auto& kept : std::exchange(early, {}))
      std::visit([this](auto& what) { handle(what); }, kept.what);
    if (config.ready)
      std::exchange(config.ready, nullptr)(unexpected(std::move(why)));
  }

  void schedule_tick() {
    self->delayed_send(self, std::chrono::milliseconds(tick_ms),
                       controller_call{controller_tick{}});
  }

  controller_actor::pointer self = nullptr;
  controller_config config;
  std::optional<controller_core> core;
  std::optional<topic_host> host;
  replica_actor replica;
  std::uint64_t term = 0;
  std::int32_t leader = -1;
  bool leads = false;
  /// Leads, and has replayed an entry of its own term. Invariant: implies leads.
  bool established = false;
  std::optional<error> failed;

  /// Proposed and not committed, oldest first; the first `indexed` have their index.
  std::deque<pending_command> pending;
  std::size_t indexed = 0;
  /// Calls that came before it was known who leads.
  std::vector<controller_call> early;
  std::set<uuid> purged_early;

  std::deque<std::shared_ptr<producer_id_sink>> producer_waiters;
  std::int64_t next_producer_id = 0;
  std::int64_t producer_ids_end = 0;
  bool allocating = false;

  std::optional<controller_stop> stopping;
  /// Partitions that were told to stop and have not.
  std::size_t unstopped = 0;
  /// Deleted topics whose removal from this node is under way.
  std::size_t purging = 0;
  bool replica_stopping = false;
};

controller_actor::behavior_type
controller(controller_actor::stateful_pointer<controller_state> self, controller_config config) {
  self->state.begin(self, std::move(config));
  auto* state = &self->state;
  const auto guarded = [state](auto& message) {
    const reply_scope together;
    try {
      std::visit([state](auto& what) { state->handle(what); }, message.what);
    } catch (const std::logic_error& broken) {
      state->fail({errc::internal, broken.what()});
    }
  };
  return {
      [guarded](controller_call& call) { guarded(call); },
      [guarded](group_event& event) { guarded(event); },
  };
}

} // namespace

controller_actor spawn_controller(caf::actor_system& system, controller_config config) {
  return system.spawn(controller, std::move(config));
}

} // namespace aqueduct::actors
