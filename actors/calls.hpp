// What a front end asks of a partition and how it is answered. Both dialects end in these types.
// An answer goes through a sink that came with the question; a sink that is dropped without an
// answer answers for itself when it is destroyed, so that no client waits for an actor that died.
#pragma once

#include "protocol/buffer.hpp"
#include "protocol/error.hpp"
#include "protocol/ids.hpp"
#include "protocol/native/data_messages.hpp"
#include "protocol/record_batch.hpp"
#include "protocol/result.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace aqueduct::actors {

/// What became of one batch.
struct produce_outcome {
  errc error = errc::none;
  std::string message;
  std::int64_t base_offset = -1;
  std::int64_t append_time_ms = -1;
  std::int64_t log_start = -1;
  /// With offset_conflict: the next offset.
  std::int64_t end_offset = -1;
  /// With not_leader: who leads, or -1.
  std::int32_t leader = -1;
};

/// Takes the outcomes of one produce request; `slot` tells its batches apart. Each slot is answered
/// at most once. Thread-safe.
class produce_sink {
public:
  virtual ~produce_sink() = default;
  virtual void produced(std::uint32_t slot, produce_outcome outcome) = 0;
};

/// One batch on its way into a partition. `batch` has passed `validate_batch` and is owned by
/// nobody else: the partition stamps it in place.
struct produce_item {
  std::shared_ptr<produce_sink> sink;
  std::uint32_t slot = 0;
  protocol::acks acks = protocol::acks::all;
  /// -1: none.
  std::int64_t expected_offset = -1;
  /// Steady clock, milliseconds; when to answer timed_out.
  std::int64_t deadline_ms = 0;
  mutable_buffer batch;
  protocol::batch_header header;
};

/// What a fetch of one partition found.
struct fetch_outcome {
  errc error = errc::none;
  std::string message;
  std::int64_t high_watermark = -1;
  std::int64_t last_stable = -1;
  std::int64_t log_start = -1;
  std::int32_t leader = -1;
  /// Whether the replica that answers leads the partition.
  bool leads = false;
  /// Steady clock of this node: everything that was committed before is in the answer, as far as
  /// the offsets that were asked for reach. -1: nothing was proven.
  std::int64_t complete_at_ms = -1;
  /// Nothing to read yet; the sink is told again when there is.
  bool waiting = false;
  buffer_chain records;
};

/// Takes the outcomes of one fetch request. Thread-safe.
class fetch_sink {
public:
  virtual ~fetch_sink() = default;
  virtual void fetched(std::uint32_t slot, fetch_outcome outcome) = 0;
  /// Takes up to `wanted` bytes from what the whole response may still hold; 0 when it is full.
  virtual std::size_t reserve(std::size_t wanted) = 0;
  /// Gives back what was reserved and not used.
  virtual void release(std::size_t unused) = 0;
};

struct fetch_item {
  std::shared_ptr<fetch_sink> sink;
  std::uint32_t slot = 0;
  std::int64_t offset = 0;
  std::int32_t bytes_max = 0;
  /// With `wait`: do not answer with less, unless more cannot come. At least 1.
  std::int32_t bytes_min = 1;
  /// Epoch of the last batch that the reader saw; -1 unknown.
  std::int32_t leader_epoch = -1;
  /// Tell the sink later if there is nothing yet.
  bool wait = false;
  /// How fresh the replica that answers has to be.
  protocol::fetch_freshness freshness = protocol::fetch_freshness::leader;
  /// With `bounded`.
  std::int64_t age_ms_max = 0;
  /// Steady clock: when to give up proving it. Set by the partition when the question arrives.
  std::int64_t proof_deadline_ms = 0;
  /// How long that may take, in milliseconds.
  std::int64_t proof_wait_ms = 1000;
};

/// What a subscription is told.
struct push_outcome {
  errc error = errc::none;
  std::string message;
  std::int64_t high_watermark = -1;
  std::int64_t log_start = -1;
  buffer_chain records;
};

/// Takes the pushes of one subscription, which may span partitions. Thread-safe.
class push_sink {
public:
  virtual ~push_sink() = default;
  /// Bytes that may be pushed now, at most `wanted`; they are taken from the credit. 0 when there
  /// is none: the partition pushes no more until `credited`.
  virtual std::size_t take_credit(std::size_t wanted) = 0;
  /// Returns unused credit; negative when the last batch went over.
  virtual void return_credit(std::int64_t unused) = 0;
  /// Whether the subscriber took part in the subscription: its first offset, or an error.
  virtual void subscribed(std::uint32_t slot, errc error, std::string message,
                          std::int64_t offset) = 0;
  /// With an error it is the last push of the partition.
  virtual void pushed(std::int32_t partition, push_outcome outcome) = 0;
};

struct subscribe_item {
  std::shared_ptr<push_sink> sink;
  std::uint32_t slot = 0;
  std::int32_t partition = 0;
  /// -1 the end, -2 the beginning.
  std::int64_t offset = 0;
  std::int32_t push_bytes_max = 0;
};

struct offset_outcome {
  errc error = errc::none;
  std::string message;
  std::int64_t offset = -1;
  std::int64_t timestamp_ms = -1;
  std::int32_t leader_epoch = -1;
  std::int32_t leader = -1;
};

struct describe_outcome {
  errc error = errc::none;
  std::string message;
  std::int32_t leader = -1;
  std::int32_t leader_epoch = -1;
  std::int64_t log_start = -1;
  std::int64_t high_watermark = -1;
  std::int64_t last_stable = -1;
  std::int64_t size_bytes = 0;
  std::int64_t oldest_ms = -1;
};

struct trim_outcome {
  errc error = errc::none;
  std::string message;
  std::int64_t log_start = -1;
  std::int32_t leader = -1;
};

/// Takes the answers to questions that are asked once. Thread-safe.
class query_sink {
public:
  virtual ~query_sink() = default;
  virtual void found_offset(std::uint32_t slot, offset_outcome outcome) = 0;
  virtual void described(std::uint32_t slot, describe_outcome outcome) = 0;
  virtual void trimmed(std::uint32_t slot, trim_outcome outcome) = 0;
};

/// An idempotent producer as its last committed batch in a partition left it.
struct active_producer {
  std::int64_t producer = -1;
  std::int16_t epoch = -1;
  std::int32_t last_sequence = -1;
  /// The largest of that batch; -1: it had none.
  std::int64_t last_timestamp_ms = -1;

  friend bool operator==(const active_producer&, const active_producer&) = default;
};

struct producers_outcome {
  errc error = errc::none;
  std::string message;
  /// In order of their ids.
  std::vector<active_producer> producers;
};

/// Takes the producers of partitions. Thread-safe.
class producers_sink {
public:
  virtual ~producers_sink() = default;
  virtual void listed(std::uint32_t slot, producers_outcome outcome) = 0;
};

/// Who produces to one partition; its leader knows.
struct producers_item {
  std::shared_ptr<producers_sink> sink;
  std::uint32_t slot = 0;
};

/// A topic as a change of it left it.
struct topic_outcome {
  uuid id;
  std::int32_t partitions = 0;
  std::int16_t replication = 0;
};

/// Takes the answer to one change of the cluster's metadata. Thread-safe.
class topic_sink {
public:
  virtual ~topic_sink() = default;
  virtual void finished(result<topic_outcome> outcome) = 0;
};

/// Takes a producer id. Thread-safe.
class producer_id_sink {
public:
  virtual ~producer_id_sink() = default;
  virtual void allocated(result<std::int64_t> id) = 0;
};

/// LIST_OFFSETS of one partition.
struct offset_item {
  std::shared_ptr<query_sink> sink;
  std::uint32_t slot = 0;
  std::int64_t timestamp_ms = protocol::latest_timestamp;
  /// Set: no time is looked up, but where the records of this epoch and those below it end. The
  /// answer has the largest of these epochs that the log has, and -1 and no offset for an epoch
  /// that no leader had yet.
  std::optional<std::int32_t> epoch_end_of;
  /// The leader's epoch as who asks knows it; -1: it does not say. A leader of an earlier one
  /// refuses.
  std::int32_t known_epoch = -1;
};

/// GET_TOPIC_INFO of one partition.
struct describe_item {
  std::shared_ptr<query_sink> sink;
  std::uint32_t slot = 0;
};

/// DELETE_RECORDS of one partition.
struct trim_item {
  std::shared_ptr<query_sink> sink;
  std::uint32_t slot = 0;
  /// -1: all that are committed.
  std::int64_t before_offset = 0;
  std::int64_t deadline_ms = 0;
};

} // namespace aqueduct::actors
