// The record batch (Kafka RecordBatch, magic 2): the unit that producers send, that the log stores
// and that consumers fetch. This header reads, checks and stamps batches in place; it knows nothing
// of topics or producers' state. Records are read by record_reader.hpp, written by
// batch_builder.hpp; transaction markers are in control_batch.hpp.
#pragma once

#include "protocol/bytes.hpp"
#include "protocol/compression.hpp"
#include "protocol/ids.hpp"
#include "protocol/invariant.hpp"
#include "protocol/result.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace aqueduct::protocol {

// Offsets of the fields. All integers are big-endian.
//
//    0                    8         12        16 17        21   23
//   +--------------------+---------+---------+--+---------+----+---------+-
//   | base_offset i64    | batch_  | leader_ |2 | crc u32 |attr| last_   |
//   |                    | length  | epoch   |  |         |    | delta   |
//   +--------------------+---------+---------+--+---------+----+---------+-
//    27                   35                   43                   51
//   +--------------------+--------------------+--------------------+-------
//   | base_timestamp i64 | max_timestamp i64  | producer_id i64    | ...
//   +--------------------+--------------------+--------------------+-------
//    51   53        57        61
//   +----+---------+---------+------------------------------------- -  -
//   |p_  | base_   | record_ | records; one compressed blob of all of
//   |epo.| sequence| count   | them if a codec is set
//   +----+---------+---------+------------------------------------- -  -
//
// batch_length counts what follows it; crc covers what follows itself, so that base_offset and the
// leader epoch can be stamped without touching it.
namespace batch_layout {
inline constexpr std::size_t base_offset = 0;
inline constexpr std::size_t batch_length = 8;
inline constexpr std::size_t leader_epoch = 12;
inline constexpr std::size_t magic = 16;
inline constexpr std::size_t crc = 17;
inline constexpr std::size_t attributes = 21;
inline constexpr std::size_t last_offset_delta = 23;
inline constexpr std::size_t base_timestamp = 27;
inline constexpr std::size_t max_timestamp = 35;
inline constexpr std::size_t producer_id = 43;
inline constexpr std::size_t producer_epoch = 51;
inline constexpr std::size_t base_sequence = 53;
inline constexpr std::size_t record_count = 57;
inline constexpr std::size_t records = 61;
} // namespace batch_layout

/// Size of a batch's header in bytes; no batch is smaller.
inline constexpr std::size_t batch_header_bytes = batch_layout::records;
/// What batch_length does not count: base_offset and itself.
inline constexpr std::size_t batch_prefix_bytes = batch_layout::leader_epoch;
inline constexpr std::int8_t batch_magic = 2;
/// Kafka's default for max.message.bytes.
inline constexpr std::size_t default_batch_bytes_max = 1'048'588;
/// Bound on the decompressed records of one batch where nobody configured another.
inline constexpr std::size_t default_records_bytes_max = std::size_t{64} << 20;

/// Bits of the attributes.
namespace batch_attributes {
inline constexpr std::uint16_t codec_mask = 0x0007;
inline constexpr std::uint16_t append_time = 0x0008;
inline constexpr std::uint16_t transactional = 0x0010;
inline constexpr std::uint16_t control = 0x0020;
inline constexpr std::uint16_t delete_horizon = 0x0040;
inline constexpr std::uint16_t reserved_mask = 0xff80;
} // namespace batch_attributes

/// The number that follows `count` records numbered from `sequence` on; wraps from 2^31 - 1 to 0.
[[nodiscard]] constexpr std::int32_t sequence_after(std::int32_t sequence, std::int32_t count) {
  return static_cast<std::int32_t>(
      (static_cast<std::uint32_t>(sequence) + static_cast<std::uint32_t>(count)) & 0x7fffffffu);
}

/// The header of a batch, decoded. Says what the bytes say: only `validate_batch` vouches for it.
struct batch_header {
  offset_t base_offset{};
  /// Size of the whole batch in bytes, header included.
  std::size_t size_bytes = 0;
  leader_epoch epoch{};
  std::uint32_t crc = 0;
  std::uint16_t attributes = 0;
  std::int32_t last_offset_delta = 0;
  timestamp_ms base_timestamp{};
  timestamp_ms max_timestamp{};
  /// -1: not idempotent; then `producer_epoch` and `base_sequence` mean nothing.
  producer_id producer{-1};
  std::int16_t producer_epoch = -1;
  std::int32_t base_sequence = -1;
  std::int32_t record_count = 0;

  [[nodiscard]] codec compression() const {
    return static_cast<codec>(attributes & batch_attributes::codec_mask);
  }
  [[nodiscard]] bool has(std::uint16_t bits) const { return (attributes & bits) != 0; }
  [[nodiscard]] bool is_append_time() const { return has(batch_attributes::append_time); }
  [[nodiscard]] bool is_transactional() const { return has(batch_attributes::transactional); }
  [[nodiscard]] bool is_control() const { return has(batch_attributes::control); }
  [[nodiscard]] bool is_idempotent() const { return producer.value >= 0; }
  [[nodiscard]] offset_t last_offset() const {
    return offset_t(base_offset.value + last_offset_delta);
  }
  [[nodiscard]] offset_t next_offset() const { return last_offset().next(); }
  /// Precondition: idempotent, not control.
  [[nodiscard]] std::int32_t last_sequence() const {
    return sequence_after(base_sequence, last_offset_delta);
  }

  friend bool operator==(const batch_header&, const batch_header&) = default;
};

/// One batch in memory that somebody else owns; reads fields in place. Beyond the size nothing has
/// been checked.
class batch_view {
public:
  /// Precondition: at least `batch_header_bytes` bytes. `next_batch` and `validate_batch` make
  /// sure.
  explicit batch_view(byte_span bytes) : bytes_(bytes) {
    AQUEDUCT_INVARIANT(bytes.size() >= batch_header_bytes, std::to_string(bytes.size()));
  }

  [[nodiscard]] byte_span bytes() const { return bytes_; }
  [[nodiscard]] std::size_t size() const { return bytes_.size(); }
  /// The records as stored: compressed, if a codec is set.
  [[nodiscard]] byte_span records() const { return bytes_.subspan(batch_header_bytes); }

  [[nodiscard]] offset_t base_offset() const {
    return offset_t(at<std::int64_t>(batch_layout::base_offset));
  }
  [[nodiscard]] offset_t last_offset() const {
    return offset_t(base_offset().value + last_offset_delta());
  }
  [[nodiscard]] offset_t next_offset() const { return last_offset().next(); }
  [[nodiscard]] std::int32_t batch_length() const {
    return at<std::int32_t>(batch_layout::batch_length);
  }
  [[nodiscard]] leader_epoch epoch() const {
    return leader_epoch(at<std::int32_t>(batch_layout::leader_epoch));
  }
  [[nodiscard]] std::int8_t magic() const { return at<std::int8_t>(batch_layout::magic); }
  [[nodiscard]] std::uint32_t crc() const { return at<std::uint32_t>(batch_layout::crc); }
  [[nodiscard]] std::uint16_t attributes() const {
    return at<std::uint16_t>(batch_layout::attributes);
  }
  [[nodiscard]] codec compression() const {
    return static_cast<codec>(attributes() & batch_attributes::codec_mask);
  }
  [[nodiscard]] bool is_append_time() const { return has(batch_attributes::append_time); }
  [[nodiscard]] bool is_transactional() const { return has(batch_attributes::transactional); }
  [[nodiscard]] bool is_control() const { return has(batch_attributes::control); }
  [[nodiscard]] std::int32_t last_offset_delta() const {
    return at<std::int32_t>(batch_layout::last_offset_delta);
  }
  [[nodiscard]] timestamp_ms base_timestamp() const {
    return timestamp_ms(at<std::int64_t>(batch_layout::base_timestamp));
  }
  [[nodiscard]] timestamp_ms max_timestamp() const {
    return timestamp_ms(at<std::int64_t>(batch_layout::max_timestamp));
  }
  [[nodiscard]] producer_id producer() const {
    return producer_id(at<std::int64_t>(batch_layout::producer_id));
  }
  [[nodiscard]] std::int16_t producer_epoch() const {
    return at<std::int16_t>(batch_layout::producer_epoch);
  }
  [[nodiscard]] std::int32_t base_sequence() const {
    return at<std::int32_t>(batch_layout::base_sequence);
  }
  [[nodiscard]] std::int32_t record_count() const {
    return at<std::int32_t>(batch_layout::record_count);
  }

  /// All fields at once.
  [[nodiscard]] batch_header header() const;
  /// The CRC-32C of what the stored one covers.
  [[nodiscard]] std::uint32_t computed_crc() const;

private:
  template <class T>
  [[nodiscard]] T at(std::size_t offset) const {
    return load_be<T>(bytes_.data() + offset);
  }
  [[nodiscard]] bool has(std::uint16_t bits) const { return (attributes() & bits) != 0; }

  byte_span bytes_;
};

/// Takes the first batch off the front of `rest`, a sequence of batches as the log stores and
/// fetches return it. Nothing when `rest` holds less than a whole batch: it is empty at a clean
/// end, and otherwise holds the batch that was cut. Error corrupt_batch when no batch can start
/// there (size too small, other magic); `rest` stays as it is. Contents are not checked.
[[nodiscard]] result<std::optional<batch_view>> next_batch(byte_span& rest);

/// Who made a batch decides what it may say.
enum class batch_origin : std::uint8_t {
  /// A producer: no control batches, no append time, no gaps between records, any base offset.
  client,
  /// This cluster's log: what a leader stamped and compaction may have thinned out.
  log,
};

struct batch_limits {
  /// Bound on a client's batch as sent. What is in the log was let in once and has no bound.
  std::size_t batch_bytes_max = default_batch_bytes_max;
  batch_origin origin = batch_origin::client;
};

/// Checks that `bytes` is exactly one batch whose header is in order and whose CRC is right;
/// everything that can be said without decompressing. The order of checks is that of Kafka's
/// broker. Errors: corrupt_batch (size, CRC), message_too_large, invalid_message (magic, counts,
/// bits, producer fields), unsupported_codec, invalid_timestamp (timestamp type set by a client).
[[nodiscard]] result<batch_header> validate_batch(byte_span bytes, const batch_limits& limits = {});

/// What `validate_records` saw on its way through a batch.
struct records_summary {
  /// Of the records as consumers see them; -1 if the batch holds none.
  timestamp_ms min_timestamp{-1};
  timestamp_ms max_timestamp{-1};
  /// Size of the records when not compressed.
  std::size_t records_bytes = 0;
  /// Position of the first record without a key, if there is one: compacted topics refuse it.
  std::optional<std::int32_t> first_without_key{};
};

struct records_limits {
  /// Bound on the decompressed records.
  std::size_t records_bytes_max = default_records_bytes_max;
  batch_origin origin = batch_origin::client;
};

/// Reads all records of a batch that passed `validate_batch`: exactly record_count of them and
/// nothing else, each well formed, with offset deltas 0, 1, 2 ... (client) or ascending (log).
/// Errors: invalid_message, naming the record; corrupt_batch and decompression_limit from the
/// codec.
[[nodiscard]] result<records_summary> validate_records(batch_view batch,
                                                       const records_limits& limits = {});

/// Writes `header` in front of the records that stand in `batch` from `batch_header_bytes` on, with
/// magic, the length of `batch` and the CRC over it; `size_bytes` and `crc` of `header` are
/// ignored. Precondition: `batch` holds at least a header and fits a length of 31 bits.
void write_batch_header(std::span<std::byte> batch, const batch_header& header);

/// Writes the fields that the leader decides, in place and outside the CRC. Precondition: `batch`
/// points to a batch, which nobody else reads yet.
void stamp_batch(std::byte* batch, offset_t base_offset, leader_epoch epoch);

/// Makes `batch` one with append time `now` and corrects the CRC, in time that does not depend on
/// the batch's size. A CRC that was wrong stays wrong. Precondition: one whole batch.
void stamp_append_time(std::span<std::byte> batch, timestamp_ms now);
/// Corrects max_timestamp and the CRC likewise.
void stamp_max_timestamp(std::span<std::byte> batch, timestamp_ms max);

} // namespace aqueduct::protocol
