#include "protocol/record_batch.hpp"

#include "protocol/crc32c.hpp"
#include "protocol/record_reader.hpp"

#include <algorithm>
#include <limits>
#include <string>

namespace aqueduct::protocol {

namespace {

namespace layout = batch_layout;

// Of a batch: base_offset, length, epoch, magic, CRC; of a record: the length itself, attributes,
// both deltas, the lengths of key and value, the number of headers.
constexpr std::size_t smallest_record_bytes = 7;
constexpr std::int32_t smallest_batch_length =
    static_cast<std::int32_t>(batch_header_bytes - batch_prefix_bytes);

unexpected invalid(std::string message) {
  return unexpected(errc::invalid_message, std::move(message));
}

std::string number(std::int64_t n) {
  return std::to_string(n);
}

result<void> check_size(byte_span bytes, const batch_limits& limits) {
  if (bytes.size() < batch_header_bytes)
    return unexpected(errc::corrupt_batch, "a batch has at least " + number(batch_header_bytes) +
                                               " bytes, not " + std::to_string(bytes.size()));
  const auto length = batch_view(bytes).batch_length();
  if (length < smallest_batch_length ||
      batch_prefix_bytes + static_cast<std::size_t>(length) != bytes.size())
    return unexpected(errc::corrupt_batch,
                      "the batch's length field says " + number(length) + ", its size says " +
                          number(static_cast<std::int64_t>(bytes.size() - batch_prefix_bytes)));
  if (limits.origin == batch_origin::client && bytes.size() > limits.batch_bytes_max)
    return unexpected(errc::message_too_large, "the batch has " + std::to_string(bytes.size()) +
                                                   " bytes; the limit is " +
                                                   std::to_string(limits.batch_bytes_max));
  return {};
}

result<void> check_client_attributes(const batch_header& header) {
  if (header.is_control())
    return invalid("only brokers write control batches");
  if (header.is_append_time())
    return unexpected(errc::invalid_timestamp, "only brokers set the append time");
  if (header.has(batch_attributes::delete_horizon | batch_attributes::reserved_mask))
    return invalid("attributes " + number(header.attributes) + " have bits that no client may set");
  return {};
}

result<void> check_client_counts(const batch_header& header) {
  if (header.record_count < 1)
    return invalid("the batch says that it has " + number(header.record_count) + " records");
  if (header.last_offset_delta != header.record_count - 1)
    return invalid("the last offset delta is " + number(header.last_offset_delta) + "; with " +
                   number(header.record_count) + " records it has to be one less than these");
  return {};
}

// Compaction removes records but leaves the range of offsets that the batch covers.
result<void> check_log_counts(const batch_header& header) {
  if (header.record_count < 0 || header.last_offset_delta < 0 ||
      header.last_offset_delta < header.record_count - 1)
    return invalid("the batch says that it has " + number(header.record_count) +
                   " records and that its last offset delta is " +
                   number(header.last_offset_delta));
  constexpr auto offset_max = std::numeric_limits<std::int64_t>::max();
  if (header.base_offset.value < 0 ||
      header.base_offset.value >= offset_max - header.last_offset_delta)
    return invalid("base offset " + number(header.base_offset.value) + " is out of range");
  if (header.is_control() &&
      (header.record_count > 1 || header.compression() != codec::none || !header.is_idempotent()))
    return invalid("a control batch has one record, no codec and a producer");
  return {};
}

// A record count that cannot be true is found here, before anybody makes room for so many records.
result<void> check_room_for_records(const batch_header& header) {
  const auto room = header.size_bytes - batch_header_bytes;
  const auto count = static_cast<std::size_t>(header.record_count);
  const bool fits = header.compression() == codec::none ? count <= room / smallest_record_bytes
                                                        : count == 0 || room > 0;
  if (!fits)
    return invalid(std::to_string(room) + " bytes do not hold " + number(header.record_count) +
                   " records");
  return {};
}

result<void> check_producer(const batch_header& header) {
  if (header.producer.value < -1)
    return invalid("producer id " + number(header.producer.value) + " is out of range");
  if (!header.is_idempotent()) {
    if (header.is_transactional())
      return invalid("a transactional batch needs a producer id");
    return {};
  }
  if (header.producer_epoch < 0)
    return invalid("producer epoch " + number(header.producer_epoch) + " is out of range");
  if (header.base_sequence < 0 && !header.is_control())
    return invalid("base sequence " + number(header.base_sequence) + " is out of range");
  return {};
}

void correct_crc(std::span<std::byte> batch, std::uint32_t old_front, std::size_t front_end) {
  const byte_span front(batch.data() + layout::attributes, front_end - layout::attributes);
  const auto crc = load_be<std::uint32_t>(batch.data() + layout::crc);
  const auto change = old_front ^ crc32c(front);
  store_be(batch.data() + layout::crc, crc32c_combine(change, crc, batch.size() - front_end));
}

} // namespace

batch_header batch_view::header() const {
  return {.base_offset = base_offset(),
          .size_bytes = size(),
          .epoch = epoch(),
          .crc = crc(),
          .attributes = attributes(),
          .last_offset_delta = last_offset_delta(),
          .base_timestamp = base_timestamp(),
          .max_timestamp = max_timestamp(),
          .producer = producer(),
          .producer_epoch = producer_epoch(),
          .base_sequence = base_sequence(),
          .record_count = record_count()};
}

std::uint32_t batch_view::computed_crc() const {
  return crc32c(bytes_.subspan(layout::attributes));
}

result<std::optional<batch_view>> next_batch(byte_span& rest) {
  if (rest.size() < batch_prefix_bytes)
    return std::nullopt;
  const auto length = load_be<std::int32_t>(rest.data() + layout::batch_length);
  if (length < smallest_batch_length)
    return unexpected(errc::corrupt_batch, "no batch has a length of " + number(length));
  if (rest.size() > layout::magic &&
      load_be<std::int8_t>(rest.data() + layout::magic) != batch_magic)
    return unexpected(errc::corrupt_batch, "no batch of magic 2 starts here");
  const auto size = batch_prefix_bytes + static_cast<std::size_t>(length);
  if (rest.size() < size)
    return std::nullopt;
  const batch_view batch(rest.first(size));
  rest = rest.subspan(size);
  return std::optional(batch);
}

result<batch_header> validate_batch(byte_span bytes, const batch_limits& limits) {
  if (auto valid = check_size(bytes, limits); !valid)
    return valid.propagate();
  const batch_view batch(bytes);
  if (batch.magic() != batch_magic)
    return invalid("the batch has magic " + number(batch.magic()) + "; only 2 is supported");
  if (batch.crc() != batch.computed_crc())
    return unexpected(errc::corrupt_batch, "the batch does not match its checksum");
  const auto header = batch.header();
  if (!is_known(header.compression()))
    return unexpected(errc::unsupported_codec, "codec " +
                                                   number(static_cast<int>(header.compression())) +
                                                   " is not known; 0 to 4 are");
  const bool is_client = limits.origin == batch_origin::client;
  if (is_client) {
    if (auto valid = check_client_attributes(header); !valid)
      return valid.propagate();
  }
  if (auto valid = is_client ? check_client_counts(header) : check_log_counts(header); !valid)
    return valid.propagate();
  if (auto valid = check_room_for_records(header); !valid)
    return valid.propagate();
  if (auto valid = check_producer(header); !valid)
    return valid.propagate();
  return header;
}

result<records_summary> validate_records(batch_view batch, const records_limits& limits) {
  records_summary summary;
  record_reader reader(limits.records_bytes_max);
  reader.open(batch);
  const bool has_gaps = limits.origin == batch_origin::log;
  // A client's base offset may be anything: the leader replaces it.
  const auto base = static_cast<std::uint64_t>(batch.base_offset().value);
  record_view record;
  while (reader.next(record)) {
    const auto i = reader.position() - 1;
    const auto delta =
        static_cast<std::int64_t>(static_cast<std::uint64_t>(record.offset.value) - base);
    if (!has_gaps && delta != i)
      return invalid("record " + number(i) + " has offset delta " + number(delta));
    if (i == 0)
      summary.min_timestamp = summary.max_timestamp = record.timestamp;
    summary.min_timestamp = std::min(summary.min_timestamp, record.timestamp);
    summary.max_timestamp = std::max(summary.max_timestamp, record.timestamp);
    if (!record.key && !summary.first_without_key)
      summary.first_without_key = i;
  }
  if (auto done = reader.status(); !done)
    return done.propagate();
  summary.records_bytes = reader.records_bytes();
  return summary;
}

void write_batch_header(std::span<std::byte> batch, const batch_header& header) {
  AQUEDUCT_INVARIANT(batch.size() >= batch_header_bytes &&
                         batch.size() - batch_prefix_bytes <= compression_bytes_max,
                     std::to_string(batch.size()));
  auto* at = batch.data();
  store_be(at + layout::base_offset, header.base_offset.value);
  store_be(at + layout::batch_length, static_cast<std::int32_t>(batch.size() - batch_prefix_bytes));
  store_be(at + layout::leader_epoch, header.epoch.value);
  store_be(at + layout::magic, batch_magic);
  store_be(at + layout::attributes, header.attributes);
  store_be(at + layout::last_offset_delta, header.last_offset_delta);
  store_be(at + layout::base_timestamp, header.base_timestamp.value);
  store_be(at + layout::max_timestamp, header.max_timestamp.value);
  store_be(at + layout::producer_id, header.producer.value);
  store_be(at + layout::producer_epoch, header.producer_epoch);
  store_be(at + layout::base_sequence, header.base_sequence);
  store_be(at + layout::record_count, header.record_count);
  store_be(at + layout::crc, batch_view(batch).computed_crc());
}

void stamp_batch(std::byte* batch, offset_t base_offset, leader_epoch epoch) {
  store_be(batch + layout::base_offset, base_offset.value);
  store_be(batch + layout::leader_epoch, epoch.value);
}

// The CRC is linear: it changes by the CRC of what changed at the front, multiplied by the zeros
// that stand for the rest.
void stamp_append_time(std::span<std::byte> batch, timestamp_ms now) {
  auto* at = batch.data() + layout::attributes;
  const auto attributes = load_be<std::uint16_t>(at);
  const auto old_front = crc32c({at, layout::producer_id - layout::attributes});
  store_be(at, static_cast<std::uint16_t>(attributes | batch_attributes::append_time));
  store_be(batch.data() + layout::max_timestamp, now.value);
  correct_crc(batch, old_front, layout::producer_id);
}

void stamp_max_timestamp(std::span<std::byte> batch, timestamp_ms max) {
  auto* at = batch.data() + layout::attributes;
  const auto old_front = crc32c({at, layout::producer_id - layout::attributes});
  store_be(batch.data() + layout::max_timestamp, max.value);
  correct_crc(batch, old_front, layout::producer_id);
}

} // namespace aqueduct::protocol
