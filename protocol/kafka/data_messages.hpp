// The messages about records: Produce, Fetch, ListOffsets, OffsetForLeaderEpoch, InitProducerId,
// DeleteRecords.
// Fields in the order of the wire, by the names that the protocol gives them.
#pragma once

#include "protocol/kafka/definition.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace aqueduct::protocol::kafka {

/// ProduceRequest, versions 3 to 13.
struct produce_request {
  struct topic_entry {
    struct partition_entry {
      std::int32_t index = 0;
      std::optional<buffer_chain> records;

      template <class M, class V>
      static void fields(M& m, V& v) {
        v(field{"index"}, m.index);
        v(field{"records"}, m.records);
      }
      friend bool operator==(const partition_entry&, const partition_entry&) = default;
    };
    std::string name;
    uuid topic_id;
    std::vector<partition_entry> partition_data;

    template <class M, class V>
    static void fields(M& m, V& v) {
      v(field{.name = "name", .until = 12}, m.name);
      v(field{.name = "topic_id", .since = 13}, m.topic_id);
      v(field{"partition_data"}, m.partition_data);
    }
    friend bool operator==(const topic_entry&, const topic_entry&) = default;
  };
  static constexpr api_key api = api_key::produce;
  static constexpr std::string_view title = "ProduceRequest";

  std::optional<std::string> transactional_id;
  std::int16_t acks = 0;
  std::int32_t timeout_ms = 0;
  std::vector<topic_entry> topic_data;

  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"transactional_id"}, m.transactional_id);
    v(field{"acks"}, m.acks);
    v(field{"timeout_ms"}, m.timeout_ms);
    v(field{"topic_data"}, m.topic_data);
  }
  friend bool operator==(const produce_request&, const produce_request&) = default;
};

/// ProduceResponse, versions 3 to 13.
struct produce_response {
  struct topic_entry {
    struct partition_entry {
      struct record_error_entry {
        std::int32_t batch_index = 0;
        std::optional<std::string> batch_index_error_message;

        template <class M, class V>
        static void fields(M& m, V& v) {
          v(field{"batch_index"}, m.batch_index);
          v(field{"batch_index_error_message"}, m.batch_index_error_message);
        }
        friend bool operator==(const record_error_entry&, const record_error_entry&) = default;
      };
      struct current_leader_entry {
        std::int32_t leader_id = -1;
        std::int32_t leader_epoch = -1;

        template <class M, class V>
        static void fields(M& m, V& v) {
          v(field{"leader_id"}, m.leader_id);
          v(field{"leader_epoch"}, m.leader_epoch);
        }
        friend bool operator==(const current_leader_entry&, const current_leader_entry&) = default;
      };
      std::int32_t index = 0;
      std::int16_t error_code = 0;
      std::int64_t base_offset = -1;
      std::int64_t log_append_time_ms = -1;
      std::int64_t log_start_offset = -1;
      std::vector<record_error_entry> record_errors;
      std::optional<std::string> error_message;
      std::optional<current_leader_entry> current_leader;

      template <class M, class V>
      static void fields(M& m, V& v) {
        v(field{"index"}, m.index);
        v(field{"error_code"}, m.error_code);
        v(field{"base_offset"}, m.base_offset);
        v(field{"log_append_time_ms"}, m.log_append_time_ms);
        v(field{.name = "log_start_offset", .since = 5}, m.log_start_offset);
        v(field{.name = "record_errors", .since = 8}, m.record_errors);
        v(field{.name = "error_message", .since = 8}, m.error_message);
        v(field{.name = "current_leader", .since = 10, .tag = 0}, m.current_leader);
      }
      friend bool operator==(const partition_entry&, const partition_entry&) = default;
    };
    std::string name;
    uuid topic_id;
    std::vector<partition_entry> partition_responses;

    template <class M, class V>
    static void fields(M& m, V& v) {
      v(field{.name = "name", .until = 12}, m.name);
      v(field{.name = "topic_id", .since = 13}, m.topic_id);
      v(field{"partition_responses"}, m.partition_responses);
    }
    friend bool operator==(const topic_entry&, const topic_entry&) = default;
  };
  struct node_endpoint_entry {
    std::int32_t node_id = 0;
    std::string host;
    std::int32_t port = 0;
    std::optional<std::string> rack;

    template <class M, class V>
    static void fields(M& m, V& v) {
      v(field{"node_id"}, m.node_id);
      v(field{"host"}, m.host);
      v(field{"port"}, m.port);
      v(field{"rack"}, m.rack);
    }
    friend bool operator==(const node_endpoint_entry&, const node_endpoint_entry&) = default;
  };
  static constexpr api_key api = api_key::produce;
  static constexpr std::string_view title = "ProduceResponse";

  std::vector<topic_entry> responses;
  std::int32_t throttle_time_ms = 0;
  std::optional<std::vector<node_endpoint_entry>> node_endpoints;

  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"responses"}, m.responses);
    v(field{"throttle_time_ms"}, m.throttle_time_ms);
    v(field{.name = "node_endpoints", .since = 10, .tag = 0}, m.node_endpoints);
  }
  friend bool operator==(const produce_response&, const produce_response&) = default;
};

/// FetchRequest, versions 4 to 18.
struct fetch_request {
  struct replica_state_entry {
    std::int32_t replica_id = -1;
    std::int64_t replica_epoch = -1;

    template <class M, class V>
    static void fields(M& m, V& v) {
      v(field{"replica_id"}, m.replica_id);
      v(field{"replica_epoch"}, m.replica_epoch);
    }
    friend bool operator==(const replica_state_entry&, const replica_state_entry&) = default;
  };
  struct topic_entry {
    struct partition_entry {
      std::int32_t partition = 0;
      std::int32_t current_leader_epoch = -1;
      std::int64_t fetch_offset = 0;
      std::int32_t last_fetched_epoch = -1;
      std::int64_t log_start_offset = -1;
      std::int32_t partition_max_bytes = 0;
      std::optional<uuid> replica_directory_id;
      std::optional<std::int64_t> high_watermark;

      template <class M, class V>
      static void fields(M& m, V& v) {
        v(field{"partition"}, m.partition);
        v(field{.name = "current_leader_epoch", .since = 9}, m.current_leader_epoch);
        v(field{"fetch_offset"}, m.fetch_offset);
        v(field{.name = "last_fetched_epoch", .since = 12}, m.last_fetched_epoch);
        v(field{.name = "log_start_offset", .since = 5}, m.log_start_offset);
        v(field{"partition_max_bytes"}, m.partition_max_bytes);
        v(field{.name = "replica_directory_id", .since = 17, .tag = 0}, m.replica_directory_id);
        v(field{.name = "high_watermark", .since = 18, .tag = 1}, m.high_watermark);
      }
      friend bool operator==(const partition_entry&, const partition_entry&) = default;
    };
    std::string topic;
    uuid topic_id;
    std::vector<partition_entry> partitions;

    template <class M, class V>
    static void fields(M& m, V& v) {
      v(field{.name = "topic", .until = 12}, m.topic);
      v(field{.name = "topic_id", .since = 13}, m.topic_id);
      v(field{"partitions"}, m.partitions);
    }
    friend bool operator==(const topic_entry&, const topic_entry&) = default;
  };
  struct forgotten_topic_entry {
    std::string topic;
    uuid topic_id;
    std::vector<std::int32_t> partitions;

    template <class M, class V>
    static void fields(M& m, V& v) {
      v(field{.name = "topic", .until = 12}, m.topic);
      v(field{.name = "topic_id", .since = 13}, m.topic_id);
      v(field{"partitions"}, m.partitions);
    }
    friend bool operator==(const forgotten_topic_entry&, const forgotten_topic_entry&) = default;
  };
  static constexpr api_key api = api_key::fetch;
  static constexpr std::string_view title = "FetchRequest";

  std::optional<std::string> cluster_id;
  std::int32_t replica_id = -1;
  std::optional<replica_state_entry> replica_state;
  std::int32_t max_wait_ms = 0;
  std::int32_t min_bytes = 0;
  std::int32_t max_bytes = 0x7fffffff;
  std::int8_t isolation_level = 0;
  std::int32_t session_id = 0;
  std::int32_t session_epoch = -1;
  std::vector<topic_entry> topics;
  std::vector<forgotten_topic_entry> forgotten_topics_data;
  std::string rack_id;

  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{.name = "cluster_id", .since = 12, .tag = 0}, m.cluster_id);
    v(field{.name = "replica_id", .until = 14}, m.replica_id);
    v(field{.name = "replica_state", .since = 15, .tag = 1}, m.replica_state);
    v(field{"max_wait_ms"}, m.max_wait_ms);
    v(field{"min_bytes"}, m.min_bytes);
    v(field{"max_bytes"}, m.max_bytes);
    v(field{"isolation_level"}, m.isolation_level);
    v(field{.name = "session_id", .since = 7}, m.session_id);
    v(field{.name = "session_epoch", .since = 7}, m.session_epoch);
    v(field{"topics"}, m.topics);
    v(field{.name = "forgotten_topics_data", .since = 7}, m.forgotten_topics_data);
    v(field{.name = "rack_id", .since = 11}, m.rack_id);
  }
  friend bool operator==(const fetch_request&, const fetch_request&) = default;
};

/// FetchResponse, versions 4 to 18.
struct fetch_response {
  struct topic_entry {
    struct partition_entry {
      struct diverging_epoch_entry {
        std::int32_t epoch = -1;
        std::int64_t end_offset = -1;

        template <class M, class V>
        static void fields(M& m, V& v) {
          v(field{"epoch"}, m.epoch);
          v(field{"end_offset"}, m.end_offset);
        }
        friend bool operator==(const diverging_epoch_entry&,
                               const diverging_epoch_entry&) = default;
      };
      struct current_leader_entry {
        std::int32_t leader_id = -1;
        std::int32_t leader_epoch = -1;

        template <class M, class V>
        static void fields(M& m, V& v) {
          v(field{"leader_id"}, m.leader_id);
          v(field{"leader_epoch"}, m.leader_epoch);
        }
        friend bool operator==(const current_leader_entry&, const current_leader_entry&) = default;
      };
      struct snapshot_id_entry {
        std::int64_t end_offset = -1;
        std::int32_t epoch = -1;

        template <class M, class V>
        static void fields(M& m, V& v) {
          v(field{"end_offset"}, m.end_offset);
          v(field{"epoch"}, m.epoch);
        }
        friend bool operator==(const snapshot_id_entry&, const snapshot_id_entry&) = default;
      };
      struct aborted_transaction_entry {
        std::int64_t producer_id = -1;
        std::int64_t first_offset = 0;

        template <class M, class V>
        static void fields(M& m, V& v) {
          v(field{"producer_id"}, m.producer_id);
          v(field{"first_offset"}, m.first_offset);
        }
        friend bool operator==(const aborted_transaction_entry&,
                               const aborted_transaction_entry&) = default;
      };
      std::int32_t partition_index = 0;
      std::int16_t error_code = 0;
      std::int64_t high_watermark = -1;
      std::int64_t last_stable_offset = -1;
      std::int64_t log_start_offset = -1;
      std::optional<diverging_epoch_entry> diverging_epoch;
      std::optional<current_leader_entry> current_leader;
      std::optional<snapshot_id_entry> snapshot_id;
      std::optional<std::vector<aborted_transaction_entry>> aborted_transactions;
      std::int32_t preferred_read_replica = -1;
      std::optional<buffer_chain> records;

      template <class M, class V>
      static void fields(M& m, V& v) {
        v(field{"partition_index"}, m.partition_index);
        v(field{"error_code"}, m.error_code);
        v(field{"high_watermark"}, m.high_watermark);
        v(field{"last_stable_offset"}, m.last_stable_offset);
        v(field{.name = "log_start_offset", .since = 5}, m.log_start_offset);
        v(field{.name = "diverging_epoch", .since = 12, .tag = 0}, m.diverging_epoch);
        v(field{.name = "current_leader", .since = 12, .tag = 1}, m.current_leader);
        v(field{.name = "snapshot_id", .since = 12, .tag = 2}, m.snapshot_id);
        v(field{"aborted_transactions"}, m.aborted_transactions);
        v(field{.name = "preferred_read_replica", .since = 11}, m.preferred_read_replica);
        v(field{"records"}, m.records);
      }
      friend bool operator==(const partition_entry&, const partition_entry&) = default;
    };
    std::string topic;
    uuid topic_id;
    std::vector<partition_entry> partitions;

    template <class M, class V>
    static void fields(M& m, V& v) {
      v(field{.name = "topic", .until = 12}, m.topic);
      v(field{.name = "topic_id", .since = 13}, m.topic_id);
      v(field{"partitions"}, m.partitions);
    }
    friend bool operator==(const topic_entry&, const topic_entry&) = default;
  };
  struct node_endpoint_entry {
    std::int32_t node_id = 0;
    std::string host;
    std::int32_t port = 0;
    std::optional<std::string> rack;

    template <class M, class V>
    static void fields(M& m, V& v) {
      v(field{"node_id"}, m.node_id);
      v(field{"host"}, m.host);
      v(field{"port"}, m.port);
      v(field{"rack"}, m.rack);
    }
    friend bool operator==(const node_endpoint_entry&, const node_endpoint_entry&) = default;
  };
  static constexpr api_key api = api_key::fetch;
  static constexpr std::string_view title = "FetchResponse";

  std::int32_t throttle_time_ms = 0;
  std::int16_t error_code = 0;
  std::int32_t session_id = 0;
  std::vector<topic_entry> responses;
  std::optional<std::vector<node_endpoint_entry>> node_endpoints;

  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"throttle_time_ms"}, m.throttle_time_ms);
    v(field{.name = "error_code", .since = 7}, m.error_code);
    v(field{.name = "session_id", .since = 7}, m.session_id);
    v(field{"responses"}, m.responses);
    v(field{.name = "node_endpoints", .since = 16, .tag = 0}, m.node_endpoints);
  }
  friend bool operator==(const fetch_response&, const fetch_response&) = default;
};

/// ListOffsetsRequest, versions 1 to 10.
struct list_offsets_request {
  struct topic_entry {
    struct partition_entry {
      std::int32_t partition_index = 0;
      std::int32_t current_leader_epoch = -1;
      std::int64_t timestamp = 0;

      template <class M, class V>
      static void fields(M& m, V& v) {
        v(field{"partition_index"}, m.partition_index);
        v(field{.name = "current_leader_epoch", .since = 4}, m.current_leader_epoch);
        v(field{"timestamp"}, m.timestamp);
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
  static constexpr api_key api = api_key::list_offsets;
  static constexpr std::string_view title = "ListOffsetsRequest";

  std::int32_t replica_id = -1;
  std::int8_t isolation_level = 0;
  std::vector<topic_entry> topics;
  std::int32_t timeout_ms = 0;

  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"replica_id"}, m.replica_id);
    v(field{.name = "isolation_level", .since = 2}, m.isolation_level);
    v(field{"topics"}, m.topics);
    v(field{.name = "timeout_ms", .since = 10}, m.timeout_ms);
  }
  friend bool operator==(const list_offsets_request&, const list_offsets_request&) = default;
};

/// ListOffsetsResponse, versions 1 to 10.
struct list_offsets_response {
  struct topic_entry {
    struct partition_entry {
      std::int32_t partition_index = 0;
      std::int16_t error_code = 0;
      std::int64_t timestamp = 0;
      std::int64_t offset = 0;
      std::int32_t leader_epoch = -1;

      template <class M, class V>
      static void fields(M& m, V& v) {
        v(field{"partition_index"}, m.partition_index);
        v(field{"error_code"}, m.error_code);
        v(field{"timestamp"}, m.timestamp);
        v(field{"offset"}, m.offset);
        v(field{.name = "leader_epoch", .since = 4}, m.leader_epoch);
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
  static constexpr api_key api = api_key::list_offsets;
  static constexpr std::string_view title = "ListOffsetsResponse";

  std::int32_t throttle_time_ms = 0;
  std::vector<topic_entry> topics;

  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{.name = "throttle_time_ms", .since = 2}, m.throttle_time_ms);
    v(field{"topics"}, m.topics);
  }
  friend bool operator==(const list_offsets_response&, const list_offsets_response&) = default;
};

/// OffsetForLeaderEpochRequest, versions 2 to 4.
struct offset_for_leader_epoch_request {
  struct topic_entry {
    struct partition_entry {
      std::int32_t partition = 0;
      std::int32_t current_leader_epoch = -1;
      std::int32_t leader_epoch = -1;

      template <class M, class V>
      static void fields(M& m, V& v) {
        v(field{"partition"}, m.partition);
        v(field{"current_leader_epoch"}, m.current_leader_epoch);
        v(field{"leader_epoch"}, m.leader_epoch);
      }
      friend bool operator==(const partition_entry&, const partition_entry&) = default;
    };
    std::string topic;
    std::vector<partition_entry> partitions;

    template <class M, class V>
    static void fields(M& m, V& v) {
      v(field{"topic"}, m.topic);
      v(field{"partitions"}, m.partitions);
    }
    friend bool operator==(const topic_entry&, const topic_entry&) = default;
  };
  static constexpr api_key api = api_key::offset_for_leader_epoch;
  static constexpr std::string_view title = "OffsetForLeaderEpochRequest";

  std::int32_t replica_id = -1;
  std::vector<topic_entry> topics;

  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{.name = "replica_id", .since = 3}, m.replica_id);
    v(field{"topics"}, m.topics);
  }
  friend bool operator==(const offset_for_leader_epoch_request&,
                         const offset_for_leader_epoch_request&) = default;
};

/// OffsetForLeaderEpochResponse, versions 2 to 4.
struct offset_for_leader_epoch_response {
  struct topic_entry {
    struct partition_entry {
      std::int16_t error_code = 0;
      std::int32_t partition = 0;
      std::int32_t leader_epoch = -1;
      std::int64_t end_offset = -1;

      template <class M, class V>
      static void fields(M& m, V& v) {
        v(field{"error_code"}, m.error_code);
        v(field{"partition"}, m.partition);
        v(field{"leader_epoch"}, m.leader_epoch);
        v(field{"end_offset"}, m.end_offset);
      }
      friend bool operator==(const partition_entry&, const partition_entry&) = default;
    };
    std::string topic;
    std::vector<partition_entry> partitions;

    template <class M, class V>
    static void fields(M& m, V& v) {
      v(field{"topic"}, m.topic);
      v(field{"partitions"}, m.partitions);
    }
    friend bool operator==(const topic_entry&, const topic_entry&) = default;
  };
  static constexpr api_key api = api_key::offset_for_leader_epoch;
  static constexpr std::string_view title = "OffsetForLeaderEpochResponse";

  std::int32_t throttle_time_ms = 0;
  std::vector<topic_entry> topics;

  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"throttle_time_ms"}, m.throttle_time_ms);
    v(field{"topics"}, m.topics);
  }
  friend bool operator==(const offset_for_leader_epoch_response&,
                         const offset_for_leader_epoch_response&) = default;
};

/// InitProducerIdRequest, versions 0 to 5.
struct init_producer_id_request {
  static constexpr api_key api = api_key::init_producer_id;
  static constexpr std::string_view title = "InitProducerIdRequest";

  std::optional<std::string> transactional_id;
  std::int32_t transaction_timeout_ms = 0;
  std::int64_t producer_id = -1;
  std::int16_t producer_epoch = -1;

  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"transactional_id"}, m.transactional_id);
    v(field{"transaction_timeout_ms"}, m.transaction_timeout_ms);
    v(field{.name = "producer_id", .since = 3}, m.producer_id);
    v(field{.name = "producer_epoch", .since = 3}, m.producer_epoch);
  }
  friend bool operator==(const init_producer_id_request&,
                         const init_producer_id_request&) = default;
};

/// InitProducerIdResponse, versions 0 to 5.
struct init_producer_id_response {
  static constexpr api_key api = api_key::init_producer_id;
  static constexpr std::string_view title = "InitProducerIdResponse";

  std::int32_t throttle_time_ms = 0;
  std::int16_t error_code = 0;
  std::int64_t producer_id = -1;
  std::int16_t producer_epoch = -1;

  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"throttle_time_ms"}, m.throttle_time_ms);
    v(field{"error_code"}, m.error_code);
    v(field{"producer_id"}, m.producer_id);
    v(field{"producer_epoch"}, m.producer_epoch);
  }
  friend bool operator==(const init_producer_id_response&,
                         const init_producer_id_response&) = default;
};

/// DeleteRecordsRequest, versions 0 to 2.
struct delete_records_request {
  struct topic_entry {
    struct partition_entry {
      std::int32_t partition_index = 0;
      std::int64_t offset = 0;

      template <class M, class V>
      static void fields(M& m, V& v) {
        v(field{"partition_index"}, m.partition_index);
        v(field{"offset"}, m.offset);
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
  static constexpr api_key api = api_key::delete_records;
  static constexpr std::string_view title = "DeleteRecordsRequest";

  std::vector<topic_entry> topics;
  std::int32_t timeout_ms = 0;

  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"topics"}, m.topics);
    v(field{"timeout_ms"}, m.timeout_ms);
  }
  friend bool operator==(const delete_records_request&, const delete_records_request&) = default;
};

/// DeleteRecordsResponse, versions 0 to 2.
struct delete_records_response {
  struct topic_entry {
    struct partition_entry {
      std::int32_t partition_index = 0;
      std::int64_t low_watermark = -1;
      std::int16_t error_code = 0;

      template <class M, class V>
      static void fields(M& m, V& v) {
        v(field{"partition_index"}, m.partition_index);
        v(field{"low_watermark"}, m.low_watermark);
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
  static constexpr api_key api = api_key::delete_records;
  static constexpr std::string_view title = "DeleteRecordsResponse";

  std::int32_t throttle_time_ms = 0;
  std::vector<topic_entry> topics;

  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"throttle_time_ms"}, m.throttle_time_ms);
    v(field{"topics"}, m.topics);
  }
  friend bool operator==(const delete_records_response&, const delete_records_response&) = default;
};

} // namespace aqueduct::protocol::kafka
