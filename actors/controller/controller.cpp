#include "actors/controller/controller.hpp"

#include "actors/controller/controller_state.hpp"
#include "actors/replica/member_plan.hpp"
#include "actors/reply_scope.hpp"
#include "protocol/invariant.hpp"

#include <caf/actor_system.hpp>
#include <caf/send.hpp>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <utility>

namespace aqueduct::actors {

namespace {

constexpr std::string_view state_prefix = "state/";
constexpr std::int64_t tick_ms = 100;
/// How long a stop waits until another controller leads.
constexpr std::int64_t hand_over_ms = 500;
/// Groups with data that are opened per tick after a start.
constexpr std::size_t wakes_per_tick = 20;

} // namespace

void controller_state::begin(controller_actor::pointer actor, controller_config given) {
  self = actor;
  config = std::move(given);
  core.emplace(config.limits);
  sessions.emplace(config.session_timeout_ms);
  stuck.emplace(config.move_timeout_ms);
  topic_host::options options;
  options.services = config.services;
  options.directory = config.directory;
  options.topic_defaults = config.limits.topic_defaults;
  options.groups = config.groups;
  options.moved = [to = controller_actor(self)](const group_id& group, std::int32_t changes) {
    caf::anon_send(to, controller_call{partition_settled{group, changes}});
  };
  options.damaged = [to = controller_actor(self)](const group_id& group, const error& why) {
    caf::anon_send(to, controller_call{partition_damaged{group, why}});
  };
  options.repaired = config.repaired;
  options.record = [this](std::function<void(result<void>)> done) {
    self->send(
        config.services->storage_of(controller_group),
        storage_request{storage_keep_state{controller_group, applied_index, std::move(done)}});
  };
  options.ask = [this](const group_id& group, std::int32_t changes) { releasing[group] = changes; };
  options.stepped = [to = controller_actor(self)](const group_id& group, result<void> status) {
    caf::anon_send(to, controller_call{removal_stepped{group, std::move(status)}});
  };
  options.lives = [this](const replica_set& placed) { return core->lives_of(placed); };
  host.emplace(self->system(), std::move(options));
  replica_config group;
  group.group = controller_group;
  group.core = core_options_of(*config.services);
  group.storage = config.services->storage_of(controller_group);
  group.reader = config.services->reader_of(controller_group);
  group.transport = config.services->transport;
  group.calls = config.services->calls;
  group.pacer = config.services->pacer;
  group.watch = config.services->watch;
  group.state_machine = state_machine_actor(self);
  group.env = config.services->env;
  group.log = config.services->raft_log;
  group.state_family = storage::family::cluster_state;
  group.state_prefix = std::string(state_prefix);
  group.segment_bytes = std::uint64_t{16} << 20;
  group.segment_age_ms = -1;
  group.ticker = config.services->ticker;
  group.founders = config.founders;
  if (config.services->registry)
    config.services->registry->add(controller_group, [] {});
  replica = spawn_replica(self->system(), std::move(group));
  // It does not go on without whom it works for.
  self->link_to(replica);
  schedule_tick();
}

// -- the group ------------------------------------------------------------------------------------

void controller_state::handle(group_opened& opened) {
  applied_index = opened.applied;
  generation = opened.generation;
  if (!restore(opened.state))
    return;
  if (config.services->registry)
    config.services->registry->opened(controller_group, replica);
  if (config.meet)
    for (const auto& [id, broker] : core->brokers())
      config.meet(broker);
  for (const auto& [id, topic] : core->topics())
    follow_topic(topic);
  publish_view();
}

/// False: the state cannot be read, and the controller is out of service.
bool controller_state::restore(const std::vector<storage::kv_pair>& rows) {
  for (const auto& [key, value] : rows)
    if (auto restored = core->restore(key, buffer::copy_of(value)); !restored) {
      fail(restored.error());
      return false;
    }
  return true;
}

void controller_state::handle(group_installed& news) {
  applied_index = news.applied;
  generation = news.generation;
  const auto before = core->topics();
  core.emplace(controller_core::limits(core->bounds()));
  if (!restore(news.state))
    return;
  if (config.meet)
    for (const auto& [id, broker] : core->brokers())
      config.meet(broker);
  for (const auto& [id, topic] : before)
    if (!core->topics().contains(id) && topic.phase == topic_phase::active)
      forget_topic(topic);
  for (const auto& [id, topic] : core->topics()) {
    const auto known = before.find(id);
    if (known == before.end() || known->second.phase != topic.phase)
      follow_topic(topic);
    else if (topic.phase == topic_phase::active)
      catch_up(known->second, topic);
  }
  publish_view();
  release_applied();
  run_errands();
}

/// A topic is what it is now after changes that were not seen one by one.
void controller_state::catch_up(const topic_record& before, const topic_record& topic) {
  alter_topic(topic);
  for (const auto& [id, broker] : core->brokers())
    host->change_lives(broker.node);
  if (stopping)
    return;
  for (std::size_t i = 0; i < before.partitions.size() && i < topic.partitions.size(); ++i)
    if (before.partitions[i] != topic.partitions[i])
      host->change_replicas(topic, static_cast<std::int32_t>(i));
}

void controller_state::handle(group_proposed& news) {
  pending.accepted(news.first, news.term, news.count);
}

void controller_state::handle(group_refused& news) {
  pending.refused(news.count, {news.why, "the controller does not lead"});
}

void controller_state::handle(group_committed& news) {
  // What comes after an entry that could not be applied would be written as if it had been.
  if (failed)
    return;
  storage_write_state write;
  write.group = controller_group;
  write.from = nullptr;
  const auto known = applied_index;
  for (const auto& entry : news.entries) {
    // The state came with it.
    if (entry.index.value <= known)
      continue;
    AQUEDUCT_INVARIANT(entry.index.value == applied_index + 1, std::to_string(entry.index.value) +
                                                                   " after " +
                                                                   std::to_string(applied_index));
    applied_index = entry.index.value;
    if (entry.kind == raft::entry_kind::command)
      apply(entry, write.batch);
    else
      pending.applied(entry.index.value, entry.term.value, controller_answer());
    if (leads && !established && entry.term.value == term)
      establish();
  }
  if (applied_index > known) {
    write.generation = generation;
    storage::put_applied_index(write.batch, controller_group, applied_index);
    self->send(config.services->storage_of(controller_group), storage_request{std::move(write)});
  }
  const auto last = news.entries.back().index.value;
  if (news.confirm)
    self->send(replica, replica_request{replica_applied{last}});
  compact(last);
  release_applied();
  report_ready();
  report_settled();
}

/// What the state stands for may go from the log, but for the last entries: a node that was away
/// for a moment catches up with them. `seen` was handed out; the state may be ahead of it.
void controller_state::compact(std::uint64_t seen) {
  if (compacted == 0)
    compacted = seen;
  if (seen - compacted < config.entries_kept)
    return;
  self->send(replica, replica_request{replica_compact{compacted + 1}});
  compacted = seen;
}

void controller_state::handle(group_leadership& news) {
  if (failed)
    return;
  term = news.term;
  leads = news.here;
  leader = news.leader;
  if (!leads)
    established = false;
  publish_view();
  if (leader >= 0 && !leads)
    take_kept();
  run_errands();
  if (!leads && std::exchange(handing_over, false))
    stop_replica();
}

void controller_state::handle(group_members& news) {
  members = news.members;
  members_index = news.index;
  report_settled();
}

void controller_state::handle(group_failed& news) {
  fail(std::move(news.why));
}

void controller_state::handle(group_closed&) {
  replica = nullptr;
  if (config.services->registry)
    config.services->registry->remove(controller_group);
  finish_stop();
}

void controller_state::apply(const raft::entry& entry, storage::write_batch& batch) {
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
  controller_answer answer;
  if (outcome.change)
    answer = act(*outcome.change);
  answer.index = entry.index.value;
  if (outcome.refused)
    pending.applied(entry.index.value, entry.term.value, unexpected(*outcome.refused));
  else
    pending.applied(entry.index.value, entry.term.value, answer);
}

controller_answer controller_state::act(const cluster_change& change) {
  if (const auto* created = std::get_if<topic_created>(&change)) {
    follow_topic(created->topic);
    return answer_of(created->topic);
  }
  if (const auto* altered = std::get_if<topic_altered>(&change)) {
    alter_topic(altered->topic);
    return answer_of(altered->topic);
  }
  if (const auto* deleted = std::get_if<topic_deleted>(&change)) {
    follow_topic(deleted->topic);
    return answer_of(deleted->topic);
  }
  if (const auto* ids = std::get_if<producer_ids_allocated>(&change)) {
    controller_answer answer;
    answer.first_producer_id = ids->first;
    answer.producer_ids = ids->count;
    return answer;
  }
  if (const auto* registered = std::get_if<broker_registered>(&change)) {
    if (config.meet)
      config.meet(registered->broker);
    host->change_lives(registered->broker.node);
  }
  if (const auto* changed = std::get_if<broker_changed>(&change)) {
    host->change_lives(changed->broker.node);
  }
  if (const auto* moved = std::get_if<replicas_changed>(&change)) {
    note_repair({moved->topic.id, moved->partition});
    if (!stopping)
      host->change_replicas(moved->topic, moved->partition);
  }
  publish_view();
  return {};
}

/// Says how far the repair of a replica of this node is.
void controller_state::note_repair(const group_id& group) {
  const auto* placed = core->placed_of(group);
  const auto stage = placed ? placed->repair_of(node()) : std::nullopt;
  if (stage == repair_stage::leaving)
    config.log->warn("partition {}: under repair: its group goes on without the damaged replica",
                     to_string(group));
  else if (stage == repair_stage::left)
    config.log->warn("partition {}: under repair: the damaged replica has left its group, and its "
                     "files are set aside",
                     to_string(group));
  else if (stage == repair_stage::returning)
    config.log->warn("partition {}: under repair: a new replica takes everything from the others",
                     to_string(group));
}

void controller_state::follow_topic(const topic_record& topic) {
  if (topic.phase == topic_phase::active) {
    host->add(topic);
    // What is committed while the node stops has come too late for `stop_all`.
    if (stopping)
      unstopped += host->stop(topic.id, 0, tell_stopped());
    return;
  }
  forget_topic(topic);
}

void controller_state::alter_topic(const topic_record& topic) {
  const auto before = host->alter(topic);
  if (stopping && topic.partitions.size() > before)
    unstopped += host->stop(topic.id, before, tell_stopped());
}

void controller_state::forget_topic(const topic_record& topic) {
  // The partitions are on their way out already: the next start removes the files.
  if (stopping)
    return;
  host->remove(topic, [to = controller_actor(self), id = topic.id] {
    caf::anon_send(to, controller_call{topic_purged{id}});
  });
}

void controller_state::publish_view() {
  auto view = std::make_shared<cluster_view>();
  view->id = core->cluster_id();
  view->controller = leader;
  for (const auto& [id, broker] : core->brokers()) {
    view->registered.push_back(broker);
    if (!broker.fenced)
      view->brokers.push_back(broker);
  }
  for (const auto& [name, of_listener] : config.listener_views)
    of_listener->store(std::make_shared<const cluster_view>(view_by_listener(*view, name)));
  config.view->store(std::move(view));
}

void controller_state::report_ready() {
  if (!config.ready || !is_announced || !is_registered() || core->cluster_id().is_nil())
    return;
  std::exchange(config.ready, nullptr)({});
  settle_deadline_ms = now() + config.settle_ms_max;
  report_settled();
  const auto to = controller_actor(self);
  self->send(config.services->storage.front(),
             storage_request{storage_list{[to](result<std::vector<group_id>> groups) {
               if (groups)
                 caf::anon_send(to, controller_call{groups_listed{std::move(*groups)}});
             }}});
}

void controller_state::report_settled() {
  if (config.ready || !config.settled)
    return;
  // A former life of a node that was replaced still votes for a while, and answers nobody.
  const auto voters =
      static_cast<std::size_t>(std::ranges::count_if(members.voters, [this](raft::replica_id who) {
        const auto broker = core->brokers().find(who.node.value);
        return broker != core->brokers().end() &&
               raft::incarnation(broker->second.incarnation) == who.incarnation;
      }));
  const bool votes = members.is_voter(config.services->replica);
  const bool is_settled = applied_index >= members_index &&
                          (votes || voters >= controller_voters_max) &&
                          voters >= std::min(config.voters_wanted, controller_voters_max);
  if (!is_settled && now() < settle_deadline_ms)
    return;
  result<void> outcome;
  if (!is_settled)
    outcome = unexpected(errc::timed_out,
                         (votes ? std::to_string(voters) + " of " +
                                      std::to_string(config.voters_wanted) + " nodes vote"
                                : "this node does not vote") +
                             " on the cluster's metadata after " +
                             std::to_string(config.settle_ms_max / 1000) + " s");
  std::exchange(config.settled, nullptr)(std::move(outcome));
}

// -- the node -------------------------------------------------------------------------------------

void controller_state::handle(producer_id_call& call) {
  if (failed || stopping) {
    call.sink->allocated(unexpected(errc::shutting_down, "the node is shutting down"));
    return;
  }
  producer_ids.ask(std::move(call.sink));
  run_errands();
}

void controller_state::handle(topic_purged& call) {
  purged.insert(call.id);
  run_errands();
}

void controller_state::handle(removal_stepped& news) {
  const auto decision = host->step_ended(news.group, news.status, now());
  if (stopping) {
    stop_replica_when_alone();
    return;
  }
  if (decision)
    set_aside[news.group] = *decision;
  run_errands();
}

void controller_state::handle(partition_damaged& news) {
  const auto* placed = core->placed_of(news.group);
  if (placed == nullptr || !placed->is_elsewhere_than(node()) || !damaged.insert(news.group).second)
    return;
  config.log->error("partition {}: the replica on this node is damaged and is to be replaced by a "
                    "new one: {}",
                    to_string(news.group), to_string(news.why));
  run_errands();
}

void controller_state::handle(groups_listed& call) {
  for (const auto& unknown : host->plan_wake(call.groups))
    config.log->warn("group {} has files here and is not in the cluster's metadata; it is left "
                     "alone",
                     to_string(unknown));
}

void controller_state::handle(controller_configure& call) {
  core->change_limits(call.limits);
  host->change_defaults(call.limits.topic_defaults);
}

void controller_state::handle(controller_tick&) {
  if (stopping)
    return;
  host->wake_some(wakes_per_tick);
  host->retry_removals(now());
  if (established) {
    watch_brokers();
    tend_members();
    end_stuck_moves();
    tend_moves();
  }
  take_kept();
  run_errands();
  report_settled();
  pending.expire(now());
  schedule_tick();
}

void controller_state::schedule_tick() {
  self->delayed_send(self, std::chrono::milliseconds(tick_ms), controller_call{controller_tick{}});
}

// -- the end --------------------------------------------------------------------------------------

void controller_state::handle(controller_stop& call) {
  if (stopping)
    return;
  stopping = std::move(call);
  producer_ids.fail({errc::shutting_down, "the node is shutting down"});
  take_kept();
  unstopped = host->stop_all(tell_stopped());
  stop_replica_when_alone();
}

std::function<void(group_id)> controller_state::tell_stopped() {
  return [to = controller_actor(self)](group_id group) {
    caf::anon_send(to, controller_call{partition_stopped{group}});
  };
}

void controller_state::handle(partition_stopped&) {
  --unstopped;
  stop_replica_when_alone();
}

/// The controller's own group goes last: after the partitions, and after those that are being
/// removed, which need the storage pool to come to their end.
void controller_state::stop_replica_when_alone() {
  if (unstopped > 0 || host->removals_under_way() > 0 || std::exchange(replica_stopping, true))
    return;
  handing_over = leads && replica && !failed && members.voters.size() > 1;
  if (!handing_over) {
    stop_replica();
    return;
  }
  self->send(replica, replica_request{replica_hand_over{}});
  self->delayed_send(self, std::chrono::milliseconds(hand_over_ms),
                     controller_call{controller_close{}});
}

void controller_state::handle(controller_close&) {
  if (std::exchange(handing_over, false))
    stop_replica();
}

void controller_state::stop_replica() {
  if (replica)
    self->send(replica, replica_request{replica_stop{}});
  else
    finish_stop();
}

void controller_state::finish_stop() {
  if (!stopping)
    return;
  const error why{errc::shutting_down, "the node is shutting down"};
  pending.fail(why);
  for (auto& [index, news] : std::exchange(unapplied, {}))
    finish(news.job, news.answer);
  if (config.ready)
    std::exchange(config.ready, nullptr)(unexpected(why));
  if (config.settled)
    std::exchange(config.settled, nullptr)(unexpected(why));
  stopping->done({});
  self->quit();
}

void controller_state::fail(error why) {
  if (failed)
    return;
  config.log->error("the cluster's metadata is out of service: {}", to_string(why));
  failed = why;
  self->send(replica, replica_request{replica_fail{why}});
  pending.fail(why);
  established = false;
  leads = false;
  leader = -1;
  publish_view();
  take_kept();
  for (auto& [index, news] : std::exchange(unapplied, {}))
    finish(news.job, news.answer);
  if (config.ready)
    std::exchange(config.ready, nullptr)(unexpected(why));
  if (config.settled)
    std::exchange(config.settled, nullptr)(unexpected(std::move(why)));
}

namespace {

class controller_gate : public call_handler {
public:
  explicit controller_gate(controller_actor to) : to_(std::move(to)) {}

  void asked(raft::node_id, call_kind, buffer question,
             std::function<void(result<buffer>)> answer) override {
    caf::anon_send(to_, controller_call{controller_asked{std::move(question), std::move(answer)}});
  }

private:
  controller_actor to_;
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

std::shared_ptr<call_handler> make_controller_gate(controller_actor to) {
  return std::make_shared<controller_gate>(std::move(to));
}

controller_actor spawn_controller(caf::actor_system& system, controller_config config) {
  return system.spawn(controller, std::move(config));
}

} // namespace aqueduct::actors
