// Golden vectors, validation, iteration and stamping of record batches.
#include "protocol/batch_builder.hpp"
#include "protocol/control_batch.hpp"
#include "protocol/crc32c.hpp"
#include "protocol/record_batch.hpp"
#include "protocol/record_reader.hpp"
#include "tests/support/sample_bytes.hpp"

#include <doctest/doctest.h>

#include <functional>
#include <limits>

using namespace aqueduct;
using namespace aqueduct::protocol;
using namespace aqueduct::testing;

namespace {

namespace layout = batch_layout;

// Written by hand and accepted by kcat with check.crcs.
constexpr std::string_view two_records =
    "000000000000000000000045ffffffff02d7bd8f470000000000010000018bcfe568000000018bcfe56805ffff"
    "ffffffffffffffffffffffff0000000218000000026b027602026802780c000a02010100";
constexpr std::string_view abort_marker =
    "000000000000002a00000042000000090200a179790030000000000000018bcfe568000000018bcfe568000000"
    "0000000000070001ffffffff000000012000000008000000000c00000000000300";
constexpr std::string_view commit_marker =
    "000000000000002a000000420000000902f49faf310030000000000000018bcfe568000000018bcfe568000000"
    "0000000000070001ffffffff000000012000000008000000010c00000000000300";

constexpr std::int64_t golden_time = 1'700'000'000'000;

byte_vector sample_batch(const batch_options& options = {}, int count = 5) {
  batch_builder builder;
  for (int i = 0; i < count; ++i) {
    const auto text = "value of record " + std::to_string(i);
    const record_header headers[] = {{"trace", as_bytes("abc")}, {"empty", std::nullopt}};
    REQUIRE(builder.append({timestamp_ms(golden_time + i), as_bytes("key"), as_bytes(text),
                            std::span(headers).first(static_cast<std::size_t>(i) % 3)}));
  }
  const auto batch = builder.finish(options);
  REQUIRE(batch);
  return copy(batch->bytes());
}

/// Writes a field and makes the CRC right again.
template <class T>
byte_vector with_field(byte_vector batch, std::size_t at, T value) {
  store_be(batch.data() + at, value);
  store_be(batch.data() + layout::crc, batch_view(batch).computed_crc());
  return batch;
}

errc refusal(byte_span bytes, const batch_limits& limits = {}) {
  const auto done = validate_batch(bytes, limits);
  return done ? errc::none : done.error().code;
}

constexpr batch_limits from_log{.origin = batch_origin::log};

} // namespace

TEST_SUITE("protocol.record_batch") {

  TEST_CASE("the golden batch of two records is valid and reads as it was written down") {
    const auto bytes = from_hex(two_records);
    const auto header = validate_batch(bytes);
    REQUIRE(header);
    CHECK(header->base_offset == offset_t(0));
    CHECK(header->size_bytes == bytes.size());
    CHECK(header->epoch == leader_epoch(-1));
    CHECK(header->compression() == codec::none);
    CHECK(header->last_offset() == offset_t(1));
    CHECK(header->next_offset() == offset_t(2));
    CHECK(header->base_timestamp == timestamp_ms(golden_time));
    CHECK(header->max_timestamp == timestamp_ms(golden_time + 5));
    CHECK_FALSE(header->is_idempotent());
    CHECK(header->record_count == 2);

    record_reader reader;
    reader.open(batch_view(bytes));
    record_view record;
    REQUIRE(reader.next(record));
    CHECK(record.offset == offset_t(0));
    CHECK(record.timestamp == timestamp_ms(golden_time));
    CHECK(as_text(*record.key) == "k");
    CHECK(as_text(*record.value) == "v");
    REQUIRE(record.headers.size() == 1);
    CHECK(record.headers.begin()->key == "h");
    CHECK(as_text(*record.headers.begin()->value) == "x");
    REQUIRE(reader.next(record));
    CHECK(record.offset == offset_t(1));
    CHECK(record.timestamp == timestamp_ms(golden_time + 5));
    CHECK_FALSE(record.key);
    CHECK_FALSE(record.value);
    CHECK(record.headers.empty());
    CHECK_FALSE(reader.next(record));
    CHECK(reader.status());

    const auto summary = validate_records(batch_view(bytes));
    REQUIRE(summary);
    CHECK(summary->min_timestamp == timestamp_ms(golden_time));
    CHECK(summary->max_timestamp == timestamp_ms(golden_time + 5));
    CHECK(summary->records_bytes == bytes.size() - batch_header_bytes);
    CHECK(summary->first_without_key == 1);
  }

  TEST_CASE("the builder writes the golden batch byte for byte") {
    batch_builder builder;
    const record_header headers[] = {{"h", as_bytes("x")}};
    const record_to_write first{timestamp_ms(golden_time), as_bytes("k"), as_bytes("v"), headers};
    const record_to_write second{timestamp_ms(golden_time + 5), std::nullopt, std::nullopt, {}};
    const auto size_with_first = builder.size_after(first);
    REQUIRE(builder.append(first));
    CHECK(builder.size() == size_with_first);
    REQUIRE(builder.append(second));
    CHECK(builder.max_timestamp() == timestamp_ms(golden_time + 5));
    const auto batch = builder.finish();
    REQUIRE(batch);
    CHECK(to_hex(batch->bytes()) == two_records);
    CHECK(builder.size() == batch->size());
  }

  TEST_CASE("golden transaction markers are written and read byte for byte") {
    for (const auto& [hex, type] : {std::pair(abort_marker, marker_type::abort),
                                    std::pair(commit_marker, marker_type::commit)}) {
      const transaction_marker marker{type, producer_id(7), 1, 3};
      const auto batch = write_marker(marker, timestamp_ms(golden_time));
      stamp_batch(batch.data(), offset_t(42), leader_epoch(9));
      CHECK(to_hex(batch.bytes()) == hex);

      const auto bytes = from_hex(hex);
      const auto header = validate_batch(bytes, from_log);
      REQUIRE(header);
      CHECK(header->is_control());
      CHECK(header->is_transactional());
      CHECK(header->next_offset() == offset_t(43));
      CHECK(header->epoch == leader_epoch(9));
      const auto read = read_marker(batch_view(bytes));
      REQUIRE(read);
      REQUIRE(*read);
      CHECK(**read == marker);
      CHECK(validate_records(batch_view(bytes), {.origin = batch_origin::log}));
      CHECK(refusal(bytes) == errc::invalid_message);
    }
  }

  TEST_CASE("control records of other types are skipped, malformed ones refused") {
    const auto bytes = from_hex(commit_marker);
    const auto key_at = batch_header_bytes + 5;
    const auto value_at = key_at + 5;

    const auto other = with_field<std::int16_t>(bytes, key_at + 2, 5);
    REQUIRE(read_marker(batch_view(other)));
    CHECK_FALSE(*read_marker(batch_view(other)));
    const auto newer = with_field<std::int16_t>(bytes, key_at, 1);
    CHECK((*read_marker(batch_view(newer)))->type == marker_type::commit);
    const auto negative_key = with_field<std::int16_t>(bytes, key_at, -1);
    CHECK(read_marker(batch_view(negative_key)).error().code == errc::invalid_message);
    const auto negative_value = with_field<std::int16_t>(bytes, value_at, -1);
    CHECK(read_marker(batch_view(negative_value)).error().code == errc::invalid_message);
    // Key of 3 bytes: its length and the record's no longer agree.
    const auto short_key = with_field(bytes, key_at - 1, std::uint8_t{6});
    CHECK_FALSE(read_marker(batch_view(short_key)));
    CHECK_FALSE(read_marker(batch_view(from_hex(two_records))));

    // Well-formed records whose key or value is missing or too short.
    const auto control = [](const record_to_write& record) {
      batch_builder builder;
      REQUIRE(builder.append(record));
      const auto batch = builder.finish({.producer = producer_id(1), .producer_epoch = 1});
      const auto attributes =
          static_cast<std::uint16_t>(batch_attributes::control | batch_attributes::transactional);
      return with_field(copy(batch->bytes()), layout::attributes, attributes);
    };
    const auto commit_key = from_hex("00000001");
    const auto value = from_hex("000000000003");
    const auto short_value = byte_span(value).first(5);
    REQUIRE(*read_marker(batch_view(control({{}, commit_key, value, {}}))));
    for (const auto& record : {record_to_write{{}, std::nullopt, value, {}},
                               record_to_write{{}, byte_span(commit_key).first(3), value, {}},
                               record_to_write{{}, commit_key, std::nullopt, {}},
                               record_to_write{{}, commit_key, short_value, {}}})
      CHECK(read_marker(batch_view(control(record))).error().code == errc::invalid_message);
  }

  TEST_CASE("batches of every codec validate, whoever wrote them") {
    for (const auto type : {codec::none, codec::gzip, codec::snappy, codec::lz4, codec::zstd})
      for (const int count : {1, 2, 300}) {
        CAPTURE(to_string(type));
        CAPTURE(count);
        const auto batch = sample_batch({.compression = type}, count);
        const auto header = validate_batch(batch);
        REQUIRE(header);
        CHECK(header->compression() == type);
        CHECK(header->record_count == count);
        CHECK(refusal(batch, from_log) == errc::none);
        const auto summary = validate_records(batch_view(batch));
        REQUIRE(summary);
        CHECK(summary->max_timestamp == timestamp_ms(golden_time + count - 1));
        CHECK_FALSE(summary->first_without_key);
        CHECK(*header == batch_view(batch).header());
      }
  }

  TEST_CASE("a flip of any bit of a batch is refused, or lies in what the leader overwrites") {
    for (const auto type : {codec::none, codec::gzip, codec::snappy, codec::lz4, codec::zstd}) {
      const auto batch = sample_batch({.compression = type});
      for (std::size_t at = 0; at < batch.size(); ++at)
        for (int bit = 0; bit < 8; ++bit) {
          auto damaged = batch;
          damaged[at] ^= static_cast<std::byte>(1 << bit);
          const bool is_outside_crc =
              at < layout::batch_length || (at >= layout::leader_epoch && at < layout::magic);
          CAPTURE(at);
          CHECK((refusal(damaged) == errc::none) == is_outside_crc);
        }
    }
  }

  TEST_CASE("flips behind a right checksum never read past the batch or the limit") {
    for (const auto type : {codec::none, codec::gzip, codec::snappy, codec::lz4, codec::zstd}) {
      const auto batch = sample_batch({.compression = type});
      for (std::size_t at = layout::attributes; at < batch.size(); ++at)
        for (int bit = 0; bit < 8; ++bit) {
          auto changed = batch;
          changed[at] ^= static_cast<std::byte>(1 << bit);
          store_be(changed.data() + layout::crc, batch_view(changed).computed_crc());
          if (!validate_batch(changed))
            continue;
          const auto summary =
              validate_records(batch_view(changed), {.records_bytes_max = 100'000});
          if (summary)
            CHECK(summary->records_bytes <= 100'000);
        }
    }
  }

  TEST_CASE("a batch cut or lengthened anywhere is refused") {
    const auto batch = sample_batch();
    for (std::size_t size = 0; size < batch.size(); ++size)
      CHECK(refusal(byte_span(batch).first(size)) == errc::corrupt_batch);
    auto longer = batch;
    longer.push_back(std::byte{0});
    CHECK(refusal(longer) == errc::corrupt_batch);
  }

  TEST_CASE("each lie of a client's header is refused with its own code") {
    const auto batch = sample_batch();
    const auto i16 = [&](std::size_t at, std::int16_t v) {
      return refusal(with_field(batch, at, v));
    };
    const auto i32 = [&](std::size_t at, std::int32_t v) {
      return refusal(with_field(batch, at, v));
    };
    const auto i64 = [&](std::size_t at, std::int64_t v) {
      return refusal(with_field(batch, at, v));
    };

    CHECK(i32(layout::batch_length, -1) == errc::corrupt_batch);
    CHECK(i32(layout::batch_length, 48) == errc::corrupt_batch);
    CHECK(i32(layout::batch_length, 0x7fffffff) == errc::corrupt_batch);
    for (const std::int8_t magic : {0, 1, 3, -1})
      CHECK(refusal(with_field(batch, layout::magic, magic)) == errc::invalid_message);
    for (const std::int16_t bits : {5, 6, 7})
      CHECK(i16(layout::attributes, bits) == errc::unsupported_codec);
    CHECK(i16(layout::attributes, 0x08) == errc::invalid_timestamp);
    CHECK(i16(layout::attributes, 0x10) == errc::invalid_message);
    CHECK(i16(layout::attributes, 0x20) == errc::invalid_message);
    CHECK(i16(layout::attributes, 0x30) == errc::invalid_message);
    CHECK(i16(layout::attributes, 0x40) == errc::invalid_message);
    for (int bit = 7; bit < 16; ++bit)
      CHECK(i16(layout::attributes, static_cast<std::int16_t>(1 << bit)) == errc::invalid_message);
    for (const std::int32_t count : {0, -1, 4, 6, 0x7fffffff, std::int32_t(0x80000000)})
      CHECK(i32(layout::record_count, count) == errc::invalid_message);
    for (const std::int32_t delta : {-1, 3, 5, 0x7fffffff})
      CHECK(i32(layout::last_offset_delta, delta) == errc::invalid_message);
    const auto without_records = with_field<std::int32_t>(batch, layout::last_offset_delta, -1);
    CHECK(refusal(with_field<std::int32_t>(without_records, layout::record_count, 0)) ==
          errc::invalid_message);
    CHECK(i64(layout::producer_id, -2) == errc::invalid_message);
    // An id makes epoch and sequence count; kafkajs sends 0 for both without an id.
    CHECK(i64(layout::producer_id, 5) == errc::invalid_message);
    CHECK(i16(layout::producer_epoch, 0) == errc::none);
    CHECK(i32(layout::base_sequence, 0) == errc::none);
  }

  TEST_CASE("a record count that the bytes cannot hold is refused before anyone reads them") {
    auto batch = with_field<std::int32_t>(sample_batch(), layout::record_count, 100'000);
    batch = with_field<std::int32_t>(batch, layout::last_offset_delta, 99'999);
    CHECK(refusal(batch) == errc::invalid_message);
    auto empty = copy(byte_span(batch).first(batch_header_bytes));
    empty = with_field<std::int32_t>(empty, layout::batch_length, 49);
    empty = with_field<std::int32_t>(empty, layout::record_count, 1);
    empty = with_field<std::int32_t>(empty, layout::last_offset_delta, 0);
    CHECK(refusal(empty) == errc::invalid_message);
    CHECK(refusal(with_field<std::int16_t>(empty, layout::attributes, 4)) == errc::invalid_message);
  }

  TEST_CASE("idempotent and transactional batches of clients are accepted") {
    const auto batch = sample_batch({.producer = producer_id(9),
                                     .producer_epoch = 2,
                                     .base_sequence = 0x7ffffffe,
                                     .transactional = true});
    const auto header = validate_batch(batch);
    REQUIRE(header);
    CHECK(header->is_idempotent());
    CHECK(header->is_transactional());
    CHECK(header->last_sequence() == 2);
    CHECK(refusal(with_field<std::int16_t>(batch, layout::producer_epoch, -1)) ==
          errc::invalid_message);
    CHECK(refusal(with_field<std::int32_t>(batch, layout::base_sequence, -1)) ==
          errc::invalid_message);
  }

  TEST_CASE("a client's base offset may be anything, for the leader replaces it") {
    for (const auto base : {std::numeric_limits<std::int64_t>::max(),
                            std::numeric_limits<std::int64_t>::min(), std::int64_t{-1}}) {
      const auto batch = with_field<std::int64_t>(sample_batch({}), layout::base_offset, base);
      REQUIRE(validate_batch(batch));
      const auto summary = validate_records(batch_view(batch));
      CHECK(summary);
    }
  }

  TEST_CASE("sequences wrap from 2^31 - 1 to 0") {
    CHECK(sequence_after(0, 1) == 1);
    CHECK(sequence_after(0x7fffffff, 1) == 0);
    CHECK(sequence_after(0x7ffffffd, 5) == 2);
    CHECK(sequence_after(0x7fffffff, 0x7fffffff) == 0x7ffffffe);
  }

  TEST_CASE("a batch larger than the limit is refused only from clients") {
    const auto batch = sample_batch();
    CHECK(refusal(batch, {.batch_bytes_max = batch.size()}) == errc::none);
    CHECK(refusal(batch, {.batch_bytes_max = batch.size() - 1}) == errc::message_too_large);
    CHECK(refusal(batch, {.batch_bytes_max = 1, .origin = batch_origin::log}) == errc::none);
  }

  TEST_CASE("the log may hold what only brokers write, but not what nobody writes") {
    const auto batch = sample_batch();
    const auto log = [](const byte_vector& bytes) { return refusal(bytes, from_log); };
    CHECK(log(with_field<std::int16_t>(batch, layout::attributes, 0x08)) == errc::none);
    CHECK(log(with_field<std::int16_t>(batch, layout::attributes, 0x40)) == errc::none);
    CHECK(log(with_field<std::int32_t>(batch, layout::last_offset_delta, 900)) == errc::none);
    CHECK(log(with_field<std::int32_t>(batch, layout::record_count, 2)) == errc::none);
    CHECK(log(with_field<std::int32_t>(batch, layout::record_count, 0)) == errc::none);
    CHECK(log(with_field<std::int32_t>(batch, layout::record_count, 6)) == errc::invalid_message);
    CHECK(log(with_field<std::int32_t>(batch, layout::record_count, -1)) == errc::invalid_message);
    CHECK(log(with_field<std::int32_t>(batch, layout::last_offset_delta, -1)) ==
          errc::invalid_message);
    CHECK(log(with_field<std::int64_t>(batch, layout::base_offset, -1)) == errc::invalid_message);
    CHECK(log(with_field<std::int64_t>(batch, layout::base_offset, INT64_MAX - 3)) ==
          errc::invalid_message);
    CHECK(log(with_field<std::int16_t>(batch, layout::attributes, 0x20)) == errc::invalid_message);
  }

  TEST_CASE("stamping changes offset and epoch and leaves the checksum true") {
    auto batch = sample_batch();
    const auto crc = batch_view(batch).crc();
    stamp_batch(batch.data(), offset_t(1'000'000'007), leader_epoch(12));
    const auto header = validate_batch(batch, from_log);
    REQUIRE(header);
    CHECK(header->base_offset == offset_t(1'000'000'007));
    CHECK(header->epoch == leader_epoch(12));
    CHECK(header->crc == crc);
  }

  TEST_CASE("append time replaces every record's timestamp and keeps the checksum true") {
    for (const int count : {1, 7, 2000}) {
      auto batch = sample_batch({}, count);
      stamp_append_time(batch, timestamp_ms(golden_time + 99));
      const auto header = validate_batch(batch, from_log);
      REQUIRE(header);
      CHECK(header->is_append_time());
      CHECK(header->crc == crc32c(byte_span(batch).subspan(layout::attributes)));
      const auto summary = validate_records(batch_view(batch), {.origin = batch_origin::log});
      CHECK(summary->min_timestamp == timestamp_ms(golden_time + 99));
      CHECK(summary->max_timestamp == timestamp_ms(golden_time + 99));
      stamp_append_time(batch, timestamp_ms(1));
      CHECK(validate_batch(batch, from_log)->max_timestamp == timestamp_ms(1));
    }
  }

  TEST_CASE("correcting the maximal timestamp keeps a true checksum true and a false one false") {
    auto batch = sample_batch();
    stamp_max_timestamp(batch, timestamp_ms(golden_time + 1234));
    CHECK(validate_batch(batch)->max_timestamp == timestamp_ms(golden_time + 1234));
    batch.back() ^= std::byte{1};
    stamp_max_timestamp(batch, timestamp_ms(golden_time));
    CHECK(refusal(batch) == errc::corrupt_batch);
  }

  TEST_CASE("batches after one another come out one by one, and a cut one stays") {
    byte_vector log;
    std::vector<std::size_t> sizes;
    for (const int count : {1, 5, 2}) {
      auto batch = sample_batch({}, count);
      sizes.push_back(batch.size());
      log.insert(log.end(), batch.begin(), batch.end());
    }
    for (std::size_t cut = 0; cut <= log.size(); ++cut) {
      auto rest = byte_span(log).first(cut);
      std::size_t at = 0;
      for (const auto size : sizes) {
        const auto batch = next_batch(rest);
        REQUIRE(batch);
        if (at + size > cut) {
          CHECK_FALSE(*batch);
          CHECK(rest.size() == cut - at);
          break;
        }
        REQUIRE(*batch);
        CHECK((*batch)->size() == size);
        CHECK(validate_batch((*batch)->bytes()));
        at += size;
      }
    }
  }

  TEST_CASE("where no batch can start, iteration stops with an error") {
    const auto batch = sample_batch();
    for (const std::int32_t length : {48, 0, -1, std::int32_t(0x80000000)}) {
      auto bytes = batch;
      store_be(bytes.data() + layout::batch_length, length);
      byte_span rest(bytes);
      const auto next = next_batch(rest);
      REQUIRE_FALSE(next);
      CHECK(next.error().code == errc::corrupt_batch);
      CHECK(rest.size() == bytes.size());
    }
    auto bytes = batch;
    bytes[layout::magic] = std::byte{1};
    byte_span rest(bytes);
    CHECK_FALSE(next_batch(rest));
  }

} // TEST_SUITE
