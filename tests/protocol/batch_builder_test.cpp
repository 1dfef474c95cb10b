// What the builder writes, the reader reads; and batches split in two keep every record.
#include "protocol/batch_builder.hpp"
#include "tests/support/sample_bytes.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <limits>
#include <string>

using namespace aqueduct;
using namespace aqueduct::protocol;
using namespace aqueduct::testing;

namespace {

struct owned_header {
  std::string key;
  std::optional<byte_vector> value;

  friend bool operator==(const owned_header&, const owned_header&) = default;
};

/// A record that owns its bytes.
struct owned_record {
  std::int64_t timestamp = 0;
  std::optional<byte_vector> key;
  std::optional<byte_vector> value;
  std::vector<owned_header> headers;

  friend bool operator==(const owned_record&, const owned_record&) = default;
};

std::optional<byte_span> view(const std::optional<byte_vector>& bytes) {
  return bytes ? std::optional<byte_span>(*bytes) : std::nullopt;
}

std::optional<byte_vector> own(const std::optional<byte_span>& bytes) {
  return bytes ? std::optional(copy(*bytes)) : std::nullopt;
}

bool append(batch_builder& builder, const owned_record& record) {
  std::vector<record_header> headers;
  for (const auto& header : record.headers)
    headers.push_back({header.key, view(header.value)});
  const record_to_write one{timestamp_ms(record.timestamp), view(record.key), view(record.value),
                            headers};
  const auto expected = builder.size_after(one);
  const auto before = builder.size();
  const bool is_in = builder.append(one);
  CHECK(builder.size() == (is_in ? expected : before));
  return is_in;
}

std::vector<owned_record> read_all(byte_span bytes) {
  std::vector<owned_record> records;
  const auto header = validate_batch(bytes);
  REQUIRE(header);
  record_reader reader;
  reader.open(batch_view(bytes));
  for (record_view record; reader.next(record);) {
    CHECK(record.offset.value ==
          header->base_offset.value + static_cast<std::int64_t>(records.size()));
    owned_record one{record.timestamp.value, own(record.key), own(record.value), {}};
    for (const auto& h : record.headers)
      one.headers.push_back({std::string(h.key), own(h.value)});
    CHECK(one.headers.size() == record.headers.size());
    records.push_back(std::move(one));
  }
  REQUIRE(reader.status());
  return records;
}

std::optional<byte_vector> random_field(sample_generator& samples, std::size_t size_max) {
  if (samples.below(5) == 0)
    return std::nullopt;
  return samples.bytes(samples.below(size_max));
}

owned_record random_record(sample_generator& samples) {
  constexpr std::int64_t extremes[] = {0, -1, INT64_MIN, INT64_MAX, 1'700'000'000'000};
  owned_record record;
  record.timestamp = samples.below(8) == 0
                         ? extremes[samples.below(std::size(extremes))]
                         : 1'700'000'000'000 + static_cast<std::int64_t>(samples.below(100'000));
  record.key = random_field(samples, 40);
  record.value = random_field(samples, samples.below(20) == 0 ? 20'000 : 200);
  for (auto i = samples.below(4); i > 0; --i)
    record.headers.push_back(
        {as_text(samples.bytes(samples.below(70))), random_field(samples, 90)});
  return record;
}

std::vector<owned_record> random_records(sample_generator& samples, std::size_t count) {
  std::vector<owned_record> records;
  for (std::size_t i = 0; i < count; ++i)
    records.push_back(random_record(samples));
  return records;
}

buffer build(const std::vector<owned_record>& records, const batch_options& options = {}) {
  batch_builder builder;
  for (const auto& record : records)
    REQUIRE(append(builder, record));
  auto batch = builder.finish(options);
  REQUIRE(batch);
  return *batch;
}

constexpr codec all_codecs[] = {codec::none, codec::gzip, codec::snappy, codec::lz4, codec::zstd};

} // namespace

TEST_SUITE("protocol.batch_builder") {

  TEST_CASE("random records of every shape come back as they went in, through every codec") {
    sample_generator samples(30);
    for (int round = 0; round < 60; ++round) {
      const auto records = random_records(samples, 1 + samples.below(200));
      for (const auto type : all_codecs) {
        CAPTURE(to_string(type));
        const auto batch = build(records, {.compression = type});
        CHECK(read_all(batch.bytes()) == records);
        const auto summary = validate_records(batch_view(batch.bytes()));
        REQUIRE(summary);
        const auto [min, max] = std::ranges::minmax(records, {}, &owned_record::timestamp);
        CHECK(summary->min_timestamp.value == min.timestamp);
        CHECK(summary->max_timestamp.value == max.timestamp);
        CHECK(batch_view(batch.bytes()).max_timestamp().value == max.timestamp);
      }
    }
  }

  TEST_CASE("all options of a batch stand in its header") {
    batch_builder builder;
    REQUIRE(builder.append({timestamp_ms(50), std::nullopt, as_bytes("value"), {}}));
    REQUIRE(builder.append({timestamp_ms(40), std::nullopt, as_bytes("value"), {}}));
    const auto batch = builder.finish({.compression = codec::snappy,
                                       .framing = snappy_framing::xerial,
                                       .producer = producer_id(77),
                                       .producer_epoch = 3,
                                       .base_sequence = 5,
                                       .transactional = true,
                                       .base_offset = offset_t(1000),
                                       .epoch = leader_epoch(4)});
    REQUIRE(batch);
    const auto header = validate_batch(batch->bytes());
    REQUIRE(header);
    CHECK(header->compression() == codec::snappy);
    CHECK(header->is_transactional());
    CHECK(header->producer == producer_id(77));
    CHECK(header->producer_epoch == 3);
    CHECK(header->base_sequence == 5);
    CHECK(header->last_sequence() == 6);
    CHECK(header->base_offset == offset_t(1000));
    CHECK(header->last_offset() == offset_t(1001));
    CHECK(header->epoch == leader_epoch(4));
    CHECK(header->base_timestamp == timestamp_ms(50));
    CHECK(header->max_timestamp == timestamp_ms(50));
    CHECK(to_hex(batch_view(batch->bytes()).records().first(8)) == "82534e4150505900");
  }

  TEST_CASE("an empty builder makes no batch, and a level out of range is reported") {
    batch_builder builder;
    CHECK(builder.empty());
    CHECK(builder.finish().error().code == errc::invalid_message);
    REQUIRE(builder.append({timestamp_ms(1), std::nullopt, std::nullopt, {}}));
    CHECK(builder.finish({.compression = codec::gzip, .level = 77}).error().code ==
          errc::invalid_config);
    CHECK(builder.finish());
  }

  TEST_CASE("a builder refuses the record that would pass its bound and keeps the others") {
    batch_builder builder(400);
    const byte_vector value(100);
    const record_to_write record{timestamp_ms(1), std::nullopt, value, {}};
    int count = 0;
    while (builder.append(record))
      ++count;
    CHECK(count == 3);
    CHECK(builder.record_count() == 3);
    CHECK(builder.size() <= 400);
    CHECK(builder.size_after(record) > 400);
    CHECK(builder.append({timestamp_ms(1), std::nullopt, std::nullopt, {}}));
    CHECK(read_all(builder.finish()->bytes()).size() == 4);
  }

  TEST_CASE("a bound is exact: the last byte fits") {
    const byte_vector value(100);
    const record_to_write record{timestamp_ms(1), std::nullopt, value, {}};
    batch_builder first;
    REQUIRE(first.append(record));
    const auto size = first.size();
    CHECK(batch_builder(size).append(record));
    CHECK_FALSE(batch_builder(size - 1).append(record));
    CHECK_FALSE(batch_builder(0).append(record));
  }

  TEST_CASE("a builder is used again after clear and makes the same batch twice before") {
    sample_generator samples(31);
    batch_builder builder;
    for (int round = 0; round < 5; ++round) {
      const auto records = random_records(samples, 20);
      for (const auto& record : records)
        REQUIRE(append(builder, record));
      const auto once = builder.finish({.compression = codec::lz4});
      const auto twice = builder.finish({.compression = codec::lz4});
      CHECK(*once == *twice);
      CHECK(read_all(builder.finish({.compression = codec::zstd})->bytes()) == records);
      builder.clear();
      CHECK(builder.empty());
      CHECK(builder.size() == batch_header_bytes);
    }
  }

  TEST_CASE("the two halves of a split batch hold all records in order, with all their fields") {
    sample_generator samples(32);
    for (const auto type : all_codecs)
      for (const std::size_t count : {2, 3, 50, 101}) {
        CAPTURE(to_string(type));
        CAPTURE(count);
        const auto records = random_records(samples, count);
        const auto batch = build(records, {.compression = type,
                                           .producer = producer_id(5),
                                           .producer_epoch = 1,
                                           .base_sequence = 0x7fffffff,
                                           .transactional = true,
                                           .base_offset = offset_t(10),
                                           .epoch = leader_epoch(2)});
        const auto halves = split_batch(batch.bytes());
        REQUIRE(halves);
        const auto first = validate_batch(halves->first.bytes());
        const auto second = validate_batch(halves->second.bytes());
        REQUIRE(first);
        REQUIRE(second);
        CHECK(first->record_count == static_cast<std::int32_t>(count / 2));
        CHECK(first->base_sequence == 0x7fffffff);
        CHECK(second->base_sequence == first->record_count - 1);
        CHECK(second->base_offset == first->next_offset());
        CHECK(second->last_offset() == batch_view(batch.bytes()).last_offset());
        for (const auto& half : {*first, *second}) {
          CHECK(half.compression() == type);
          CHECK(half.is_transactional());
          CHECK(half.producer == producer_id(5));
          CHECK(half.producer_epoch == 1);
          CHECK(half.epoch == leader_epoch(2));
        }
        auto together = read_all(halves->first.bytes());
        for (auto& record : read_all(halves->second.bytes()))
          together.push_back(std::move(record));
        CHECK(together == records);
      }
  }

  TEST_CASE("a batch of one record, a damaged one and a marker cannot be split") {
    sample_generator samples(33);
    const auto one = build(random_records(samples, 1));
    CHECK(split_batch(one.bytes()).error().code == errc::message_too_large);
    auto damaged = copy(build(random_records(samples, 4)).bytes());
    damaged.back() ^= std::byte{1};
    CHECK(split_batch(damaged).error().code == errc::corrupt_batch);
    const auto packed = build(random_records(samples, 40), {.compression = codec::zstd});
    CHECK(split_batch(packed.bytes(), 10).error().code == errc::decompression_limit);
  }

  TEST_CASE("a batch without a producer has no sequence after a split either") {
    sample_generator samples(34);
    const auto halves = split_batch(build(random_records(samples, 4)).bytes());
    REQUIRE(halves);
    CHECK(batch_view(halves->second.bytes()).base_sequence() == -1);
  }

  TEST_CASE("compaction keeps the records it wants where they were, and the batch's range") {
    sample_generator samples(35);
    for (const auto type : all_codecs)
      for (int round = 0; round < 10; ++round) {
        CAPTURE(to_string(type));
        const auto records = random_records(samples, 1 + samples.below(60));
        const auto batch = build(records, {.compression = type,
                                           .producer = producer_id(5),
                                           .producer_epoch = 1,
                                           .base_sequence = 3,
                                           .base_offset = offset_t(100)});
        std::vector<std::size_t> wanted;
        for (std::size_t i = 0; i < records.size(); ++i)
          if (samples.below(3) == 0)
            wanted.push_back(i);
        const auto thinned = retain_records(batch_view(batch.bytes()), [&](const record_view& r) {
          return std::ranges::binary_search(wanted, static_cast<std::size_t>(r.offset.value - 100));
        });
        REQUIRE(thinned);

        const auto before = batch_view(batch.bytes()).header();
        const auto after = validate_batch(thinned->bytes(), {.origin = batch_origin::log});
        REQUIRE(after);
        CHECK(after->base_offset == before.base_offset);
        CHECK(after->last_offset() == before.last_offset());
        CHECK(after->base_sequence == before.base_sequence);
        CHECK(after->last_sequence() == before.last_sequence());
        CHECK(after->producer == before.producer);
        CHECK(after->compression() == (wanted.empty() ? codec::none : type));
        REQUIRE(after->record_count == static_cast<std::int32_t>(wanted.size()));
        record_reader reader;
        reader.open(batch_view(thinned->bytes()));
        record_view record;
        auto max_timestamp = std::numeric_limits<std::int64_t>::min();
        for (const auto i : wanted) {
          REQUIRE(reader.next(record));
          CHECK(record.offset.value == 100 + static_cast<std::int64_t>(i));
          CHECK(record.timestamp.value == records[i].timestamp);
          CHECK(own(record.value) == records[i].value);
          max_timestamp = std::max(max_timestamp, record.timestamp.value);
        }
        if (!wanted.empty() && wanted.size() < records.size())
          CHECK(after->max_timestamp.value == max_timestamp);
        CHECK_FALSE(reader.next(record));
        CHECK(reader.status());
      }
  }

  TEST_CASE("compaction that removes nothing copies, that removes everything leaves the header") {
    sample_generator samples(36);
    const auto batch = build(random_records(samples, 7), {.compression = codec::zstd});
    const auto all = retain_records(batch_view(batch.bytes()), [](const auto&) { return true; });
    CHECK(*all == batch);
    const auto none = retain_records(batch_view(batch.bytes()), [](const auto&) { return false; });
    REQUIRE(none);
    CHECK(none->size() == batch_header_bytes);
    CHECK(validate_batch(none->bytes(), {.origin = batch_origin::log}));
    const auto again = retain_records(batch_view(none->bytes()), [](const auto&) { return false; });
    CHECK(*again == *none);

    auto stamped = copy(batch.bytes());
    stamp_append_time(stamped, timestamp_ms(99));
    int asked = 0;
    const auto kept =
        retain_records(batch_view(stamped), [&](const auto&) { return ++asked % 2 == 0; });
    CHECK(batch_view(kept->bytes()).max_timestamp() == timestamp_ms(99));
    CHECK(retain_records(
              batch_view(batch.bytes()), [](const auto&) { return true; }, 5)
              .error()
              .code == errc::decompression_limit);
  }

} // TEST_SUITE
