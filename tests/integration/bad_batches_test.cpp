// Batches that lie or are damaged: none is stored, each is refused with its code and a sentence.
#include "protocol/compression.hpp"
#include "protocol/crc32c.hpp"
#include "tests/integration/sturdy_node.hpp"

#include <doctest/doctest.h>

#include <functional>
#include <limits>

TEST_SUITE_BEGIN("integration.bad_batches");

using namespace aqueduct;
using namespace aqueduct::test;
namespace layout = protocol::batch_layout;

namespace {

using bytes_of_batch = std::vector<std::byte>;

bytes_of_batch good_batch(const protocol::batch_options& options = {}) {
  const auto batch = batch_of({"first", "second", "third"}, 1'700'000'000'000, options);
  return {batch.bytes().begin(), batch.bytes().end()};
}

/// Makes the CRC right again, so that what is wrong is looked at.
void seal(bytes_of_batch& batch) {
  store_be(batch.data() + layout::crc,
           protocol::crc32c(byte_span(batch).subspan(layout::attributes)));
}

struct bad_batch {
  const char* name;
  errc expected;
  std::function<void(bytes_of_batch&)> spoil;
};

template <std::integral T>
auto put(std::size_t at, T value, bool reseal = true) {
  return [=](bytes_of_batch& batch) {
    store_be(batch.data() + at, value);
    if (reseal)
      seal(batch);
  };
}

auto attributes(std::uint16_t bits) {
  return put<std::uint16_t>(layout::attributes, bits);
}

} // namespace

TEST_CASE("a batch that breaks a rule is refused by name and leaves no trace") {
  const std::vector<bad_batch> table{
      {"nothing at all", errc::corrupt_batch, [](auto& b) { b.clear(); }},
      {"cut in the header", errc::corrupt_batch, [](auto& b) { b.resize(30); }},
      {"one byte short", errc::corrupt_batch, [](auto& b) { b.pop_back(); }},
      {"one byte long", errc::corrupt_batch, [](auto& b) { b.push_back(std::byte{0}); }},
      {"two batches", errc::corrupt_batch,
       [](auto& b) {
         const auto copy = b;
         b.insert(b.end(), copy.begin(), copy.end());
       }},
      {"wrong CRC", errc::corrupt_batch, put<std::uint32_t>(layout::crc, 7, false)},
      {"a flipped bit in a record", errc::corrupt_batch, [](auto& b) { b.back() ^= std::byte{1}; }},
      {"length 0", errc::corrupt_batch, put<std::int32_t>(layout::batch_length, 0)},
      {"length -1", errc::corrupt_batch, put<std::int32_t>(layout::batch_length, -1)},
      {"length 2^31 - 1", errc::corrupt_batch, put<std::int32_t>(layout::batch_length, 0x7fffffff)},
      {"magic 1", errc::invalid_message, put<std::int8_t>(layout::magic, 1)},
      {"magic 3", errc::invalid_message, put<std::int8_t>(layout::magic, 3)},
      {"the control bit", errc::invalid_message, attributes(protocol::batch_attributes::control)},
      {"the control and transaction bits", errc::invalid_message,
       attributes(protocol::batch_attributes::control | protocol::batch_attributes::transactional)},
      {"a transaction without a producer", errc::invalid_message,
       attributes(protocol::batch_attributes::transactional)},
      {"the append-time bit", errc::invalid_timestamp,
       attributes(protocol::batch_attributes::append_time)},
      {"codec 5", errc::unsupported_codec, attributes(5)},
      {"codec 7", errc::unsupported_codec, attributes(7)},
      {"a codec that the records do not have", errc::corrupt_batch, attributes(4)},
      {"fewer records than there are", errc::invalid_message,
       [](auto& b) {
         store_be<std::int32_t>(b.data() + layout::record_count, 2);
         store_be<std::int32_t>(b.data() + layout::last_offset_delta, 1);
         seal(b);
       }},
      {"more records than there are", errc::invalid_message,
       [](auto& b) {
         store_be<std::int32_t>(b.data() + layout::record_count, 4);
         store_be<std::int32_t>(b.data() + layout::last_offset_delta, 3);
         seal(b);
       }},
      {"2^31 - 1 records", errc::invalid_message,
       [](auto& b) {
         store_be<std::int32_t>(b.data() + layout::record_count, 0x7fffffff);
         store_be<std::int32_t>(b.data() + layout::last_offset_delta, 0x7ffffffe);
         seal(b);
       }},
      {"no records", errc::invalid_message, put<std::int32_t>(layout::record_count, 0)},
      {"minus one record", errc::invalid_message, put<std::int32_t>(layout::record_count, -1)},
      {"offsets that do not fit the count", errc::invalid_message,
       put<std::int32_t>(layout::last_offset_delta, 9)},
      {"a record that is longer than the batch", errc::invalid_message,
       [](auto& b) {
         b[layout::records] = std::byte{0x7e};
         seal(b);
       }},
      {"a record of negative length", errc::invalid_message,
       [](auto& b) {
         b[layout::records] = std::byte{0x01};
         seal(b);
       }},
      {"a producer without a sequence", errc::invalid_message,
       put<std::int64_t>(layout::producer_id, 5)},
  };
  sturdy_node own;
  create_topic(own.client, "target");
  std::int64_t end = append(own.client, "target", 0, {"good"}) + 1;
  for (const auto& row : table) {
    CAPTURE(row.name);
    auto batch = good_batch();
    row.spoil(batch);
    const auto outcome = produce(own.client, "target", 0, buffer::from(batch));
    CHECK(outcome.error == row.expected);
    CHECK(outcome.message.size() > 10);
    CHECK(outcome.base_offset == -1);
    // The next good one takes the next offset.
    CHECK(append(own.client, "target", 0, {"good"}) == end++);
  }
  own.kill_and_start();
  CHECK(read_all(own.client, "target", 0).size() == static_cast<std::size_t>(end));
  own.check_unharmed();
}

TEST_CASE("what a client claims about offsets and epochs is replaced by the leader's truth") {
  own_node own;
  create_topic(own.client, "claims");
  auto batch = good_batch();
  store_be<std::int64_t>(batch.data() + layout::base_offset,
                         std::numeric_limits<std::int64_t>::max());
  store_be<std::int32_t>(batch.data() + layout::leader_epoch, 0x7fffffff);
  CHECK(produce(own.client, "claims", 0, buffer::from(batch)).base_offset == 0);
  CHECK(read_all(own.client, "claims", 0).size() == 3);
}

TEST_CASE("a small batch that would decompress to a large one is refused, whatever its codec") {
  sturdy_node own({"limits.decompressed-bytes-max=1200000B"});
  create_topic(own.client, "bombs");
  for (const auto codec : {protocol::codec::gzip, protocol::codec::snappy, protocol::codec::lz4,
                           protocol::codec::zstd}) {
    CAPTURE(static_cast<int>(codec));
    protocol::batch_options options;
    options.compression = codec;
    for (const std::size_t megabytes : {2, 12}) {
      const auto bomb = batch_of({std::string(megabytes << 20, '\0')}, 1, options);
      CAPTURE(bomb.size());
      const auto outcome = produce(own.client, "bombs", 0, bomb);
      CHECK(outcome.error == errc::decompression_limit);
      CHECK(outcome.message.find("1200000") != std::string::npos);
    }
    // Just below the limit it is let in.
    CHECK(produce(own.client, "bombs", 0, batch_of({std::string(1'000'000, '\0')}, 1, options))
              .error == errc::none);
  }
  own.check_unharmed();
}

TEST_CASE("a bomb with a lying size inside is no more believed than its outside") {
  sturdy_node own({"limits.decompressed-bytes-max=1200000B"});
  create_topic(own.client, "liars");
  sequence_of_numbers numbers(2);
  for (const auto codec : {protocol::codec::gzip, protocol::codec::snappy, protocol::codec::lz4,
                           protocol::codec::zstd}) {
    protocol::batch_options options;
    options.compression = codec;
    const auto good = good_batch(options);
    for (int i = 0; i < 100; ++i) {
      auto bad = good;
      // Damage behind a right CRC: only the codec and the record reader can see it.
      const auto records = bad.size() - layout::records;
      for (auto left = 1 + numbers.below(3); left > 0; --left)
        bad[layout::records + numbers.below(records)] = static_cast<std::byte>(numbers.next());
      seal(bad);
      const auto outcome = produce(own.client, "liars", 0, buffer::from(bad));
      if (outcome.error != errc::none)
        CHECK_FALSE(outcome.message.empty());
    }
  }
  // Damage that still makes records is a batch like any other, and is read like any other.
  (void)read_all(own.client, "liars", 0);
  own.check_unharmed();
}

TEST_CASE("a batch above the topic's limit is refused and names the limit") {
  sturdy_node own;
  create_topic(own.client, "small", 1, {{"max.message.bytes", "1024"}});
  const auto outcome = produce(own.client, "small", 0, batch_of({std::string(2000, 'x')}));
  CHECK(outcome.error == errc::message_too_large);
  CHECK(outcome.message.find("1024") != std::string::npos);
  create_topic(own.client, "usual");
  // The default limit, to the byte.
  const auto overhead = batch_of({std::string(1'000'000, 'x')}).size() - 1'000'000;
  const auto largest = protocol::default_batch_bytes_max - overhead;
  CHECK(produce(own.client, "usual", 0, batch_of({std::string(largest + 1, 'x')})).error ==
        errc::message_too_large);
  CHECK(produce(own.client, "usual", 0, batch_of({std::string(largest, 'x')})).error == errc::none);
  CHECK(read_all(own.client, "usual", 0).at(0).value.size() == largest);
  own.check_unharmed();
}

TEST_CASE("random damage to batches is never acknowledged as something else") {
  sturdy_node own;
  create_topic(own.client, "noise");
  sequence_of_numbers numbers(3);
  std::size_t stored = 0;
  for (int i = 0; i < 500; ++i) {
    auto batch = good_batch();
    // Bytes that the leader stamps may be anything; every other change breaks the CRC or the size.
    const auto at = layout::magic + numbers.below(batch.size() - layout::magic);
    batch[at] ^= static_cast<std::byte>(1 + numbers.below(255));
    const auto outcome = produce(own.client, "noise", 0, buffer::from(batch));
    CHECK(outcome.error != errc::none);
    stored += outcome.error == errc::none ? 3 : 0;
  }
  CHECK(read_all(own.client, "noise", 0).size() == stored);
  own.check_unharmed();
}

TEST_SUITE_END();
