// The interface for operators: what the `admin` actor answers to CAF remote actors. Every message
// begins with the version of the interface; the names here are registered with the same ids on both
// sides. `aq admin` is its client.
//
// CAF's protocol has no authentication: the port is bound to loopback unless told otherwise.
#pragma once

#include <caf/atom.hpp>
#include <caf/fwd.hpp>
#include <caf/meta/type_name.hpp>
#include <caf/replies_to.hpp>
#include <caf/type_id.hpp>
#include <caf/typed_actor.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace aqueduct::actors {

/// Goes up when a message changes; a node refuses other versions with a sentence.
inline constexpr std::uint16_t admin_version = 5;

#define AQUEDUCT_ADMIN_FIELDS(type, ...)                                                           \
  template <class Inspector>                                                                       \
  typename Inspector::result_type inspect(Inspector& f, type& x) {                                 \
    return f(caf::meta::type_name(#type), __VA_ARGS__);                                            \
  }

struct admin_status_request {
  std::uint16_t version = admin_version;
};
AQUEDUCT_ADMIN_FIELDS(admin_status_request, x.version)

struct admin_status {
  std::uint16_t version = admin_version;
  std::int32_t node = 0;
  std::string cluster;
  std::string software;
  /// "running", "draining".
  std::string state;
  std::string address;
  std::string data_dir;
  std::int64_t started_ms = 0;
  std::int32_t controller = -1;
  std::int64_t topics = 0;
  std::int64_t partitions = 0;
  std::int64_t connections = 0;
  std::uint64_t resident_bytes = 0;
  std::uint64_t disk_free_bytes = 0;
  std::uint64_t disk_total_bytes = 0;
  std::uint64_t cache_bytes = 0;
  /// Whether a scrub runs; when all groups were last scrubbed and when they will be next, -1 never;
  /// places that scrubs found damaged.
  bool is_scrubbing = false;
  std::int64_t scrub_last_ms = -1;
  std::int64_t scrub_next_ms = -1;
  std::uint64_t damaged = 0;
  /// Damaged replicas of this node that are being replaced.
  std::int64_t repairs = 0;
};
AQUEDUCT_ADMIN_FIELDS(admin_status, x.version, x.node, x.cluster, x.software, x.state, x.address,
                      x.data_dir, x.started_ms, x.controller, x.topics, x.partitions, x.connections,
                      x.resident_bytes, x.disk_free_bytes, x.disk_total_bytes, x.cache_bytes,
                      x.is_scrubbing, x.scrub_last_ms, x.scrub_next_ms, x.damaged, x.repairs)

struct admin_partitions_request {
  std::uint16_t version = admin_version;
  /// Empty: all topics.
  std::string topic;
};
AQUEDUCT_ADMIN_FIELDS(admin_partitions_request, x.version, x.topic)

struct admin_partition {
  std::string topic;
  std::string topic_id;
  std::int32_t partition = 0;
  std::int32_t leader = -1;
  std::int32_t epoch = 0;
  std::vector<std::int32_t> replicas;
  /// Why it is out of service, or empty.
  std::string error;
  std::int64_t log_start = 0;
  std::int64_t high_watermark = 0;
  std::int64_t size_bytes = 0;
  /// Which replica is damaged and being replaced, and how far that is; else the first damaged place
  /// that the last scrub found here, or empty: it serves all others.
  std::string damage;
};
AQUEDUCT_ADMIN_FIELDS(admin_partition, x.topic, x.topic_id, x.partition, x.leader, x.epoch,
                      x.replicas, x.error, x.log_start, x.high_watermark, x.size_bytes, x.damage)

struct admin_partitions {
  std::uint16_t version = admin_version;
  std::vector<admin_partition> partitions;
};
AQUEDUCT_ADMIN_FIELDS(admin_partitions, x.version, x.partitions)

struct admin_log_level_request {
  std::uint16_t version = admin_version;
  /// Empty: all components.
  std::string component;
  /// trace, debug, info, warn, error or off.
  std::string level;
};
AQUEDUCT_ADMIN_FIELDS(admin_log_level_request, x.version, x.component, x.level)

/// Makes everything that was written durable, whatever `storage.flush` says.
struct admin_flush_request {
  std::uint16_t version = admin_version;
};
AQUEDUCT_ADMIN_FIELDS(admin_flush_request, x.version)

/// Takes no new connections and, on a cluster, gives its leaderships away.
struct admin_drain_request {
  std::uint16_t version = admin_version;
};
AQUEDUCT_ADMIN_FIELDS(admin_drain_request, x.version)

/// Drains, then stops the node.
struct admin_shutdown_request {
  std::uint16_t version = admin_version;
};
AQUEDUCT_ADMIN_FIELDS(admin_shutdown_request, x.version)

/// Begins a scrub of everything, of a topic or of a partition.
struct admin_scrub_request {
  std::uint16_t version = admin_version;
  /// Empty: everything on the node.
  std::string topic;
  /// -1: all of the topic.
  std::int32_t partition = -1;
};
AQUEDUCT_ADMIN_FIELDS(admin_scrub_request, x.version, x.topic, x.partition)

/// Ends the scrub that runs, if one does.
struct admin_scrub_stop_request {
  std::uint16_t version = admin_version;
};
AQUEDUCT_ADMIN_FIELDS(admin_scrub_stop_request, x.version)

struct admin_scrub_status_request {
  std::uint16_t version = admin_version;
};
AQUEDUCT_ADMIN_FIELDS(admin_scrub_status_request, x.version)

struct admin_damage {
  /// "topic:partition", or "controller".
  std::string name;
  /// Folder of the group below `groups/`.
  std::string group;
  /// Number of the error table.
  std::uint16_t error = 0;
  std::string message;
  std::int64_t found_ms = 0;
};
AQUEDUCT_ADMIN_FIELDS(admin_damage, x.name, x.group, x.error, x.message, x.found_ms)

/// The scrub that runs, or the last one; and all damage that is known.
struct admin_scrub_status {
  std::uint16_t version = admin_version;
  bool is_running = false;
  std::string current;
  /// How the last one ended: "complete", "stopped", or empty.
  std::string end;
  std::int64_t started_ms = -1;
  std::int64_t finished_ms = -1;
  std::uint64_t groups_total = 0;
  std::uint64_t groups_done = 0;
  std::uint64_t bytes = 0;
  std::uint64_t entries = 0;
  std::uint64_t batches = 0;
  std::int64_t last_complete_ms = -1;
  std::int64_t next_ms = -1;
  std::vector<admin_damage> damages;
};
AQUEDUCT_ADMIN_FIELDS(admin_scrub_status, x.version, x.is_running, x.current, x.end, x.started_ms,
                      x.finished_ms, x.groups_total, x.groups_done, x.bytes, x.entries, x.batches,
                      x.last_complete_ms, x.next_ms, x.damages)

// -- the cluster ----------------------------------------------------------------------------------

struct admin_brokers_request {
  std::uint16_t version = admin_version;
};
AQUEDUCT_ADMIN_FIELDS(admin_brokers_request, x.version)

/// The link of the asked node to another one.
struct admin_link {
  bool is_up = false;
  /// Of the last ping, in milliseconds; -1 unknown.
  std::int64_t round_trip_ms = -1;
  std::uint64_t bytes_sent = 0;
  std::uint64_t bytes_received = 0;
  std::uint64_t dropped = 0;
  /// Why the last connection ended; may be empty.
  std::string last_error;
};
AQUEDUCT_ADMIN_FIELDS(admin_link, x.is_up, x.round_trip_ms, x.bytes_sent, x.bytes_received,
                      x.dropped, x.last_error)

struct admin_broker {
  std::int32_t node = 0;
  /// For clients, and for other nodes.
  std::string address;
  std::string cluster_address;
  /// For clients of listeners that have names: name=host:port each.
  std::vector<std::string> listeners;
  std::string rack;
  std::uint64_t incarnation = 0;
  /// "there", "gone", "draining" or "evacuating"; empty: replicas are placed there, and nobody of
  /// that id is registered.
  std::string state;
  bool is_controller = false;
  /// It has a vote on the cluster's metadata, as far as the asked node knows.
  bool votes = false;
  /// Replicas placed there, partitions of which it is the preferred leader, replicas that it has
  /// yet to give up.
  std::int64_t replicas = 0;
  std::int64_t preferred = 0;
  std::int64_t leaving = 0;
  /// Of the asked node; of itself it says nothing.
  admin_link link;
};
AQUEDUCT_ADMIN_FIELDS(admin_broker, x.node, x.address, x.cluster_address, x.listeners, x.rack,
                      x.incarnation, x.state, x.is_controller, x.votes, x.replicas, x.preferred,
                      x.leaving, x.link)

struct admin_brokers {
  std::uint16_t version = admin_version;
  /// The node that was asked.
  std::int32_t node = 0;
  std::string cluster;
  std::vector<admin_broker> brokers;
};
AQUEDUCT_ADMIN_FIELDS(admin_brokers, x.version, x.node, x.cluster, x.brokers)

/// What the replicas of this node know of their Raft groups.
struct admin_groups_request {
  std::uint16_t version = admin_version;
  /// Empty: all topics and the controller; "controller": that group alone.
  std::string topic;
  /// -1: all of the topic.
  std::int32_t partition = -1;
};
AQUEDUCT_ADMIN_FIELDS(admin_groups_request, x.version, x.topic, x.partition)

struct admin_follower {
  std::int32_t node = 0;
  std::uint64_t incarnation = 0;
  bool is_learner = false;
  /// "probe", "replicate" or "snapshot".
  std::string mode;
  /// Up to where its log is known to be that of the leader, durably.
  std::uint64_t match = 0;
};
AQUEDUCT_ADMIN_FIELDS(admin_follower, x.node, x.incarnation, x.is_learner, x.mode, x.match)

struct admin_group {
  /// Empty with partition -1: the controller.
  std::string topic;
  std::int32_t partition = -1;
  /// Why it gave no answer, or empty; then the rest says nothing.
  std::string error;
  /// "leader", "follower", "candidate", "pre-candidate"; or "asleep": the group is closed until
  /// somebody uses it, and the rest says nothing.
  std::string role;
  std::uint64_t term = 0;
  /// -1: not known.
  std::int32_t leader = -1;
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  std::uint64_t commit = 0;
  std::uint64_t applied = 0;
  bool is_hibernating = false;
  /// Node ids, those of this node's membership in force.
  std::vector<std::int32_t> voters;
  std::vector<std::int32_t> learners;
  /// On the leader.
  std::vector<admin_follower> followers;
};
AQUEDUCT_ADMIN_FIELDS(admin_group, x.topic, x.partition, x.error, x.role, x.term, x.leader, x.first,
                      x.last, x.commit, x.applied, x.is_hibernating, x.voters, x.learners,
                      x.followers)

struct admin_groups {
  std::uint16_t version = admin_version;
  std::vector<admin_group> groups;
};
AQUEDUCT_ADMIN_FIELDS(admin_groups, x.version, x.groups)

/// Has the leader of a group, which is to be this node, hand its office to a replica on another.
struct admin_transfer_request {
  std::uint16_t version = admin_version;
  /// "controller": that group.
  std::string topic;
  std::int32_t partition = 0;
  std::int32_t to = -1;
};
AQUEDUCT_ADMIN_FIELDS(admin_transfer_request, x.version, x.topic, x.partition, x.to)

/// Makes the state of one replica on this node durable, so that a start need not replay the log.
/// The controller's log then loses the entries that the state stands for: a node that lacks them
/// gets the state. A partition's entries are its records and stay.
struct admin_snapshot_request {
  std::uint16_t version = admin_version;
  /// "controller": that group.
  std::string topic;
  std::int32_t partition = 0;
};
AQUEDUCT_ADMIN_FIELDS(admin_snapshot_request, x.version, x.topic, x.partition)

/// Whichever node is asked passes it on to the controller that leads.
struct admin_broker_change_request {
  std::uint16_t version = admin_version;
  std::int32_t node = -1;
  /// "drain": lead nothing, get nothing; "evacuate": and hold nothing; "shrink": and give up what
  /// no other broker can take; "undrain"; "remove": a broker that holds nothing and is gone leaves
  /// the cluster.
  std::string change;
};
AQUEDUCT_ADMIN_FIELDS(admin_broker_change_request, x.version, x.node, x.change)

/// Replicas of a partition are to be on these nodes, the preferred leader first.
struct admin_move_request {
  std::uint16_t version = admin_version;
  std::string topic;
  std::int32_t partition = 0;
  std::vector<std::int32_t> to;
  bool dry_run = false;
};
AQUEDUCT_ADMIN_FIELDS(admin_move_request, x.version, x.topic, x.partition, x.to, x.dry_run)

/// Replicas of a partition that move are to go back to where they were.
struct admin_cancel_move_request {
  std::uint16_t version = admin_version;
  std::string topic;
  std::int32_t partition = 0;
  bool dry_run = false;
};
AQUEDUCT_ADMIN_FIELDS(admin_cancel_move_request, x.version, x.topic, x.partition, x.dry_run)

/// Spreads replicas and preferred leaders evenly, or plans to take everything off a broker.
struct admin_plan_request {
  std::uint16_t version = admin_version;
  /// -1: spread evenly. Otherwise only with `dry_run`: "evacuate" begins it.
  std::int32_t evacuate = -1;
  bool dry_run = false;
  /// An evacuation would give up the replicas that no other broker can take.
  bool shrink = false;
};
AQUEDUCT_ADMIN_FIELDS(admin_plan_request, x.version, x.evacuate, x.dry_run, x.shrink)

struct admin_move {
  std::string topic;
  std::int32_t partition = 0;
  std::vector<std::int32_t> from;
  std::vector<std::int32_t> to;
};
AQUEDUCT_ADMIN_FIELDS(admin_move, x.topic, x.partition, x.from, x.to)

struct admin_moves {
  std::uint16_t version = admin_version;
  /// Number of the error table; 0 is success.
  std::uint16_t error = 0;
  std::string message;
  std::vector<admin_move> moves;
};
AQUEDUCT_ADMIN_FIELDS(admin_moves, x.version, x.error, x.message, x.moves)

struct admin_done {
  std::uint16_t version = admin_version;
  /// Number of the error table; 0 is success.
  std::uint16_t error = 0;
  std::string message;
};
AQUEDUCT_ADMIN_FIELDS(admin_done, x.version, x.error, x.message)

#undef AQUEDUCT_ADMIN_FIELDS

using admin_actor =
    caf::typed_actor<caf::replies_to<admin_status_request>::with<admin_status>,
                     caf::replies_to<admin_partitions_request>::with<admin_partitions>,
                     caf::replies_to<admin_log_level_request>::with<admin_done>,
                     caf::replies_to<admin_flush_request>::with<admin_done>,
                     caf::replies_to<admin_drain_request>::with<admin_done>,
                     caf::replies_to<admin_shutdown_request>::with<admin_done>,
                     caf::replies_to<admin_scrub_request>::with<admin_done>,
                     caf::replies_to<admin_scrub_stop_request>::with<admin_done>,
                     caf::replies_to<admin_scrub_status_request>::with<admin_scrub_status>,
                     caf::replies_to<admin_brokers_request>::with<admin_brokers>,
                     caf::replies_to<admin_groups_request>::with<admin_groups>,
                     caf::replies_to<admin_transfer_request>::with<admin_done>,
                     caf::replies_to<admin_snapshot_request>::with<admin_done>,
                     caf::replies_to<admin_broker_change_request>::with<admin_done>,
                     caf::replies_to<admin_move_request>::with<admin_moves>,
                     caf::replies_to<admin_plan_request>::with<admin_moves>,
                     caf::replies_to<admin_cancel_move_request>::with<admin_moves>>;

} // namespace aqueduct::actors

CAF_BEGIN_TYPE_ID_BLOCK(aqueduct_admin, first_custom_type_id)
CAF_ADD_TYPE_ID(aqueduct_admin, (aqueduct::actors::admin_status_request))
CAF_ADD_TYPE_ID(aqueduct_admin, (aqueduct::actors::admin_status))
CAF_ADD_TYPE_ID(aqueduct_admin, (aqueduct::actors::admin_partitions_request))
CAF_ADD_TYPE_ID(aqueduct_admin, (aqueduct::actors::admin_partition))
CAF_ADD_TYPE_ID(aqueduct_admin, (aqueduct::actors::admin_partitions))
CAF_ADD_TYPE_ID(aqueduct_admin, (aqueduct::actors::admin_log_level_request))
CAF_ADD_TYPE_ID(aqueduct_admin, (aqueduct::actors::admin_flush_request))
CAF_ADD_TYPE_ID(aqueduct_admin, (aqueduct::actors::admin_drain_request))
CAF_ADD_TYPE_ID(aqueduct_admin, (aqueduct::actors::admin_shutdown_request))
CAF_ADD_TYPE_ID(aqueduct_admin, (aqueduct::actors::admin_done))
CAF_ADD_TYPE_ID(aqueduct_admin, (aqueduct::actors::admin_scrub_request))
CAF_ADD_TYPE_ID(aqueduct_admin, (aqueduct::actors::admin_scrub_stop_request))
CAF_ADD_TYPE_ID(aqueduct_admin, (aqueduct::actors::admin_scrub_status_request))
CAF_ADD_TYPE_ID(aqueduct_admin, (aqueduct::actors::admin_damage))
CAF_ADD_TYPE_ID(aqueduct_admin, (aqueduct::actors::admin_scrub_status))
CAF_ADD_TYPE_ID(aqueduct_admin, (aqueduct::actors::admin_brokers_request))
CAF_ADD_TYPE_ID(aqueduct_admin, (aqueduct::actors::admin_link))
CAF_ADD_TYPE_ID(aqueduct_admin, (aqueduct::actors::admin_broker))
CAF_ADD_TYPE_ID(aqueduct_admin, (aqueduct::actors::admin_brokers))
CAF_ADD_TYPE_ID(aqueduct_admin, (aqueduct::actors::admin_groups_request))
CAF_ADD_TYPE_ID(aqueduct_admin, (aqueduct::actors::admin_follower))
CAF_ADD_TYPE_ID(aqueduct_admin, (aqueduct::actors::admin_group))
CAF_ADD_TYPE_ID(aqueduct_admin, (aqueduct::actors::admin_groups))
CAF_ADD_TYPE_ID(aqueduct_admin, (aqueduct::actors::admin_transfer_request))
CAF_ADD_TYPE_ID(aqueduct_admin, (aqueduct::actors::admin_broker_change_request))
CAF_ADD_TYPE_ID(aqueduct_admin, (aqueduct::actors::admin_move_request))
CAF_ADD_TYPE_ID(aqueduct_admin, (aqueduct::actors::admin_plan_request))
CAF_ADD_TYPE_ID(aqueduct_admin, (aqueduct::actors::admin_move))
CAF_ADD_TYPE_ID(aqueduct_admin, (aqueduct::actors::admin_moves))
CAF_ADD_TYPE_ID(aqueduct_admin, (aqueduct::actors::admin_snapshot_request))
CAF_ADD_TYPE_ID(aqueduct_admin, (aqueduct::actors::admin_cancel_move_request))
CAF_END_TYPE_ID_BLOCK(aqueduct_admin)
