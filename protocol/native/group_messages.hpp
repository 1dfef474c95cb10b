// Messages about consumer groups.
#pragma once

#include "protocol/buffer.hpp"
#include "protocol/error.hpp"
#include "protocol/native/definition.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace aqueduct::protocol {

/// Partitions of a topic.
struct named_partitions {
  std::string topic;
  std::vector<std::int32_t> partitions;

  static constexpr message_info info{"NamedPartitions", "Partitions of a topic."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"topic", "Name of the topic."}, m.topic);
    v(field{"partitions", "Partition numbers."}, m.partitions);
  }
  friend bool operator==(const named_partitions&, const named_partitions&) = default;
};

// -- FIND_COORDINATOR -----------------------------------------------------------------------------

struct find_coordinator_request {
  std::string group;

  static constexpr message_info info{"FindCoordinatorRequest", "Who coordinates a group."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"group", "The group; it need not exist."}, m.group);
  }
};

struct find_coordinator_response {
  std::int32_t node = -1;
  std::string host;
  std::uint16_t port = 0;

  static constexpr message_info info{"FindCoordinatorResponse", "The broker that coordinates it."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"node", "Id of the broker."}, m.node);
    v(field{"host", "Its host."}, m.host);
    v(field{"port", "Its port."}, m.port);
  }
};

// -- membership -----------------------------------------------------------------------------------

struct join_group_request {
  std::string group;
  std::string member_id;
  std::string instance_id;
  std::string client_id;
  std::vector<std::string> subscription;
  std::vector<std::string> assignors;
  std::int32_t session_timeout_ms = 10'000;
  std::int32_t rebalance_timeout_ms = 300'000;
  buffer user_data;
  std::vector<named_partitions> owned;
  std::int32_t generation = -1;

  static constexpr message_info info{"JoinGroupRequest", "A member joins, or takes part again."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"group", "The group."}, m.group);
    v(field{"member_id",
            "Empty joins anew. Else the id of the answer to an earlier join; or one that "
            "the client made, unique for ever, with generation -1: then a join that is "
            "repeated because its answer was lost is the same member's."},
      m.member_id);
    v(field{"instance_id", "Of a static member, or empty: a new process with the same instance id "
                           "takes the place of the old one, without a rebalance."},
      m.instance_id);
    v(field{"client_id", "Name of the application, for people."}, m.client_id);
    v(field{"subscription", "Names of topics to share; they need not exist."}, m.subscription);
    v(field{"assignors", "Ways to share that suit the member, the best first: range, roundrobin, "
                         "sticky, cooperative-sticky."},
      m.assignors);
    v(field{"session_timeout_ms", "Silence after which the member counts as gone."},
      m.session_timeout_ms);
    v(field{"rebalance_timeout_ms", "How long a rebalance waits for the member to join again."},
      m.rebalance_timeout_ms);
    v(field{"user_data", "Opaque bytes, shown by DESCRIBE_GROUP."}, m.user_data);
    v(field{"owned", "Partitions that the member consumes right now."}, m.owned);
    v(field{"generation", "The generation in which it got them, or -1."}, m.generation);
  }
};

struct join_group_response {
  std::string member_id;
  std::int32_t generation = -1;
  std::string assignor;
  std::string leader;
  std::vector<named_partitions> assignment;

  static constexpr message_info info{"JoinGroupResponse", "What the member is to consume."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"member_id", "What the member is called from now on."}, m.member_id);
    v(field{"generation", "Number of the rebalance, which fences all that follows."}, m.generation);
    v(field{"assignor", "The way to share that was chosen."}, m.assignor);
    v(field{"leader", "The member that leads the group."}, m.leader);
    v(field{"assignment", "All partitions that are the member's in this generation. What it owned "
                          "and is not among them it is to give up; if the assignor is "
                          "cooperative-sticky, it then joins again."},
      m.assignment);
  }
};

struct group_member {
  std::string member_id;
  std::string instance_id;

  static constexpr message_info info{"GroupMember", "A member, by its id or its instance."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"member_id", "Member id; empty names a static member by its instance alone."},
      m.member_id);
    v(field{"instance_id", "Instance id, or empty."}, m.instance_id);
  }
};

struct leave_group_request {
  std::string group;
  std::vector<group_member> members;

  static constexpr message_info info{"LeaveGroupRequest", "Members leave, or are put out."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"group", "The group."}, m.group);
    v(field{"members", "The members."}, m.members);
  }
};

struct leave_group_response {
  std::vector<errc> results;

  static constexpr message_info info{"LeaveGroupResponse", "What became of each."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"results", "0, or why it was not a member; in the order of the request."}, m.results);
  }
};

struct heartbeat_request {
  std::string group;
  std::string member_id;
  std::string instance_id;
  std::int32_t generation = -1;

  static constexpr message_info info{"HeartbeatRequest", "A member is there."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"group", "The group."}, m.group);
    v(field{"member_id", "The member."}, m.member_id);
    v(field{"instance_id", "Its instance id, or empty."}, m.instance_id);
    v(field{"generation", "Its generation."}, m.generation);
  }
};

struct heartbeat_response {
  static constexpr message_info info{"HeartbeatResponse", "Has no fields: nothing changed."};
  template <class M, class V>
  static void fields(M&, V&) {}
};

struct fetch_assignment_request {
  std::string group;
  std::string member_id;
  std::string instance_id;
  std::int32_t generation = -1;

  static constexpr message_info info{"FetchAssignmentRequest", "What is the member's?"};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"group", "The group."}, m.group);
    v(field{"member_id", "The member."}, m.member_id);
    v(field{"instance_id", "Its instance id, or empty."}, m.instance_id);
    v(field{"generation", "Its generation."}, m.generation);
  }
};

struct fetch_assignment_response {
  std::string assignor;
  std::vector<named_partitions> assignment;

  static constexpr message_info info{"FetchAssignmentResponse", "The answer of JOIN_GROUP again."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"assignor", "The way to share that was chosen."}, m.assignor);
    v(field{"assignment", "All partitions that are the member's."}, m.assignment);
  }
};

// -- offsets --------------------------------------------------------------------------------------

struct offset_to_commit {
  std::int32_t partition = 0;
  std::int64_t offset = 0;
  std::int32_t leader_epoch = -1;
  std::string metadata;

  static constexpr message_info info{"OffsetToCommit", "How far a partition is consumed."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"partition", "The partition."}, m.partition);
    v(field{"offset", "The next record to read."}, m.offset);
    v(field{"leader_epoch", "Epoch of the record before it, or -1."}, m.leader_epoch);
    v(field{"metadata", "Words to keep with it, at most 4096 bytes."}, m.metadata);
  }
};

struct topic_offsets_to_commit {
  std::string topic;
  std::vector<offset_to_commit> partitions;

  static constexpr message_info info{"TopicOffsetsToCommit", "Offsets of a topic."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"topic", "Name of the topic."}, m.topic);
    v(field{"partitions", "Its partitions."}, m.partitions);
  }
};

struct commit_offset_request {
  std::string group;
  std::string member_id;
  std::string instance_id;
  std::int32_t generation = -1;
  std::vector<topic_offsets_to_commit> topics;

  static constexpr message_info info{"CommitOffsetRequest", "How far a group has consumed."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"group", "The group."}, m.group);
    v(field{"member_id", "The member; empty resets the offsets of a group without members."},
      m.member_id);
    v(field{"instance_id", "Its instance id, or empty."}, m.instance_id);
    v(field{"generation", "Its generation; -1 without a member."}, m.generation);
    v(field{"topics", "The offsets."}, m.topics);
  }
};

struct partition_status {
  std::int32_t partition = 0;
  errc error = errc::none;

  static constexpr message_info info{"PartitionStatus", "What became of a partition."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"partition", "The partition."}, m.partition);
    v(field{"error", "0, or why not."}, m.error);
  }
};

struct topic_status {
  std::string topic;
  std::vector<partition_status> partitions;

  static constexpr message_info info{"TopicStatus", "What became of the partitions of a topic."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"topic", "Name of the topic."}, m.topic);
    v(field{"partitions", "Its partitions."}, m.partitions);
  }
};

struct commit_offset_response {
  std::vector<topic_status> topics;

  static constexpr message_info info{"CommitOffsetResponse",
                                     "The offsets are durable, but for those with an error."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"topics", "In the order of the request."}, m.topics);
  }
};

struct fetch_offset_request {
  std::string group;
  bool all = false;
  std::vector<named_partitions> topics;

  static constexpr message_info info{"FetchOffsetRequest", "How far has a group consumed?"};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"group", "The group."}, m.group);
    v(field{"all", "All that the group ever committed, instead of what is named."}, m.all);
    v(field{"topics", "The partitions to look up."}, m.topics);
  }
};

struct committed_offset {
  std::int32_t partition = 0;
  errc error = errc::none;
  std::int64_t offset = -1;
  std::int32_t leader_epoch = -1;
  std::string metadata;
  std::int64_t committed_ms = -1;

  static constexpr message_info info{"CommittedOffset", "How far a partition is consumed."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"partition", "The partition."}, m.partition);
    v(field{"error", "0, or why it could not be looked up."}, m.error);
    v(field{"offset", "The next record to read; -1: nothing was committed."}, m.offset);
    v(field{"leader_epoch", "Epoch of the record before it, or -1."}, m.leader_epoch);
    v(field{"metadata", "What was kept with it."}, m.metadata);
    v(field{"committed_ms", "When it was committed, or -1."}, m.committed_ms);
  }
};

struct topic_committed_offsets {
  std::string topic;
  std::vector<committed_offset> partitions;

  static constexpr message_info info{"TopicCommittedOffsets", "Offsets of a topic."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"topic", "Name of the topic."}, m.topic);
    v(field{"partitions", "Its partitions."}, m.partitions);
  }
};

struct fetch_offset_response {
  std::vector<topic_committed_offsets> topics;

  static constexpr message_info info{"FetchOffsetResponse",
                                     "Every commit that was answered before is seen."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"topics", "In the order of the request, or of their names."}, m.topics);
  }
};

struct delete_offsets_request {
  std::string group;
  std::vector<named_partitions> topics;

  static constexpr message_info info{"DeleteOffsetsRequest", "Offsets to forget."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"group", "The group."}, m.group);
    v(field{"topics", "The partitions."}, m.topics);
  }
};

struct delete_offsets_response {
  std::vector<topic_status> topics;

  static constexpr message_info info{"DeleteOffsetsResponse", "What became of each."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"topics", "In the order of the request."}, m.topics);
  }
};

// -- looking at groups ----------------------------------------------------------------------------

struct list_groups_request {
  static constexpr message_info info{"ListGroupsRequest", "Has no fields."};
  template <class M, class V>
  static void fields(M&, V&) {}
};

struct listed_group {
  std::string group;
  std::string protocol_type;
  std::string state;
  std::int32_t members = 0;

  static constexpr message_info info{"ListedGroup", "A group."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"group", "Group id."}, m.group);
    v(field{"protocol_type", "\"consumer\", or empty if it never had members."}, m.protocol_type);
    v(field{"state", "Empty, PreparingRebalance, CompletingRebalance or Stable."}, m.state);
    v(field{"members", "How many there are."}, m.members);
  }
};

struct list_groups_response {
  std::vector<listed_group> groups;

  static constexpr message_info info{"ListGroupsResponse", "The groups that this broker has."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"groups", "Ordered by id."}, m.groups);
  }
};

struct describe_group_request {
  std::string group;

  static constexpr message_info info{"DescribeGroupRequest", "The group to describe."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"group", "The group."}, m.group);
  }
};

struct described_member {
  std::string member_id;
  std::string instance_id;
  std::string client_id;
  std::string client_host;
  std::int32_t session_timeout_ms = 0;
  std::int32_t rebalance_timeout_ms = 0;
  std::vector<std::string> subscription;
  buffer user_data;
  std::vector<named_partitions> assignment;

  static constexpr message_info info{"DescribedMember", "A member."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"member_id", "Member id."}, m.member_id);
    v(field{"instance_id", "Instance id of a static member."}, m.instance_id);
    v(field{"client_id", "Name of the application."}, m.client_id);
    v(field{"client_host", "Where it connects from."}, m.client_host);
    v(field{"session_timeout_ms", "Silence after which it counts as gone."}, m.session_timeout_ms);
    v(field{"rebalance_timeout_ms", "How long a rebalance waits for it."}, m.rebalance_timeout_ms);
    v(field{"subscription", "Topics that it shares."}, m.subscription);
    v(field{"user_data", "Its opaque bytes."}, m.user_data);
    v(field{"assignment", "What is its."}, m.assignment);
  }
};

struct describe_group_response {
  std::string group;
  std::string state;
  std::string protocol_type;
  std::string assignor;
  std::int32_t generation = 0;
  std::string leader;
  std::vector<described_member> members;

  static constexpr message_info info{"DescribeGroupResponse", "A group as it is now."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"group", "Group id."}, m.group);
    v(field{"state", "Empty, PreparingRebalance, CompletingRebalance or Stable."}, m.state);
    v(field{"protocol_type", "\"consumer\", or empty if it never had members."}, m.protocol_type);
    v(field{"assignor", "The way to share that was chosen."}, m.assignor);
    v(field{"generation", "Number of the last rebalance."}, m.generation);
    v(field{"leader", "The member that leads it."}, m.leader);
    v(field{"members", "Its members."}, m.members);
  }
};

struct delete_group_request {
  std::string group;

  static constexpr message_info info{"DeleteGroupRequest", "The group to forget."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"group", "The group."}, m.group);
  }
};

struct delete_group_response {
  static constexpr message_info info{"DeleteGroupResponse", "Has no fields."};
  template <class M, class V>
  static void fields(M&, V&) {}
};

} // namespace aqueduct::protocol
