// The messages with which operators move leaders and replicas.
// Fields in the order of the wire, by the names that the protocol gives them.
#pragma once

#include "protocol/kafka/definition.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace aqueduct::protocol::kafka {

/// ElectLeadersRequest, versions 0 to 2.
struct elect_leaders_request {
  struct topic_partition_entry {
    std::string topic;
    std::vector<std::int32_t> partitions;

    template <class M, class V>
    static void fields(M& m, V& v) {
      v(field{"topic"}, m.topic);
      v(field{"partitions"}, m.partitions);
    }
    friend bool operator==(const topic_partition_entry&, const topic_partition_entry&) = default;
  };
  static constexpr api_key api = api_key::elect_leaders;
  static constexpr std::string_view title = "ElectLeadersRequest";

  std::int8_t election_type = 0;
  std::optional<std::vector<topic_partition_entry>> topic_partitions;
  std::int32_t timeout_ms = 0;

  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{.name = "election_type", .since = 1}, m.election_type);
    v(field{"topic_partitions"}, m.topic_partitions);
    v(field{"timeout_ms"}, m.timeout_ms);
  }
  friend bool operator==(const elect_leaders_request&, const elect_leaders_request&) = default;
};

/// ElectLeadersResponse, versions 0 to 2.
struct elect_leaders_response {
  struct topic_entry {
    struct partition_entry {
      std::int32_t partition_id = 0;
      std::int16_t error_code = 0;
      std::optional<std::string> error_message;

      template <class M, class V>
      static void fields(M& m, V& v) {
        v(field{"partition_id"}, m.partition_id);
        v(field{"error_code"}, m.error_code);
        v(field{"error_message"}, m.error_message);
      }
      friend bool operator==(const partition_entry&, const partition_entry&) = default;
    };
    std::string topic;
    std::vector<partition_entry> partition_result;

    template <class M, class V>
    static void fields(M& m, V& v) {
      v(field{"topic"}, m.topic);
      v(field{"partition_result"}, m.partition_result);
    }
    friend bool operator==(const topic_entry&, const topic_entry&) = default;
  };
  static constexpr api_key api = api_key::elect_leaders;
  static constexpr std::string_view title = "ElectLeadersResponse";

  std::int32_t throttle_time_ms = 0;
  std::int16_t error_code = 0;
  std::vector<topic_entry> replica_election_results;

  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"throttle_time_ms"}, m.throttle_time_ms);
    v(field{.name = "error_code", .since = 1}, m.error_code);
    v(field{"replica_election_results"}, m.replica_election_results);
  }
  friend bool operator==(const elect_leaders_response&, const elect_leaders_response&) = default;
};

/// AlterPartitionReassignmentsRequest, versions 0 to 1.
struct alter_partition_reassignments_request {
  struct topic_entry {
    struct partition_entry {
      std::int32_t partition_index = 0;
      std::optional<std::vector<std::int32_t>> replicas;

      template <class M, class V>
      static void fields(M& m, V& v) {
        v(field{"partition_index"}, m.partition_index);
        v(field{"replicas"}, m.replicas);
      }
      friend bool operator==(const partition_entry&, const partition_entry&) = default;
    };
    std::string name;
    std::vector<partition_entry> partitions;

    template <class M, class V>
    static void fields(M& m, V& v) {
      v(field{"name"}, m.name);
      v(field{"partitions"}, m.partitions);
    }
    friend bool operator==(const topic_entry&, const topic_entry&) = default;
  };
  static constexpr api_key api = api_key::alter_partition_reassignments;
  static constexpr std::string_view title = "AlterPartitionReassignmentsRequest";

  std::int32_t timeout_ms = 0;
  bool allow_replication_factor_change = true;
  std::vector<topic_entry> topics;

  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"timeout_ms"}, m.timeout_ms);
    v(field{.name = "allow_replication_factor_change", .since = 1},
      m.allow_replication_factor_change);
    v(field{"topics"}, m.topics);
  }
  friend bool operator==(const alter_partition_reassignments_request&,
                         const alter_partition_reassignments_request&) = default;
};

/// AlterPartitionReassignmentsResponse, versions 0 to 1.
struct alter_partition_reassignments_response {
  struct topic_entry {
    struct partition_entry {
      std::int32_t partition_index = 0;
      std::int16_t error_code = 0;
      std::optional<std::string> error_message;

      template <class M, class V>
      static void fields(M& m, V& v) {
        v(field{"partition_index"}, m.partition_index);
        v(field{"error_code"}, m.error_code);
        v(field{"error_message"}, m.error_message);
      }
      friend bool operator==(const partition_entry&, const partition_entry&) = default;
    };
    std::string name;
    std::vector<partition_entry> partitions;

    template <class M, class V>
    static void fields(M& m, V& v) {
      v(field{"name"}, m.name);
      v(field{"partitions"}, m.partitions);
    }
    friend bool operator==(const topic_entry&, const topic_entry&) = default;
  };
  static constexpr api_key api = api_key::alter_partition_reassignments;
  static constexpr std::string_view title = "AlterPartitionReassignmentsResponse";

  std::int32_t throttle_time_ms = 0;
  bool allow_replication_factor_change = true;
  std::int16_t error_code = 0;
  std::optional<std::string> error_message;
  std::vector<topic_entry> responses;

  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"throttle_time_ms"}, m.throttle_time_ms);
    v(field{.name = "allow_replication_factor_change", .since = 1},
      m.allow_replication_factor_change);
    v(field{"error_code"}, m.error_code);
    v(field{"error_message"}, m.error_message);
    v(field{"responses"}, m.responses);
  }
  friend bool operator==(const alter_partition_reassignments_response&,
                         const alter_partition_reassignments_response&) = default;
};

/// ListPartitionReassignmentsRequest, versions 0 to 0.
struct list_partition_reassignments_request {
  struct topic_entry {
    std::string name;
    std::vector<std::int32_t> partition_indexes;

    template <class M, class V>
    static void fields(M& m, V& v) {
      v(field{"name"}, m.name);
      v(field{"partition_indexes"}, m.partition_indexes);
    }
    friend bool operator==(const topic_entry&, const topic_entry&) = default;
  };
  static constexpr api_key api = api_key::list_partition_reassignments;
  static constexpr std::string_view title = "ListPartitionReassignmentsRequest";

  std::int32_t timeout_ms = 0;
  std::optional<std::vector<topic_entry>> topics;

  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"timeout_ms"}, m.timeout_ms);
    v(field{"topics"}, m.topics);
  }
  friend bool operator==(const list_partition_reassignments_request&,
                         const list_partition_reassignments_request&) = default;
};

/// ListPartitionReassignmentsResponse, versions 0 to 0.
struct list_partition_reassignments_response {
  struct topic_entry {
    struct partition_entry {
      std::int32_t partition_index = 0;
      std::vector<std::int32_t> replicas;
      std::vector<std::int32_t> adding_replicas;
      std::vector<std::int32_t> removing_replicas;

      template <class M, class V>
      static void fields(M& m, V& v) {
        v(field{"partition_index"}, m.partition_index);
        v(field{"replicas"}, m.replicas);
        v(field{"adding_replicas"}, m.adding_replicas);
        v(field{"removing_replicas"}, m.removing_replicas);
      }
      friend bool operator==(const partition_entry&, const partition_entry&) = default;
    };
    std::string name;
    std::vector<partition_entry> partitions;

    template <class M, class V>
    static void fields(M& m, V& v) {
      v(field{"name"}, m.name);
      v(field{"partitions"}, m.partitions);
    }
    friend bool operator==(const topic_entry&, const topic_entry&) = default;
  };
  static constexpr api_key api = api_key::list_partition_reassignments;
  static constexpr std::string_view title = "ListPartitionReassignmentsResponse";

  std::int32_t throttle_time_ms = 0;
  std::int16_t error_code = 0;
  std::optional<std::string> error_message;
  std::vector<topic_entry> topics;

  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"throttle_time_ms"}, m.throttle_time_ms);
    v(field{"error_code"}, m.error_code);
    v(field{"error_message"}, m.error_message);
    v(field{"topics"}, m.topics);
  }
  friend bool operator==(const list_partition_reassignments_response&,
                         const list_partition_reassignments_response&) = default;
};

} // namespace aqueduct::protocol::kafka
