// What a client needs to find its way: ApiVersions, Metadata, DescribeCluster.
// Fields in the order of the wire, by the names that the protocol gives them.
#pragma once

#include "protocol/kafka/definition.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace aqueduct::protocol::kafka {

/// ApiVersionsRequest, versions 0 to 4.
struct api_versions_request {
  static constexpr api_key api = api_key::api_versions;
  static constexpr std::string_view title = "ApiVersionsRequest";

  std::string client_software_name;
  std::string client_software_version;

  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{.name = "client_software_name", .since = 3}, m.client_software_name);
    v(field{.name = "client_software_version", .since = 3}, m.client_software_version);
  }
  friend bool operator==(const api_versions_request&, const api_versions_request&) = default;
};

/// ApiVersionsResponse, versions 0 to 4.
struct api_versions_response {
  struct api_entry {
    std::int16_t api_key = 0;
    std::int16_t min_version = 0;
    std::int16_t max_version = 0;

    template <class M, class V>
    static void fields(M& m, V& v) {
      v(field{"api_key"}, m.api_key);
      v(field{"min_version"}, m.min_version);
      v(field{"max_version"}, m.max_version);
    }
    friend bool operator==(const api_entry&, const api_entry&) = default;
  };
  struct supported_feature_entry {
    std::string name;
    std::int16_t min_version = 0;
    std::int16_t max_version = 0;

    template <class M, class V>
    static void fields(M& m, V& v) {
      v(field{"name"}, m.name);
      v(field{"min_version"}, m.min_version);
      v(field{"max_version"}, m.max_version);
    }
    friend bool operator==(const supported_feature_entry&,
                           const supported_feature_entry&) = default;
  };
  struct finalized_feature_entry {
    std::string name;
    std::int16_t max_version_level = 0;
    std::int16_t min_version_level = 0;

    template <class M, class V>
    static void fields(M& m, V& v) {
      v(field{"name"}, m.name);
      v(field{"max_version_level"}, m.max_version_level);
      v(field{"min_version_level"}, m.min_version_level);
    }
    friend bool operator==(const finalized_feature_entry&,
                           const finalized_feature_entry&) = default;
  };
  static constexpr api_key api = api_key::api_versions;
  static constexpr std::string_view title = "ApiVersionsResponse";

  std::int16_t error_code = 0;
  std::vector<api_entry> api_keys;
  std::int32_t throttle_time_ms = 0;
  std::optional<std::vector<supported_feature_entry>> supported_features;
  std::optional<std::int64_t> finalized_features_epoch;
  std::optional<std::vector<finalized_feature_entry>> finalized_features;
  std::optional<bool> zk_migration_ready;

  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"error_code"}, m.error_code);
    v(field{"api_keys"}, m.api_keys);
    v(field{.name = "throttle_time_ms", .since = 1}, m.throttle_time_ms);
    v(field{.name = "supported_features", .since = 3, .tag = 0}, m.supported_features);
    v(field{.name = "finalized_features_epoch", .since = 3, .tag = 1}, m.finalized_features_epoch);
    v(field{.name = "finalized_features", .since = 3, .tag = 2}, m.finalized_features);
    v(field{.name = "zk_migration_ready", .since = 3, .tag = 3}, m.zk_migration_ready);
  }
  friend bool operator==(const api_versions_response&, const api_versions_response&) = default;
};

/// MetadataRequest, versions 0 to 13.
struct metadata_request {
  struct topic_entry {
    uuid topic_id;
    std::optional<std::string> name;

    template <class M, class V>
    static void fields(M& m, V& v) {
      v(field{.name = "topic_id", .since = 10}, m.topic_id);
      v(field{.name = "name", .nullable = 10}, m.name);
    }
    friend bool operator==(const topic_entry&, const topic_entry&) = default;
  };
  static constexpr api_key api = api_key::metadata;
  static constexpr std::string_view title = "MetadataRequest";

  std::optional<std::vector<topic_entry>> topics;
  bool allow_auto_topic_creation = true;
  bool include_cluster_authorized_operations = false;
  bool include_topic_authorized_operations = false;

  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{.name = "topics", .nullable = 1}, m.topics);
    v(field{.name = "allow_auto_topic_creation", .since = 4}, m.allow_auto_topic_creation);
    v(field{.name = "include_cluster_authorized_operations", .since = 8, .until = 10},
      m.include_cluster_authorized_operations);
    v(field{.name = "include_topic_authorized_operations", .since = 8},
      m.include_topic_authorized_operations);
  }
  friend bool operator==(const metadata_request&, const metadata_request&) = default;
};

/// MetadataResponse, versions 0 to 13.
struct metadata_response {
  struct broker_entry {
    std::int32_t node_id = 0;
    std::string host;
    std::int32_t port = 0;
    std::optional<std::string> rack;

    template <class M, class V>
    static void fields(M& m, V& v) {
      v(field{"node_id"}, m.node_id);
      v(field{"host"}, m.host);
      v(field{"port"}, m.port);
      v(field{.name = "rack", .since = 1}, m.rack);
    }
    friend bool operator==(const broker_entry&, const broker_entry&) = default;
  };
  struct topic_entry {
    struct partition_entry {
      std::int16_t error_code = 0;
      std::int32_t partition_index = 0;
      std::int32_t leader_id = -1;
      std::int32_t leader_epoch = -1;
      std::vector<std::int32_t> replica_nodes;
      std::vector<std::int32_t> isr_nodes;
      std::vector<std::int32_t> offline_replicas;

      template <class M, class V>
      static void fields(M& m, V& v) {
        v(field{"error_code"}, m.error_code);
        v(field{"partition_index"}, m.partition_index);
        v(field{"leader_id"}, m.leader_id);
        v(field{.name = "leader_epoch", .since = 7}, m.leader_epoch);
        v(field{"replica_nodes"}, m.replica_nodes);
        v(field{"isr_nodes"}, m.isr_nodes);
        v(field{.name = "offline_replicas", .since = 5}, m.offline_replicas);
      }
      friend bool operator==(const partition_entry&, const partition_entry&) = default;
    };
    std::int16_t error_code = 0;
    std::optional<std::string> name;
    uuid topic_id;
    bool is_internal = false;
    std::vector<partition_entry> partitions;
    std::int32_t topic_authorized_operations = operations_unknown;

    template <class M, class V>
    static void fields(M& m, V& v) {
      v(field{"error_code"}, m.error_code);
      v(field{.name = "name", .nullable = 12}, m.name);
      v(field{.name = "topic_id", .since = 10}, m.topic_id);
      v(field{.name = "is_internal", .since = 1}, m.is_internal);
      v(field{"partitions"}, m.partitions);
      v(field{.name = "topic_authorized_operations", .since = 8}, m.topic_authorized_operations);
    }
    friend bool operator==(const topic_entry&, const topic_entry&) = default;
  };
  static constexpr api_key api = api_key::metadata;
  static constexpr std::string_view title = "MetadataResponse";

  std::int32_t throttle_time_ms = 0;
  std::vector<broker_entry> brokers;
  std::optional<std::string> cluster_id;
  std::int32_t controller_id = -1;
  std::vector<topic_entry> topics;
  std::int32_t cluster_authorized_operations = operations_unknown;
  std::int16_t error_code = 0;

  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{.name = "throttle_time_ms", .since = 3}, m.throttle_time_ms);
    v(field{"brokers"}, m.brokers);
    v(field{.name = "cluster_id", .since = 2}, m.cluster_id);
    v(field{.name = "controller_id", .since = 1}, m.controller_id);
    v(field{"topics"}, m.topics);
    v(field{.name = "cluster_authorized_operations", .since = 8, .until = 10},
      m.cluster_authorized_operations);
    v(field{.name = "error_code", .since = 13}, m.error_code);
  }
  friend bool operator==(const metadata_response&, const metadata_response&) = default;
};

/// DescribeClusterRequest, versions 0 to 2.
struct describe_cluster_request {
  static constexpr api_key api = api_key::describe_cluster;
  static constexpr std::string_view title = "DescribeClusterRequest";

  bool include_cluster_authorized_operations = false;
  std::int8_t endpoint_type = 1;
  bool include_fenced_brokers = false;

  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"include_cluster_authorized_operations"}, m.include_cluster_authorized_operations);
    v(field{.name = "endpoint_type", .since = 1}, m.endpoint_type);
    v(field{.name = "include_fenced_brokers", .since = 2}, m.include_fenced_brokers);
  }
  friend bool operator==(const describe_cluster_request&,
                         const describe_cluster_request&) = default;
};

/// DescribeClusterResponse, versions 0 to 2.
struct describe_cluster_response {
  struct broker_entry {
    std::int32_t broker_id = 0;
    std::string host;
    std::int32_t port = 0;
    std::optional<std::string> rack;
    bool is_fenced = false;

    template <class M, class V>
    static void fields(M& m, V& v) {
      v(field{"broker_id"}, m.broker_id);
      v(field{"host"}, m.host);
      v(field{"port"}, m.port);
      v(field{"rack"}, m.rack);
      v(field{.name = "is_fenced", .since = 2}, m.is_fenced);
    }
    friend bool operator==(const broker_entry&, const broker_entry&) = default;
  };
  static constexpr api_key api = api_key::describe_cluster;
  static constexpr std::string_view title = "DescribeClusterResponse";

  std::int32_t throttle_time_ms = 0;
  std::int16_t error_code = 0;
  std::optional<std::string> error_message;
  std::int8_t endpoint_type = 1;
  std::string cluster_id;
  std::int32_t controller_id = -1;
  std::vector<broker_entry> brokers;
  std::int32_t cluster_authorized_operations = operations_unknown;

  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"throttle_time_ms"}, m.throttle_time_ms);
    v(field{"error_code"}, m.error_code);
    v(field{"error_message"}, m.error_message);
    v(field{.name = "endpoint_type", .since = 1}, m.endpoint_type);
    v(field{"cluster_id"}, m.cluster_id);
    v(field{"controller_id"}, m.controller_id);
    v(field{"brokers"}, m.brokers);
    v(field{"cluster_authorized_operations"}, m.cluster_authorized_operations);
  }
  friend bool operator==(const describe_cluster_response&,
                         const describe_cluster_response&) = default;
};

} // namespace aqueduct::protocol::kafka
