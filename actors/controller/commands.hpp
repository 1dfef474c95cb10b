// Commands in the controller's log, and the records of the cluster's state. Both are defined like
// the messages of the native protocol, so that they are encoded, decoded and printed the same way.
#pragma once

#include "config/topic_config.hpp"
#include "protocol/buffer.hpp"
#include "protocol/ids.hpp"
#include "protocol/native/topic_messages.hpp"
#include "protocol/result.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace aqueduct::actors {

using protocol::field;
using protocol::message_info;

/// A life of a node's disk.
struct node_life {
  std::int32_t node = 0;
  std::uint64_t incarnation = 0;

  static constexpr message_info info{"NodeLife", "A node, in one life of its disk."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"node", "Node id."}, m.node);
    v(field{"incarnation", "Which life of its disk."}, m.incarnation);
  }
  friend bool operator==(const node_life&, const node_life&) = default;
};

/// How far a damaged replica is replaced by a new one on the same node.
enum class repair_stage : std::uint8_t {
  /// The group is to go on without it.
  leaving = 0,
  /// The group does: the node is to set the files aside.
  left = 1,
  /// The node has: a new replica takes everything from the others and is to become a voter.
  returning = 2,
};
[[nodiscard]] std::string_view to_string(repair_stage stage);

/// A replica that is being repaired.
struct replica_repair {
  std::int32_t node = 0;
  repair_stage stage = repair_stage::leaving;

  static constexpr message_info info{"ReplicaRepair", "A damaged replica that is replaced."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"node", "Its node."}, m.node);
    v(field{"stage", "0: it leaves the group, 1: it has left, 2: a new one joins."}, m.stage);
  }
  friend bool operator==(const replica_repair&, const replica_repair&) = default;
};

/// Where a partition's replicas are; the first is the preferred leader.
struct replica_set {
  std::vector<std::int32_t> nodes;
  /// The members with which the partition's Raft group begins, wherever the replicas are moved; of
  /// incarnation 0, which no replica has, who gave up its replica since. Empty in records of before
  /// there were several nodes: the one of `nodes`.
  std::vector<node_life> founders{};
  /// Nodes that held a replica and are to give it up when those of `nodes` have everything.
  std::vector<std::int32_t> leaving{};
  /// Nodes of `nodes` whose replica is damaged and is replaced there: at most one at a time.
  std::vector<replica_repair> repairs{};
  /// How often any of this was decided anew: what is said of an earlier decision is told from what
  /// is said of this one.
  std::int32_t changes = 0;
  /// Where they were before the move that is under way, the preferred leader first: there they go
  /// when it is cancelled. Where they were to go, if it was. Empty when nothing moves, and for
  /// moves of before they could be cancelled.
  std::vector<std::int32_t> origin{};
  /// The move that is under way takes one back.
  bool is_cancelled = false;

  static constexpr message_info info{"ReplicaSet", "The nodes that hold a partition."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"nodes", "Node ids; the first is the preferred leader."}, m.nodes);
    v(field{"founders", "The first members of the partition's group.", 3}, m.founders);
    v(field{"leaving", "Nodes that are to give up their replica.", 3}, m.leaving);
    v(field{"repairs", "Damaged replicas that are being replaced.", 4}, m.repairs);
    v(field{"changes", "How often this was decided anew.", 4}, m.changes);
    v(field{"origin", "Where they were before they began to move.", 5}, m.origin);
    v(field{"is_cancelled", "Whether they move back.", 5}, m.is_cancelled);
  }
  friend bool operator==(const replica_set&, const replica_set&) = default;

  /// Whether `node` has, or may have, files of the partition.
  [[nodiscard]] bool is_on(std::int32_t node) const;
  /// Whether another node than `node` has, or may have, files of the partition.
  [[nodiscard]] bool is_elsewhere_than(std::int32_t node) const;
  /// How far the replica of `node` is repaired; nothing if it is not under repair.
  [[nodiscard]] std::optional<repair_stage> repair_of(std::int32_t node) const;
  /// Replicas come or go because somebody wanted it.
  [[nodiscard]] bool is_moving() const { return !leaving.empty() || !origin.empty(); }
  /// Nodes that had none before the move that is under way; none are known of moves of before that
  /// was remembered.
  [[nodiscard]] std::vector<std::int32_t> adding() const;
  /// Nodes that would get their replica back, if the move that is under way were taken back.
  [[nodiscard]] std::vector<std::int32_t> way_back() const;
  /// Its group is to have other members than it has, or was to have.
  [[nodiscard]] bool is_changing() const;
};

enum class topic_phase : std::uint8_t {
  active = 0,
  /// Its name is free again; the nodes remove their files.
  deleting = 1,
};

/// A topic in the cluster's state.
struct topic_record {
  uuid id;
  std::string name;
  std::int64_t created_ms = 0;
  topic_phase phase = topic_phase::active;
  std::vector<replica_set> partitions;
  std::vector<protocol::topic_setting> overrides;
  /// Nodes that still hold files of a deleted topic.
  std::vector<std::int32_t> unpurged;

  static constexpr message_info info{"TopicRecord", "A topic."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"id", "Id."}, m.id);
    v(field{"name", "Name."}, m.name);
    v(field{"created_ms", "Time of creation."}, m.created_ms);
    v(field{"phase", "Active or being deleted."}, m.phase);
    v(field{"partitions", "Replicas of each partition."}, m.partitions);
    v(field{"overrides", "Settings that differ from the defaults."}, m.overrides);
    v(field{"unpurged", "Nodes that still hold files of a deleted topic."}, m.unpurged);
  }
  friend bool operator==(const topic_record&, const topic_record&) = default;

  [[nodiscard]] std::int16_t replication() const {
    return partitions.empty() ? std::int16_t{0}
                              : static_cast<std::int16_t>(partitions.front().nodes.size());
  }
};

/// The settings of the topic that differ from the defaults.
[[nodiscard]] config::topic_overrides overrides_of(const topic_record& topic);

/// Where clients reach a broker that come in by a listener that has a name.
struct broker_listener {
  std::string name;
  std::string host;
  std::uint16_t port = 0;

  static constexpr message_info info{"BrokerListener", "An address of a broker, by listener."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"name", "Name of the listener."}, m.name);
    v(field{"host", "Advertised host."}, m.host);
    v(field{"port", "Advertised port."}, m.port);
  }
  friend bool operator==(const broker_listener&, const broker_listener&) = default;
};

/// A broker in the cluster's state.
struct broker_record {
  std::int32_t node = 0;
  std::string host;
  std::uint16_t port = 0;
  std::string rack;
  std::uint64_t incarnation = 1;
  std::string cluster_host{};
  std::uint16_t cluster_port = 0;
  /// The controller has not heard of it for a session timeout.
  bool fenced = false;
  /// It is to lead nothing and gets no new replicas: somebody wants to stop or remove it.
  bool draining = false;
  /// Its replicas are to move elsewhere. Implies draining.
  bool evacuating = false;
  /// Ordered by name.
  std::vector<broker_listener> listeners{};
  /// And those that no other broker can take are given up. Implies evacuating.
  bool shrinking = false;

  /// Whether it may get replicas and lead.
  [[nodiscard]] bool takes() const { return !fenced && !draining; }

  static constexpr message_info info{"BrokerRecord", "A broker and where it is reached."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"node", "Node id."}, m.node);
    v(field{"host", "Advertised host."}, m.host);
    v(field{"port", "Advertised port."}, m.port);
    v(field{"rack", "Rack."}, m.rack);
    v(field{"incarnation", "Which life of its disk.", 3}, m.incarnation);
    v(field{"cluster_host", "Host for other nodes.", 3}, m.cluster_host);
    v(field{"cluster_port", "Port for other nodes.", 3}, m.cluster_port);
    v(field{"fenced", "Whether it counts as gone.", 3}, m.fenced);
    v(field{"draining", "Whether it is to lead nothing.", 3}, m.draining);
    v(field{"evacuating", "Whether it is to hold nothing.", 3}, m.evacuating);
    v(field{"listeners", "Addresses for clients of other listeners.", 7}, m.listeners);
    v(field{"shrinking", "Whether replicas that nobody can take go.", 8}, m.shrinking);
  }
  friend bool operator==(const broker_record&, const broker_record&) = default;
};

// -- commands -------------------------------------------------------------------------------------

/// The first command of a cluster.
struct create_cluster_command {
  uuid id;

  static constexpr message_info info{"CreateCluster", "Names the cluster."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"id", "Id of the cluster."}, m.id);
  }
};

struct register_broker_command {
  broker_record broker;

  static constexpr message_info info{"RegisterBroker", "A broker is there, or moved."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"broker", "The broker."}, m.broker);
  }
};

struct create_topic_command {
  topic_record topic;
  /// Of the leader that decided, so that every node judges alike; 0 is no limit.
  std::int32_t node_partitions_max = 0;

  static constexpr message_info info{"CreateTopic", "A new topic."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"topic", "The topic."}, m.topic);
    v(field{"node_partitions_max", "Partition replicas that a node may hold.", 2},
      m.node_partitions_max);
  }
};

/// A difference, so that changes which are under way together do not undo each other.
struct alter_topic_command {
  uuid id;
  /// In canonical spelling; without a value, the override goes.
  std::vector<protocol::topic_setting> settings;
  /// False only in logs of before there were differences: `settings` are all that there are.
  bool keeps_others = false;
  /// The number of partitions from now on; -1 leaves it.
  std::int32_t partitions = -1;
  /// Replicas of the partitions up to `partitions` that were missing when this was decided.
  std::vector<replica_set> added;
  std::int32_t node_partitions_max = 0;

  static constexpr message_info info{"AlterTopic", "Settings and partitions of a topic."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"id", "The topic."}, m.id);
    v(field{"settings", "Settings to set or, without a value, to reset."}, m.settings);
    v(field{"keeps_others", "Whether settings that are not named stay.", 2}, m.keeps_others);
    v(field{"partitions", "Number of partitions from now on, or -1.", 2}, m.partitions);
    v(field{"added", "Replicas of the last of these partitions.", 2}, m.added);
    v(field{"node_partitions_max", "Partition replicas that a node may hold.", 2},
      m.node_partitions_max);
  }
};

struct delete_topic_command {
  uuid id;

  static constexpr message_info info{"DeleteTopic", "The topic's name is free, its data may go."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"id", "The topic."}, m.id);
  }
};

struct topic_purged_command {
  uuid id;
  std::int32_t node = 0;

  static constexpr message_info info{"TopicPurged", "A node has no files of a deleted topic."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"id", "The topic."}, m.id);
    v(field{"node", "The node."}, m.node);
  }
};

/// Sets producer ids aside for a node, which gives them out without asking again.
struct allocate_producer_ids_command {
  std::int32_t node = 0;
  std::int64_t count = 0;

  static constexpr message_info info{"AllocateProducerIds", "Producer ids for a node to give out."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"node", "The node."}, m.node);
    v(field{"count", "How many."}, m.count);
  }
};

/// A broker counts as gone, or as back.
struct fence_broker_command {
  std::int32_t node = 0;
  std::uint64_t incarnation = 0;
  bool fenced = false;

  static constexpr message_info info{"FenceBroker", "A broker counts as gone, or as back."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"node", "The broker."}, m.node);
    v(field{"incarnation", "The life of its disk that is meant."}, m.incarnation);
    v(field{"fenced", "Whether it counts as gone."}, m.fenced);
  }
};

/// A broker is to lead nothing and to get nothing, or may again.
struct drain_broker_command {
  std::int32_t node = 0;
  bool draining = true;
  /// And to hold nothing.
  bool evacuating = false;
  /// And to give up the replicas that no other broker can take.
  bool shrinking = false;

  static constexpr message_info info{"DrainBroker", "A broker is to lead nothing, or may again."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"node", "The broker."}, m.node);
    v(field{"draining", "Whether it is to lead nothing."}, m.draining);
    v(field{"evacuating", "Whether it is to hold nothing."}, m.evacuating);
    v(field{"shrinking", "Whether replicas that nobody can take go.", 8}, m.shrinking);
  }
};

/// A broker that has no replica leaves the cluster.
struct remove_broker_command {
  std::int32_t node = 0;

  static constexpr message_info info{"RemoveBroker", "A broker leaves the cluster."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"node", "The broker."}, m.node);
  }
};

/// The replicas of a partition are to be on other nodes; those that leave keep theirs until then.
struct move_replicas_command {
  uuid id;
  std::int32_t partition = 0;
  /// Where they were when this was decided: it holds only then.
  std::vector<std::int32_t> from;
  std::vector<std::int32_t> to;
  /// False only in logs of before moves could be cancelled: the nodes of before are not remembered.
  bool keeps_origin = false;

  static constexpr message_info info{"MoveReplicas", "Replicas of a partition are to move."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"id", "The topic."}, m.id);
    v(field{"partition", "The partition."}, m.partition);
    v(field{"from", "Nodes that hold it."}, m.from);
    v(field{"to", "Nodes that are to hold it, the preferred leader first."}, m.to);
    v(field{"keeps_origin", "Whether it can be cancelled.", 5}, m.keeps_origin);
  }
};

/// The group's members are `nodes`: those that were leaving may delete their files.
struct replicas_moved_command {
  uuid id;
  std::int32_t partition = 0;
  std::vector<std::int32_t> nodes;
  /// The decision that is carried out (`replica_set::changes`); -1 in logs of before it was named.
  std::int32_t changes = -1;

  static constexpr message_info info{"ReplicasMoved", "Replicas of a partition have moved."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"id", "The topic."}, m.id);
    v(field{"partition", "The partition."}, m.partition);
    v(field{"nodes", "Nodes that hold it now."}, m.nodes);
    v(field{"changes", "The decision that is carried out.", 4}, m.changes);
  }
};

/// A node found its replica damaged: the group goes on without it, until a new one has taken its
/// place.
struct repair_replica_command {
  uuid id;
  std::int32_t partition = 0;
  std::int32_t node = 0;
  std::uint64_t incarnation = 0;

  static constexpr message_info info{"RepairReplica", "A damaged replica is to be replaced."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"id", "The topic."}, m.id);
    v(field{"partition", "The partition."}, m.partition);
    v(field{"node", "The node that holds it."}, m.node);
    v(field{"incarnation", "Which life of its disk."}, m.incarnation);
  }
};

/// A node asks whether a decision about replicas still holds, and so whether the files of its own
/// may go. Changes nothing: it is refused if anything was decided since.
struct release_replica_command {
  uuid id;
  std::int32_t partition = 0;
  std::int32_t node = 0;
  /// The decision (`replica_set::changes`).
  std::int32_t changes = 0;

  static constexpr message_info info{"ReleaseReplica", "A node's replica may go."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"id", "The topic."}, m.id);
    v(field{"partition", "The partition."}, m.partition);
    v(field{"node", "The node that holds files of it."}, m.node);
    v(field{"changes", "The decision by which they may go."}, m.changes);
  }
};

/// The node has set the files of its damaged replica aside: it may hold a new one.
struct replica_set_aside_command {
  uuid id;
  std::int32_t partition = 0;
  std::int32_t node = 0;
  /// The decision that is carried out (`replica_set::changes`).
  std::int32_t changes = 0;

  static constexpr message_info info{"ReplicaSetAside", "A damaged replica is out of the way."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"id", "The topic."}, m.id);
    v(field{"partition", "The partition."}, m.partition);
    v(field{"node", "The node that held it."}, m.node);
    v(field{"changes", "The decision that is carried out."}, m.changes);
  }
};

/// The replicas of a partition that move are to go back to where they were; those that go back
/// already, where they were to go at first.
struct cancel_move_command {
  uuid id;
  std::int32_t partition = 0;
  /// The move (`replica_set::changes`): it holds only for that one.
  std::int32_t changes = 0;

  static constexpr message_info info{"CancelMove", "Replicas that move are to go back."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"id", "The topic."}, m.id);
    v(field{"partition", "The partition."}, m.partition);
    v(field{"changes", "The decision that is taken back."}, m.changes);
  }
};

/// A topic of the cluster's own is needed.
struct own_topic_question {
  std::string name;
  std::int32_t partitions = 1;
  /// Fewer if there are fewer brokers.
  std::int16_t replication = 1;

  static constexpr message_info info{"OwnTopic", "A topic of the cluster's own is needed."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"name", "Its name."}, m.name);
    v(field{"partitions", "How many partitions."}, m.partitions);
    v(field{"replication", "Replicas of each, or fewer."}, m.replication);
  }
};

/// The order is the number in the log: new ones come last.
using controller_command =
    std::variant<create_cluster_command, register_broker_command, create_topic_command,
                 alter_topic_command, delete_topic_command, topic_purged_command,
                 allocate_producer_ids_command, fence_broker_command, drain_broker_command,
                 remove_broker_command, move_replicas_command, replicas_moved_command,
                 repair_replica_command, release_replica_command, replica_set_aside_command,
                 cancel_move_command>;

/// Version of the structs of this file that this build writes.
inline constexpr std::uint16_t state_version = 8;

/// Rows of the cluster's state. Those of before there were several nodes are read too.
[[nodiscard]] buffer encode_row(const topic_record& topic);
[[nodiscard]] buffer encode_row(const broker_record& broker);
[[nodiscard]] result<topic_record> decode_topic(const buffer& row);
[[nodiscard]] result<broker_record> decode_broker(const buffer& row);

/// A format version, a tag and the command.
[[nodiscard]] buffer encode(const controller_command& command);
/// storage_damaged if the bytes are none of the commands of this version.
[[nodiscard]] result<controller_command> decode_controller_command(const buffer& bytes);
[[nodiscard]] std::string print(const controller_command& command);
/// Like `print`, with the number of partitions in place of their replicas: a line of the log.
[[nodiscard]] std::string summary(const controller_command& command);

} // namespace aqueduct::actors
