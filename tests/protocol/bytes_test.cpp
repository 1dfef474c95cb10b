#include "protocol/bytes.hpp"
#include "tests/support/sample_bytes.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <limits>

using namespace aqueduct;
using namespace aqueduct::testing;

namespace {

template <class T>
void check_integer(T value) {
  byte_vector out;
  byte_writer(out).write(value);
  REQUIRE(out.size() == sizeof(T));
  byte_reader reader(out);
  CHECK(reader.read<T>() == value);
  CHECK_FALSE(reader.failed());
  CHECK(reader.remaining() == 0);
}

byte_vector varint(std::uint64_t value) {
  byte_vector out;
  byte_writer(out).write_varint(value);
  return out;
}

} // namespace

TEST_SUITE("protocol.bytes") {

  TEST_CASE("integers are written most significant byte first and read back") {
    byte_vector out;
    byte_writer writer(out);
    writer.write(std::uint8_t{0x01});
    writer.write(std::int16_t{0x0203});
    writer.write(std::uint32_t{0x04050607});
    writer.write(std::int64_t{0x08090a0b0c0d0e0f});
    writer.write_bytes("xy");
    CHECK(to_hex(out) == "0102030405060708090a0b0c0d0e0f7879");
    CHECK(writer.size() == 17);
    check_integer(std::numeric_limits<std::int16_t>::min());
    check_integer(std::numeric_limits<std::int32_t>::min());
    check_integer(std::numeric_limits<std::int64_t>::min());
    check_integer(std::numeric_limits<std::uint64_t>::max());
    check_integer(std::int8_t{-1});
  }

  TEST_CASE("a read past the end fails, yields zero, and so does every later read") {
    const auto bytes = from_hex("010203");
    byte_reader reader(bytes);
    CHECK(reader.read<std::uint16_t>() == 0x0102);
    CHECK(reader.read<std::uint32_t>() == 0);
    CHECK(reader.failed());
    CHECK(reader.remaining() == 0);
    CHECK(reader.read<std::uint8_t>() == 0);
    CHECK(reader.read_varint() == 0);
    CHECK(reader.read_bytes(1).empty());
    CHECK(reader.read_count(1) == 0);
  }

  TEST_CASE("varints of every length come back and have the size that was foretold") {
    for (unsigned bits = 0; bits < 64; ++bits)
      for (const std::uint64_t value :
           {std::uint64_t{1} << bits, (std::uint64_t{1} << bits) - 1, ~std::uint64_t{0} >> bits}) {
        const auto out = varint(value);
        CHECK(out.size() == varint_size(value));
        byte_reader reader(out);
        CHECK(reader.read_varint() == value);
        CHECK_FALSE(reader.failed());
        CHECK(reader.remaining() == 0);
      }
    CHECK(to_hex(varint(0)) == "00");
    CHECK(to_hex(varint(300)) == "ac02");
  }

  TEST_CASE("varints that are cut, too long or too large fail") {
    for (const auto* hex : {"", "80", "ffffffffffffffffff", "ffffffffffffffffff02",
                            "80808080808080808080", "8080808080808080808000"}) {
      const auto bytes = from_hex(hex);
      byte_reader reader(bytes);
      CHECK(reader.read_varint() == 0);
      CHECK(reader.failed());
    }
    const auto largest = from_hex("ffffffffffffffffff01");
    CHECK(byte_reader(largest).read_varint() == std::numeric_limits<std::uint64_t>::max());
  }

  TEST_CASE("zigzag puts numbers close to zero first, whatever their sign") {
    const std::int64_t in_order[] = {0, -1, 1, -2, 2};
    for (std::uint64_t i = 0; i < std::size(in_order); ++i) {
      CHECK(zigzag(in_order[i]) == i);
      CHECK(unzigzag(i) == in_order[i]);
    }
    for (const auto extreme :
         {std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max()}) {
      byte_vector out;
      byte_writer(out).write_zigzag(extreme);
      CHECK(out.size() == 10);
      CHECK(byte_reader(out).read_zigzag() == extreme);
    }
  }

  TEST_CASE("bytes are read in place, and not when there are too few") {
    const auto bytes = from_hex("0a0b0c0d");
    byte_reader reader(bytes);
    const auto part = reader.read_bytes(3);
    CHECK(part.data() == bytes.data());
    CHECK(reader.position() == bytes.data() + 3);
    CHECK(reader.read_bytes(0).empty());
    CHECK_FALSE(reader.failed());
    CHECK(reader.read_bytes(2).empty());
    CHECK(reader.failed());
    byte_reader huge(bytes);
    CHECK(huge.read_bytes(std::numeric_limits<std::size_t>::max()).empty());
    CHECK(huge.failed());
  }

  TEST_CASE("a count is refused unless its elements can be there") {
    auto bytes = varint(3);
    bytes.resize(1 + 12);
    CHECK(byte_reader(bytes).read_count(4) == 3);
    CHECK(byte_reader(bytes).read_count(0) == 3);
    byte_reader too_many(bytes);
    CHECK(too_many.read_count(5) == 0);
    CHECK(too_many.failed());
    const auto lying = varint(std::uint64_t{1} << 62);
    byte_reader reader(lying);
    CHECK(reader.read_count(1) == 0);
    CHECK(reader.failed());
  }

} // TEST_SUITE
