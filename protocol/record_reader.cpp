#include "protocol/record_reader.hpp"

#include <string>

namespace aqueduct::protocol {

namespace {

// Reads one record's fields. Does what byte_reader does, without its state, because consumers read
// millions of records a second: most varints of a record have one byte.
class field_reader {
public:
  field_reader(const std::byte* at, const std::byte* end) : at_(at), end_(end) {}

  [[nodiscard]] const std::byte* at() const { return at_; }
  [[nodiscard]] std::size_t left() const { return static_cast<std::size_t>(end_ - at_); }

  /// A zigzag varint of at most `Bytes` bytes.
  template <unsigned Bytes>
  [[nodiscard]] bool read(std::int64_t& value) {
    if (at_ == end_)
      return false;
    const auto first = static_cast<std::uint8_t>(*at_);
    if (first < 0x80) [[likely]] {
      ++at_;
      value = unzigzag(first);
      return true;
    }
    return read_long<Bytes>(value);
  }

  [[nodiscard]] bool read_i32(std::int64_t& value) {
    return read<5>(value) && value == static_cast<std::int32_t>(value);
  }

  /// A length and so many bytes; -1 is nothing.
  [[nodiscard]] bool read(std::optional<byte_span>& bytes) {
    std::int64_t size = 0;
    if (!read_i32(size))
      return false;
    if (size < 0) {
      bytes.reset();
      return size == -1;
    }
    if (static_cast<std::size_t>(size) > left())
      return false;
    bytes.emplace(at_, static_cast<std::size_t>(size));
    at_ += size;
    return true;
  }

  void skip(std::size_t count) { at_ += count; }

private:
  template <unsigned Bytes>
  [[nodiscard]] bool read_long(std::int64_t& value) {
    std::uint64_t sum = 0;
    for (unsigned i = 0; i < Bytes && at_ != end_; ++i) {
      const auto byte = static_cast<std::uint8_t>(*at_++);
      if (i == 9 && byte > 1)
        return false;
      sum |= static_cast<std::uint64_t>(byte & 0x7f) << (7 * i);
      if (byte < 0x80) {
        value = unzigzag(sum);
        return true;
      }
    }
    return false;
  }

  const std::byte* at_;
  const std::byte* end_;
};

[[nodiscard]] bool read_header(field_reader& fields, record_header& header) {
  std::optional<byte_span> key;
  if (!fields.read(key) || !key || !fields.read(header.value))
    return false;
  header.key = {reinterpret_cast<const char*>(key->data()), key->size()};
  return true;
}

[[nodiscard]] bool check_headers(field_reader& fields, std::int64_t count) {
  // A header takes two bytes or more, so that a lying count ends here at once.
  if (count < 0 || static_cast<std::size_t>(count) > fields.left() / 2)
    return false;
  record_header header;
  for (; count > 0; --count) {
    if (!read_header(fields, header))
      return false;
  }
  return true;
}

// Wraps, as Java does: with a base of one extreme, a delta may take any timestamp to any other.
std::int64_t add_wrapping(std::int64_t a, std::int64_t b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
}

} // namespace

void record_headers::iterator::advance() {
  at_end_ = left_ == 0;
  if (at_end_)
    return;
  field_reader fields(rest_.data(), rest_.data() + rest_.size());
  at_end_ = !read_header(fields, current_);
  rest_ = rest_.last(fields.left());
  --left_;
}

result<buffer> uncompressed_records(const buffer& batch, std::size_t records_bytes_max) {
  const batch_view view(batch.bytes());
  if (view.compression() == codec::none)
    return batch.slice(batch_header_bytes, batch.size() - batch_header_bytes);
  if (view.records().empty() && view.record_count() == 0)
    return buffer();
  auto records = decompress(view.compression(), view.records(), records_bytes_max);
  if (!records)
    return records.propagate();
  return buffer::from(std::move(*records));
}

void record_reader::start(batch_view batch) {
  base_offset_ = batch.base_offset().value;
  base_timestamp_ = batch.base_timestamp().value;
  append_time_ = batch.max_timestamp().value;
  is_append_time_ = batch.is_append_time();
  record_count_ = batch.record_count();
  last_offset_delta_ = batch.last_offset_delta();
  previous_delta_ = -1;
  position_ = 0;
  compressed_ = {};
  encoded_ = {};
  at_ = end_ = nullptr;
  records_bytes_ = 0;
  error_.reset();
}

void record_reader::open(batch_view batch, byte_span records) {
  start(batch);
  at_ = records.data();
  end_ = at_ + records.size();
  records_bytes_ = records.size();
}

void record_reader::open(batch_view batch) {
  if (batch.compression() == codec::none)
    return open(batch, batch.records());
  start(batch);
  compression_ = batch.compression();
  // Compaction may have emptied the batch; then there is nothing to decode.
  compressed_ = batch.records();
  if (record_count_ != 0 && compressed_.empty())
    fail("there are none");
}

bool record_reader::decompress_records() {
  const auto size = decompress_into(compression_, compressed_, records_bytes_max_, decompressed_);
  compressed_ = {};
  if (!size) {
    error_ = size.error();
    return false;
  }
  at_ = decompressed_.data();
  end_ = at_ + *size;
  records_bytes_ = *size;
  return true;
}

bool record_reader::next(record_view& record) {
  if (!compressed_.empty() && !decompress_records())
    return false;
  if (error_)
    return false;
  if (position_ >= record_count_)
    return finish();

  field_reader fields(at_, end_);
  std::int64_t length = 0;
  if (!fields.read_i32(length) || length < 0 || static_cast<std::size_t>(length) > fields.left())
    return fail("its length is not true");
  const auto* end = fields.at() + length;
  fields = field_reader(fields.at(), end);
  if (length < 1)
    return fail("it is cut");
  // The attributes of records have no meaning yet; readers skip them.
  fields.skip(1);
  std::int64_t timestamp_delta = 0;
  std::int64_t offset_delta = 0;
  std::int64_t header_count = 0;
  if (!fields.read<10>(timestamp_delta) || !fields.read_i32(offset_delta))
    return fail("its deltas are cut or too large");
  if (offset_delta <= previous_delta_ || offset_delta > last_offset_delta_)
    return fail("its offset does not ascend or is not within the batch");
  if (!fields.read(record.key) || !fields.read(record.value))
    return fail("its key or value is not within it");
  if (!fields.read_i32(header_count))
    return fail("it is cut");
  record.headers =
      record_headers({fields.at(), fields.left()}, static_cast<std::size_t>(header_count));
  if (header_count != 0 && !check_headers(fields, header_count))
    return fail("its headers are damaged");
  if (fields.left() != 0)
    return fail("it is longer than its fields");

  record.offset = offset_t(add_wrapping(base_offset_, offset_delta));
  record.timestamp =
      timestamp_ms(is_append_time_ ? append_time_ : add_wrapping(base_timestamp_, timestamp_delta));
  previous_delta_ = static_cast<std::int32_t>(offset_delta);
  encoded_ = {at_, end};
  at_ = end;
  ++position_;
  return true;
}

bool record_reader::finish() {
  if (record_count_ < 0)
    return fail("their number is negative");
  if (at_ != end_)
    return fail("more bytes follow than the batch has records");
  return false;
}

bool record_reader::fail(std::string_view rule) {
  error_ = error{errc::invalid_message,
                 "record " + std::to_string(position_) + " of the batch: " + std::string(rule)};
  return false;
}

result<void> record_reader::status() const {
  if (error_)
    return unexpected(*error_);
  return {};
}

} // namespace aqueduct::protocol
