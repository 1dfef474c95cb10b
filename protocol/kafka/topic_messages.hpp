// The messages with which operators create, delete, grow and measure topics.
// Fields in the order of the wire, by the names that the protocol gives them.
#pragma once

#include "protocol/kafka/definition.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace aqueduct::protocol::kafka {

/// CreateTopicsRequest, versions 2 to 7.
struct create_topics_request {
  struct topic_entry {
    struct assignment_entry {
      std::int32_t partition_index = 0;
      std::vector<std::int32_t> broker_ids;

      template <class M, class V>
      static void fields(M& m, V& v) {
        v(field{"partition_index"}, m.partition_index);
        v(field{"broker_ids"}, m.broker_ids);
      }
      friend bool operator==(const assignment_entry&, const assignment_entry&) = default;
    };
    struct config_entry {
      std::string name;
      std::optional<std::string> value;

      template <class M, class V>
      static void fields(M& m, V& v) {
        v(field{"name"}, m.name);
        v(field{"value"}, m.value);
      }
      friend bool operator==(const config_entry&, const config_entry&) = default;
    };
    std::string name;
    std::int32_t num_partitions = -1;
    std::int16_t replication_factor = -1;
    std::vector<assignment_entry> assignments;
    std::vector<config_entry> configs;

    template <class M, class V>
    static void fields(M& m, V& v) {
      v(field{"name"}, m.name);
      v(field{"num_partitions"}, m.num_partitions);
      v(field{"replication_factor"}, m.replication_factor);
      v(field{"assignments"}, m.assignments);
      v(field{"configs"}, m.configs);
    }
    friend bool operator==(const topic_entry&, const topic_entry&) = default;
  };
  static constexpr api_key api = api_key::create_topics;
  static constexpr std::string_view title = "CreateTopicsRequest";

  std::vector<topic_entry> topics;
  std::int32_t timeout_ms = 0;
  bool validate_only = false;

  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"topics"}, m.topics);
    v(field{"timeout_ms"}, m.timeout_ms);
    v(field{"validate_only"}, m.validate_only);
  }
  friend bool operator==(const create_topics_request&, const create_topics_request&) = default;
};

/// CreateTopicsResponse, versions 2 to 7.
struct create_topics_response {
  struct topic_entry {
    struct config_entry {
      std::string name;
      std::optional<std::string> value;
      bool read_only = false;
      std::int8_t config_source = 0;
      bool is_sensitive = false;

      template <class M, class V>
      static void fields(M& m, V& v) {
        v(field{"name"}, m.name);
        v(field{"value"}, m.value);
        v(field{"read_only"}, m.read_only);
        v(field{"config_source"}, m.config_source);
        v(field{"is_sensitive"}, m.is_sensitive);
      }
      friend bool operator==(const config_entry&, const config_entry&) = default;
    };
    std::string name;
    uuid topic_id;
    std::int16_t error_code = 0;
    std::optional<std::string> error_message;
    std::optional<std::int16_t> topic_config_error_code;
    std::int32_t num_partitions = -1;
    std::int16_t replication_factor = -1;
    std::optional<std::vector<config_entry>> configs;

    template <class M, class V>
    static void fields(M& m, V& v) {
      v(field{"name"}, m.name);
      v(field{.name = "topic_id", .since = 7}, m.topic_id);
      v(field{"error_code"}, m.error_code);
      v(field{"error_message"}, m.error_message);
      v(field{.name = "topic_config_error_code", .since = 5, .tag = 0}, m.topic_config_error_code);
      v(field{.name = "num_partitions", .since = 5}, m.num_partitions);
      v(field{.name = "replication_factor", .since = 5}, m.replication_factor);
      v(field{.name = "configs", .since = 5}, m.configs);
    }
    friend bool operator==(const topic_entry&, const topic_entry&) = default;
  };
  static constexpr api_key api = api_key::create_topics;
  static constexpr std::string_view title = "CreateTopicsResponse";

  std::int32_t throttle_time_ms = 0;
  std::vector<topic_entry> topics;

  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"throttle_time_ms"}, m.throttle_time_ms);
    v(field{"topics"}, m.topics);
  }
  friend bool operator==(const create_topics_response&, const create_topics_response&) = default;
};

/// DeleteTopicsRequest, versions 1 to 6.
struct delete_topics_request {
  struct topic_entry {
    std::optional<std::string> name;
    uuid topic_id;

    template <class M, class V>
    static void fields(M& m, V& v) {
      v(field{"name"}, m.name);
      v(field{"topic_id"}, m.topic_id);
    }
    friend bool operator==(const topic_entry&, const topic_entry&) = default;
  };
  static constexpr api_key api = api_key::delete_topics;
  static constexpr std::string_view title = "DeleteTopicsRequest";

  std::vector<topic_entry> topics;
  std::vector<std::string> topic_names;
  std::int32_t timeout_ms = 0;

  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{.name = "topics", .since = 6}, m.topics);
    v(field{.name = "topic_names", .until = 5}, m.topic_names);
    v(field{"timeout_ms"}, m.timeout_ms);
  }
  friend bool operator==(const delete_topics_request&, const delete_topics_request&) = default;
};

/// DeleteTopicsResponse, versions 1 to 6.
struct delete_topics_response {
  struct response_entry {
    std::optional<std::string> name;
    uuid topic_id;
    std::int16_t error_code = 0;
    std::optional<std::string> error_message;

    template <class M, class V>
    static void fields(M& m, V& v) {
      v(field{.name = "name", .nullable = 6}, m.name);
      v(field{.name = "topic_id", .since = 6}, m.topic_id);
      v(field{"error_code"}, m.error_code);
      v(field{.name = "error_message", .since = 5}, m.error_message);
    }
    friend bool operator==(const response_entry&, const response_entry&) = default;
  };
  static constexpr api_key api = api_key::delete_topics;
  static constexpr std::string_view title = "DeleteTopicsResponse";

  std::int32_t throttle_time_ms = 0;
  std::vector<response_entry> responses;

  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"throttle_time_ms"}, m.throttle_time_ms);
    v(field{"responses"}, m.responses);
  }
  friend bool operator==(const delete_topics_response&, const delete_topics_response&) = default;
};

/// CreatePartitionsRequest, versions 0 to 3.
struct create_partitions_request {
  struct topic_entry {
    struct assignment_entry {
      std::vector<std::int32_t> broker_ids;

      template <class M, class V>
      static void fields(M& m, V& v) {
        v(field{"broker_ids"}, m.broker_ids);
      }
      friend bool operator==(const assignment_entry&, const assignment_entry&) = default;
    };
    std::string name;
    std::int32_t count = 0;
    std::optional<std::vector<assignment_entry>> assignments;

    template <class M, class V>
    static void fields(M& m, V& v) {
      v(field{"name"}, m.name);
      v(field{"count"}, m.count);
      v(field{"assignments"}, m.assignments);
    }
    friend bool operator==(const topic_entry&, const topic_entry&) = default;
  };
  static constexpr api_key api = api_key::create_partitions;
  static constexpr std::string_view title = "CreatePartitionsRequest";

  std::vector<topic_entry> topics;
  std::int32_t timeout_ms = 0;
  bool validate_only = false;

  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"topics"}, m.topics);
    v(field{"timeout_ms"}, m.timeout_ms);
    v(field{"validate_only"}, m.validate_only);
  }
  friend bool operator==(const create_partitions_request&,
                         const create_partitions_request&) = default;
};

/// CreatePartitionsResponse, versions 0 to 3.
struct create_partitions_response {
  struct result_entry {
    std::string name;
    std::int16_t error_code = 0;
    std::optional<std::string> error_message;

    template <class M, class V>
    static void fields(M& m, V& v) {
      v(field{"name"}, m.name);
      v(field{"error_code"}, m.error_code);
      v(field{"error_message"}, m.error_message);
    }
    friend bool operator==(const result_entry&, const result_entry&) = default;
  };
  static constexpr api_key api = api_key::create_partitions;
  static constexpr std::string_view title = "CreatePartitionsResponse";

  std::int32_t throttle_time_ms = 0;
  std::vector<result_entry> results;

  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"throttle_time_ms"}, m.throttle_time_ms);
    v(field{"results"}, m.results);
  }
  friend bool operator==(const create_partitions_response&,
                         const create_partitions_response&) = default;
};

/// DescribeLogDirsRequest, versions 1 to 4.
struct describe_log_dirs_request {
  struct topic_entry {
    std::string topic;
    std::vector<std::int32_t> partitions;

    template <class M, class V>
    static void fields(M& m, V& v) {
      v(field{"topic"}, m.topic);
      v(field{"partitions"}, m.partitions);
    }
    friend bool operator==(const topic_entry&, const topic_entry&) = default;
  };
  static constexpr api_key api = api_key::describe_log_dirs;
  static constexpr std::string_view title = "DescribeLogDirsRequest";

  std::optional<std::vector<topic_entry>> topics;

  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"topics"}, m.topics);
  }
  friend bool operator==(const describe_log_dirs_request&,
                         const describe_log_dirs_request&) = default;
};

/// DescribeLogDirsResponse, versions 1 to 4.
struct describe_log_dirs_response {
  struct result_entry {
    struct topic_entry {
      struct partition_entry {
        std::int32_t partition_index = 0;
        std::int64_t partition_size = 0;
        std::int64_t offset_lag = 0;
        bool is_future_key = false;

        template <class M, class V>
        static void fields(M& m, V& v) {
          v(field{"partition_index"}, m.partition_index);
          v(field{"partition_size"}, m.partition_size);
          v(field{"offset_lag"}, m.offset_lag);
          v(field{"is_future_key"}, m.is_future_key);
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
    std::int16_t error_code = 0;
    std::string log_dir;
    std::vector<topic_entry> topics;
    std::int64_t total_bytes = -1;
    std::int64_t usable_bytes = -1;

    template <class M, class V>
    static void fields(M& m, V& v) {
      v(field{"error_code"}, m.error_code);
      v(field{"log_dir"}, m.log_dir);
      v(field{"topics"}, m.topics);
      v(field{.name = "total_bytes", .since = 4}, m.total_bytes);
      v(field{.name = "usable_bytes", .since = 4}, m.usable_bytes);
    }
    friend bool operator==(const result_entry&, const result_entry&) = default;
  };
  static constexpr api_key api = api_key::describe_log_dirs;
  static constexpr std::string_view title = "DescribeLogDirsResponse";

  std::int32_t throttle_time_ms = 0;
  std::int16_t error_code = 0;
  std::vector<result_entry> results;

  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"throttle_time_ms"}, m.throttle_time_ms);
    v(field{.name = "error_code", .since = 3}, m.error_code);
    v(field{"results"}, m.results);
  }
  friend bool operator==(const describe_log_dirs_response&,
                         const describe_log_dirs_response&) = default;
};

} // namespace aqueduct::protocol::kafka
