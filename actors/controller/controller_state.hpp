// The state of a `controller` actor. Private to actors/controller: controller.cpp has what the
// group and the node tell it, controller_jobs.cpp what is asked of the controller that leads.
#pragma once

#include "actors/controller/broker_sessions.hpp"
#include "actors/controller/controller.hpp"
#include "actors/controller/pending_commands.hpp"
#include "actors/controller/producer_id_pool.hpp"
#include "actors/controller/stuck_moves.hpp"

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace aqueduct::actors {

struct controller_state {
  controller_state() = default;
  void begin(controller_actor::pointer actor, controller_config given);

  // -- controller.cpp: the group ------------------------------------------------------------------
  void handle(group_opened& opened);
  void handle(group_installed& news);
  void handle(group_proposed& news);
  void handle(group_refused& news);
  void handle(group_committed& news);
  void handle(group_leadership& news);
  void handle(group_failed& news);
  void handle(group_space&) {}
  void handle(group_read_ready&) {}
  void handle(group_followers&) {}
  void handle(group_transfer_failed&) {}
  void handle(group_members& news);
  void handle(group_closed&);

  void apply(const raft::entry& entry, storage::write_batch& batch);
  controller_answer act(const cluster_change& change);
  [[nodiscard]] bool restore(const std::vector<storage::kv_pair>& rows);
  void catch_up(const topic_record& before, const topic_record& topic);
  void compact(std::uint64_t seen);
  void follow_topic(const topic_record& topic);
  void alter_topic(const topic_record& topic);
  void forget_topic(const topic_record& topic);
  void publish_view();
  void report_ready();
  void report_settled();

  // -- controller.cpp: the node -------------------------------------------------------------------
  void handle(producer_id_call& call);
  void handle(topic_purged& call);
  void handle(removal_stepped& news);
  void handle(partition_damaged& news);
  void note_repair(const group_id& group);
  void handle(groups_listed& call);
  void handle(controller_configure& call);
  void handle(controller_tick&);
  void handle(controller_stop& call);
  void handle(partition_stopped&);
  [[nodiscard]] std::function<void(group_id)> tell_stopped();
  void handle(controller_close&);
  void stop_replica_when_alone();
  void stop_replica();
  void finish_stop();
  void fail(error why);
  void schedule_tick();

  // -- controller_jobs.cpp ------------------------------------------------------------------------
  void handle(create_topic_call& call);
  void handle(alter_topic_call& call);
  void handle(delete_topic_call& call);
  void handle(controller_asked& call);
  void handle(leader_answered& news);
  void handle(errand_done& news);
  void handle(member_change_begun& news);
  void handle(controller_job& job);
  void handle(partition_settled& news);

  /// Does it, has the leader do it, or keeps it until one is known.
  void take(controller_job job);
  void take_kept();
  /// The registration of this node itself: a node that joins a cluster does not know who leads.
  [[nodiscard]] bool announces_us(const controller_job& job) const;
  void ask_leader(controller_job job);
  void finish(controller_job& job, const result<controller_answer>& answer);
  void release_applied();
  void decide(controller_job& job);
  void propose(const controller_command& command, pending_commands::waiter done,
               std::int64_t deadline_ms);
  /// Proposes what this node decided by itself, unless `under_way` has the key, which it keeps
  /// until it is known what came of it: applied, refused by the log or when it was applied, or
  /// neither within `errand_timeout_ms`. `under_way` is a member, and is cleared when a term
  /// begins.
  template <class Key>
  void propose_once(const controller_command& command, std::set<Key>& under_way, const Key& key);
  template <class Command>
  void propose_or_refuse(controller_job& job, result<Command> command);
  void decide(controller_job& job, const register_broker_command& question);
  void decide(controller_job& job, const heartbeat_question& question);
  void decide(controller_job& job, const protocol::create_topic_request& question);
  void decide(controller_job& job, const protocol::alter_topic_request& question);
  void decide(controller_job& job, const protocol::delete_topic_request& question);
  void decide(controller_job& job, const topic_purged_command& question);
  void decide(controller_job& job, const allocate_producer_ids_command& question);
  void decide(controller_job& job, const drain_broker_command& question);
  void decide(controller_job& job, const remove_broker_command& question);
  void decide(controller_job& job, const move_question& question);
  void decide(controller_job& job, const replicas_moved_command& question);
  void decide(controller_job& job, const plan_question& question);
  void decide(controller_job& job, const repair_replica_command& question);
  void decide(controller_job& job, const release_replica_command& question);
  void decide(controller_job& job, const replica_set_aside_command& question);
  void decide(controller_job& job, const own_topic_question& question);
  void decide(controller_job& job, const cancel_move_question& question);
  [[nodiscard]] replica_move described(const move_replicas_command& move) const;

  /// This node leads and knows everything that was committed before.
  void establish();
  void watch_brokers();
  void tend_members();
  [[nodiscard]] bool gives_office_away();
  /// Carries plans out, a few moves at a time.
  void tend_moves();
  /// Takes back what waits for a broker that stays away.
  void end_stuck_moves();
  void run_errands();
  void run_repair_errands();
  void run_release();
  void end_release(const result<void>& answer);
  void run_errand(controller_errand what, controller_question_body question);

  [[nodiscard]] std::int64_t now() const { return config.services->env->steady_ms(); }
  [[nodiscard]] std::int32_t node() const { return config.self.node; }
  [[nodiscard]] bool is_registered() const;

  controller_actor::pointer self = nullptr;
  controller_config config;
  std::optional<controller_core> core;
  std::optional<topic_host> host;
  replica_actor replica;
  raft::membership members;
  /// They hold for good once this entry is applied.
  std::uint64_t members_index = 0;
  std::uint64_t term = 0;
  /// -1: not known.
  std::int32_t leader = -1;
  bool leads = false;
  /// Leads, and has replayed an entry of its own term. Invariant: implies leads.
  bool established = false;
  /// When the office may be offered to another node again.
  std::int64_t next_transfer_ms = 0;
  /// What the state has applied, and its generation in storage.
  std::uint64_t applied_index = 0;
  std::uint64_t generation = 0;
  /// Entries up to here are given up next; 0 before the first was seen.
  std::uint64_t compacted = 0;
  std::optional<error> failed;

  pending_commands pending;
  /// Jobs that came before it was known who leads, or that the leader could not do just now.
  std::vector<controller_job> kept;
  /// Done by the leader, in an entry that is not yet applied here; by that entry.
  std::multimap<std::uint64_t, leader_answered> unapplied;
  std::size_t next_contact = 0;

  // While it leads.
  std::optional<broker_sessions> sessions;
  std::optional<stuck_moves> stuck;
  bool member_change_under_way = false;
  std::string member_change_text;
  /// Proposed, and not yet known what came of it: brokers that count as gone or as back, and
  /// partitions that move by a plan.
  std::set<std::int32_t> fencing;
  std::set<std::pair<uuid, std::int32_t>> moves_proposed;
  /// Somebody asked for an even spread, and it is not reached.
  bool rebalancing = false;

  // What this node wants of the leader.
  std::set<controller_errand> errands;
  /// The leader took the registration in this life of the process.
  bool is_announced = false;
  std::int64_t settle_deadline_ms = 0;
  std::int64_t next_heartbeat_ms = 0;
  std::int64_t next_registration_ms = 0;
  std::string last_refusal;
  producer_id_pool producer_ids;
  /// Deleted topics of which this node has nothing left, and that the cluster still waits for.
  std::set<uuid> purged;
  /// Partitions led here whose replicas have moved, and that the cluster still waits for.
  /// The decision by which they have.
  std::map<group_id, std::int32_t> settled;
  /// Replicas of this node that are damaged and whose files are not set aside yet, whether the
  /// cluster knows of them or not; which was told of last, and when the next may be.
  std::set<group_id> damaged;
  group_id last_damaged;
  std::int64_t next_repair_ms = 0;
  /// Replicas of this node that are to go, if the decision of that number still holds; and of which
  /// that is being asked.
  std::map<group_id, std::int32_t> releasing;
  std::optional<std::pair<group_id, std::int32_t>> asked_release;
  /// Damaged replicas that this node has set aside, and that the cluster still waits for; by which
  /// decision.
  std::map<group_id, std::int32_t> set_aside;

  std::optional<controller_stop> stopping;
  /// Partitions that were told to stop and have not.
  std::size_t unstopped = 0;
  bool replica_stopping = false;
  /// The stop waits for another controller to lead.
  bool handing_over = false;
};

} // namespace aqueduct::actors
