// The messages of transactions, and what operators ask about them and about producers.
// Fields in the order of the wire, by the names that the protocol gives them.
#pragma once

#include "protocol/kafka/definition.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace aqueduct::protocol::kafka {

/// AddPartitionsToTxnRequest, versions 0 to 3.
struct add_partitions_to_txn_request {
  struct topic_entry {
    std::string name;
    std::vector<std::int32_t> partitions;

    template <class M, class V>
    static void fields(M& m, V& v) {
      v(field{"name"}, m.name);
      v(field{"partitions"}, m.partitions);
    }
    friend bool operator==(const topic_entry&, const topic_entry&) = default;
  };
  static constexpr api_key api = api_key::add_partitions_to_txn;
  static constexpr std::string_view title = "AddPartitionsToTxnRequest";

  std::string transactional_id;
  std::int64_t producer_id = -1;
  std::int16_t producer_epoch = -1;
  std::vector<topic_entry> topics;

  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"transactional_id"}, m.transactional_id);
    v(field{"producer_id"}, m.producer_id);
    v(field{"producer_epoch"}, m.producer_epoch);
    v(field{"topics"}, m.topics);
  }
  friend bool operator==(const add_partitions_to_txn_request&,
                         const add_partitions_to_txn_request&) = default;
};

/// AddPartitionsToTxnResponse, versions 0 to 3.
struct add_partitions_to_txn_response {
  struct topic_entry {
    struct partition_entry {
      std::int32_t partition_index = 0;
      std::int16_t partition_error_code = 0;

      template <class M, class V>
      static void fields(M& m, V& v) {
        v(field{"partition_index"}, m.partition_index);
        v(field{"partition_error_code"}, m.partition_error_code);
      }
      friend bool operator==(const partition_entry&, const partition_entry&) = default;
    };
    std::string name;
    std::vector<partition_entry> results_by_partition;

    template <class M, class V>
    static void fields(M& m, V& v) {
      v(field{"name"}, m.name);
      v(field{"results_by_partition"}, m.results_by_partition);
    }
    friend bool operator==(const topic_entry&, const topic_entry&) = default;
  };
  static constexpr api_key api = api_key::add_partitions_to_txn;
  static constexpr std::string_view title = "AddPartitionsToTxnResponse";

  std::int32_t throttle_time_ms = 0;
  std::vector<topic_entry> results_by_topic;

  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"throttle_time_ms"}, m.throttle_time_ms);
    v(field{"results_by_topic"}, m.results_by_topic);
  }
  friend bool operator==(const add_partitions_to_txn_response&,
                         const add_partitions_to_txn_response&) = default;
};

/// AddOffsetsToTxnRequest, versions 0 to 4.
struct add_offsets_to_txn_request {
  static constexpr api_key api = api_key::add_offsets_to_txn;
  static constexpr std::string_view title = "AddOffsetsToTxnRequest";

  std::string transactional_id;
  std::int64_t producer_id = -1;
  std::int16_t producer_epoch = -1;
  std::string group_id;

  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"transactional_id"}, m.transactional_id);
    v(field{"producer_id"}, m.producer_id);
    v(field{"producer_epoch"}, m.producer_epoch);
    v(field{"group_id"}, m.group_id);
  }
  friend bool operator==(const add_offsets_to_txn_request&,
                         const add_offsets_to_txn_request&) = default;
};

/// AddOffsetsToTxnResponse, versions 0 to 4.
struct add_offsets_to_txn_response {
  static constexpr api_key api = api_key::add_offsets_to_txn;
  static constexpr std::string_view title = "AddOffsetsToTxnResponse";

  std::int32_t throttle_time_ms = 0;
  std::int16_t error_code = 0;

  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"throttle_time_ms"}, m.throttle_time_ms);
    v(field{"error_code"}, m.error_code);
  }
  friend bool operator==(const add_offsets_to_txn_response&,
                         const add_offsets_to_txn_response&) = default;
};

/// EndTxnRequest, versions 0 to 5.
struct end_txn_request {
  static constexpr api_key api = api_key::end_txn;
  static constexpr std::string_view title = "EndTxnRequest";

  std::string transactional_id;
  std::int64_t producer_id = -1;
  std::int16_t producer_epoch = -1;
  bool committed = false;

  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"transactional_id"}, m.transactional_id);
    v(field{"producer_id"}, m.producer_id);
    v(field{"producer_epoch"}, m.producer_epoch);
    v(field{"committed"}, m.committed);
  }
  friend bool operator==(const end_txn_request&, const end_txn_request&) = default;
};

/// EndTxnResponse, versions 0 to 5.
struct end_txn_response {
  static constexpr api_key api = api_key::end_txn;
  static constexpr std::string_view title = "EndTxnResponse";

  std::int32_t throttle_time_ms = 0;
  std::int16_t error_code = 0;
  std::int64_t producer_id = -1;
  std::int16_t producer_epoch = -1;

  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"throttle_time_ms"}, m.throttle_time_ms);
    v(field{"error_code"}, m.error_code);
    v(field{.name = "producer_id", .since = 5}, m.producer_id);
    v(field{.name = "producer_epoch", .since = 5}, m.producer_epoch);
  }
  friend bool operator==(const end_txn_response&, const end_txn_response&) = default;
};

/// TxnOffsetCommitRequest, versions 0 to 5.
struct txn_offset_commit_request {
  struct topic_entry {
    struct partition_entry {
      std::int32_t partition_index = 0;
      std::int64_t committed_offset = -1;
      std::int32_t committed_leader_epoch = -1;
      std::optional<std::string> committed_metadata;

      template <class M, class V>
      static void fields(M& m, V& v) {
        v(field{"partition_index"}, m.partition_index);
        v(field{"committed_offset"}, m.committed_offset);
        v(field{.name = "committed_leader_epoch", .since = 2}, m.committed_leader_epoch);
        v(field{"committed_metadata"}, m.committed_metadata);
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
  static constexpr api_key api = api_key::txn_offset_commit;
  static constexpr std::string_view title = "TxnOffsetCommitRequest";

  std::string transactional_id;
  std::string group_id;
  std::int64_t producer_id = -1;
  std::int16_t producer_epoch = -1;
  std::int32_t generation_id = -1;
  std::string member_id;
  std::optional<std::string> group_instance_id;
  std::vector<topic_entry> topics;

  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"transactional_id"}, m.transactional_id);
    v(field{"group_id"}, m.group_id);
    v(field{"producer_id"}, m.producer_id);
    v(field{"producer_epoch"}, m.producer_epoch);
    v(field{.name = "generation_id", .since = 3}, m.generation_id);
    v(field{.name = "member_id", .since = 3}, m.member_id);
    v(field{.name = "group_instance_id", .since = 3}, m.group_instance_id);
    v(field{"topics"}, m.topics);
  }
  friend bool operator==(const txn_offset_commit_request&,
                         const txn_offset_commit_request&) = default;
};

/// TxnOffsetCommitResponse, versions 0 to 5.
struct txn_offset_commit_response {
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
  static constexpr api_key api = api_key::txn_offset_commit;
  static constexpr std::string_view title = "TxnOffsetCommitResponse";

  std::int32_t throttle_time_ms = 0;
  std::vector<topic_entry> topics;

  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"throttle_time_ms"}, m.throttle_time_ms);
    v(field{"topics"}, m.topics);
  }
  friend bool operator==(const txn_offset_commit_response&,
                         const txn_offset_commit_response&) = default;
};

/// DescribeProducersRequest, versions 0 to 0.
struct describe_producers_request {
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
  static constexpr api_key api = api_key::describe_producers;
  static constexpr std::string_view title = "DescribeProducersRequest";

  std::vector<topic_entry> topics;

  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"topics"}, m.topics);
  }
  friend bool operator==(const describe_producers_request&,
                         const describe_producers_request&) = default;
};

/// DescribeProducersResponse, versions 0 to 0.
struct describe_producers_response {
  struct topic_entry {
    struct partition_entry {
      struct active_producer_entry {
        std::int64_t producer_id = -1;
        std::int32_t producer_epoch = -1;
        std::int32_t last_sequence = -1;
        std::int64_t last_timestamp = -1;
        std::int32_t coordinator_epoch = -1;
        std::int64_t current_txn_start_offset = -1;

        template <class M, class V>
        static void fields(M& m, V& v) {
          v(field{"producer_id"}, m.producer_id);
          v(field{"producer_epoch"}, m.producer_epoch);
          v(field{"last_sequence"}, m.last_sequence);
          v(field{"last_timestamp"}, m.last_timestamp);
          v(field{"coordinator_epoch"}, m.coordinator_epoch);
          v(field{"current_txn_start_offset"}, m.current_txn_start_offset);
        }
        friend bool operator==(const active_producer_entry&,
                               const active_producer_entry&) = default;
      };
      std::int32_t partition_index = 0;
      std::int16_t error_code = 0;
      std::optional<std::string> error_message;
      std::vector<active_producer_entry> active_producers;

      template <class M, class V>
      static void fields(M& m, V& v) {
        v(field{"partition_index"}, m.partition_index);
        v(field{"error_code"}, m.error_code);
        v(field{"error_message"}, m.error_message);
        v(field{"active_producers"}, m.active_producers);
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
  static constexpr api_key api = api_key::describe_producers;
  static constexpr std::string_view title = "DescribeProducersResponse";

  std::int32_t throttle_time_ms = 0;
  std::vector<topic_entry> topics;

  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"throttle_time_ms"}, m.throttle_time_ms);
    v(field{"topics"}, m.topics);
  }
  friend bool operator==(const describe_producers_response&,
                         const describe_producers_response&) = default;
};

/// DescribeTransactionsRequest, versions 0 to 0.
struct describe_transactions_request {
  static constexpr api_key api = api_key::describe_transactions;
  static constexpr std::string_view title = "DescribeTransactionsRequest";

  std::vector<std::string> transactional_ids;

  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"transactional_ids"}, m.transactional_ids);
  }
  friend bool operator==(const describe_transactions_request&,
                         const describe_transactions_request&) = default;
};

/// DescribeTransactionsResponse, versions 0 to 0.
struct describe_transactions_response {
  struct transaction_state_entry {
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
    std::int16_t error_code = 0;
    std::string transactional_id;
    std::string transaction_state;
    std::int32_t transaction_timeout_ms = 0;
    std::int64_t transaction_start_time_ms = 0;
    std::int64_t producer_id = -1;
    std::int16_t producer_epoch = -1;
    std::vector<topic_entry> topics;

    template <class M, class V>
    static void fields(M& m, V& v) {
      v(field{"error_code"}, m.error_code);
      v(field{"transactional_id"}, m.transactional_id);
      v(field{"transaction_state"}, m.transaction_state);
      v(field{"transaction_timeout_ms"}, m.transaction_timeout_ms);
      v(field{"transaction_start_time_ms"}, m.transaction_start_time_ms);
      v(field{"producer_id"}, m.producer_id);
      v(field{"producer_epoch"}, m.producer_epoch);
      v(field{"topics"}, m.topics);
    }
    friend bool operator==(const transaction_state_entry&,
                           const transaction_state_entry&) = default;
  };
  static constexpr api_key api = api_key::describe_transactions;
  static constexpr std::string_view title = "DescribeTransactionsResponse";

  std::int32_t throttle_time_ms = 0;
  std::vector<transaction_state_entry> transaction_states;

  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"throttle_time_ms"}, m.throttle_time_ms);
    v(field{"transaction_states"}, m.transaction_states);
  }
  friend bool operator==(const describe_transactions_response&,
                         const describe_transactions_response&) = default;
};

/// ListTransactionsRequest, versions 0 to 2.
struct list_transactions_request {
  static constexpr api_key api = api_key::list_transactions;
  static constexpr std::string_view title = "ListTransactionsRequest";

  std::vector<std::string> state_filters;
  std::vector<std::int64_t> producer_id_filters;
  std::int64_t duration_filter = -1;
  std::optional<std::string> transactional_id_pattern;

  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"state_filters"}, m.state_filters);
    v(field{"producer_id_filters"}, m.producer_id_filters);
    v(field{.name = "duration_filter", .since = 1}, m.duration_filter);
    v(field{.name = "transactional_id_pattern", .since = 2}, m.transactional_id_pattern);
  }
  friend bool operator==(const list_transactions_request&,
                         const list_transactions_request&) = default;
};

/// ListTransactionsResponse, versions 0 to 2.
struct list_transactions_response {
  struct transaction_state_entry {
    std::string transactional_id;
    std::int64_t producer_id = -1;
    std::string transaction_state;

    template <class M, class V>
    static void fields(M& m, V& v) {
      v(field{"transactional_id"}, m.transactional_id);
      v(field{"producer_id"}, m.producer_id);
      v(field{"transaction_state"}, m.transaction_state);
    }
    friend bool operator==(const transaction_state_entry&,
                           const transaction_state_entry&) = default;
  };
  static constexpr api_key api = api_key::list_transactions;
  static constexpr std::string_view title = "ListTransactionsResponse";

  std::int32_t throttle_time_ms = 0;
  std::int16_t error_code = 0;
  std::vector<std::string> unknown_state_filters;
  std::vector<transaction_state_entry> transaction_states;

  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"throttle_time_ms"}, m.throttle_time_ms);
    v(field{"error_code"}, m.error_code);
    v(field{"unknown_state_filters"}, m.unknown_state_filters);
    v(field{"transaction_states"}, m.transaction_states);
  }
  friend bool operator==(const list_transactions_response&,
                         const list_transactions_response&) = default;
};

} // namespace aqueduct::protocol::kafka
