// The messages of the classic consumer groups: coordinators, membership, and what operators ask.
// Fields in the order of the wire, by the names that the protocol gives them.
#pragma once

#include "protocol/kafka/definition.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace aqueduct::protocol::kafka {

/// FindCoordinatorRequest, versions 0 to 6.
struct find_coordinator_request {
  static constexpr api_key api = api_key::find_coordinator;
  static constexpr std::string_view title = "FindCoordinatorRequest";

  std::string key;
  std::int8_t key_type = 0;
  std::vector<std::string> coordinator_keys;

  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{.name = "key", .until = 3}, m.key);
    v(field{.name = "key_type", .since = 1}, m.key_type);
    v(field{.name = "coordinator_keys", .since = 4}, m.coordinator_keys);
  }
  friend bool operator==(const find_coordinator_request&,
                         const find_coordinator_request&) = default;
};

/// FindCoordinatorResponse, versions 0 to 6.
struct find_coordinator_response {
  struct coordinator_entry {
    std::string key;
    std::int32_t node_id = 0;
    std::string host;
    std::int32_t port = 0;
    std::int16_t error_code = 0;
    std::optional<std::string> error_message;

    template <class M, class V>
    static void fields(M& m, V& v) {
      v(field{"key"}, m.key);
      v(field{"node_id"}, m.node_id);
      v(field{"host"}, m.host);
      v(field{"port"}, m.port);
      v(field{"error_code"}, m.error_code);
      v(field{"error_message"}, m.error_message);
    }
    friend bool operator==(const coordinator_entry&, const coordinator_entry&) = default;
  };
  static constexpr api_key api = api_key::find_coordinator;
  static constexpr std::string_view title = "FindCoordinatorResponse";

  std::int32_t throttle_time_ms = 0;
  std::int16_t error_code = 0;
  std::optional<std::string> error_message;
  std::int32_t node_id = 0;
  std::string host;
  std::int32_t port = 0;
  std::vector<coordinator_entry> coordinators;

  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{.name = "throttle_time_ms", .since = 1}, m.throttle_time_ms);
    v(field{.name = "error_code", .until = 3}, m.error_code);
    v(field{.name = "error_message", .since = 1, .until = 3}, m.error_message);
    v(field{.name = "node_id", .until = 3}, m.node_id);
    v(field{.name = "host", .until = 3}, m.host);
    v(field{.name = "port", .until = 3}, m.port);
    v(field{.name = "coordinators", .since = 4}, m.coordinators);
  }
  friend bool operator==(const find_coordinator_response&,
                         const find_coordinator_response&) = default;
};

/// JoinGroupRequest, versions 0 to 9.
struct join_group_request {
  struct protocol_entry {
    std::string name;
    buffer metadata;

    template <class M, class V>
    static void fields(M& m, V& v) {
      v(field{"name"}, m.name);
      v(field{"metadata"}, m.metadata);
    }
    friend bool operator==(const protocol_entry&, const protocol_entry&) = default;
  };
  static constexpr api_key api = api_key::join_group;
  static constexpr std::string_view title = "JoinGroupRequest";

  std::string group_id;
  std::int32_t session_timeout_ms = 0;
  std::int32_t rebalance_timeout_ms = -1;
  std::string member_id;
  std::optional<std::string> group_instance_id;
  std::string protocol_type;
  std::vector<protocol_entry> protocols;
  std::optional<std::string> reason;

  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"group_id"}, m.group_id);
    v(field{"session_timeout_ms"}, m.session_timeout_ms);
    v(field{.name = "rebalance_timeout_ms", .since = 1}, m.rebalance_timeout_ms);
    v(field{"member_id"}, m.member_id);
    v(field{.name = "group_instance_id", .since = 5}, m.group_instance_id);
    v(field{"protocol_type"}, m.protocol_type);
    v(field{"protocols"}, m.protocols);
    v(field{.name = "reason", .since = 8}, m.reason);
  }
  friend bool operator==(const join_group_request&, const join_group_request&) = default;
};

/// JoinGroupResponse, versions 0 to 9.
struct join_group_response {
  struct member_entry {
    std::string member_id;
    std::optional<std::string> group_instance_id;
    buffer metadata;

    template <class M, class V>
    static void fields(M& m, V& v) {
      v(field{"member_id"}, m.member_id);
      v(field{.name = "group_instance_id", .since = 5}, m.group_instance_id);
      v(field{"metadata"}, m.metadata);
    }
    friend bool operator==(const member_entry&, const member_entry&) = default;
  };
  static constexpr api_key api = api_key::join_group;
  static constexpr std::string_view title = "JoinGroupResponse";

  std::int32_t throttle_time_ms = 0;
  std::int16_t error_code = 0;
  std::int32_t generation_id = -1;
  std::optional<std::string> protocol_type;
  std::optional<std::string> protocol_name;
  std::string leader;
  bool skip_assignment = false;
  std::string member_id;
  std::vector<member_entry> members;

  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{.name = "throttle_time_ms", .since = 2}, m.throttle_time_ms);
    v(field{"error_code"}, m.error_code);
    v(field{"generation_id"}, m.generation_id);
    v(field{.name = "protocol_type", .since = 7}, m.protocol_type);
    v(field{.name = "protocol_name", .nullable = 7}, m.protocol_name);
    v(field{"leader"}, m.leader);
    v(field{.name = "skip_assignment", .since = 9}, m.skip_assignment);
    v(field{"member_id"}, m.member_id);
    v(field{"members"}, m.members);
  }
  friend bool operator==(const join_group_response&, const join_group_response&) = default;
};

/// SyncGroupRequest, versions 0 to 5.
struct sync_group_request {
  struct assignment_entry {
    std::string member_id;
    buffer assignment;

    template <class M, class V>
    static void fields(M& m, V& v) {
      v(field{"member_id"}, m.member_id);
      v(field{"assignment"}, m.assignment);
    }
    friend bool operator==(const assignment_entry&, const assignment_entry&) = default;
  };
  static constexpr api_key api = api_key::sync_group;
  static constexpr std::string_view title = "SyncGroupRequest";

  std::string group_id;
  std::int32_t generation_id = -1;
  std::string member_id;
  std::optional<std::string> group_instance_id;
  std::optional<std::string> protocol_type;
  std::optional<std::string> protocol_name;
  std::vector<assignment_entry> assignments;

  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"group_id"}, m.group_id);
    v(field{"generation_id"}, m.generation_id);
    v(field{"member_id"}, m.member_id);
    v(field{.name = "group_instance_id", .since = 3}, m.group_instance_id);
    v(field{.name = "protocol_type", .since = 5}, m.protocol_type);
    v(field{.name = "protocol_name", .since = 5}, m.protocol_name);
    v(field{"assignments"}, m.assignments);
  }
  friend bool operator==(const sync_group_request&, const sync_group_request&) = default;
};

/// SyncGroupResponse, versions 0 to 5.
struct sync_group_response {
  static constexpr api_key api = api_key::sync_group;
  static constexpr std::string_view title = "SyncGroupResponse";

  std::int32_t throttle_time_ms = 0;
  std::int16_t error_code = 0;
  std::optional<std::string> protocol_type;
  std::optional<std::string> protocol_name;
  buffer assignment;

  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{.name = "throttle_time_ms", .since = 1}, m.throttle_time_ms);
    v(field{"error_code"}, m.error_code);
    v(field{.name = "protocol_type", .since = 5}, m.protocol_type);
    v(field{.name = "protocol_name", .since = 5}, m.protocol_name);
    v(field{"assignment"}, m.assignment);
  }
  friend bool operator==(const sync_group_response&, const sync_group_response&) = default;
};

/// HeartbeatRequest, versions 0 to 4.
struct heartbeat_request {
  static constexpr api_key api = api_key::heartbeat;
  static constexpr std::string_view title = "HeartbeatRequest";

  std::string group_id;
  std::int32_t generation_id = -1;
  std::string member_id;
  std::optional<std::string> group_instance_id;

  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"group_id"}, m.group_id);
    v(field{"generation_id"}, m.generation_id);
    v(field{"member_id"}, m.member_id);
    v(field{.name = "group_instance_id", .since = 3}, m.group_instance_id);
  }
  friend bool operator==(const heartbeat_request&, const heartbeat_request&) = default;
};

/// HeartbeatResponse, versions 0 to 4.
struct heartbeat_response {
  static constexpr api_key api = api_key::heartbeat;
  static constexpr std::string_view title = "HeartbeatResponse";

  std::int32_t throttle_time_ms = 0;
  std::int16_t error_code = 0;

  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{.name = "throttle_time_ms", .since = 1}, m.throttle_time_ms);
    v(field{"error_code"}, m.error_code);
  }
  friend bool operator==(const heartbeat_response&, const heartbeat_response&) = default;
};

/// LeaveGroupRequest, versions 0 to 5.
struct leave_group_request {
  struct member_entry {
    std::string member_id;
    std::optional<std::string> group_instance_id;
    std::optional<std::string> reason;

    template <class M, class V>
    static void fields(M& m, V& v) {
      v(field{"member_id"}, m.member_id);
      v(field{"group_instance_id"}, m.group_instance_id);
      v(field{.name = "reason", .since = 5}, m.reason);
    }
    friend bool operator==(const member_entry&, const member_entry&) = default;
  };
  static constexpr api_key api = api_key::leave_group;
  static constexpr std::string_view title = "LeaveGroupRequest";

  std::string group_id;
  std::string member_id;
  std::vector<member_entry> members;

  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"group_id"}, m.group_id);
    v(field{.name = "member_id", .until = 2}, m.member_id);
    v(field{.name = "members", .since = 3}, m.members);
  }
  friend bool operator==(const leave_group_request&, const leave_group_request&) = default;
};

/// LeaveGroupResponse, versions 0 to 5.
struct leave_group_response {
  struct member_entry {
    std::string member_id;
    std::optional<std::string> group_instance_id;
    std::int16_t error_code = 0;

    template <class M, class V>
    static void fields(M& m, V& v) {
      v(field{"member_id"}, m.member_id);
      v(field{"group_instance_id"}, m.group_instance_id);
      v(field{"error_code"}, m.error_code);
    }
    friend bool operator==(const member_entry&, const member_entry&) = default;
  };
  static constexpr api_key api = api_key::leave_group;
  static constexpr std::string_view title = "LeaveGroupResponse";

  std::int32_t throttle_time_ms = 0;
  std::int16_t error_code = 0;
  std::vector<member_entry> members;

  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{.name = "throttle_time_ms", .since = 1}, m.throttle_time_ms);
    v(field{"error_code"}, m.error_code);
    v(field{.name = "members", .since = 3}, m.members);
  }
  friend bool operator==(const leave_group_response&, const leave_group_response&) = default;
};

/// DescribeGroupsRequest, versions 0 to 6.
struct describe_groups_request {
  static constexpr api_key api = api_key::describe_groups;
  static constexpr std::string_view title = "DescribeGroupsRequest";

  std::vector<std::string> groups;
  bool include_authorized_operations = false;

  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"groups"}, m.groups);
    v(field{.name = "include_authorized_operations", .since = 3}, m.include_authorized_operations);
  }
  friend bool operator==(const describe_groups_request&, const describe_groups_request&) = default;
};

/// DescribeGroupsResponse, versions 0 to 6.
struct describe_groups_response {
  struct group_entry {
    struct member_entry {
      std::string member_id;
      std::optional<std::string> group_instance_id;
      std::string client_id;
      std::string client_host;
      buffer member_metadata;
      buffer member_assignment;

      template <class M, class V>
      static void fields(M& m, V& v) {
        v(field{"member_id"}, m.member_id);
        v(field{.name = "group_instance_id", .since = 4}, m.group_instance_id);
        v(field{"client_id"}, m.client_id);
        v(field{"client_host"}, m.client_host);
        v(field{"member_metadata"}, m.member_metadata);
        v(field{"member_assignment"}, m.member_assignment);
      }
      friend bool operator==(const member_entry&, const member_entry&) = default;
    };
    std::int16_t error_code = 0;
    std::optional<std::string> error_message;
    std::string group_id;
    std::string group_state;
    std::string protocol_type;
    std::string protocol_data;
    std::vector<member_entry> members;
    std::int32_t authorized_operations = operations_unknown;

    template <class M, class V>
    static void fields(M& m, V& v) {
      v(field{"error_code"}, m.error_code);
      v(field{.name = "error_message", .since = 6}, m.error_message);
      v(field{"group_id"}, m.group_id);
      v(field{"group_state"}, m.group_state);
      v(field{"protocol_type"}, m.protocol_type);
      v(field{"protocol_data"}, m.protocol_data);
      v(field{"members"}, m.members);
      v(field{.name = "authorized_operations", .since = 3}, m.authorized_operations);
    }
    friend bool operator==(const group_entry&, const group_entry&) = default;
  };
  static constexpr api_key api = api_key::describe_groups;
  static constexpr std::string_view title = "DescribeGroupsResponse";

  std::int32_t throttle_time_ms = 0;
  std::vector<group_entry> groups;

  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{.name = "throttle_time_ms", .since = 1}, m.throttle_time_ms);
    v(field{"groups"}, m.groups);
  }
  friend bool operator==(const describe_groups_response&,
                         const describe_groups_response&) = default;
};

/// ListGroupsRequest, versions 0 to 5.
struct list_groups_request {
  static constexpr api_key api = api_key::list_groups;
  static constexpr std::string_view title = "ListGroupsRequest";

  std::vector<std::string> states_filter;
  std::vector<std::string> types_filter;

  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{.name = "states_filter", .since = 4}, m.states_filter);
    v(field{.name = "types_filter", .since = 5}, m.types_filter);
  }
  friend bool operator==(const list_groups_request&, const list_groups_request&) = default;
};

/// ListGroupsResponse, versions 0 to 5.
struct list_groups_response {
  struct group_entry {
    std::string group_id;
    std::string protocol_type;
    std::string group_state;
    std::string group_type;

    template <class M, class V>
    static void fields(M& m, V& v) {
      v(field{"group_id"}, m.group_id);
      v(field{"protocol_type"}, m.protocol_type);
      v(field{.name = "group_state", .since = 4}, m.group_state);
      v(field{.name = "group_type", .since = 5}, m.group_type);
    }
    friend bool operator==(const group_entry&, const group_entry&) = default;
  };
  static constexpr api_key api = api_key::list_groups;
  static constexpr std::string_view title = "ListGroupsResponse";

  std::int32_t throttle_time_ms = 0;
  std::int16_t error_code = 0;
  std::vector<group_entry> groups;

  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{.name = "throttle_time_ms", .since = 1}, m.throttle_time_ms);
    v(field{"error_code"}, m.error_code);
    v(field{"groups"}, m.groups);
  }
  friend bool operator==(const list_groups_response&, const list_groups_response&) = default;
};

/// DeleteGroupsRequest, versions 0 to 2.
struct delete_groups_request {
  static constexpr api_key api = api_key::delete_groups;
  static constexpr std::string_view title = "DeleteGroupsRequest";

  std::vector<std::string> groups_names;

  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"groups_names"}, m.groups_names);
  }
  friend bool operator==(const delete_groups_request&, const delete_groups_request&) = default;
};

/// DeleteGroupsResponse, versions 0 to 2.
struct delete_groups_response {
  struct result_entry {
    std::string group_id;
    std::int16_t error_code = 0;

    template <class M, class V>
    static void fields(M& m, V& v) {
      v(field{"group_id"}, m.group_id);
      v(field{"error_code"}, m.error_code);
    }
    friend bool operator==(const result_entry&, const result_entry&) = default;
  };
  static constexpr api_key api = api_key::delete_groups;
  static constexpr std::string_view title = "DeleteGroupsResponse";

  std::int32_t throttle_time_ms = 0;
  std::vector<result_entry> results;

  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"throttle_time_ms"}, m.throttle_time_ms);
    v(field{"results"}, m.results);
  }
  friend bool operator==(const delete_groups_response&, const delete_groups_response&) = default;
};

} // namespace aqueduct::protocol::kafka
