#include "protocol/crc32c.hpp"

#include <isa-l/crc.h>

#include <algorithm>
#include <array>
#include <limits>

namespace aqueduct::protocol {

namespace {

// Polynomials over GF(2) in reflected bit order: bit 31 is the coefficient of x^0.
constexpr std::uint32_t castagnoli = 0x82f63b78;
constexpr std::uint32_t one = 0x80000000;
constexpr std::uint32_t x_to_the_8 = one >> 8;

constexpr std::uint32_t multiply(std::uint32_t a, std::uint32_t b) {
  std::uint32_t product = 0;
  for (int bit = 0; bit < 32; ++bit) {
    product ^= b & (0u - (a >> 31));
    a <<= 1;
    b = (b >> 1) ^ (castagnoli & (0u - (b & 1)));
  }
  return product;
}

using power_row = std::array<std::uint32_t, 256>;

// powers[i][n] is x^(8 * n * 256^i): what n * 256^i zero bytes multiply a CRC with.
constexpr std::array<power_row, 8> make_powers() {
  std::array<power_row, 8> powers{};
  auto step = x_to_the_8;
  for (auto& row : powers) {
    row[0] = one;
    for (std::size_t n = 1; n < row.size(); ++n)
      row[n] = multiply(row[n - 1], step);
    step = multiply(row[255], step);
  }
  return powers;
}

constexpr auto powers = make_powers();

} // namespace

std::uint32_t crc32c(byte_span bytes, std::uint32_t seed_crc) {
  // ISA-L counts in int and declares its input as not const, though it only reads it.
  constexpr std::size_t piece_max = std::size_t{1} << 30;
  static_assert(piece_max <= std::numeric_limits<int>::max());
  auto crc = ~seed_crc;
  while (!bytes.empty()) {
    const auto piece = bytes.first(std::min(bytes.size(), piece_max));
    auto* at = const_cast<unsigned char*>(reinterpret_cast<const unsigned char*>(piece.data()));
    crc = crc32_iscsi(at, static_cast<int>(piece.size()), crc);
    bytes = bytes.subspan(piece.size());
  }
  return ~crc;
}

std::uint32_t crc32c(const buffer_chain& bytes, std::uint32_t seed_crc) {
  auto crc = seed_crc;
  for (const auto& part : bytes.parts())
    crc = crc32c(part.bytes(), crc);
  return crc;
}

std::uint32_t crc32c_combine(std::uint32_t a_crc, std::uint32_t b_crc, std::uint64_t b_size) {
  for (std::size_t i = 0; b_size != 0; ++i, b_size >>= 8) {
    if (const auto low = b_size & 0xff; low != 0)
      a_crc = multiply(powers[i][low], a_crc);
  }
  return a_crc ^ b_crc;
}

} // namespace aqueduct::protocol
