#include "protocol/crc32c.hpp"
#include "tests/support/sample_bytes.hpp"

#include <doctest/doctest.h>

using namespace aqueduct;
using namespace aqueduct::protocol;
using namespace aqueduct::testing;

namespace {

// RFC 3720 in its plainest form, one bit at a time.
std::uint32_t crc32c_by_bits(byte_span bytes) {
  std::uint32_t crc = 0xffffffff;
  for (const auto byte : bytes) {
    crc ^= static_cast<std::uint32_t>(byte);
    for (int bit = 0; bit < 8; ++bit)
      crc = (crc & 1) != 0 ? (crc >> 1) ^ 0x82f63b78u : crc >> 1;
  }
  return ~crc;
}

} // namespace

TEST_SUITE("protocol.crc32c") {

  TEST_CASE("the checksums of published vectors are right (RFC 3720 B.4)") {
    CHECK(crc32c(byte_span{}) == 0);
    CHECK(crc32c(as_bytes("123456789")) == 0xe3069283);
    CHECK(crc32c(byte_vector(32, std::byte{0})) == 0x8a9136aa);
    CHECK(crc32c(byte_vector(32, std::byte{0xff})) == 0x62a8ab43);
    byte_vector ascending;
    for (int i = 0; i < 32; ++i)
      ascending.push_back(static_cast<std::byte>(i));
    CHECK(crc32c(ascending) == 0x46dd794e);
  }

  TEST_CASE("the checksum equals the bitwise definition at every length and alignment") {
    sample_generator samples(1);
    const auto bytes = samples.bytes(700);
    for (std::size_t from = 0; from < 9; ++from)
      for (std::size_t size = 0; size < 600; size += 1 + size / 40) {
        const auto part = byte_span(bytes).subspan(from, size);
        CHECK(crc32c(part) == crc32c_by_bits(part));
      }
    const auto large = samples.bytes(70'001);
    CHECK(crc32c(large) == crc32c_by_bits(large));
  }

  TEST_CASE("a checksum continues over parts as if they were one") {
    sample_generator samples(2);
    const auto bytes = samples.bytes(3000);
    const auto whole = crc32c(bytes);
    for (int i = 0; i < 200; ++i) {
      const auto a = samples.below(bytes.size() + 1);
      const auto b = a + samples.below(bytes.size() - a + 1);
      const byte_span all(bytes);
      CHECK(crc32c(all.subspan(b), crc32c(all.subspan(a, b - a), crc32c(all.first(a)))) == whole);

      buffer_chain chain;
      chain.append(buffer::copy_of(all.first(a)));
      chain.append(buffer::copy_of(all.subspan(a, b - a)));
      chain.append(buffer::copy_of(all.subspan(b)));
      CHECK(crc32c(chain) == whole);
    }
  }

  TEST_CASE("checksums of two parts combine to the checksum of both") {
    sample_generator samples(3);
    const auto bytes = samples.bytes(100'000);
    for (int i = 0; i < 500; ++i) {
      const auto size = samples.below(bytes.size() + 1);
      const auto at = samples.below(size + 1);
      const auto all = byte_span(bytes).first(size);
      const auto combined =
          crc32c_combine(crc32c(all.first(at)), crc32c(all.subspan(at)), size - at);
      CHECK(combined == crc32c(all));
    }
  }

  TEST_CASE("combining with lengths of every byte agrees with combining in two steps") {
    sample_generator samples(4);
    for (int i = 0; i < 1000; ++i) {
      const auto crc = static_cast<std::uint32_t>(samples.next());
      const auto a = samples.next() >> samples.below(63);
      const auto b = samples.next() >> (1 + samples.below(63));
      // Lengths add up unless they overflow, which 64 bits of length leave no room to test.
      if (a + b < a)
        continue;
      CHECK(crc32c_combine(crc32c_combine(crc, 0, a), 0, b) == crc32c_combine(crc, 0, a + b));
    }
    const byte_vector zeros(1u << 24, std::byte{0});
    const auto seed = crc32c(as_bytes("seed"));
    CHECK(crc32c_combine(seed, crc32c(zeros), zeros.size()) == crc32c(zeros, seed));
  }

} // TEST_SUITE
