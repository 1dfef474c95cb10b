// Sending records. A producer collects records into one batch per partition, in the form in which
// they travel, and keeps up to five batches per partition under way.
#pragma once

#include "protocol/client/cluster.hpp"
#include "protocol/client/types.hpp"

#include <functional>
#include <future>
#include <memory>

namespace aqueduct::client {

/// A record to send. Only views: the bytes are copied into the batch before `send` returns.
struct record {
  std::string_view topic;
  /// Nothing: the partitioner chooses.
  std::optional<partition_id> partition{};
  std::optional<bytes_view> key{};
  /// Nothing is a tombstone in a compacted topic.
  std::optional<bytes_view> value{};
  std::span<const header> headers{};
  /// Nothing: now.
  std::optional<timestamp_ms> timestamp{};
};

/// Where a record was stored.
struct record_metadata {
  partition_id partition;
  /// -1 where nobody knows: with acks `none`, and for a repeat that is too old for the broker to
  /// remember its offset.
  offset_t offset{-1};
  /// The record's own, or the time of the append if the topic works with that.
  timestamp_ms timestamp;
};

/// Chooses a partition in [0, partition_count) for a record; anything else fails the send with
/// unknown_partition. Called on the sending thread with the producer locked: it must not use the
/// producer.
using partition_function =
    std::function<std::int32_t(const record& rec, std::int32_t partition_count)>;

/// Called once per record, on the I/O thread, which it must not block; it must not throw either.
/// Sending from it is allowed and never waits: where it would have to, it fails with `overloaded`.
using send_callback = std::function<void(const result<record_metadata>&)>;

enum class partitioning : std::uint8_t {
  /// Records with a key by murmur2 of the key, as Kafka's clients do; those without one stay with
  /// a partition for a batch and then move to another (sticky, KIP-480).
  by_key,
  /// One partition after the other, whatever the key.
  round_robin,
};

struct producer_config {
  client::acks acks = client::acks::all;
  compression codec = compression::none;
  /// Within the codec's range; nothing: its default.
  std::optional<int> compression_level{};
  /// Size at which a batch is sent, before compression: 1 KiB to 64 MiB. A larger record travels
  /// alone.
  std::size_t batch_bytes = 256 * 1024;
  /// Records at which a batch is sent; 1 to 10,000,000.
  std::int32_t batch_records = 1'000'000;
  /// Shortest time between two batches of a partition that are not full: a record that finds its
  /// partition idle for that long leaves at once, those that follow closely travel together. While
  /// `batch_bytes` or more are under way, records that may go to any partition wait for each other
  /// in an idle one too. 0 never waits. At most 1 minute.
  milliseconds linger{2};
  /// Bytes of records that are collected or under way, before compression. At least `batch_bytes`.
  std::size_t memory_bytes = std::size_t{64} << 20;
  /// How long `send` waits for memory and for the topic's metadata; 0: not at all.
  milliseconds block_max{10'000};
  /// From `send` to the last answer, all retries included. At least 1 ms.
  milliseconds delivery_timeout{120'000};
  /// For one attempt of one request. At least 1 ms.
  milliseconds request_timeout{30'000};
  /// Wait before a retry: doubles from the first to the second, with up to half taken off at
  /// random.
  milliseconds backoff_min{20};
  milliseconds backoff_max{1'000};
  /// Batches of one partition under way at a time, 1 to 5 (the broker remembers five). Without
  /// idempotence it is 1 in effect, because only sequence numbers keep the order through retries.
  std::int32_t in_flight_per_partition = 5;
  /// Sequence numbers in every batch, so that no retry stores a record twice. Nothing: yes, unless
  /// acks is `none`, with which it cannot be combined.
  std::optional<bool> idempotent{};
  /// Whether a topic that does not exist may be created, if the brokers allow it.
  bool auto_create = true;
  client::partitioning partitioning = client::partitioning::by_key;
  /// Used instead of `partitioning` where set.
  partition_function partitioner{};
  /// Called on the I/O thread for each record that failed and was sent without a callback: once per
  /// batch, with the number of such records.
  std::function<void(const topic_partition&, const error&, std::size_t records)> on_lost{};

  /// Names the first setting that is out of range. Error: invalid_config.
  [[nodiscard]] AQUEDUCT_CLIENT_API result<void> validate() const;
};

/// Counters since the producer was created.
struct producer_stats {
  std::uint64_t records_sent = 0;
  std::uint64_t records_acked = 0;
  std::uint64_t records_failed = 0;
  std::uint64_t batches_acked = 0;
  std::uint64_t batches_retried = 0;
  std::uint64_t batches_split = 0;
  /// Bytes of batches as stored, compressed.
  std::uint64_t bytes_acked = 0;
  /// Bytes of records now collected or under way.
  std::uint64_t memory_bytes = 0;
};

class producer_core;

/// Sends records to any topics of a cluster. Thread-safe. Records that one thread sends to one
/// partition are stored in that order, also through retries. Moving is allowed; a producer that
/// goes away without `close` gives up what is not sent yet with `cancelled`.
class AQUEDUCT_CLIENT_API producer {
public:
  /// An idempotent producer asks for its identity now. Errors: invalid_config; as `cluster::open`.
  [[nodiscard]] static result<producer> create(const cluster& on, producer_config config = {});

  producer(producer&&) noexcept;
  producer& operator=(producer&&) noexcept;
  ~producer();

  /// Puts the record into its partition's batch and returns. Of what becomes of it `on_lost` and
  /// the next `flush` tell. Errors: invalid_topic, invalid_message, message_too_large (larger than
  /// memory allows or than the broker takes); unknown_topic, unknown_partition, topic_not_ready;
  /// overloaded (no memory within `block_max`), timed_out (no metadata within `block_max`);
  /// cancelled (closed); fenced_epoch (the producer is of no more use).
  [[nodiscard]] result<void> send(const record& rec);
  /// Same, and `done` is called with the outcome, unless this function returns an error.
  [[nodiscard]] result<void> send(const record& rec, send_callback done);
  /// Same, with the outcome as a future, errors of `send` included.
  [[nodiscard]] std::future<result<record_metadata>> send_future(const record& rec);
  /// Sends at once, with what its batch already holds, and waits for the outcome.
  [[nodiscard]] result<record_metadata> send_and_wait(const record& rec);

  /// Stores all of `records` as one batch if the partition's next offset is `expected`, and nothing
  /// otherwise; waits for the outcome, at most `delivery_timeout`. Topic and partition of the
  /// records are ignored. Not ordered with records that were sent and not answered yet. Errors:
  /// offset_conflict, with the partition's next offset in `*end_offset` where given; as `send`.
  [[nodiscard]] result<record_metadata> append_at(const topic_partition& to, offset_t expected,
                                                  std::span<const record> records,
                                                  offset_t* end_offset = nullptr);

  /// Sends what is collected without waiting for more, and returns when all records sent before
  /// the call have an outcome. Errors: timed_out; else the first error since the last `flush` of a
  /// record without a callback.
  [[nodiscard]] result<void> flush(std::optional<milliseconds> timeout = {});

  /// Refuses further records, waits like `flush`, and gives up what is left after `timeout` with
  /// `cancelled`. Safe to call twice.
  [[nodiscard]] result<void> close(std::optional<milliseconds> timeout = {});

  [[nodiscard]] producer_stats stats() const;

private:
  explicit producer(std::shared_ptr<producer_core> core);

  std::shared_ptr<producer_core> core_;
};

} // namespace aqueduct::client
