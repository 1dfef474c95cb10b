// Reading the records of a batch, one after another, without copying keys and values.
#pragma once

#include "protocol/record_batch.hpp"

#include <iterator>
#include <optional>
#include <string_view>
#include <vector>

namespace aqueduct::protocol {

/// A header of a record. `key` is meant to be UTF-8, which nobody has checked.
struct record_header {
  std::string_view key{};
  std::optional<byte_span> value{};
};

/// The headers of one record, decoded as they are walked through. They were checked when the record
/// was read, so that walking cannot fail.
class record_headers {
public:
  class iterator {
  public:
    using value_type = record_header;
    using difference_type = std::ptrdiff_t;

    iterator() = default;
    iterator(byte_span bytes, std::size_t left) : rest_(bytes), left_(left) { advance(); }

    const record_header& operator*() const { return current_; }
    const record_header* operator->() const { return &current_; }
    iterator& operator++() {
      advance();
      return *this;
    }
    void operator++(int) { advance(); }
    friend bool operator==(const iterator& it, std::default_sentinel_t) { return it.at_end_; }

  private:
    void advance();

    record_header current_;
    byte_span rest_;
    std::size_t left_ = 0;
    bool at_end_ = true;
  };

  record_headers() = default;
  /// Precondition: `bytes` are `count` well-formed headers.
  record_headers(byte_span bytes, std::size_t count) : bytes_(bytes), count_(count) {}

  [[nodiscard]] std::size_t size() const { return count_; }
  [[nodiscard]] bool empty() const { return count_ == 0; }
  [[nodiscard]] iterator begin() const { return {bytes_, count_}; }
  [[nodiscard]] std::default_sentinel_t end() const { return {}; }

private:
  byte_span bytes_;
  std::size_t count_ = 0;
};

/// One record, in memory of the reader or of the batch.
struct record_view {
  offset_t offset;
  /// The batch's append time if it has one.
  timestamp_ms timestamp{};
  /// Nothing is not the same as empty.
  std::optional<byte_span> key{};
  /// Nothing is a tombstone in a compacted topic.
  std::optional<byte_span> value{};
  record_headers headers;
};

/// The records of `batch` in the uncompressed form: the batch's own bytes, shared, or new memory.
/// For readers whose records must outlive them (see `record_reader::open` with records).
/// Errors: as `decompress`.
[[nodiscard]] result<buffer> uncompressed_records(const buffer& batch,
                                                  std::size_t records_bytes_max);

/// Walks through the records of one batch after another. Compressed records are decoded on the
/// first `next`, into memory that is kept from batch to batch. Not thread-safe.
///
///     record_reader reader;
///     reader.open(batch);
///     for (record_view record; reader.next(record);)
///       use(record);
///     if (auto done = reader.status(); !done) ...
class record_reader {
public:
  explicit record_reader(std::size_t records_bytes_max = default_records_bytes_max)
      : records_bytes_max_(records_bytes_max) {}

  /// Starts with the first record of `batch`, whose bytes must stay until the next `open`. Records
  /// that were read before are no longer valid.
  void open(batch_view batch);
  /// Same, with the records already uncompressed. Record views then live as long as `records`.
  void open(batch_view batch, byte_span records);

  /// Reads the next record. False at the end and on the first error; `status` tells which.
  [[nodiscard]] bool next(record_view& record);

  /// Success unless `next` met bytes that are no record (invalid_message, naming it), a record
  /// count that is not true (invalid_message), or a codec's error (as `decompress`).
  [[nodiscard]] result<void> status() const;

  /// The record that `next` read last, as it stands in the uncompressed records, length included.
  [[nodiscard]] byte_span encoded() const { return encoded_; }
  /// Records read since `open`.
  [[nodiscard]] std::int32_t position() const { return position_; }
  /// Size of the uncompressed records in bytes; 0 before the first `next` of a compressed batch.
  [[nodiscard]] std::size_t records_bytes() const { return records_bytes_; }

private:
  void start(batch_view batch);
  [[nodiscard]] bool decompress_records();
  [[nodiscard]] bool finish();
  bool fail(std::string_view rule);

  std::size_t records_bytes_max_;
  std::vector<std::byte> decompressed_;
  byte_span compressed_;
  codec compression_ = codec::none;

  const std::byte* at_ = nullptr;
  const std::byte* end_ = nullptr;
  byte_span encoded_;
  std::size_t records_bytes_ = 0;
  std::int64_t base_offset_ = 0;
  std::int64_t base_timestamp_ = 0;
  std::int64_t append_time_ = 0;
  std::int32_t record_count_ = 0;
  std::int32_t last_offset_delta_ = 0;
  /// Invariant: offset deltas only ascend; -1 before the first record.
  std::int32_t previous_delta_ = -1;
  std::int32_t position_ = 0;
  bool is_append_time_ = false;
  std::optional<error> error_;
};

} // namespace aqueduct::protocol
