#include "protocol/control_batch.hpp"

#include "protocol/record_reader.hpp"

namespace aqueduct::protocol {

namespace {

constexpr std::int16_t key_version = 0;
constexpr std::int16_t value_version = 0;
constexpr std::size_t key_bytes = 4;
constexpr std::size_t value_bytes = 6;
// Length, attributes, two deltas, two lengths and the number of headers take one byte each.
constexpr std::size_t record_body_bytes = 6 + key_bytes + value_bytes;
constexpr std::size_t marker_batch_bytes = batch_header_bytes + 1 + record_body_bytes;

unexpected malformed(std::string_view what) {
  return unexpected(errc::invalid_message, "the control batch " + std::string(what));
}

} // namespace

mutable_buffer write_marker(const transaction_marker& marker, timestamp_ms timestamp) {
  mutable_buffer batch(marker_batch_bytes);
  auto* at = batch.data() + batch_header_bytes;
  at = store_varint(at, zigzag(record_body_bytes));
  *at++ = std::byte{0};
  at = store_varint(at, zigzag(0));
  at = store_varint(at, zigzag(0));
  at = store_varint(at, zigzag(key_bytes));
  store_be(at, key_version);
  store_be(at + 2, static_cast<std::int16_t>(marker.type));
  at = store_varint(at + key_bytes, zigzag(value_bytes));
  store_be(at, value_version);
  store_be(at + 2, marker.coordinator_epoch);
  store_varint(at + value_bytes, zigzag(0));
  constexpr auto attributes = batch_attributes::transactional | batch_attributes::control;
  write_batch_header(batch.bytes(), {.epoch = leader_epoch(-1),
                                     .attributes = static_cast<std::uint16_t>(attributes),
                                     .base_timestamp = timestamp,
                                     .max_timestamp = timestamp,
                                     .producer = marker.producer,
                                     .producer_epoch = marker.producer_epoch,
                                     .base_sequence = -1,
                                     .record_count = 1});
  return batch;
}

result<std::optional<transaction_marker>> read_marker(batch_view batch) {
  if (!batch.is_control() || batch.compression() != codec::none)
    return malformed("is none, or is compressed");
  record_reader reader;
  reader.open(batch);
  record_view record;
  if (!reader.next(record)) {
    if (auto done = reader.status(); !done)
      return done.propagate();
    return malformed("is empty");
  }
  if (!record.key || record.key->size() < key_bytes)
    return malformed("has no key");
  // Later versions only add fields at the end, so that these two can always be read (KIP-98).
  byte_reader key(*record.key);
  const auto version = key.read<std::int16_t>();
  const auto type = key.read<std::int16_t>();
  if (version < 0)
    return malformed("has a key of a negative version");
  if (type != static_cast<std::int16_t>(marker_type::abort) &&
      type != static_cast<std::int16_t>(marker_type::commit))
    return std::nullopt;
  if (!record.value || record.value->size() < value_bytes)
    return malformed("has no coordinator epoch");
  byte_reader value(*record.value);
  if (value.read<std::int16_t>() < 0)
    return malformed("has a value of a negative version");
  return std::optional(transaction_marker{.type = static_cast<marker_type>(type),
                                          .producer = batch.producer(),
                                          .producer_epoch = batch.producer_epoch(),
                                          .coordinator_epoch = value.read<std::int32_t>()});
}

} // namespace aqueduct::protocol
