// The messages about the offsets of consumer groups.
// Fields in the order of the wire, by the names that the protocol gives them.
#pragma once

#include "protocol/kafka/definition.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace aqueduct::protocol::kafka {

/// OffsetCommitRequest, versions 0 to 10.
struct offset_commit_request {
  struct topic_entry {
    struct partition_entry {
      std::int32_t partition_index = 0;
      std::int64_t committed_offset = -1;
      std::int32_t committed_leader_epoch = -1;
      std::optional<std::string> committed_metadata;
      /// Milliseconds since 1970, or -1: now.
      std::int64_t commit_timestamp = -1;

      template <class M, class V>
      static void fields(M& m, V& v) {
        v(field{"partition_index"}, m.partition_index);
        v(field{"committed_offset"}, m.committed_offset);
        v(field{.name = "committed_leader_epoch", .since = 6}, m.committed_leader_epoch);
        v(field{.name = "commit_timestamp", .since = 1, .until = 1}, m.commit_timestamp);
        v(field{"committed_metadata"}, m.committed_metadata);
      }
      friend bool operator==(const partition_entry&, const partition_entry&) = default;
    };
    std::string name;
    uuid topic_id;
    std::vector<partition_entry> partitions;

    template <class M, class V>
    static void fields(M& m, V& v) {
      v(field{.name = "name", .until = 9}, m.name);
      v(field{.name = "topic_id", .since = 10}, m.topic_id);
      v(field{"partitions"}, m.partitions);
    }
    friend bool operator==(const topic_entry&, const topic_entry&) = default;
  };
  static constexpr api_key api = api_key::offset_commit;
  static constexpr std::string_view title = "OffsetCommitRequest";

  std::string group_id;
  std::int32_t generation_id_or_member_epoch = -1;
  std::string member_id;
  std::optional<std::string> group_instance_id;
  std::int64_t retention_time_ms = -1;
  std::vector<topic_entry> topics;

  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"group_id"}, m.group_id);
    v(field{.name = "generation_id_or_member_epoch", .since = 1}, m.generation_id_or_member_epoch);
    v(field{.name = "member_id", .since = 1}, m.member_id);
    v(field{.name = "group_instance_id", .since = 7}, m.group_instance_id);
    v(field{.name = "retention_time_ms", .since = 2, .until = 4}, m.retention_time_ms);
    v(field{"topics"}, m.topics);
  }
  friend bool operator==(const offset_commit_request&, const offset_commit_request&) = default;
};

/// OffsetCommitResponse, versions 0 to 10.
struct offset_commit_response {
  struct topic_entry {
    struct partition_entry {
      std::int32_t partition_index = 0;
      std::int16_t error_code = 0;

      template <class M, class V>
      static void fields(M& m, V& v) {
        v(field{"partition_index"}, m.partition_index);
        v(field{"error_code"}, m.error_code);
      }
      friend bool operator==(const partition_entry&, const partition_entry&) = default;
    };
    std::string name;
    uuid topic_id;
    std::vector<partition_entry> partitions;

    template <class M, class V>
    static void fields(M& m, V& v) {
      v(field{.name = "name", .until = 9}, m.name);
      v(field{.name = "topic_id", .since = 10}, m.topic_id);
      v(field{"partitions"}, m.partitions);
    }
    friend bool operator==(const topic_entry&, const topic_entry&) = default;
  };
  static constexpr api_key api = api_key::offset_commit;
  static constexpr std::string_view title = "OffsetCommitResponse";

  std::int32_t throttle_time_ms = 0;
  std::vector<topic_entry> topics;

  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{.name = "throttle_time_ms", .since = 3}, m.throttle_time_ms);
    v(field{"topics"}, m.topics);
  }
  friend bool operator==(const offset_commit_response&, const offset_commit_response&) = default;
};

/// OffsetFetchRequest, versions 1 to 10.
struct offset_fetch_request {
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
  struct group_entry {
    struct topic_entry {
      std::string name;
      uuid topic_id;
      std::vector<std::int32_t> partition_indexes;

      template <class M, class V>
      static void fields(M& m, V& v) {
        v(field{.name = "name", .until = 9}, m.name);
        v(field{.name = "topic_id", .since = 10}, m.topic_id);
        v(field{"partition_indexes"}, m.partition_indexes);
      }
      friend bool operator==(const topic_entry&, const topic_entry&) = default;
    };
    std::string group_id;
    std::optional<std::string> member_id;
    std::int32_t member_epoch = -1;
    std::optional<std::vector<topic_entry>> topics;

    template <class M, class V>
    static void fields(M& m, V& v) {
      v(field{"group_id"}, m.group_id);
      v(field{.name = "member_id", .since = 9}, m.member_id);
      v(field{.name = "member_epoch", .since = 9}, m.member_epoch);
      v(field{"topics"}, m.topics);
    }
    friend bool operator==(const group_entry&, const group_entry&) = default;
  };
  static constexpr api_key api = api_key::offset_fetch;
  static constexpr std::string_view title = "OffsetFetchRequest";

  std::string group_id;
  std::optional<std::vector<topic_entry>> topics;
  std::vector<group_entry> groups;
  bool require_stable = false;

  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{.name = "group_id", .until = 7}, m.group_id);
    v(field{.name = "topics", .until = 7, .nullable = 2}, m.topics);
    v(field{.name = "groups", .since = 8}, m.groups);
    v(field{.name = "require_stable", .since = 7}, m.require_stable);
  }
  friend bool operator==(const offset_fetch_request&, const offset_fetch_request&) = default;
};

/// OffsetFetchResponse, versions 1 to 10.
struct offset_fetch_response {
  struct topic_entry {
    struct partition_entry {
      std::int32_t partition_index = 0;
      std::int64_t committed_offset = -1;
      std::int32_t committed_leader_epoch = -1;
      std::optional<std::string> metadata;
      std::int16_t error_code = 0;

      template <class M, class V>
      static void fields(M& m, V& v) {
        v(field{"partition_index"}, m.partition_index);
        v(field{"committed_offset"}, m.committed_offset);
        v(field{.name = "committed_leader_epoch", .since = 5}, m.committed_leader_epoch);
        v(field{"metadata"}, m.metadata);
        v(field{"error_code"}, m.error_code);
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
  struct group_entry {
    struct topic_entry {
      struct partition_entry {
        std::int32_t partition_index = 0;
        std::int64_t committed_offset = -1;
        std::int32_t committed_leader_epoch = -1;
        std::optional<std::string> metadata;
        std::int16_t error_code = 0;

        template <class M, class V>
        static void fields(M& m, V& v) {
          v(field{"partition_index"}, m.partition_index);
          v(field{"committed_offset"}, m.committed_offset);
          v(field{"committed_leader_epoch"}, m.committed_leader_epoch);
          v(field{"metadata"}, m.metadata);
          v(field{"error_code"}, m.error_code);
        }
        friend bool operator==(const partition_entry&, const partition_entry&) = default;
      };
      std::string name;
      uuid topic_id;
      std::vector<partition_entry> partitions;

      template <class M, class V>
      static void fields(M& m, V& v) {
        v(field{.name = "name", .until = 9}, m.name);
        v(field{.name = "topic_id", .since = 10}, m.topic_id);
        v(field{"partitions"}, m.partitions);
      }
      friend bool operator==(const topic_entry&, const topic_entry&) = default;
    };
    std::string group_id;
    std::vector<topic_entry> topics;
    std::int16_t error_code = 0;

    template <class M, class V>
    static void fields(M& m, V& v) {
      v(field{"group_id"}, m.group_id);
      v(field{"topics"}, m.topics);
      v(field{"error_code"}, m.error_code);
    }
    friend bool operator==(const group_entry&, const group_entry&) = default;
  };
  static constexpr api_key api = api_key::offset_fetch;
  static constexpr std::string_view title = "OffsetFetchResponse";

  std::int32_t throttle_time_ms = 0;
  std::vector<topic_entry> topics;
  std::int16_t error_code = 0;
  std::vector<group_entry> groups;

  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{.name = "throttle_time_ms", .since = 3}, m.throttle_time_ms);
    v(field{.name = "topics", .until = 7}, m.topics);
    v(field{.name = "error_code", .since = 2, .until = 7}, m.error_code);
    v(field{.name = "groups", .since = 8}, m.groups);
  }
  friend bool operator==(const offset_fetch_response&, const offset_fetch_response&) = default;
};

/// OffsetDeleteRequest, versions 0 to 0.
struct offset_delete_request {
  struct topic_entry {
    struct partition_entry {
      std::int32_t partition_index = 0;

      template <class M, class V>
      static void fields(M& m, V& v) {
        v(field{"partition_index"}, m.partition_index);
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
  static constexpr api_key api = api_key::offset_delete;
  static constexpr std::string_view title = "OffsetDeleteRequest";

  std::string group_id;
  std::vector<topic_entry> topics;

  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"group_id"}, m.group_id);
    v(field{"topics"}, m.topics);
  }
  friend bool operator==(const offset_delete_request&, const offset_delete_request&) = default;
};

/// OffsetDeleteResponse, versions 0 to 0.
struct offset_delete_response {
  struct topic_entry {
    struct partition_entry {
      std::int32_t partition_index = 0;
      std::int16_t error_code = 0;

      template <class M, class V>
      static void fields(M& m, V& v) {
        v(field{"partition_index"}, m.partition_index);
        v(field{"error_code"}, m.error_code);
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
  static constexpr api_key api = api_key::offset_delete;
  static constexpr std::string_view title = "OffsetDeleteResponse";

  std::int16_t error_code = 0;
  std::int32_t throttle_time_ms = 0;
  std::vector<topic_entry> topics;

  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"error_code"}, m.error_code);
    v(field{"throttle_time_ms"}, m.throttle_time_ms);
    v(field{"topics"}, m.topics);
  }
  friend bool operator==(const offset_delete_response&, const offset_delete_response&) = default;
};

} // namespace aqueduct::protocol::kafka
