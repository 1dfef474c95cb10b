// The messages between the actors of a node. They never leave the process: what crosses machines is
// bytes of protocol/. Each actor takes few message types, each a variant of requests, so that an
// interface can be read at a glance and is instantiated quickly.
#pragma once

#include "actors/calls.hpp"
#include "actors/consumer_group/group_calls.hpp"
#include "actors/consumer_group/group_traffic.hpp"
#include "actors/controller/controller_core.hpp"
#include "actors/controller/questions.hpp"
#include "actors/partition/partition_core.hpp"
#include "actors/partition/partition_elections.hpp"
#include "actors/partition/partition_membership.hpp"
#include "actors/storage_pool/kept_states.hpp"
#include "protocol/native/topic_messages.hpp"
#include "raft/effects.hpp"
#include "raft/progress.hpp"
#include "storage/group_state.hpp"
#include "storage/log_store.hpp"

#include <caf/allowed_unsafe_message_type.hpp>
#include <caf/fwd.hpp>
#include <caf/replies_to.hpp>
#include <caf/typed_actor.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <variant>
#include <vector>

namespace aqueduct::actors {

// -- between a Raft replica and its state machine (partition or controller) -----------------------

/// The group's storage is open; `state` is what the key-value state holds under the group's prefix.
struct group_opened {
  std::vector<storage::kv_pair> state;
  std::shared_ptr<storage::log_reader> log;
  /// What the state has applied. Entries up to here may be handed out once more, when the state was
  /// taken over from another replica: they are in it already.
  std::uint64_t applied = 0;
  /// To be named by what writes the state.
  std::uint64_t generation = 0;
  /// The log has the entries up to here, and they are those that were committed; the state may be
  /// ahead of it.
  std::uint64_t logged = 0;
};
/// The state of another replica took the place of this one's, because entries that are missing here
/// are gone there. What was known until now is void; writes of the state that are under way have no
/// effect. Entries up to `applied` are still to come, and are in the state already.
struct group_installed {
  std::vector<storage::kv_pair> state;
  std::uint64_t applied = 0;
  std::uint64_t generation = 0;
  /// As in `group_opened`.
  std::uint64_t logged = 0;
};
/// Answers to proposals, in the order in which they were made.
struct group_proposed {
  std::uint64_t first = 0;
  std::uint64_t term = 0;
  std::size_t count = 0;
};
struct group_refused {
  std::size_t count = 0;
  errc why = errc::not_leader;
  std::int32_t leader = -1;
};
/// Committed entries, to be applied in order. With `confirm` the replica waits for
/// `replica_applied` before it reads more of the log.
struct group_committed {
  std::vector<raft::entry> entries;
  bool confirm = false;
};
struct group_leadership {
  std::uint64_t term = 0;
  /// -1: nobody that is known.
  std::int32_t leader = -1;
  bool here = false;
};
/// The group is out of service on this node until a restart.
struct group_failed {
  error why;
};
/// Whether the disk has room for more.
struct group_space {
  bool accepts_writes = true;
};
/// Answer to `replica_read`. A state that has applied up to `index` is fresh enough; without index
/// leadership could not be confirmed, and the read is to be asked again.
struct group_read_ready {
  std::uint64_t context = 0;
  std::optional<std::uint64_t> index;
};
/// The members that are in force from the entry at `index` on.
struct group_members {
  std::uint64_t index = 0;
  raft::membership members;
};
/// The other nodes whose replica is known to keep up with this one, which leads: it answered within
/// the last election timeout, and lacks at most `replica_lag_max` of what is committed. Ascending;
/// none when this replica does not lead.
struct group_followers {
  std::vector<std::int32_t> in_sync;
};
inline constexpr std::uint64_t replica_lag_max = 1024;
/// The office was not handed over: the replica is not close enough behind, or did not take it in
/// time. Without this, `group_leadership` tells who has it.
struct group_transfer_failed {
  raft::replica_id to;
};
/// Everything of the group is closed; the replica is gone. An error: nobody can say what is
/// durable, so the group must not be opened again before a restart.
struct group_closed {
  result<void> status;
};
struct group_event {
  std::variant<group_opened, group_installed, group_proposed, group_refused, group_committed,
               group_leadership, group_failed, group_space, group_read_ready, group_members,
               group_followers, group_transfer_failed, group_closed>
      what;
};
using state_machine_actor = caf::typed_actor<caf::reacts_to<group_event>>;

// -- to a Raft replica ----------------------------------------------------------------------------

/// All or nothing, and only if this replica leads in `term`.
struct replica_propose {
  std::uint64_t term = 0;
  /// If it is given, entries of a round of which some were refused are refused too: they count on
  /// those that were before them.
  std::optional<std::uint64_t> round{};
  std::vector<proposed_entry> entries;
};
/// The state machine applied entries that came with `confirm`.
struct replica_applied {
  std::uint64_t index = 0;
};
/// The state that stands for the entries before `first_kept` is durable.
struct replica_compact {
  std::uint64_t first_kept = 0;
};
struct replica_tick {};
/// A message of another replica of the group.
struct replica_receive {
  raft::replica_id from;
  raft::message body;
};
/// Asks for an index that makes a read linearizable (Raft thesis 6.4).
struct replica_read {
  std::uint64_t context = 0;
};
/// Ticks resume: the group may be needed, or its leader's node may be gone.
struct replica_wake {};
/// The link to a node is lost.
struct replica_lost_contact {
  raft::node_id node;
};
/// Hands leadership to another voter; what becomes of it is seen in `group_leadership` or
/// `group_transfer_failed`.
struct replica_transfer {
  raft::replica_id to;
  /// Only if it has almost the whole log, as far as this leader knows.
  bool if_caught_up = false;
};
/// Hands leadership to whichever voter has most of the log, if this replica leads.
struct replica_hand_over {};
/// What a replica knows of its group.
struct replica_report {
  group_id group;
  raft::replica_id self;
  raft::role_kind role = raft::role_kind::follower;
  std::uint64_t term = 0;
  std::optional<raft::replica_id> leader;
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  std::uint64_t commit = 0;
  std::uint64_t applied = 0;
  bool hibernating = false;
  raft::membership members;
  struct follower {
    raft::replica_id who;
    std::uint64_t match = 0;
    raft::progress_mode mode = raft::progress_mode::probe;
    bool active = false;
  };
  /// On a leader.
  std::vector<follower> followers;
};
/// `done` is called once, from the actor; the group may be out of service.
struct replica_describe {
  std::function<void(result<replica_report>)> done;
};
/// Changes one member. `done` is called once, from the actor, with where the change stands in the
/// log, or why it was not begun: not_leader, overloaded (another change is under way: try again),
/// invalid_request.
struct replica_change {
  raft::membership_change change;
  std::function<void(result<std::uint64_t>)> done;
};
/// Another replica asks for a piece of the state: the question and its answer as bytes of
/// protocol/cluster/state_messages.hpp.
struct replica_share_state {
  buffer question;
  std::function<void(result<buffer>)> answer;
};
/// The answer to such a question of this replica; `number` tells it from earlier ones.
struct replica_state_piece {
  std::uint64_t number = 0;
  result<buffer> answer = unexpected(errc::internal, "not answered");
};
/// The time has come to read what a replica that is behind lacks; sent by a replica to itself.
struct replica_load {
  raft::load_request what;
};
/// The time has come to ask for the next piece of a state; sent by a replica to itself.
struct replica_next_piece {
  /// Of the piece before.
  std::uint64_t number = 0;
};
/// What the entries are applied to is out of service on this node: so is the replica, which leads
/// no more and cannot be elected. Answered with `group_failed`, as any failure.
struct replica_fail {
  error why;
};
/// Stops taking proposals, waits for the writes under way, closes the group.
struct replica_stop {};
struct replica_request {
  std::variant<replica_propose, replica_applied, replica_compact, replica_tick, replica_receive,
               replica_read, replica_wake, replica_lost_contact, replica_transfer,
               replica_hand_over, replica_describe, replica_change, replica_share_state,
               replica_state_piece, replica_load, replica_next_piece, replica_fail, replica_stop>
      what;
};

/// Answers of storage to a replica.
struct replica_opened {
  result<storage::opened_group> group = unexpected(errc::internal, "not opened");
  std::vector<storage::kv_pair> state;
  std::uint64_t generation = 0;
};
/// The state is durable in the place of the one that was there.
struct replica_state_installed {
  result<void> status;
  storage::group_state state;
  std::uint64_t generation = 0;
};
struct replica_appended {
  raft::persist_ticket ticket;
  result<void> status;
};
struct replica_loaded {
  std::uint64_t id = 0;
  result<std::vector<storage::log_entry>> entries = unexpected(errc::internal, "not loaded");
};
struct replica_closed {
  result<void> status;
};
struct storage_event {
  std::variant<replica_opened, replica_appended, replica_loaded, replica_state_installed,
               replica_closed, group_space>
      what;
};
using replica_actor =
    caf::typed_actor<caf::reacts_to<replica_request>, caf::reacts_to<storage_event>>;

// -- to the ticker --------------------------------------------------------------------------------

/// Asks for one `replica_tick`.
struct tick_request {
  replica_actor who;
  /// Asked while the tick before is dealt with: the next beat is a step after that one.
  bool out_of_tick = false;
};
/// From the ticker to itself: a step is over.
struct tick_beat {};
/// From the ticker to itself: it goes on telling, now that others had their turn.
struct tick_portion {};
using ticker_actor = caf::typed_actor<caf::reacts_to<tick_request>, caf::reacts_to<tick_beat>,
                                      caf::reacts_to<tick_portion>>;

// -- to a partition -------------------------------------------------------------------------------

struct produce_message {
  std::vector<produce_item> items;
};
struct cancel_fetch {
  std::shared_ptr<fetch_sink> sink;
};
struct cancel_subscription {
  std::shared_ptr<push_sink> sink;
};
struct credit_subscription {
  std::shared_ptr<push_sink> sink;
};
struct partition_call {
  std::variant<fetch_item, cancel_fetch, subscribe_item, cancel_subscription, credit_subscription,
               offset_item, describe_item, trim_item, producers_item>
      what;
};

struct log_read_done {
  std::uint64_t token = 0;
  result<read_answer> answer = unexpected(errc::internal, "not read");
};
struct log_time_found {
  std::uint64_t token = 0;
  result<std::optional<std::pair<std::int64_t, std::int64_t>>> found =
      unexpected(errc::internal, "not looked up");
};
struct log_probed {
  /// The group never wrote anything on this disk.
  bool is_new = false;
};
struct log_retention_found {
  std::int64_t offset = 0;
};
/// Nothing before this entry is needed any more.
struct log_trimmed {
  std::uint64_t first_index = 0;
};
struct log_answer {
  std::variant<log_read_done, log_time_found, log_description, log_probed, log_retention_found,
               log_trimmed>
      what;
};

/// Ticks of an earlier schedule are ignored.
struct partition_tick {
  std::uint64_t schedule = 0;
};
struct partition_configure {
  config::topic_config topic;
};
/// Open the group, if it sleeps.
struct partition_wake {};
/// Write what changed, answer everyone, close the group and stop. With `remove` the group's files
/// and state go too, or are set aside.
struct partition_stop {
  bool remove = false;
  std::function<void(result<void>)> done;
  storage::removal_kind kind = storage::removal_kind::delete_files;
};
/// The time to hand leadership over before a stop has passed.
struct partition_close {};
/// The time of an election may be over; sent by a partition to itself.
struct partition_elections_due {};
struct partition_control {
  std::variant<partition_tick, partition_configure, partition_wake, partition_members,
               partition_elect, partition_elections_due, partition_stop, partition_close>
      what;
};
using partition_actor =
    caf::typed_actor<caf::reacts_to<produce_message>, caf::reacts_to<partition_call>,
                     caf::reacts_to<log_answer>, caf::reacts_to<partition_control>,
                     caf::reacts_to<group_event>>;
/// A question about consumer groups.
struct group_call {
  std::variant<join_call, sync_call, heartbeat_call, leave_call, commit_call, fetch_offsets_call,
               delete_offsets_call, list_groups_call, describe_group_call, delete_group_call>
      what;
};
/// A partition of the topic of consumer groups. As a partition it has no records.
using group_partition_actor =
    partition_actor::extend<caf::reacts_to<group_call>, caf::reacts_to<find_coordinator_call>,
                            caf::reacts_to<group_report>>;
/// A group that is active at its coordinator.
using consumer_group_actor = caf::typed_actor<caf::reacts_to<group_order>>;
/// What storage tells about a log.
using log_client_actor = caf::typed_actor<caf::reacts_to<log_answer>>;

// -- to the storage pool --------------------------------------------------------------------------

struct storage_open {
  group_id group;
  replica_actor from;
  /// What the key-value state holds there is read along.
  storage::state_place state;
  std::uint64_t segment_bytes = 0;
  std::int64_t segment_age_ms = 0;
  /// What a removal has set aside stays.
  bool keeps_set_aside = false;
};
struct storage_append {
  storage::append_batch batch;
  /// Entries up to here may go once the batch is durable.
  std::optional<storage::log_base> compact;
  raft::persist_ticket ticket;
  replica_actor from;
};
/// Writes state. When it is durable, `from` hears how far the log may go that holds nothing from
/// `trim_before` on. Has no effect if the state is of another generation: another one was installed
/// meanwhile.
struct storage_write_state {
  group_id group;
  std::uint64_t generation = 0;
  storage::write_batch batch;
  std::optional<std::int64_t> trim_before;
  log_client_actor from;
};
/// Reads a piece of an open group's state for another replica. `done` is called once.
struct storage_read_state {
  group_id group;
  storage::state_place place;
  /// 0 begins; else names the moment that the first piece named.
  std::uint64_t snapshot = 0;
  std::uint64_t position = 0;
  std::function<void(result<state_piece>)> done;
};
/// Puts a state in the place of what is there, behind all earlier writes.
struct storage_install_state {
  group_id group;
  storage::state_place place;
  storage::group_state state;
  replica_actor from;
};
/// The state that a group had written is durable; sent by a storage actor to itself.
struct storage_state_flushed {
  group_id group;
  /// The group may have been removed meanwhile, and have come back as another, or have taken over
  /// another state.
  std::uint64_t generation = 0;
  std::uint64_t applied_index = 0;
  log_trimmed trimmed;
  log_client_actor from;
};
struct storage_retention {
  group_id group;
  retention_request request;
  log_client_actor from;
};
/// Looks for anything that a group that is not open may have written.
struct storage_probe {
  group_id group;
  log_client_actor from;
};
struct storage_configure {
  group_id group;
  std::uint64_t segment_bytes = 0;
  std::int64_t segment_age_ms = 0;
};
struct storage_close {
  group_id group;
  replica_actor from;
};
/// Deletes the files and the state of a closed group for ever, or its state alone.
struct storage_remove {
  group_id group;
  std::function<void(result<void>)> done;
  storage::removal_kind kind = storage::removal_kind::delete_files;
};
/// Deletes what a removal has set aside.
struct storage_discard {
  group_id group;
};
/// Everything that was written is durable when `done` is called.
struct storage_sync {
  std::function<void(result<void>)> done;
};
/// Makes the state of a group durable that has applied `index`. `done` is called once, from any
/// thread; an error: it has not, or could not be made durable.
struct storage_keep_state {
  group_id group;
  std::uint64_t index = 0;
  std::function<void(result<void>)> done;
};
/// Names the groups that have files on this disk.
struct storage_list {
  std::function<void(result<std::vector<group_id>>)> done;
};
struct storage_request {
  std::variant<storage_open, storage_append, storage_write_state, storage_state_flushed,
               storage_read_state, storage_install_state, storage_retention, storage_probe,
               storage_configure, storage_close, storage_remove, storage_discard,
               storage_keep_state, storage_sync, storage_list>
      what;
};
/// Write what is queued; sent by a storage actor to itself.
struct storage_flush {};
struct storage_tick {};
/// Time for the sync of flush mode `interval`.
struct storage_sync_tick {};
using storage_actor =
    caf::typed_actor<caf::reacts_to<storage_request>, caf::reacts_to<storage_flush>,
                     caf::reacts_to<storage_tick>, caf::reacts_to<storage_sync_tick>>;

/// Makes the key-value state durable. `done` runs in the upkeep actor and must not block.
struct upkeep_flush {
  std::function<void(result<void>)> done;
};
/// The last handle of a deleted file, as a rule: dropping it gives back its space.
struct upkeep_release {
  std::shared_ptr<storage::file> deleted;
};
struct upkeep_request {
  std::variant<upkeep_flush, upkeep_release> what;
};
/// Flush for all who asked; sent by the upkeep actor to itself.
struct upkeep_work {};
using upkeep_actor = caf::typed_actor<caf::reacts_to<upkeep_request>, caf::reacts_to<upkeep_work>>;

struct reader_read {
  std::shared_ptr<storage::log_reader> log;
  read_request request;
  log_client_actor from;
};
struct reader_find_time {
  std::shared_ptr<storage::log_reader> log;
  time_request request;
  log_client_actor from;
};
struct reader_describe {
  std::shared_ptr<storage::log_reader> log;
  describe_request request;
  log_client_actor from;
};
struct reader_load {
  std::shared_ptr<storage::log_reader> log;
  raft::load_request request;
  replica_actor from;
};
struct reader_request {
  std::variant<reader_read, reader_find_time, reader_describe, reader_load> what;
};
using reader_actor = caf::typed_actor<caf::reacts_to<reader_request>>;

// -- to the controller ----------------------------------------------------------------------------

struct create_topic_call {
  protocol::create_topic_request request;
  std::shared_ptr<topic_sink> sink;
};
struct alter_topic_call {
  protocol::alter_topic_request request;
  std::shared_ptr<topic_sink> sink;
};
struct delete_topic_call {
  protocol::delete_topic_request request;
  std::shared_ptr<topic_sink> sink;
};
struct producer_id_call {
  std::shared_ptr<producer_id_sink> sink;
};
/// Nothing of a deleted topic is left on this node.
struct topic_purged {
  uuid id;
};
/// A step of the removal of a replica from this node has ended, or has failed.
struct removal_stepped {
  group_id group;
  result<void> status;
};
struct groups_listed {
  std::vector<group_id> groups;
};
struct controller_tick {};
/// Something that the controller that leads has to do, for this node or another one. `done` is
/// called once, from any thread.
struct controller_job {
  controller_question question;
  /// Steady clock, milliseconds.
  std::int64_t deadline_ms = 0;
  std::function<void(result<controller_answer>)> done;
};
/// Another node asks.
struct controller_asked {
  buffer question;
  std::function<void(result<buffer>)> answer;
};
/// What the node that leads made of a job.
struct leader_answered {
  controller_job job;
  result<controller_answer> answer = unexpected(errc::internal, "not answered");
};
/// A job of this node's own came to its end.
enum class controller_errand : std::uint8_t {
  registration,
  heartbeat,
  producer_ids,
  purge,
  settle,
  repair,
  release,
  set_aside
};
struct errand_done {
  controller_errand what = controller_errand::heartbeat;
  result<controller_answer> answer = unexpected(errc::internal, "not answered");
};
/// The replicas of a partition that is led here are those that were wanted by this decision.
struct partition_settled {
  group_id group;
  std::int32_t changes = 0;
};
/// This node's replica of a group is not what was written.
struct partition_damaged {
  group_id group;
  error why;
};
/// A change of the controller group's members was begun, or was not.
struct member_change_begun {
  result<std::uint64_t> index = unexpected(errc::internal, "not begun");
};
/// New limits and defaults, after a reload.
struct controller_configure {
  controller_core::limits limits;
};
/// Stop all partitions, then the controller's own group. `done` is called when everything is
/// written.
struct controller_stop {
  std::function<void(result<void>)> done;
};
struct partition_stopped {
  group_id group;
};
/// The time to hand the controller's office over before a stop has passed.
struct controller_close {};
struct controller_call {
  std::variant<create_topic_call, alter_topic_call, delete_topic_call, producer_id_call,
               topic_purged, removal_stepped, groups_listed, controller_tick, controller_asked,
               leader_answered, errand_done, member_change_begun, controller_job, partition_settled,
               partition_damaged, controller_configure, controller_stop, partition_stopped,
               controller_close>
      what;
};
using controller_actor =
    caf::typed_actor<caf::reacts_to<controller_call>, caf::reacts_to<group_event>>;

} // namespace aqueduct::actors

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(aqueduct::actors::controller_call)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(aqueduct::actors::group_event)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(aqueduct::actors::replica_request)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(aqueduct::actors::storage_event)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(aqueduct::actors::tick_request)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(aqueduct::actors::tick_beat)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(aqueduct::actors::tick_portion)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(aqueduct::actors::produce_message)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(aqueduct::actors::partition_call)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(aqueduct::actors::group_call)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(aqueduct::actors::find_coordinator_call)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(aqueduct::actors::group_report)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(aqueduct::actors::group_order)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(aqueduct::actors::log_answer)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(aqueduct::actors::partition_control)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(aqueduct::actors::storage_request)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(aqueduct::actors::storage_flush)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(aqueduct::actors::storage_tick)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(aqueduct::actors::storage_sync_tick)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(aqueduct::actors::upkeep_request)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(aqueduct::actors::upkeep_work)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(aqueduct::actors::reader_request)
