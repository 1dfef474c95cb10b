#include "protocol/batch_builder.hpp"

#include <algorithm>
#include <cstring>
#include <limits>
#include <optional>

namespace aqueduct::protocol {

namespace {

constexpr std::int32_t record_count_max = std::numeric_limits<std::int32_t>::max();

std::uint64_t encoded_size(std::size_t size) {
  return zigzag(static_cast<std::int64_t>(size));
}

std::size_t field_size(const std::optional<byte_span>& bytes) {
  return bytes ? varint_size(encoded_size(bytes->size())) + bytes->size() : 1;
}

std::byte* store_field(std::byte* at, byte_span bytes) {
  at = store_varint(at, encoded_size(bytes.size()));
  if (!bytes.empty())
    std::memcpy(at, bytes.data(), bytes.size());
  return at + bytes.size();
}

std::byte* store_field(std::byte* at, const std::optional<byte_span>& bytes) {
  return bytes ? store_field(at, *bytes) : store_varint(at, zigzag(-1));
}

std::byte* store_field(std::byte* at, std::string_view text) {
  return store_field(at, std::as_bytes(std::span(text.data(), text.size())));
}

// Wraps, as the reader's sum does: every pair of timestamps has a delta.
std::uint64_t encoded_difference(std::int64_t a, std::int64_t b) {
  return zigzag(
      static_cast<std::int64_t>(static_cast<std::uint64_t>(a) - static_cast<std::uint64_t>(b)));
}

} // namespace

batch_builder::batch_builder(std::size_t batch_bytes_max)
    : batch_bytes_max_(std::min(batch_bytes_max, compression_bytes_max)) {}

std::size_t batch_builder::body_size(const record_to_write& record) const {
  const auto base = empty() ? record.timestamp.value : base_timestamp_;
  auto size = 1 + varint_size(encoded_difference(record.timestamp.value, base)) +
              varint_size(zigzag(record_count_)) + field_size(record.key) +
              field_size(record.value) + varint_size(encoded_size(record.headers.size()));
  for (const auto& header : record.headers)
    size +=
        varint_size(encoded_size(header.key.size())) + header.key.size() + field_size(header.value);
  return size;
}

std::size_t batch_builder::size_after(const record_to_write& record) const {
  const auto body = body_size(record);
  return size_ + varint_size(encoded_size(body)) + body;
}

void batch_builder::make_room(std::size_t bytes) {
  const auto needed = size_ + bytes;
  if (bytes_.size() < needed)
    bytes_.resize(std::max(needed, bytes_.size() * 2));
}

bool batch_builder::append(const record_to_write& record) {
  const auto body = body_size(record);
  const auto total = varint_size(encoded_size(body)) + body;
  if (size_ + total > batch_bytes_max_ || record_count_ == record_count_max)
    return false;
  make_room(total);
  if (empty())
    base_timestamp_ = max_timestamp_ = record.timestamp.value;
  max_timestamp_ = std::max(max_timestamp_, record.timestamp.value);

  auto* at = store_varint(bytes_.data() + size_, encoded_size(body));
  *at++ = std::byte{0};
  at = store_varint(at, encoded_difference(record.timestamp.value, base_timestamp_));
  at = store_varint(at, zigzag(record_count_));
  at = store_field(at, record.key);
  at = store_field(at, record.value);
  at = store_varint(at, encoded_size(record.headers.size()));
  for (const auto& header : record.headers) {
    at = store_field(at, header.key);
    at = store_field(at, header.value);
  }
  size_ += total;
  ++record_count_;
  return true;
}

result<buffer> batch_builder::finish(const batch_options& options) {
  if (empty())
    return unexpected(errc::invalid_message, "a batch needs a record");
  byte_span records(bytes_.data() + batch_header_bytes, size_ - batch_header_bytes);
  if (options.compression != codec::none) {
    compressed_.clear();
    const compress_options how{options.compression, options.level, options.framing};
    if (auto done = compress_append(how, records, compressed_); !done)
      return done.propagate();
    records = compressed_;
  }
  const auto size = batch_header_bytes + records.size();
  if (size > compression_bytes_max)
    return unexpected(errc::message_too_large, "the compressed batch is too large");
  mutable_buffer batch(size);
  std::memcpy(batch.data() + batch_header_bytes, records.data(), records.size());
  const auto transactional = options.transactional ? batch_attributes::transactional : 0;
  const auto attributes = static_cast<unsigned>(options.compression) | transactional;
  write_batch_header(batch.bytes(), {.base_offset = options.base_offset,
                                     .epoch = options.epoch,
                                     .attributes = static_cast<std::uint16_t>(attributes),
                                     .last_offset_delta = record_count_ - 1,
                                     .base_timestamp = timestamp_ms(base_timestamp_),
                                     .max_timestamp = timestamp_ms(max_timestamp_),
                                     .producer = options.producer,
                                     .producer_epoch = options.producer_epoch,
                                     .base_sequence = options.base_sequence,
                                     .record_count = record_count_});
  return batch.freeze();
}

void batch_builder::clear() {
  size_ = batch_header_bytes;
  record_count_ = 0;
  base_timestamp_ = 0;
  max_timestamp_ = 0;
}

result<std::pair<buffer, buffer>> split_batch(byte_span bytes, std::size_t records_bytes_max) {
  const auto header =
      validate_batch(bytes, {.batch_bytes_max = std::numeric_limits<std::size_t>::max()});
  if (!header)
    return header.propagate();
  if (header->record_count == 1)
    return unexpected(errc::message_too_large, "a batch of one record cannot be split");
  batch_options options{.compression = header->compression(),
                        .producer = header->producer,
                        .producer_epoch = header->producer_epoch,
                        .base_sequence = header->base_sequence,
                        .transactional = header->is_transactional(),
                        .base_offset = header->base_offset,
                        .epoch = header->epoch};
  const auto half = header->record_count / 2;
  batch_builder builder(compression_bytes_max);
  record_reader reader(records_bytes_max);
  reader.open(batch_view(bytes));
  std::vector<record_header> headers;
  result<buffer> first = buffer();
  for (record_view record; reader.next(record);) {
    headers.clear();
    for (const auto& one : record.headers)
      headers.push_back(one);
    if (!builder.append({record.timestamp, record.key, record.value, headers}))
      return unexpected(errc::message_too_large, "half of the batch is still too large");
    if (reader.position() != half)
      continue;
    first = builder.finish(options);
    if (!first)
      return first.propagate();
    builder.clear();
    options.base_offset = offset_t(header->base_offset.value + half);
    if (header->is_idempotent())
      options.base_sequence = sequence_after(header->base_sequence, half);
  }
  if (auto done = reader.status(); !done)
    return done.propagate();
  auto second = builder.finish(options);
  if (!second)
    return second.propagate();
  return std::pair(std::move(*first), std::move(*second));
}

result<buffer> retain_records(batch_view batch, const std::function<bool(const record_view&)>& keep,
                              std::size_t records_bytes_max) {
  auto header = batch.header();
  header.record_count = 0;
  std::vector<std::byte> kept;
  std::optional<timestamp_ms> max_timestamp;
  record_reader reader(records_bytes_max);
  reader.open(batch);
  for (record_view record; reader.next(record);) {
    if (!keep(record))
      continue;
    kept.insert(kept.end(), reader.encoded().begin(), reader.encoded().end());
    max_timestamp = std::max(max_timestamp.value_or(record.timestamp), record.timestamp);
    ++header.record_count;
  }
  if (auto done = reader.status(); !done)
    return done.propagate();
  if (header.record_count == batch.record_count())
    return buffer::copy_of(batch.bytes());

  std::vector<std::byte> bytes(batch_header_bytes);
  if (kept.empty()) {
    header.attributes &= static_cast<std::uint16_t>(~batch_attributes::codec_mask);
  } else {
    header.max_timestamp = *max_timestamp;
    if (auto done = compress_append({.type = batch.compression()}, kept, bytes); !done)
      return done.propagate();
  }
  write_batch_header(bytes, header);
  return buffer::copy_of(bytes);
}

} // namespace aqueduct::protocol
