#include "protocol/batch_builder.hpp"
#include "protocol/client/internal/record_cursor.hpp"

#include <doctest/doctest.h>

#include <limits>

using namespace aqueduct;
using namespace aqueduct::client;

namespace {

buffer make_batch(std::int64_t base, int records, protocol::codec codec = protocol::codec::none,
                  std::string_view header_name = {}) {
  protocol::batch_builder builder;
  std::vector<protocol::record_header> headers;
  if (!header_name.empty())
    headers = {{header_name, bytes_view("one")}, {header_name, std::nullopt}};
  for (int i = 0; i < records; ++i) {
    const auto text =
        "value-" + std::to_string(static_cast<std::uint64_t>(base) + static_cast<std::uint64_t>(i));
    const auto key = i % 2 == 0 ? std::optional<byte_span>(bytes_view("key")) : std::nullopt;
    REQUIRE(builder.append({timestamp_ms(1000 + i), key, bytes_view(text), headers}));
  }
  protocol::batch_options options;
  options.compression = codec;
  options.base_offset = offset_t(base);
  options.epoch = leader_epoch(9);
  return builder.finish(options).value();
}

buffer join(std::initializer_list<buffer> parts) {
  buffer_chain chain;
  for (const auto& part : parts)
    chain.append(part);
  return chain.flatten();
}

record_cursor cursor_over(const buffer& batches, std::int64_t from, bool verify = true) {
  return {std::make_shared<const std::string>("t"),
          partition_id(3),
          batches,
          offset_t(from),
          {verify, 1 << 20}};
}

constexpr record_cursor::limits all{1'000'000, 0};

} // namespace

TEST_SUITE_BEGIN("client.record_cursor");

TEST_CASE("records come with offset, time, epoch, key, value and headers") {
  const auto batches = make_batch(10, 2, protocol::codec::none, "h");
  auto cursor = cursor_over(batches, 10);
  record_collector got;

  CHECK(cursor.fill(got, all).value());

  REQUIRE(got.records.size() == 2);
  const auto& first = got.records[0];
  CHECK(first.topic == "t");
  CHECK(first.partition == partition_id(3));
  CHECK(first.offset == offset_t(10));
  CHECK(first.epoch == leader_epoch(9));
  CHECK(first.timestamp == timestamp_ms(1000));
  CHECK(first.key->text() == "key");
  CHECK(first.value->text() == "value-10");
  REQUIRE(first.headers.size() == 2);
  CHECK(first.headers[0].name == "h");
  CHECK(first.headers[0].value->text() == "one");
  CHECK_FALSE(first.headers[1].value);
  CHECK_FALSE(got.records[1].key);
  CHECK(cursor.next_offset() == offset_t(12));
}

TEST_CASE("records of uncompressed batches lie in the memory that was read from the network") {
  const auto batches = make_batch(0, 1);
  record_collector got;
  CHECK(cursor_over(batches, 0).fill(got, all));

  const auto* at = got.records[0].value->data();
  CHECK(at > batches.data());
  CHECK(at < batches.data() + batches.size());
}

TEST_CASE("records before the wanted offset are skipped, in batches of any codec") {
  for (const auto codec : {protocol::codec::none, protocol::codec::gzip, protocol::codec::snappy,
                           protocol::codec::lz4, protocol::codec::zstd}) {
    const auto batches = join({make_batch(0, 5, codec), make_batch(5, 5, codec)});
    record_collector got;
    CHECK(cursor_over(batches, 3).fill(got, all));
    REQUIRE(got.records.size() == 7);
    CHECK(got.records[0].offset == offset_t(3));
    CHECK(got.records[6].value->text() == "value-9");
  }
}

TEST_CASE("a limit stops within a batch and the next fill goes on there") {
  const auto batches = join({make_batch(0, 5, protocol::codec::zstd), make_batch(5, 5)});
  auto cursor = cursor_over(batches, 0);
  std::int64_t expected = 0;
  for (bool is_done = false; !is_done;) {
    record_collector got;
    is_done = cursor.fill(got, {3, 0}).value();
    for (const auto& record : got.records) {
      CHECK(record.offset.value == expected);
      CHECK(record.value->text() == "value-" + std::to_string(expected++));
    }
    CHECK(cursor.next_offset().value == expected);
  }
  CHECK(expected == 10);
}

TEST_CASE("a limit on bytes lets one record through that is over it") {
  const auto batches = make_batch(0, 3);
  auto cursor = cursor_over(batches, 0);
  record_collector got;
  CHECK_FALSE(cursor.fill(got, {100, 1}).value());
  CHECK(got.records.size() == 1);
}

TEST_CASE("a byte that changed on the way is found, unless nobody asked") {
  const auto good = make_batch(0, 1);
  std::vector bytes(good.bytes().begin(), good.bytes().end());
  bytes[bytes.size() - 3] ^= std::byte{1};
  const auto damaged = buffer::from(std::move(bytes));
  record_collector got;
  CHECK(cursor_over(damaged, 0).fill(got, all).error().code == errc::corrupt_batch);
  CHECK(got.records.empty());
  CHECK(cursor_over(damaged, 0, false).fill(got, all));
  CHECK(got.records.size() == 1);
}

TEST_CASE("no byte of a batch can change without an error or a clean end") {
  const auto good = make_batch(0, 3, protocol::codec::lz4);
  for (std::size_t i = 0; i < good.size(); ++i) {
    std::vector bytes(good.bytes().begin(), good.bytes().end());
    bytes[i] ^= std::byte{0x80};
    const auto damaged = buffer::from(std::move(bytes));
    record_collector got;
    (void)cursor_over(damaged, 0, false).fill(got, all);
    for (const auto& record : got.records)
      CHECK(record.value->size() <= good.size() * 300);
  }
}

TEST_CASE("a batch that inflates past the limit is refused") {
  protocol::batch_builder builder;
  REQUIRE(builder.append({{}, {}, bytes_view(std::string(4 << 20, 'x')), {}}));
  const auto bomb = builder.finish({.compression = protocol::codec::zstd}).value();
  record_collector got;
  CHECK(cursor_over(bomb, 0).fill(got, all).error().code == errc::decompression_limit);
}

TEST_CASE("the offset after an answer is that of its last whole batch") {
  const auto batches = join({make_batch(0, 5), make_batch(5, 5)});
  CHECK(find_end(batches.bytes(), offset_t(3)).value().offset == offset_t(10));
  CHECK(find_end(batches.bytes(), offset_t(3)).value().epoch == leader_epoch(9));
  const auto reversed = join({make_batch(5, 5), make_batch(0, 5)});
  CHECK(find_end(reversed.bytes(), offset_t(0)).error().code == errc::corrupt_batch);
  CHECK(find_end(batches.bytes().first(batches.size() - 1), offset_t(3)).value().offset ==
        offset_t(5));
  CHECK(find_end(batches.bytes(), offset_t(10)).error().code == errc::corrupt_batch);
  CHECK(find_end(batches.bytes().first(20), offset_t(0)).error().code == errc::corrupt_batch);
}

TEST_CASE("a batch whose offsets cannot be true is refused without its checksum as well") {
  constexpr auto last = std::numeric_limits<std::int64_t>::max();
  for (const auto base : {last, last - 1, std::int64_t{-1}, std::int64_t{-5}}) {
    const auto batch = make_batch(base, 2);
    record_collector got;
    CHECK(cursor_over(batch, 0, false).fill(got, all).error().code == errc::corrupt_batch);
    CHECK(got.records.empty());
    CHECK(find_end(batch.bytes(), offset_t(0)).error().code == errc::corrupt_batch);
  }
  const auto highest = make_batch(last - 2, 2);
  record_collector got;
  CHECK(cursor_over(highest, 0, false).fill(got, all).value());
  CHECK(got.records.size() == 2);
  CHECK(find_end(highest.bytes(), offset_t(0)).value().offset == offset_t(last));
}

TEST_SUITE_END();
