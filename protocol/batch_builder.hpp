// Writing record batches. Records are encoded as they are appended, into one buffer that is used
// again for the next batch; header and CRC are written once at the end.
#pragma once

#include "protocol/record_reader.hpp"

#include <functional>
#include <span>
#include <utility>
#include <vector>

namespace aqueduct::protocol {

/// A record on its way into a batch. Nothing is kept after `append` returns.
struct record_to_write {
  timestamp_ms timestamp{};
  std::optional<byte_span> key{};
  std::optional<byte_span> value{};
  std::span<const record_header> headers{};
};

/// The fields of a batch that its records do not decide.
struct batch_options {
  codec compression = codec::none;
  std::optional<int> level{};
  snappy_framing framing = snappy_framing::raw;
  /// -1: not idempotent.
  producer_id producer{-1};
  std::int16_t producer_epoch = -1;
  /// Sequence number of the first record.
  std::int32_t base_sequence = -1;
  bool transactional = false;
  /// A broker overwrites these two (`stamp_batch`).
  offset_t base_offset{0};
  leader_epoch epoch{-1};
};

/// Collects records and makes batches of them. Not thread-safe.
class batch_builder {
public:
  /// `batch_bytes_max` bounds the batch before compression: at most 2^31 - 1.
  explicit batch_builder(std::size_t batch_bytes_max = default_records_bytes_max);

  /// False, with nothing appended, when the batch would grow past its bound.
  [[nodiscard]] bool append(const record_to_write& record);

  [[nodiscard]] bool empty() const { return record_count_ == 0; }
  [[nodiscard]] std::int32_t record_count() const { return record_count_; }
  /// Size of the batch in bytes if it were finished now without compression, header included.
  [[nodiscard]] std::size_t size() const { return size_; }
  /// What `size` would be with `record` appended.
  [[nodiscard]] std::size_t size_after(const record_to_write& record) const;
  /// The larger of the records' timestamps. Precondition: not empty.
  [[nodiscard]] timestamp_ms max_timestamp() const { return timestamp_ms(max_timestamp_); }

  /// The batch. The builder keeps its records until `clear`, so that a batch can be made again with
  /// other options (another sequence after a new producer id). Errors: invalid_message when empty;
  /// as `compress`.
  [[nodiscard]] result<buffer> finish(const batch_options& options = {});

  /// Forgets the records, keeps the memory.
  void clear();

private:
  [[nodiscard]] std::size_t body_size(const record_to_write& record) const;
  void make_room(std::size_t bytes);

  std::size_t batch_bytes_max_;
  /// Header (written by `finish`) and records; the bytes from `size_` on are room to grow.
  std::vector<std::byte> bytes_;
  std::size_t size_ = batch_header_bytes;
  std::vector<std::byte> compressed_;
  std::int32_t record_count_ = 0;
  std::int64_t base_timestamp_ = 0;
  std::int64_t max_timestamp_ = 0;
};

/// Two batches with the records of `bytes`, half each: what a producer does with a batch that the
/// broker found too large. Codec, producer and transaction fields are kept; the second half's
/// sequence and base offset follow the first's. Errors: as `validate_batch` for a client's batch
/// (of any size) and as `record_reader`; message_too_large if there is but one record.
[[nodiscard]] result<std::pair<buffer, buffer>>
split_batch(byte_span bytes, std::size_t records_bytes_max = default_records_bytes_max);

/// What compaction leaves of a valid batch: the records that `keep` wants, asked in order, with the
/// offsets, timestamps and encoding that they had, in a batch that covers the same range of offsets
/// and keeps codec, producer and transaction fields. The maximal timestamp becomes that of what is
/// left, unless it is an append time. With nothing left, a header without records or codec. With
/// nothing removed, a copy. Errors: as `record_reader` and `compress`.
[[nodiscard]] result<buffer>
retain_records(batch_view batch, const std::function<bool(const record_view&)>& keep,
               std::size_t records_bytes_max = default_records_bytes_max);

} // namespace aqueduct::protocol
