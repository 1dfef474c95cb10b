// Records that lie: about lengths, counts, offsets and headers. Written by hand, byte by byte.
#include "protocol/batch_builder.hpp"
#include "protocol/record_reader.hpp"
#include "tests/support/sample_bytes.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>

using namespace aqueduct;
using namespace aqueduct::protocol;
using namespace aqueduct::testing;

namespace {

/// A batch around records that are given in hex.
byte_vector batch_of(std::string_view records_hex, std::int32_t record_count,
                     std::int32_t last_offset_delta, std::uint16_t attributes = 0) {
  byte_vector batch(batch_header_bytes);
  const auto records = from_hex(records_hex);
  batch.insert(batch.end(), records.begin(), records.end());
  write_batch_header(batch, {.attributes = attributes,
                             .last_offset_delta = last_offset_delta,
                             .base_timestamp = timestamp_ms(1000),
                             .max_timestamp = timestamp_ms(1000),
                             .record_count = record_count});
  return batch;
}

/// Walks to the end; the error's code, or none.
errc walk(byte_span batch, std::int32_t& records_read) {
  record_reader reader(1000);
  reader.open(batch_view(batch));
  for (record_view record; reader.next(record);)
    for (const auto& header : record.headers)
      REQUIRE(header.key.size() < 100);
  records_read = reader.position();
  record_view again;
  CHECK_FALSE(reader.next(again));
  const auto done = reader.status();
  return done ? errc::none : done.error().code;
}

bool is_refused(std::string_view records_hex, std::int32_t record_count = 1) {
  std::int32_t read = 0;
  const auto batch = batch_of(records_hex, record_count, std::max(0, record_count - 1));
  const auto code = walk(batch, read);
  CHECK((code == errc::none || code == errc::invalid_message));
  CHECK(validate_records(batch_view(batch)).has_value() == (code == errc::none));
  return code != errc::none;
}

/// Length, attributes, timestamp delta, offset delta, key and value null, no headers.
constexpr std::string_view smallest = "0c000000010100";

} // namespace

TEST_SUITE("protocol.record_reader") {

  TEST_CASE("the smallest record is read, once for each that is counted") {
    CHECK_FALSE(is_refused(smallest));
    CHECK_FALSE(is_refused("0c000000010100"
                           "0c000002010100",
                           2));
  }

  TEST_CASE("a record count that is not true is refused") {
    CHECK(is_refused(smallest, 2));
    CHECK(is_refused("0c0000000101000c000002010100", 1));
    CHECK(is_refused("", 1));
    CHECK(is_refused(smallest, 0));
    CHECK(is_refused(smallest, -1));
    CHECK(is_refused("", -1));
    CHECK(is_refused(std::string(smallest) + "00"));
  }

  TEST_CASE("a batch that compaction emptied has no records and no error") {
    std::int32_t read = 0;
    CHECK(walk(batch_of("", 0, 5), read) == errc::none);
    CHECK(walk(batch_of("", 0, 5, 4), read) == errc::none);
    CHECK(walk(batch_of("", 1, 5, 4), read) == errc::invalid_message);
    CHECK(read == 0);
  }

  TEST_CASE("lengths of records that are negative, too long or too short are refused") {
    CHECK(is_refused("01000000010100"));             // -1
    CHECK(is_refused("00"));                         // 0: not even attributes
    CHECK(is_refused("0e000000010100"));             // one more than there is
    CHECK(is_refused("0a000000010100"));             // one less than its fields take
    CHECK(is_refused("0e00000001010000"));           // one more than its fields take
    CHECK(is_refused("feffffff0f0000000101"));       // 2^31 - 1
    CHECK(is_refused("ffffffff0f0000000101"));       // -2^31
    CHECK(is_refused("8c8080808000000000010100"));   // a varint of six bytes
    CHECK(is_refused("ffffffffffffffffffff010000")); // a varint without an end
    CHECK(is_refused("80"));
  }

  TEST_CASE("a record that is cut within any field is refused") {
    // Key "k", value "v", header "h" = "x", in a record of 12 bytes after its length.
    const std::string whole = "18000000026b0276020268"
                              "0278";
    CHECK_FALSE(is_refused(whole));
    for (std::size_t size = 2; size < whole.size(); size += 2) {
      CAPTURE(size);
      CHECK(is_refused(whole.substr(0, size)));
      // Same with a length that tells the truth about the cut.
      const auto body = (size - 2) / 2;
      const char digits[] = "0123456789abcdef";
      const std::string length{digits[body * 2 / 16], digits[body * 2 % 16]};
      CHECK(is_refused(length + whole.substr(2, size - 2)));
    }
  }

  TEST_CASE("lengths of keys and values below -1 or beyond the record are refused") {
    CHECK(is_refused("0c000000030100")); // key of -2
    CHECK(is_refused("0c000000010300")); // value of -2
    CHECK(is_refused("0c000000080100")); // key longer than the record
    CHECK(is_refused("0c000000010800")); // value longer than the record
    CHECK(is_refused("14000000feffffff0f0100"));
    CHECK(is_refused("1400000001feffffff0f00"));
  }

  TEST_CASE("headers that lie are refused") {
    CHECK(is_refused("0c000000010101"));       // -1 headers
    CHECK(is_refused("0c000000010102"));       // one, but nothing there
    CHECK(is_refused("100000000101020000ff")); // trailing bytes
    CHECK(is_refused("1000000001010201"
                     "01")); // a header key that is null
    CHECK(is_refused("1000000001010204"
                     "01")); // a header key beyond the record
    CHECK(is_refused("1400000001"
                     "01feffffff0f")); // 2^31 - 1 headers
    CHECK_FALSE(is_refused("10000000010102"
                           "0001")); // an empty key, a null value
    CHECK_FALSE(is_refused("10000000010102"
                           "0000")); // an empty key, an empty value
  }

  TEST_CASE("offsets that do not ascend from 0 are refused from clients; gaps are for the log") {
    std::int32_t read = 0;
    const auto code = [&](std::string_view hex, std::int32_t count, std::int32_t last) {
      return walk(batch_of(hex, count, last), read);
    };
    // Deltas 0 0, 2 1, -1, and one behind the batch's last.
    CHECK(code("0c0000000101000c000000010100", 2, 1) == errc::invalid_message);
    CHECK(code("0c0000040101000c000002010100", 2, 2) == errc::invalid_message);
    CHECK(code("0c000001010100", 1, 0) == errc::invalid_message);
    CHECK(code("0c000004010100", 1, 1) == errc::invalid_message);

    const auto with_gap = batch_of("0c0000020101000c000006010100", 2, 5);
    CHECK(walk(with_gap, read) == errc::none);
    CHECK(read == 2);
    CHECK(validate_records(batch_view(with_gap), {.origin = batch_origin::log}));
    CHECK(validate_records(batch_view(with_gap)).error().code == errc::invalid_message);
  }

  TEST_CASE("an error names the record") {
    record_reader reader;
    const auto batch = batch_of("0c0000000101000c000000010100", 2, 1);
    reader.open(batch_view(batch));
    record_view record;
    REQUIRE(reader.next(record));
    REQUIRE_FALSE(reader.next(record));
    CHECK(reader.status().error().message.find("record 1 ") == 0);
    reader.open(batch_view(batch));
    CHECK(reader.status());
    CHECK(reader.next(record));
  }

  TEST_CASE("compressed records that do not decode, or decode to too much, end the reading") {
    batch_builder builder;
    const byte_vector value(5000);
    REQUIRE(builder.append({timestamp_ms(0), std::nullopt, value, {}}));
    for (const auto type : {codec::gzip, codec::snappy, codec::lz4, codec::zstd}) {
      const auto batch = builder.finish({.compression = type});
      std::int32_t read = 7;
      CHECK(walk(batch->bytes(), read) == errc::decompression_limit);
      CHECK(read == 0);
      auto damaged = copy(batch->bytes());
      damaged[batch_header_bytes] ^= std::byte{0xff};
      CHECK(walk(damaged, read) != errc::none);
    }
  }

  TEST_CASE("a reader is used for one batch after another, compressed or not") {
    record_reader reader;
    batch_builder builder;
    for (int i = 0; i < 20; ++i) {
      builder.clear();
      const auto text = "value " + std::to_string(i);
      REQUIRE(builder.append({timestamp_ms(i), std::nullopt, as_bytes(text), {}}));
      const auto batch = builder.finish({.compression = static_cast<codec>(i % 5)});
      reader.open(batch_view(batch->bytes()));
      record_view record;
      REQUIRE(reader.next(record));
      CHECK(as_text(*record.value) == text);
      CHECK_FALSE(reader.next(record));
      CHECK(reader.status());
    }
  }

  TEST_CASE("records that were uncompressed into a buffer outlive the batch and the reader") {
    batch_builder builder;
    REQUIRE(builder.append({timestamp_ms(5), as_bytes("key"), as_bytes("value"), {}}));
    for (const auto type : {codec::none, codec::zstd}) {
      buffer records;
      record_view record;
      {
        const auto batch = builder.finish({.compression = type});
        auto uncompressed = uncompressed_records(*batch, 1000);
        REQUIRE(uncompressed);
        records = *uncompressed;
        CHECK((records.data() == batch->data() + batch_header_bytes) == (type == codec::none));
        record_reader reader;
        reader.open(batch_view(batch->bytes()), records.bytes());
        REQUIRE(reader.next(record));
        CHECK_FALSE(reader.next(record));
        CHECK(reader.status());
      }
      CHECK(as_text(*record.key) == "key");
      CHECK(as_text(*record.value) == "value");
    }
    const byte_vector zeros(10'000);
    REQUIRE(builder.append({timestamp_ms(5), std::nullopt, zeros, {}}));
    const auto large = builder.finish({.compression = codec::gzip});
    CHECK(uncompressed_records(*large, 9'000).error().code == errc::decompression_limit);
    const auto empty = batch_of("", 0, 5, 4);
    CHECK(uncompressed_records(buffer::copy_of(empty), 10)->empty());
  }

} // TEST_SUITE
