// What the controllers of the nodes ask the one that leads, over the links between nodes
// (`call_kind::controller`). Defined like the commands of the controller's log.
#pragma once

#include "actors/controller/commands.hpp"
#include "protocol/native/topic_messages.hpp"
#include "protocol/result.hpp"

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace aqueduct::actors {

/// A sign of life.
struct heartbeat_question {
  std::int32_t node = 0;
  std::uint64_t incarnation = 0;
  /// Of the file system of its data directory; a total of 0: it does not say.
  std::uint64_t disk_free_bytes = 0;
  std::uint64_t disk_total_bytes = 0;

  static constexpr message_info info{"BrokerHeartbeat", "A broker is there."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"node", "The broker."}, m.node);
    v(field{"incarnation", "Which life of its disk."}, m.incarnation);
    v(field{"disk_free_bytes", "Room on its disk.", 7}, m.disk_free_bytes);
    v(field{"disk_total_bytes", "Size of its disk; 0: not known.", 7}, m.disk_total_bytes);
  }
};

/// Replicas of a partition are to be on these nodes.
struct move_question {
  std::string topic;
  std::int32_t partition = 0;
  std::vector<std::int32_t> to;
  bool dry_run = false;

  static constexpr message_info info{"MoveQuestion", "Replicas of a partition are to move."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"topic", "Name of the topic."}, m.topic);
    v(field{"partition", "The partition."}, m.partition);
    v(field{"to", "Nodes that are to hold it, the preferred leader first."}, m.to);
    v(field{"dry_run", "Only say what would be done."}, m.dry_run);
  }
};

/// Everything is to leave a broker, or to be spread evenly.
struct plan_question {
  /// -1: spread evenly.
  std::int32_t evacuate = -1;
  /// Only say what would be done. An evacuation is begun by draining the broker.
  bool dry_run = false;
  /// Replicas that no other broker can take would be given up.
  bool shrink = false;

  static constexpr message_info info{"PlanQuestion", "Replicas are to be spread anew."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"evacuate", "The broker that everything is to leave; -1: spread evenly."}, m.evacuate);
    v(field{"dry_run", "Only say what would be done."}, m.dry_run);
    v(field{"shrink", "Whether replicas that nobody can take go.", 8}, m.shrink);
  }
};

/// The replicas of a partition that move are to go back to where they were, or on again.
struct cancel_move_question {
  std::string topic;
  std::int32_t partition = 0;
  bool dry_run = false;
  /// What the node that was asked first knew: the move was cancelled already, and that is to be
  /// taken back. So the question means the same however often it is asked.
  bool of_cancelled = false;

  static constexpr message_info info{"CancelMoveQuestion", "Replicas that move are to go back."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"topic", "Name of the topic."}, m.topic);
    v(field{"partition", "The partition."}, m.partition);
    v(field{"dry_run", "Only say what would be done."}, m.dry_run);
    v(field{"of_cancelled", "Whether it is a cancelled move that is meant.", 6}, m.of_cancelled);
  }
};

/// The order is the number on the wire: new ones come last.
using controller_question_body =
    std::variant<register_broker_command, heartbeat_question, protocol::create_topic_request,
                 protocol::alter_topic_request, protocol::delete_topic_request,
                 topic_purged_command, allocate_producer_ids_command, drain_broker_command,
                 remove_broker_command, move_question, replicas_moved_command, plan_question,
                 repair_replica_command, release_replica_command, replica_set_aside_command,
                 own_topic_question, cancel_move_question>;

struct controller_question {
  /// Passed on by a node that does not lead: it is not passed on again.
  bool relayed = false;
  controller_question_body body;
};

/// A move that is made, or would be.
struct replica_move {
  std::string topic;
  std::int32_t partition = 0;
  std::vector<std::int32_t> from;
  std::vector<std::int32_t> to;

  static constexpr message_info info{"ReplicaMove", "Replicas of a partition that move."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"topic", "Name of the topic."}, m.topic);
    v(field{"partition", "The partition."}, m.partition);
    v(field{"from", "Nodes that hold it."}, m.from);
    v(field{"to", "Nodes that are to hold it."}, m.to);
  }
};

struct controller_answer {
  /// The asker has to have applied this entry of the controller's log to see the change.
  std::uint64_t index = 0;
  uuid id;
  std::int32_t partitions = 0;
  std::int16_t replication = 0;
  std::int64_t first_producer_id = 0;
  std::int64_t producer_ids = 0;
  std::vector<replica_move> moves{};

  static constexpr message_info info{"ControllerAnswer", "What came of a question."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"index", "Entry of the controller's log that made the change; 0: none."}, m.index);
    v(field{"id", "Id of the topic."}, m.id);
    v(field{"partitions", "Number of its partitions."}, m.partitions);
    v(field{"replication", "Replicas of each."}, m.replication);
    v(field{"first_producer_id", "The first producer id that the node may give out."},
      m.first_producer_id);
    v(field{"producer_ids", "How many there are."}, m.producer_ids);
    v(field{"moves", "Replicas that move."}, m.moves);
  }
};

/// The topic as it is, without `index`.
[[nodiscard]] controller_answer answer_of(const topic_record& topic);

[[nodiscard]] buffer encode(const controller_question& question);
/// invalid_request or unsupported_version, with a sentence.
[[nodiscard]] result<controller_question> decode_controller_question(const buffer& bytes);

} // namespace aqueduct::actors
