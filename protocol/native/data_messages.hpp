// Messages that move records and offsets.
#pragma once

#include "protocol/buffer.hpp"
#include "protocol/error.hpp"
#include "protocol/ids.hpp"
#include "protocol/native/definition.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace aqueduct::protocol {

/// When a produce request is answered.
enum class acks : std::int8_t {
  /// When the batch is committed: durable on a majority.
  all = -1,
  /// Never: there is no response.
  none = 0,
  /// When the batch is durable on the leader.
  leader = 1,
};

struct produce_partition {
  std::int32_t partition = 0;
  std::int64_t expected_offset = -1;
  buffer_chain records;

  static constexpr message_info info{"ProducePartition", "A batch for a partition."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"partition", "Number of the partition."}, m.partition);
    v(field{"expected_offset",
            "If not -1, append only if the next offset is this one, else OFFSET_CONFLICT."},
      m.expected_offset);
    v(field{"records", "Exactly one record batch (RecordBatch v2)."}, m.records);
  }
};

struct produce_topic {
  std::string name;
  std::vector<produce_partition> partitions;

  static constexpr message_info info{"ProduceTopic", "Batches for a topic."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"name", "Name of the topic."}, m.name);
    v(field{"partitions", "The batches."}, m.partitions);
  }
};

struct produce_request {
  protocol::acks acks = protocol::acks::all;
  std::int32_t timeout_ms = 30000;
  std::vector<produce_topic> topics;

  static constexpr message_info info{"ProduceRequest", "Batches to append."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"acks", "-1 answer when committed, 1 when durable on the leader, 0 no answer."},
      m.acks);
    v(field{"timeout_ms", "After this time an unfinished batch is answered with TIMED_OUT."},
      m.timeout_ms);
    v(field{"topics", "The batches by topic."}, m.topics);
  }
};

struct produce_partition_result {
  std::int32_t partition = 0;
  errc error = errc::none;
  std::string message;
  std::int64_t base_offset = -1;
  std::int64_t append_time_ms = -1;
  std::int64_t log_start = -1;
  std::int64_t end_offset = -1;
  std::int32_t leader = -1;

  static constexpr message_info info{"ProducePartitionResult", "What became of a batch."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"partition", "Number of the partition."}, m.partition);
    v(field{"error", "0 if the batch was stored as `acks` asks."}, m.error);
    v(field{"message", "What was wrong and what would be right."}, m.message);
    v(field{"base_offset",
            "Offset of the first record; of the first copy if this is a repeat of an idempotent "
            "producer."},
      m.base_offset);
    v(field{"append_time_ms", "Time of the append if the topic uses LogAppendTime, else -1."},
      m.append_time_ms);
    v(field{"log_start", "First offset that can be read."}, m.log_start);
    v(field{"end_offset", "With OFFSET_CONFLICT: the next offset."}, m.end_offset);
    v(field{"leader", "With NOT_LEADER: the broker to try, or -1."}, m.leader);
  }
};

struct produce_topic_result {
  std::string name;
  std::vector<produce_partition_result> partitions;

  static constexpr message_info info{"ProduceTopicResult", "What became of a topic's batches."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"name", "Name of the topic."}, m.name);
    v(field{"partitions", "The results, in the order of the request."}, m.partitions);
  }
};

struct produce_response {
  std::vector<produce_topic_result> topics;

  static constexpr message_info info{"ProduceResponse", "What became of the batches."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"topics", "The results, in the order of the request."}, m.topics);
  }
};

/// Which replica may answer a fetch, and how fresh it has to be.
enum class fetch_freshness : std::int8_t {
  /// Only the one that leads, at once; what it has to prove is nothing.
  leader = 0,
  /// Any, with what it knows to be committed.
  any = 1,
  /// Any that proves to hold everything that was committed `age_ms_max` before the request came.
  bounded = 2,
  /// Any that proves to hold everything that was committed before the request came.
  linearizable = 3,
};

struct fetch_partition {
  std::int32_t partition = 0;
  std::int64_t offset = 0;
  std::int32_t bytes_max = 1 << 20;
  std::int32_t leader_epoch = -1;

  static constexpr message_info info{"FetchPartition", "Where to read in a partition."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"partition", "Number of the partition."}, m.partition);
    v(field{"offset", "First offset wanted. The first batch may begin before it."}, m.offset);
    v(field{"bytes_max",
            "Most bytes of this partition; the first batch comes whole even if it is larger."},
      m.bytes_max);
    v(field{"leader_epoch",
            "Epoch of the last batch that the client read, to notice a divergence; -1 none."},
      m.leader_epoch);
  }
};

struct fetch_topic {
  std::string name;
  std::vector<fetch_partition> partitions;

  static constexpr message_info info{"FetchTopic", "Where to read in a topic."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"name", "Name of the topic."}, m.name);
    v(field{"partitions", "The partitions."}, m.partitions);
  }
};

struct fetch_request {
  std::int32_t max_wait_ms = 500;
  std::int32_t min_bytes = 1;
  std::int32_t max_bytes = 50 << 20;
  std::vector<fetch_topic> topics;
  fetch_freshness freshness = fetch_freshness::leader;
  std::int64_t age_ms_max = 0;

  static constexpr message_info info{"FetchRequest", "What to read."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"max_wait_ms",
            "Longest wait for `min_bytes`; 0 answers at once, more than five minutes are five. The "
            "broker waits less when it is short of memory."},
      m.max_wait_ms);
    v(field{"min_bytes", "Answer when this many bytes are there."}, m.min_bytes);
    v(field{"max_bytes", "Most bytes in the whole response, but for the first batch."},
      m.max_bytes);
    v(field{"topics", "The partitions by topic."}, m.topics);
    v(field{"freshness",
            "Who may answer: 0 the leader; any replica 1 with what it knows to be committed, 2 if "
            "it holds all that was committed `age_ms_max` before the request came, 3 if it holds "
            "all that was committed before the request came. A replica that cannot prove it "
            "answers NOT_LEADER.",
            2},
      m.freshness);
    v(field{"age_ms_max", "With `freshness` 2: milliseconds, 0 or more.", 2}, m.age_ms_max);
  }
};

struct fetch_partition_result {
  std::int32_t partition = 0;
  errc error = errc::none;
  std::string message;
  std::int64_t high_watermark = -1;
  std::int64_t last_stable = -1;
  std::int64_t log_start = -1;
  std::int32_t leader = -1;
  buffer_chain records;
  std::int32_t replica = -1;
  bool leads = false;
  std::int64_t age_ms = -1;

  static constexpr message_info info{"FetchPartitionResult", "What was read of a partition."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"partition", "Number of the partition."}, m.partition);
    v(field{"error", "0, or why nothing was read."}, m.error);
    v(field{"message", "What was wrong and what would be right."}, m.message);
    v(field{"high_watermark", "Offset after the last committed record."}, m.high_watermark);
    v(field{"last_stable", "Offset below which no transaction is open."}, m.last_stable);
    v(field{"log_start", "First offset that can be read."}, m.log_start);
    v(field{"leader", "With NOT_LEADER: the broker to try, or -1."}, m.leader);
    v(field{"records", "Whole record batches, one after the other."}, m.records);
    v(field{"replica", "Broker that answers.", 2}, m.replica);
    v(field{"leads", "Whether it leads the partition.", 2}, m.leads);
    v(field{"age_ms",
            "The answer knows of everything that was committed so many milliseconds before it was "
            "sent, or earlier. -1: nothing is proven, as with `freshness` 0, or 1 where none was "
            "asked for before.",
            2},
      m.age_ms);
  }
};

struct fetch_topic_result {
  std::string name;
  std::vector<fetch_partition_result> partitions;

  static constexpr message_info info{"FetchTopicResult", "What was read of a topic."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"name", "Name of the topic."}, m.name);
    v(field{"partitions", "The partitions, in the order of the request."}, m.partitions);
  }
};

struct fetch_response {
  std::vector<fetch_topic_result> topics;

  static constexpr message_info info{"FetchResponse", "What was read."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"topics", "The topics, in the order of the request."}, m.topics);
  }
};

struct fetch_range {
  std::int64_t offset = 0;
  std::int32_t bytes_max = 1 << 20;
  std::int32_t records_max = -1;

  static constexpr message_info info{"FetchRange", "A range of a partition."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"offset", "First offset wanted. The first batch may begin before it."}, m.offset);
    v(field{"bytes_max", "Most bytes; the first batch comes whole even if it is larger."},
      m.bytes_max);
    v(field{"records_max",
            "Stop at the batch that holds this many records counted from `offset`; -1 no limit."},
      m.records_max);
  }
};

struct batch_fetch_request {
  std::string topic;
  std::int32_t partition = 0;
  std::vector<fetch_range> ranges;

  static constexpr message_info info{"BatchFetchRequest", "Ranges of one partition."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"topic", "Name of the topic."}, m.topic);
    v(field{"partition", "Number of the partition."}, m.partition);
    v(field{"ranges", "What to read."}, m.ranges);
  }
};

struct fetch_range_result {
  errc error = errc::none;
  std::string message;
  std::int64_t next_offset = -1;
  buffer_chain records;

  static constexpr message_info info{"FetchRangeResult", "What was read of a range."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"error", "0, or why nothing was read."}, m.error);
    v(field{"message", "What was wrong and what would be right."}, m.message);
    v(field{"next_offset", "Offset after the last record that was read."}, m.next_offset);
    v(field{"records", "Whole record batches, one after the other."}, m.records);
  }
};

struct batch_fetch_response {
  std::int64_t high_watermark = -1;
  std::int64_t log_start = -1;
  std::vector<fetch_range_result> ranges;

  static constexpr message_info info{"BatchFetchResponse", "What was read."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"high_watermark", "Offset after the last committed record."}, m.high_watermark);
    v(field{"log_start", "First offset that can be read."}, m.log_start);
    v(field{"ranges", "The ranges, in the order of the request."}, m.ranges);
  }
};

struct subscribe_partition {
  std::int32_t partition = 0;
  std::int64_t offset = 0;

  static constexpr message_info info{"SubscribePartition", "Where a subscription starts."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"partition", "Number of the partition."}, m.partition);
    v(field{"offset", "First offset wanted; -1 the end, -2 the beginning."}, m.offset);
  }
};

struct subscribe_request {
  std::uint32_t subscription = 0;
  std::string topic;
  std::vector<subscribe_partition> partitions;
  std::int64_t credit_bytes = 1 << 20;
  std::int32_t push_bytes_max = 1 << 20;

  static constexpr message_info info{"SubscribeRequest", "What to push."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"subscription", "Number chosen by the client, unique on its connection."},
      m.subscription);
    v(field{"topic", "Name of the topic."}, m.topic);
    v(field{"partitions", "The partitions that this broker leads."}, m.partitions);
    v(field{"credit_bytes",
            "Record bytes that may be pushed; a push may go below zero by its last batch."},
      m.credit_bytes);
    v(field{"push_bytes_max", "Most record bytes in one push, but for the first batch."},
      m.push_bytes_max);
  }
};

struct subscribe_partition_result {
  std::int32_t partition = 0;
  errc error = errc::none;
  std::string message;
  std::int64_t offset = -1;

  static constexpr message_info info{"SubscribePartitionResult", "Whether pushes will come."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"partition", "Number of the partition."}, m.partition);
    v(field{"error", "0, or why the partition is not part of the subscription."}, m.error);
    v(field{"message", "What was wrong and what would be right."}, m.message);
    v(field{"offset", "The offset at which the pushes start."}, m.offset);
  }
};

struct subscribe_response {
  std::vector<subscribe_partition_result> partitions;

  static constexpr message_info info{"SubscribeResponse", "The subscription."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"partitions", "The partitions, in the order of the request."}, m.partitions);
  }
};

struct credit_request {
  std::uint32_t subscription = 0;
  std::int64_t bytes = 0;

  static constexpr message_info info{"CreditRequest", "More credit. There is no response."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"subscription", "Number of the subscription."}, m.subscription);
    v(field{"bytes", "Bytes to add, above 0."}, m.bytes);
  }
};

struct unsubscribe_request {
  std::uint32_t subscription = 0;

  static constexpr message_info info{"UnsubscribeRequest", "The subscription to end."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"subscription", "Number of the subscription."}, m.subscription);
  }
};

struct unsubscribe_response {
  static constexpr message_info info{"UnsubscribeResponse", "Has no fields."};
  template <class M, class V>
  static void fields(M&, V&) {}
};

struct delivery {
  std::uint32_t subscription = 0;
  std::int32_t partition = 0;
  errc error = errc::none;
  std::string message;
  std::int64_t high_watermark = -1;
  std::int64_t log_start = -1;
  buffer_chain records;

  static constexpr message_info info{"Delivery",
                                     "A push. With an error it is the last one of its partition."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"subscription", "Number of the subscription."}, m.subscription);
    v(field{"partition", "Number of the partition."}, m.partition);
    v(field{"error", "0, or why the pushes of this partition end."}, m.error);
    v(field{"message", "What was wrong and what would be right."}, m.message);
    v(field{"high_watermark", "Offset after the last committed record."}, m.high_watermark);
    v(field{"log_start", "First offset that can be read."}, m.log_start);
    v(field{"records", "Whole record batches, one after the other."}, m.records);
  }
};

/// Timestamps of LIST_OFFSETS with a meaning of their own.
inline constexpr std::int64_t latest_timestamp = -1;
inline constexpr std::int64_t earliest_timestamp = -2;
inline constexpr std::int64_t newest_timestamp = -3;

struct list_offsets_partition {
  std::int32_t partition = 0;
  std::int64_t timestamp_ms = latest_timestamp;

  static constexpr message_info info{"ListOffsetsPartition", "The time to look up."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"partition", "Number of the partition."}, m.partition);
    v(field{"timestamp_ms",
            "Ms since the Unix epoch: the first record at or after it. -1 the end, -2 the "
            "beginning, -3 the record with the largest timestamp."},
      m.timestamp_ms);
  }
};

struct list_offsets_topic {
  std::string name;
  std::vector<list_offsets_partition> partitions;

  static constexpr message_info info{"ListOffsetsTopic", "The times to look up in a topic."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"name", "Name of the topic."}, m.name);
    v(field{"partitions", "The partitions."}, m.partitions);
  }
};

struct list_offsets_request {
  std::vector<list_offsets_topic> topics;

  static constexpr message_info info{"ListOffsetsRequest", "The times to look up."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"topics", "The partitions by topic."}, m.topics);
  }
};

struct list_offsets_partition_result {
  std::int32_t partition = 0;
  errc error = errc::none;
  std::string message;
  std::int64_t offset = -1;
  std::int64_t timestamp_ms = -1;
  std::int32_t leader_epoch = -1;
  std::int32_t leader = -1;

  static constexpr message_info info{"ListOffsetsPartitionResult", "The offset that was found."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"partition", "Number of the partition."}, m.partition);
    v(field{"error", "0, or why nothing was looked up."}, m.error);
    v(field{"message", "What was wrong and what would be right."}, m.message);
    v(field{"offset", "The offset, or -1 if no record is that late."}, m.offset);
    v(field{"timestamp_ms", "Timestamp of the record found, or -1."}, m.timestamp_ms);
    v(field{"leader_epoch", "Epoch of the partition's leader."}, m.leader_epoch);
    v(field{"leader", "With NOT_LEADER: the broker to try, or -1."}, m.leader);
  }
};

struct list_offsets_topic_result {
  std::string name;
  std::vector<list_offsets_partition_result> partitions;

  static constexpr message_info info{"ListOffsetsTopicResult", "The offsets of a topic."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"name", "Name of the topic."}, m.name);
    v(field{"partitions", "The partitions, in the order of the request."}, m.partitions);
  }
};

struct list_offsets_response {
  std::vector<list_offsets_topic_result> topics;

  static constexpr message_info info{"ListOffsetsResponse", "The offsets that were found."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"topics", "The topics, in the order of the request."}, m.topics);
  }
};

struct delete_records_partition {
  std::int32_t partition = 0;
  std::int64_t before_offset = 0;

  static constexpr message_info info{"DeleteRecordsPartition", "What to delete."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"partition", "Number of the partition."}, m.partition);
    v(field{"before_offset", "All records before it go; -1 means all that are committed."},
      m.before_offset);
  }
};

struct delete_records_request {
  std::string topic;
  std::vector<delete_records_partition> partitions;
  std::int32_t timeout_ms = 30000;

  static constexpr message_info info{"DeleteRecordsRequest", "What to delete of a topic."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"topic", "Name of the topic."}, m.topic);
    v(field{"partitions", "The partitions."}, m.partitions);
    v(field{"timeout_ms", "How long to wait until the deletion is committed."}, m.timeout_ms);
  }
};

struct delete_records_partition_result {
  std::int32_t partition = 0;
  errc error = errc::none;
  std::string message;
  std::int64_t log_start = -1;
  std::int32_t leader = -1;

  static constexpr message_info info{"DeleteRecordsPartitionResult", "What was deleted."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"partition", "Number of the partition."}, m.partition);
    v(field{"error", "0, or why nothing was deleted."}, m.error);
    v(field{"message", "What was wrong and what would be right."}, m.message);
    v(field{"log_start", "First offset that can be read now."}, m.log_start);
    v(field{"leader", "With NOT_LEADER: the broker to try, or -1."}, m.leader);
  }
};

struct delete_records_response {
  std::vector<delete_records_partition_result> partitions;

  static constexpr message_info info{"DeleteRecordsResponse", "What was deleted."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"partitions", "The partitions, in the order of the request."}, m.partitions);
  }
};

struct init_producer_id_request {
  std::int64_t producer_id = -1;
  std::int16_t producer_epoch = -1;

  static constexpr message_info info{"InitProducerIdRequest", "Who asks."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"producer_id", "The identity so far, to get its next epoch; -1 asks for a new one."},
      m.producer_id);
    v(field{"producer_epoch", "The epoch so far, or -1."}, m.producer_epoch);
  }
};

struct init_producer_id_response {
  std::int64_t producer_id = -1;
  std::int16_t producer_epoch = -1;

  static constexpr message_info info{"InitProducerIdResponse", "The identity."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"producer_id", "Never given to anyone else."}, m.producer_id);
    v(field{"producer_epoch", "Starts at 0."}, m.producer_epoch);
  }
};

} // namespace aqueduct::protocol
