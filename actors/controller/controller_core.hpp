// The cluster's metadata as a replicated state machine: brokers, topics by id, producer ids. Pure,
// in the decide / replay form: `decide_*` judge a request against the present state and give the
// command to propose; `replay` is the only thing that changes the state, for live commands and when
// the log is read again. Other commands may be committed between the two, so `replay` judges again
// what the state decides, from the state and the command alone: every node judges alike. Owned by
// one `controller` actor.
#pragma once

#include "actors/controller/commands.hpp"
#include "actors/controller/disk_room.hpp"
#include "config/topic_config.hpp"
#include "protocol/result.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace aqueduct::actors {

/// What a command changed, for those who act on it.
struct cluster_created {
  uuid id;
};
struct broker_registered {
  broker_record broker;
};
/// It counts as gone or as back, or is drained or not.
struct broker_changed {
  broker_record broker;
};
struct broker_removed {
  std::int32_t node = 0;
};
/// The replicas of one partition are, or are to be, elsewhere.
struct replicas_changed {
  topic_record topic;
  std::int32_t partition = 0;
};
struct topic_created {
  topic_record topic;
};
struct topic_altered {
  topic_record topic;
};
struct topic_deleted {
  topic_record topic;
};
struct topic_forgotten {
  uuid id;
};
struct producer_ids_allocated {
  std::int32_t node = 0;
  std::int64_t first = 0;
  std::int64_t count = 0;
};
using cluster_change = std::variant<cluster_created, broker_registered, broker_changed,
                                    broker_removed, topic_created, topic_altered, replicas_changed,
                                    topic_deleted, topic_forgotten, producer_ids_allocated>;

/// A key of the cluster's state and its new value; nullopt removes it.
struct state_write {
  std::string key;
  std::optional<buffer> value;
};

/// What came of a command. A refusal is a result, the same on every node; it changes nothing.
struct replay_outcome {
  std::optional<error> refused;
  std::optional<cluster_change> change;
  std::vector<state_write> writes;
};

class controller_core {
public:
  struct limits {
    /// Partition replicas on one node.
    std::int32_t partitions_per_node = 10'000;
    std::int32_t partitions_default = 1;
    /// As far as there are brokers.
    std::int32_t replication_default = 1;
    config::topic_config topic_defaults;
  };

  explicit controller_core(limits bounds) : limits_(std::move(bounds)) {}

  void change_limits(limits bounds) { limits_ = std::move(bounds); }
  /// What the leader has heard of the brokers' disks. Decisions and plans go by it; it is no part
  /// of the state, and what is replayed does not depend on it.
  void know_disks(std::map<std::int32_t, disk_room> disks) { disks_ = std::move(disks); }

  // -- decide ------------------------------------------------------------------------------------

  /// The command that creates the topic, replicas placed. `id` and `now_ms` are the leader's.
  [[nodiscard]] result<create_topic_command>
  decide_create(const protocol::create_topic_request& request, const uuid& id,
                std::int64_t now_ms) const;
  /// The same for a topic of the cluster's own, with up to `replication` replicas, as many as there
  /// are brokers for.
  [[nodiscard]] result<create_topic_command>
  decide_create_own(const own_topic_question& request, const uuid& id, std::int64_t now_ms) const;
  [[nodiscard]] result<alter_topic_command>
  decide_alter(const protocol::alter_topic_request& request) const;
  [[nodiscard]] result<delete_topic_command>
  decide_delete(const protocol::delete_topic_request& request) const;

  /// Moves a partition's replicas to these nodes, the preferred leader first. Errors:
  /// unknown_topic, unknown_partition, invalid_replication (no node, one twice, one that is not
  /// there), conflict (the partition moves already).
  [[nodiscard]] result<move_replicas_command>
  decide_move(std::string_view topic, std::int32_t partition,
              const std::vector<std::int32_t>& to) const;
  /// Takes a move back: whoever was to get a replica gives it up, and whoever was to give its own
  /// up keeps it, or gets it back if it had left the group. With `of_cancelled`, a move that was
  /// taken back, and so goes on as it was meant at first; only if a broker that the replicas are on
  /// their way back to is gone, or nobody who asks twice could tell where they end. Errors:
  /// unknown_topic, unknown_partition; not_found: nothing moves, or it goes there already;
  /// conflict: it was begun by a release that did not remember where the replicas were.
  [[nodiscard]] result<cancel_move_command>
  decide_cancel(std::string_view topic, std::int32_t partition, bool of_cancelled = false) const;
  /// Moves that wait for a broker that is gone, and that can be taken back: no broker that they
  /// would go back to is gone as well, and they were not taken back before.
  [[nodiscard]] std::vector<cancel_move_command> moves_to_gone() const;
  /// Takes a move back of which a new replica is damaged: the old ones are sound as far as anybody
  /// knows, and a repair would make the group go on with fewer. Nothing: the broker is to get none
  /// by a move, or has another disk by now, or the move was taken back already, or cannot be
  /// because a broker that it would go back to is gone.
  [[nodiscard]] std::optional<cancel_move_command>
  decide_give_up(const repair_replica_command& wish) const;
  /// Errors: not_found; conflict: it holds replicas (drain it with evacuation first), or it is
  /// there.
  [[nodiscard]] result<remove_broker_command> decide_remove(std::int32_t node) const;
  /// Errors: not_found; invalid_replication: too few brokers to evacuate this one.
  [[nodiscard]] result<drain_broker_command> decide_drain(const drain_broker_command& wish) const;
  /// Moves that take every replica off `node`; with `shrink`, those that no other broker can take
  /// are given up (`move_plan::evacuate`). Partitions that move already are left out. Error
  /// invalid_replication: there are too few other brokers.
  [[nodiscard]] result<std::vector<move_replicas_command>> plan_evacuation(std::int32_t node,
                                                                           bool shrink) const;
  /// Moves that spread replicas and preferred leaders evenly.
  [[nodiscard]] std::vector<move_replicas_command> plan_rebalance() const;
  /// Errors: unknown_topic; not_found: the broker has no replica of it, or is registered with
  /// another disk; conflict: it is under repair, or another one of the partition is, or there are
  /// no others that it could be repaired from; overloaded: so many are under repair already.
  [[nodiscard]] result<void> decide_repair(const repair_replica_command& wish) const;
  /// Replicas that are being replaced because they are damaged.
  [[nodiscard]] std::size_t repairs_under_way() const;
  /// Partitions that some node has yet to give up.
  [[nodiscard]] std::size_t moves_under_way() const;

  // -- replay ------------------------------------------------------------------------------------

  /// Applies a committed command.
  replay_outcome replay(const controller_command& command);
  /// Puts a key of the stored state back. storage_damaged if it cannot be read.
  [[nodiscard]] result<void> restore(std::string_view key, const buffer& value);

  // -- observers ---------------------------------------------------------------------------------

  [[nodiscard]] const uuid& cluster_id() const { return cluster_id_; }
  [[nodiscard]] const std::map<std::int32_t, broker_record>& brokers() const { return brokers_; }
  /// All topics, those being deleted among them.
  [[nodiscard]] const std::map<uuid, topic_record>& topics() const { return topics_; }
  /// The active topic of that name.
  [[nodiscard]] const topic_record* find(std::string_view name) const;
  /// Where the replicas of a partition of an active topic are; nullptr if there is none.
  [[nodiscard]] const replica_set* placed_of(const group_id& group) const;
  /// Whether the replicas of a partition move because their move was taken back.
  [[nodiscard]] bool goes_back(std::string_view topic, std::int32_t partition) const;
  /// Who the replicas of a partition are to be: the present lives of its nodes, those that may lead
  /// first. Nodes that are not registered are left out, and those whose replica is damaged.
  [[nodiscard]] std::vector<node_life> lives_of(const replica_set& placed) const;
  /// Replicas on `node`, of topics that are being deleted too.
  [[nodiscard]] std::int32_t replicas_on(std::int32_t node) const;
  [[nodiscard]] const limits& bounds() const { return limits_; }

private:
  [[nodiscard]] result<create_topic_command>
  plan_topic(const protocol::create_topic_request& request, const uuid& id,
             std::int64_t now_ms) const;
  /// Spreads replicas over the brokers that are there, evenly for the room on their disks, and as
  /// far as possible the replicas of a partition over racks and the preferred leaders over brokers.
  [[nodiscard]] result<std::vector<replica_set>> place(std::int32_t partitions,
                                                       std::int16_t replication) const;
  /// Why these replicas do not fit in nodes that may hold `node_partitions_max` each.
  [[nodiscard]] std::optional<error> lacks_room(std::span<const replica_set> added,
                                                std::int32_t node_partitions_max) const;
  void count_replicas(std::span<const replica_set> partitions, std::int32_t change);
  replay_outcome apply(const create_cluster_command& command);
  replay_outcome apply(const register_broker_command& command);
  replay_outcome apply(const fence_broker_command& command);
  replay_outcome apply(const drain_broker_command& command);
  replay_outcome apply(const remove_broker_command& command);
  replay_outcome apply(const move_replicas_command& command);
  replay_outcome apply(const replicas_moved_command& command);
  replay_outcome apply(const cancel_move_command& command);
  replay_outcome apply(const repair_replica_command& command);
  replay_outcome apply(const release_replica_command& command);
  replay_outcome apply(const replica_set_aside_command& command);
  [[nodiscard]] result<const topic_record*> check_partition(std::string_view topic,
                                                            std::int32_t partition) const;
  /// Puts the replicas of a partition elsewhere; those that are not in `to` leave.
  void send_replicas(replica_set& placed, const std::vector<std::int32_t>& to);
  [[nodiscard]] bool is_gone(std::int32_t node) const;
  /// A broker that is to get a replica, or to get it back, is gone.
  [[nodiscard]] bool waits_for_gone(const replica_set& placed) const;
  /// The replicas move, were not on their way back before, and all that they would go back to are
  /// there.
  [[nodiscard]] bool may_go_back(const replica_set& placed) const;
  [[nodiscard]] result<void> check_repair(const repair_replica_command& wish) const;
  [[nodiscard]] replica_set* find_placed(const uuid& topic, std::int32_t partition);
  replay_outcome apply(const create_topic_command& command);
  replay_outcome apply(const alter_topic_command& command);
  replay_outcome apply(const delete_topic_command& command);
  replay_outcome apply(const topic_purged_command& command);
  replay_outcome apply(const allocate_producer_ids_command& command);
  [[nodiscard]] state_write write_of(const topic_record& topic) const;
  [[nodiscard]] static state_write broker_write(const broker_record& broker);

  [[nodiscard]] disk_room disk_of(std::int32_t node) const;

  limits limits_;
  std::map<std::int32_t, disk_room> disks_;
  uuid cluster_id_;
  std::map<std::int32_t, broker_record> brokers_;
  std::map<uuid, topic_record> topics_;
  /// Active topics by name. Invariant: each id is in topics_ with that name.
  std::map<std::string, uuid, std::less<>> names_;
  /// By node: how many replicas, and of how many partitions it is the preferred leader.
  std::map<std::int32_t, std::int32_t> replicas_;
  std::map<std::int32_t, std::int32_t> preferred_;
  std::int64_t next_producer_id_ = 0;
};

/// 1 to 249 characters of [a-zA-Z0-9._-], not "." or ".."; names that begin with two underscores
/// are the cluster's own. invalid_topic says which rule is broken.
[[nodiscard]] result<void> check_topic_name(std::string_view name);

} // namespace aqueduct::actors
