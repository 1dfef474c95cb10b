// What is asked of the controller that leads: by this node's clients, by this node itself, by other
// nodes. A node that does not lead passes it on, and answers when it has applied the change itself,
// so that whoever asked finds here what was done.
#include "actors/controller/controller_state.hpp"
#include "actors/replica/member_plan.hpp"
#include "protocol/native/codec.hpp"

#include <caf/send.hpp>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

namespace aqueduct::actors {

namespace {

/// Producer ids that a node sets aside at once.
constexpr std::int64_t producer_id_block = 1000;
constexpr std::int64_t errand_timeout_ms = 5000;
constexpr std::int64_t registration_retry_ms = 200;
/// Between two requests to repair a replica.
constexpr std::int64_t repair_retry_ms = 500;
/// Partitions that move at once: what they copy is shared with the clients' traffic.
constexpr std::size_t moves_max = 8;

topic_outcome to_topic(const controller_answer& answer) {
  return {answer.id, answer.partitions, answer.replication};
}

template <class Call>
controller_job job_of(Call& call, std::int64_t now_ms) {
  controller_job job;
  job.deadline_ms = now_ms + std::max<std::int64_t>(call.request.timeout_ms, 1);
  job.question.body = std::move(call.request);
  job.done = [sink = std::move(call.sink)](const result<controller_answer>& answer) {
    sink->finished(answer ? result<topic_outcome>(to_topic(*answer)) : answer.propagate());
  };
  return job;
}

/// Whether a registration would change nothing: what was decided about a broker is not its own.
bool says_the_same(const broker_record& known, broker_record self) {
  self.draining = known.draining;
  self.evacuating = known.evacuating;
  self.shrinking = known.shrinking;
  return known == self;
}

/// The question was not carried out, and another try may help.
bool may_try_again(errc code) {
  return code == errc::not_leader || code == errc::broker_unavailable || code == errc::overloaded;
}

} // namespace

void controller_state::handle(create_topic_call& call) {
  take(job_of(call, now()));
}

void controller_state::handle(alter_topic_call& call) {
  take(job_of(call, now()));
}

void controller_state::handle(delete_topic_call& call) {
  take(job_of(call, now()));
}

void controller_state::handle(controller_job& job) {
  // Asked once more, because the answer was lost, it must not turn the replicas round once more.
  if (auto* cancels = std::get_if<cancel_move_question>(&job.question.body))
    cancels->of_cancelled = core->goes_back(cancels->topic, cancels->partition);
  take(std::move(job));
}

void controller_state::handle(controller_asked& call) {
  auto question = decode_controller_question(call.question);
  if (!question) {
    call.answer(question.propagate());
    return;
  }
  // Another node may know more: it is not kept waiting for an office that is not known here.
  if (leader < 0) {
    call.answer(unexpected(errc::not_leader, "no node is known to lead the cluster's metadata"));
    return;
  }
  controller_job job;
  job.question = std::move(*question);
  job.deadline_ms = now() + errand_timeout_ms;
  job.done = [answer = std::move(call.answer)](const result<controller_answer>& outcome) {
    answer(outcome ? result<buffer>(protocol::encode(*outcome)) : outcome.propagate());
  };
  take(std::move(job));
}

// -- who does it ----------------------------------------------------------------------------------

void controller_state::take(controller_job job) {
  if (failed || stopping)
    finish(job,
           unexpected(failed ? *failed : error{errc::shutting_down, "the node is shutting down"}));
  else if (established)
    decide(job);
  else if (leader < 0 && announces_us(job))
    ask_leader(std::move(job)); // others may know it
  else if (leads || (leader < 0 && !job.question.relayed))
    kept.push_back(std::move(job));
  else if (job.question.relayed)
    finish(job, unexpected(errc::not_leader, leader < 0 ? "no node leads the cluster's metadata"
                                                        : "node " + std::to_string(leader) +
                                                              " leads the cluster's metadata"));
  else
    ask_leader(std::move(job));
}

bool controller_state::announces_us(const controller_job& job) const {
  const auto* question = std::get_if<register_broker_command>(&job.question.body);
  return question != nullptr && question->broker.node == node();
}

/// Somebody may know by now what to do with what was kept.
void controller_state::take_kept() {
  for (auto& job : std::exchange(kept, {})) {
    if (job.deadline_ms <= now())
      finish(job, unexpected(errc::timed_out, "no node leads the cluster's metadata, or the one "
                                              "that does cannot be reached; nothing was done"));
    else
      take(std::move(job));
  }
}

void controller_state::finish(controller_job& job, const result<controller_answer>& answer) {
  if (job.done)
    std::exchange(job.done, nullptr)(answer);
}

void controller_state::ask_leader(controller_job job) {
  auto question = job.question;
  question.relayed = leader >= 0;
  auto to = raft::node_id(leader);
  if (leader < 0) {
    // A node that joins knows nobody's office: whoever is asked passes it on.
    const auto contacts = config.contacts ? config.contacts() : std::vector<raft::node_id>();
    if (contacts.empty() || !config.caller) {
      kept.push_back(std::move(job));
      return;
    }
    to = contacts[next_contact++ % contacts.size()];
  }
  if (!config.caller) {
    finish(job, unexpected(errc::broker_unavailable, "this node has no links to others"));
    return;
  }
  const auto wait = std::max<std::int64_t>(job.deadline_ms - now(), 1);
  auto bytes = encode(question);
  config.caller->call(
      to, call_kind::controller, std::move(bytes), wait,
      [me = controller_actor(self), job = std::move(job)](const result<buffer>& reply) mutable {
        leader_answered news;
        news.job = std::move(job);
        news.answer = reply ? protocol::decode<controller_answer>(*reply)
                            : result<controller_answer>(reply.propagate());
        caf::anon_send(me, controller_call{std::move(news)});
      });
}

void controller_state::handle(leader_answered& news) {
  if (!news.answer && may_try_again(news.answer.error().code) && !stopping && !failed)
    kept.push_back(std::move(news.job));
  else if (news.answer && news.answer->index > applied_index && !stopping && !failed)
    unapplied.emplace(news.answer->index, std::move(news));
  else
    finish(news.job, news.answer);
}

void controller_state::release_applied() {
  while (!unapplied.empty() && unapplied.begin()->first <= applied_index) {
    auto news = std::move(unapplied.begin()->second);
    unapplied.erase(unapplied.begin());
    finish(news.job, news.answer);
  }
}

// -- the leader's judgement -----------------------------------------------------------------------

void controller_state::decide(controller_job& job) {
  // The question lives as long as the job.
  const auto question = std::move(job.question.body);
  std::visit([&](const auto& what) { decide(job, what); }, question);
}

void controller_state::propose(const controller_command& command, pending_commands::waiter done,
                               std::int64_t deadline_ms) {
  pending.add(std::move(done), deadline_ms);
  replica_propose proposal;
  proposal.term = term;
  proposal.entries.push_back({raft::entry_kind::command, encode(command)});
  self->send(replica, replica_request{std::move(proposal)});
}

template <class Command>
void controller_state::propose_or_refuse(controller_job& job, result<Command> command) {
  if (command)
    propose(*command, std::move(job.done), job.deadline_ms);
  else
    finish(job, command.propagate());
}

void controller_state::decide(controller_job& job, const register_broker_command& question) {
  const auto& broker = question.broker;
  const auto known = core->brokers().find(broker.node);
  const bool is_other_life =
      known != core->brokers().end() && known->second.incarnation != broker.incarnation;
  if (is_other_life && sessions->is_alive(broker.node, now())) {
    finish(job, unexpected(errc::conflict,
                           "a broker with the id " + std::to_string(broker.node) + " is alive at " +
                               known->second.host + ":" + std::to_string(known->second.port) +
                               "; node.id must be unique in the cluster, and a broker that lost "
                               "its disk can return when its former self is gone"));
    return;
  }
  sessions->heard(broker.node, now());
  if (known != core->brokers().end() && says_the_same(known->second, broker)) {
    controller_answer answer;
    answer.index = applied_index;
    finish(job, answer);
    return;
  }
  propose(question, std::move(job.done), job.deadline_ms);
}

void controller_state::decide(controller_job& job, const heartbeat_question& question) {
  const auto known = core->brokers().find(question.node);
  if (known == core->brokers().end() || known->second.incarnation != question.incarnation) {
    finish(job, unexpected(errc::not_found, "broker " + std::to_string(question.node) +
                                                " is not registered with this disk"));
    return;
  }
  sessions->heard(question.node, now());
  sessions->told(question.node, {question.disk_free_bytes, question.disk_total_bytes});
  core->know_disks(sessions->disks());
  finish(job, controller_answer());
}

void controller_state::decide(controller_job& job, const protocol::create_topic_request& question) {
  auto command = core->decide_create(question, random_uuid(*config.services->env),
                                     config.services->env->now_ms());
  if (command && question.validate_only) {
    auto answer = answer_of(command->topic);
    answer.id = {};
    finish(job, answer);
    return;
  }
  propose_or_refuse(job, std::move(command));
}

void controller_state::decide(controller_job& job, const own_topic_question& question) {
  propose_or_refuse(job, core->decide_create_own(question, random_uuid(*config.services->env),
                                                 config.services->env->now_ms()));
}

void controller_state::decide(controller_job& job, const protocol::alter_topic_request& question) {
  auto command = core->decide_alter(question);
  if (command && question.validate_only) {
    auto answer = answer_of(core->topics().at(command->id));
    answer.partitions = std::max(answer.partitions, command->partitions);
    finish(job, answer);
    return;
  }
  propose_or_refuse(job, std::move(command));
}

void controller_state::decide(controller_job& job, const protocol::delete_topic_request& question) {
  propose_or_refuse(job, core->decide_delete(question));
}

void controller_state::decide(controller_job& job, const topic_purged_command& question) {
  propose(question, std::move(job.done), job.deadline_ms);
}

void controller_state::decide(controller_job& job, const allocate_producer_ids_command& question) {
  propose(question, std::move(job.done), job.deadline_ms);
}

void controller_state::decide(controller_job& job, const drain_broker_command& question) {
  propose_or_refuse(job, core->decide_drain(question));
}

void controller_state::decide(controller_job& job, const remove_broker_command& question) {
  propose_or_refuse(job, core->decide_remove(question.node));
}

replica_move controller_state::described(const move_replicas_command& move) const {
  return {core->topics().at(move.id).name, move.partition, move.from, move.to};
}

void controller_state::decide(controller_job& job, const move_question& question) {
  auto command = core->decide_move(question.topic, question.partition, question.to);
  if (command && question.dry_run) {
    controller_answer answer;
    answer.moves.push_back(described(*command));
    finish(job, answer);
    return;
  }
  propose_or_refuse(job, std::move(command));
}

void controller_state::decide(controller_job& job, const cancel_move_question& question) {
  const auto command =
      core->decide_cancel(question.topic, question.partition, question.of_cancelled);
  if (!command) {
    finish(job, command.propagate());
    return;
  }
  const auto& placed = *core->placed_of({command->id, command->partition});
  controller_answer answer;
  answer.moves.push_back({question.topic, question.partition, placed.nodes, placed.origin});
  if (question.dry_run) {
    finish(job, answer);
    return;
  }
  // Or the plan would make the same move once more.
  rebalancing = false;
  propose(
      *command,
      [done = std::move(job.done), answer](result<controller_answer> outcome) mutable {
        if (outcome)
          outcome->moves = std::move(answer.moves);
        done(std::move(outcome));
      },
      job.deadline_ms);
}

void controller_state::decide(controller_job& job, const replicas_moved_command& question) {
  propose(question, std::move(job.done), job.deadline_ms);
}

void controller_state::decide(controller_job& job, const repair_replica_command& question) {
  if (const auto back = core->decide_give_up(question)) {
    config.log->warn(
        "partition {}: its new replica on broker {} is damaged: the move is taken back",
        to_string(group_id{back->id, back->partition}), question.node);
    propose(*back, std::move(job.done), job.deadline_ms);
    return;
  }
  if (auto possible = core->decide_repair(question); !possible)
    finish(job, possible.propagate());
  else
    propose(question, std::move(job.done), job.deadline_ms);
}

void controller_state::decide(controller_job& job, const release_replica_command& question) {
  propose(question, std::move(job.done), job.deadline_ms);
}

void controller_state::decide(controller_job& job, const replica_set_aside_command& question) {
  propose(question, std::move(job.done), job.deadline_ms);
}

void controller_state::decide(controller_job& job, const plan_question& question) {
  const auto planned = question.evacuate >= 0
                           ? core->plan_evacuation(question.evacuate, question.shrink)
                           : result<std::vector<move_replicas_command>>(core->plan_rebalance());
  if (!planned) {
    finish(job, planned.propagate());
    return;
  }
  controller_answer answer;
  for (const auto& move : *planned)
    answer.moves.push_back(described(move));
  if (!question.dry_run && question.evacuate < 0)
    rebalancing = true;
  finish(job, answer);
  tend_moves();
}

// -- the leader's duties --------------------------------------------------------------------------

void controller_state::establish() {
  established = true;
  sessions->begin(now());
  core->know_disks({});
  stuck->begin();
  fencing.clear();
  moves_proposed.clear();
  rebalancing = false;
  if (core->cluster_id().is_nil())
    propose(create_cluster_command{random_uuid(*config.services->env)}, nullptr,
            now() + errand_timeout_ms);
  take_kept();
  run_errands();
}

template <class Key>
void controller_state::propose_once(const controller_command& command, std::set<Key>& under_way,
                                    const Key& key) {
  if (!under_way.insert(key).second)
    return;
  propose(
      command,
      [this, &under_way, key, proposed_in = term](const result<controller_answer>&) {
        // Another term began with nothing under way.
        if (proposed_in == term)
          under_way.erase(key);
      },
      now() + errand_timeout_ms);
}

void controller_state::watch_brokers() {
  for (const auto& change : sessions->changes(core->brokers(), now()))
    propose_once(change, fencing, change.node);
}

/// A broker that is being drained leads nothing: the metadata neither. Between two tries there is
/// time for everything else: while one goes on nothing can be changed, and who is to take over may
/// be gone, which the metadata can only say then. True if this was one.
bool controller_state::gives_office_away() {
  if (now() < next_transfer_ms)
    return false;
  const auto self_record = core->brokers().find(node());
  if (self_record == core->brokers().end() || !self_record->second.draining)
    return false;
  std::optional<raft::replica_id> heir;
  for (const auto& [id, broker] : core->brokers()) {
    const raft::replica_id who{raft::node_id(id), raft::incarnation(broker.incarnation)};
    if (broker.takes() && members.is_voter(who) && sessions->is_alive(id, now()))
      heir = who;
  }
  if (!heir)
    return false;
  next_transfer_ms = now() + transfer_interval_ms;
  self->send(replica, replica_request{replica_transfer{*heir, true}});
  return true;
}

/// Every broker holds the controller's log. Voters stay voters as long as they can: a new broker
/// does not push out an old one.
void controller_state::tend_members() {
  if (member_change_under_way || gives_office_away())
    return;
  std::vector<raft::replica_id> wanted;
  std::vector<raft::replica_id> listeners;
  for (const auto& [id, broker] : core->brokers()) {
    wanted.push_back({raft::node_id(id), raft::incarnation(broker.incarnation)});
    // It may be gone any time now: what is left must not need its vote.
    if (broker.evacuating && core->replicas_on(id) == 0)
      listeners.push_back(wanted.back());
  }
  std::ranges::stable_partition(wanted,
                                [&](raft::replica_id who) { return members.is_voter(who); });
  const auto change = next_member_change(members, wanted, controller_voters_max,
                                         config.services->replica, listeners);
  if (!change)
    return;
  member_change_under_way = true;
  member_change_text = raft::to_string(*change);
  self->send(replica, replica_request{replica_change{
                          *change, [me = controller_actor(self)](result<std::uint64_t> index) {
                            caf::anon_send(me,
                                           controller_call{member_change_begun{std::move(index)}});
                          }}});
}

void controller_state::handle(member_change_begun& news) {
  member_change_under_way = false;
  if (news.index)
    config.log->info("the controller's group: {}", member_change_text);
  else
    config.log->debug("the controller's group: not yet {}: {}", member_change_text,
                      to_string(news.index.error()));
}

void controller_state::tend_moves() {
  const auto make = [this](const std::vector<move_replicas_command>& planned) {
    for (const auto& move : planned) {
      if (core->moves_under_way() + moves_proposed.size() >= moves_max)
        return;
      propose_once(move, moves_proposed, {move.id, move.partition});
    }
  };
  for (const auto& [id, broker] : core->brokers())
    if (broker.evacuating)
      if (const auto planned = core->plan_evacuation(id, broker.shrinking))
        make(*planned);
  if (!rebalancing)
    return;
  const auto planned = core->plan_rebalance();
  rebalancing = !planned.empty() || core->moves_under_way() > 0;
  make(planned);
}

void controller_state::end_stuck_moves() {
  for (const auto& back : stuck->due(core->moves_to_gone(), now())) {
    if (moves_proposed.contains({back.id, back.partition}))
      continue;
    config.log->warn("partition {}: a broker that is to get a replica has been gone for {} s: the "
                     "move is taken back",
                     to_string(group_id{back.id, back.partition}), config.move_timeout_ms / 1000);
    propose_once(back, moves_proposed, {back.id, back.partition});
  }
}

void controller_state::handle(partition_settled& news) {
  settled[news.group] = news.changes;
  run_errands();
}

// -- what this node wants -------------------------------------------------------------------------

bool controller_state::is_registered() const {
  const auto known = core->brokers().find(node());
  return known != core->brokers().end() && says_the_same(known->second, config.self);
}

void controller_state::run_errands() {
  if (failed || stopping)
    return;
  if ((!is_announced || !is_registered()) && now() >= next_registration_ms) {
    next_registration_ms = now() + registration_retry_ms;
    run_errand(controller_errand::registration, register_broker_command{config.self});
  } else if (is_announced && now() >= next_heartbeat_ms) {
    next_heartbeat_ms = now() + config.heartbeat_ms;
    const auto disk = config.disk ? config.disk() : disk_room{};
    run_errand(controller_errand::heartbeat, heartbeat_question{node(), config.self.incarnation,
                                                                disk.free_bytes, disk.total_bytes});
  }
  if (producer_ids.needs_more() && is_announced)
    run_errand(controller_errand::producer_ids,
               allocate_producer_ids_command{node(), producer_id_block});
  std::erase_if(purged, [this](const uuid& id) {
    const auto topic = core->topics().find(id);
    return topic == core->topics().end() ||
           std::ranges::find(topic->second.unpurged, node()) == topic->second.unpurged.end();
  });
  if (!purged.empty() && is_announced)
    run_errand(controller_errand::purge, topic_purged_command{*purged.begin(), node()});
  std::erase_if(settled, [this](const auto& news) {
    const auto* placed = core->placed_of(news.first);
    return placed == nullptr || placed->changes != news.second || !placed->is_changing();
  });
  if (!settled.empty() && is_announced) {
    const auto& [group, changes] = *settled.begin();
    run_errand(controller_errand::settle,
               replicas_moved_command{group.topic, group.partition, core->placed_of(group)->nodes,
                                      changes});
  }
  run_release();
  run_repair_errands();
}

void controller_state::run_release() {
  if (releasing.empty() || asked_release || !is_announced)
    return;
  asked_release = *releasing.begin();
  const auto& [group, changes] = *asked_release;
  run_errand(controller_errand::release,
             release_replica_command{group.topic, group.partition, node(), changes});
}

/// Who did not answer is asked again.
void controller_state::end_release(const result<void>& answer) {
  const auto [group, changes] = *std::exchange(asked_release, std::nullopt);
  const bool is_answer =
      answer || answer.error().code == errc::conflict || answer.error().code == errc::unknown_topic;
  const auto wish = releasing.find(group);
  if (!is_answer || wish == releasing.end() || wish->second != changes)
    return;
  releasing.erase(wish);
  host->released(group, changes, answer, now());
}

/// What this node wants of the leader for its damaged replicas.
void controller_state::run_repair_errands() {
  if (!is_announced)
    return;
  std::erase_if(damaged, [this](const group_id& group) {
    const auto* placed = core->placed_of(group);
    return placed == nullptr || !placed->is_elsewhere_than(node()) || !placed->is_on(node()) ||
           set_aside.contains(group);
  });
  // Whoever is to give its replica up may be told to keep it, and a repair ends with nothing done
  // when the replica is to leave: what is not to be told of now is not forgotten.
  const auto is_to_be_told = [this](const group_id& group) {
    const auto& placed = *core->placed_of(group);
    const auto stage = placed.repair_of(node());
    return std::ranges::find(placed.nodes, node()) != placed.nodes.end() &&
           (!stage || *stage == repair_stage::returning);
  };
  // In turn: one may have to wait for long.
  auto next = std::find_if(damaged.upper_bound(last_damaged), damaged.end(), is_to_be_told);
  if (next == damaged.end())
    next = std::ranges::find_if(damaged, is_to_be_told);
  if (next != damaged.end() && now() >= next_repair_ms) {
    last_damaged = *next;
    next_repair_ms = now() + repair_retry_ms;
    run_errand(controller_errand::repair,
               repair_replica_command{last_damaged.topic, last_damaged.partition, node(),
                                      config.self.incarnation});
  }
  std::erase_if(set_aside, [this](const auto& done) {
    const auto* placed = core->placed_of(done.first);
    return placed == nullptr || placed->changes != done.second ||
           placed->repair_of(node()) != repair_stage::left;
  });
  if (!set_aside.empty()) {
    const auto& [group, changes] = *set_aside.begin();
    run_errand(controller_errand::set_aside,
               replica_set_aside_command{group.topic, group.partition, node(), changes});
  }
}

/// One of a kind at a time.
void controller_state::run_errand(controller_errand what, controller_question_body question) {
  if (!errands.insert(what).second)
    return;
  controller_job job;
  job.question.body = std::move(question);
  job.deadline_ms = now() + errand_timeout_ms;
  job.done = [me = controller_actor(self), what](result<controller_answer> answer) {
    caf::anon_send(me, controller_call{errand_done{what, std::move(answer)}});
  };
  take(std::move(job));
}

void controller_state::handle(errand_done& news) {
  errands.erase(news.what);
  if (news.what == controller_errand::release)
    end_release(news.answer ? result<void>() : news.answer.propagate());
  if (!news.answer) {
    const auto& why = news.answer.error();
    if (news.what == controller_errand::heartbeat && why.code == errc::not_found)
      is_announced = false;
    if (news.what == controller_errand::registration &&
        std::exchange(last_refusal, why.message) != why.message)
      config.log->warn("not registered in the cluster yet: {}", why.message);
    return;
  }
  switch (news.what) {
  case controller_errand::registration:
    is_announced = true;
    next_heartbeat_ms = now() + config.heartbeat_ms;
    report_ready();
    break;
  case controller_errand::producer_ids:
    producer_ids.add(news.answer->first_producer_id, news.answer->producer_ids);
    break;
  case controller_errand::purge:
  case controller_errand::settle:
  case controller_errand::repair:
  case controller_errand::release:
  case controller_errand::set_aside:
  case controller_errand::heartbeat:
    break;
  }
  run_errands();
}

} // namespace aqueduct::actors
