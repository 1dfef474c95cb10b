// What is replicated of consumer groups: the commands in the log of a coordinator's partition, and
// the rows that they leave in the key-value state. Defined like the messages of the native
// protocol.
#pragma once

#include "protocol/buffer.hpp"
#include "protocol/ids.hpp"
#include "protocol/native/definition.hpp"
#include "protocol/result.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace aqueduct::actors {

using protocol::field;
using protocol::message_info;

/// A way to assign that a member knows, and what it tells the one who assigns about itself.
struct member_protocol {
  std::string name;
  buffer metadata;

  static constexpr message_info info{"MemberProtocol", "A way to assign that a member knows."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"name", "Its name."}, m.name);
    v(field{"metadata", "What the member says about itself."}, m.metadata);
  }
  friend bool operator==(const member_protocol&, const member_protocol&) = default;
};

/// Who assigns the partitions of a group to a member's liking.
enum class member_kind : std::uint8_t {
  /// The member that leads the group, as in Kafka's classic protocol.
  client_assigned = 0,
  /// The coordinator. A group with such a member is assigned by the coordinator altogether.
  coordinator_assigned = 1,
};

struct member_record {
  std::string id;
  /// Of a static member; else empty.
  std::string instance;
  std::string client_id;
  std::string client_host;
  member_kind kind = member_kind::client_assigned;
  std::int32_t session_timeout_ms = 0;
  std::int32_t rebalance_timeout_ms = 0;
  std::vector<member_protocol> protocols;
  /// For clients' eyes; in groups of the protocol type "consumer" a `consumer_assignment`.
  buffer assignment;

  static constexpr message_info info{"MemberRecord", "A member of a group."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"id", "Member id."}, m.id);
    v(field{"instance", "Instance id of a static member."}, m.instance);
    v(field{"client_id", "Name of the application."}, m.client_id);
    v(field{"client_host", "Where it connects from."}, m.client_host);
    v(field{"kind", "0: its leader assigns, 1: the coordinator does."}, m.kind);
    v(field{"session_timeout_ms", "Silence after which it counts as gone."}, m.session_timeout_ms);
    v(field{"rebalance_timeout_ms", "How long a rebalance waits for it."}, m.rebalance_timeout_ms);
    v(field{"protocols", "Ways to assign that it knows, the best first."}, m.protocols);
    v(field{"assignment", "What it is to consume."}, m.assignment);
  }
  friend bool operator==(const member_record&, const member_record&) = default;
};

/// A group as its last rebalance left it.
struct group_record {
  std::string id;
  /// What kind of group it is, "consumer" as a rule; empty if it never had members.
  std::string protocol_type;
  std::int32_t generation = 0;
  /// The way to assign that was chosen.
  std::string protocol;
  std::string leader;
  std::vector<member_record> members;
  /// The members know what is theirs; false: the rebalance was not finished.
  bool is_assigned = false;
  /// When the last member left, wall clock in milliseconds; -1 while there are members.
  std::int64_t emptied_ms = -1;

  static constexpr message_info info{"GroupRecord", "A consumer group."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"id", "Group id."}, m.id);
    v(field{"protocol_type", "What kind of group it is."}, m.protocol_type);
    v(field{"generation", "Number of its last rebalance."}, m.generation);
    v(field{"protocol", "The way to assign that was chosen."}, m.protocol);
    v(field{"leader", "Member that leads it."}, m.leader);
    v(field{"members", "Its members."}, m.members);
    v(field{"is_assigned", "Whether the members know what is theirs."}, m.is_assigned);
    v(field{"emptied_ms", "When the last member left, or -1."}, m.emptied_ms);
  }
  friend bool operator==(const group_record&, const group_record&) = default;
};

/// The offset that a group is to read next in one partition.
struct offset_record {
  std::int64_t offset = 0;
  /// Of the record before it; -1 unknown.
  std::int32_t leader_epoch = -1;
  std::string metadata;
  /// Wall clock of the coordinator, milliseconds.
  std::int64_t committed_ms = 0;

  static constexpr message_info info{"OffsetRecord", "A committed offset."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"offset", "The next record to read."}, m.offset);
    v(field{"leader_epoch", "Epoch of the record before it, or -1."}, m.leader_epoch);
    v(field{"metadata", "Words of whoever committed it."}, m.metadata);
    v(field{"committed_ms", "When that was."}, m.committed_ms);
  }
  friend bool operator==(const offset_record&, const offset_record&) = default;
};

/// A partition of a topic, by the topic's id: a topic that is deleted and created again never meets
/// the offsets of its past.
struct offset_key {
  uuid topic;
  std::int32_t partition = 0;

  static constexpr message_info info{"OffsetKey", "A partition of a topic."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"topic", "Id of the topic."}, m.topic);
    v(field{"partition", "The partition."}, m.partition);
  }
  friend auto operator<=>(const offset_key&, const offset_key&) = default;
};

struct offset_row {
  offset_key key;
  offset_record value;

  static constexpr message_info info{"OffsetRow", "A partition and its committed offset."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"key", "The partition."}, m.key);
    v(field{"value", "Its offset."}, m.value);
  }
};

// -- commands -------------------------------------------------------------------------------------

/// The group is this from now on.
struct put_group_command {
  group_record group;

  static constexpr message_info info{"PutGroup", "A group as a rebalance left it."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"group", "The group."}, m.group);
  }
};

/// What one commit of a group said.
struct group_offsets {
  std::string group;
  std::vector<offset_row> offsets;

  static constexpr message_info info{"GroupOffsets", "Offsets of a group."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"group", "The group."}, m.group);
    v(field{"offsets", "Its offsets."}, m.offsets);
  }
};

/// Many commits at once, in order. Each was judged by the coordinator that led.
struct commit_offsets_command {
  std::vector<group_offsets> commits;

  static constexpr message_info info{"CommitOffsets", "Offsets of groups."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"commits", "Group by group."}, m.commits);
  }
};

/// Offsets are forgotten.
struct remove_offsets_command {
  std::string group;
  std::vector<offset_key> offsets;

  static constexpr message_info info{"RemoveOffsets", "Offsets of a group are forgotten."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"group", "The group."}, m.group);
    v(field{"offsets", "The partitions."}, m.offsets);
  }
};

/// The group and all its offsets are forgotten.
struct delete_group_command {
  std::string group;

  static constexpr message_info info{"DeleteGroup", "A group is forgotten."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"group", "The group."}, m.group);
  }
};

/// The order is the number in the log: new ones come last.
using group_command = std::variant<put_group_command, commit_offsets_command,
                                   remove_offsets_command, delete_group_command>;

/// A format version, a tag and the command.
[[nodiscard]] buffer encode(const group_command& command);
/// storage_damaged if the bytes are none of the commands of this version.
[[nodiscard]] result<group_command> decode_group_command(const buffer& bytes);

[[nodiscard]] buffer encode_row(const group_record& group);
[[nodiscard]] buffer encode_row(const offset_record& offset);
[[nodiscard]] result<group_record> decode_group_row(const buffer& row);
[[nodiscard]] result<offset_record> decode_offset_row(const buffer& row);

/// Keys of the rows, behind the prefix of the coordinator's partition.
[[nodiscard]] std::string group_row_key(std::string_view group);
/// All offsets of a group are neighbours.
[[nodiscard]] std::string offset_row_key(std::string_view group, const offset_key& of);
/// What a key names: a group alone, or an offset of it.
struct row_name {
  std::string group;
  bool is_offset = false;
  offset_key offset;
};
/// storage_damaged if it is no such key.
[[nodiscard]] result<row_name> parse_row_key(std::string_view key);

} // namespace aqueduct::actors
