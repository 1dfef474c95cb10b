// CRC-32C (Castagnoli polynomial, RFC 3720 appendix B.4): the checksum of record batches and of log
// entries. Computed with the CPU's instructions through ISA-L. It detects accidents, not attackers.
#pragma once

#include "protocol/buffer.hpp"

#include <cstdint>

namespace aqueduct::protocol {

/// The CRC-32C of `bytes`; of "123456789" it is 0xE3069283. With the CRC of what came before as
/// `seed_crc` it is the CRC of both together: `crc32c(b, crc32c(a)) == crc32c(a followed by b)`.
/// Thread-safe.
[[nodiscard]] std::uint32_t crc32c(byte_span bytes, std::uint32_t seed_crc = 0);

/// The CRC-32C of a sequence that lies in several buffers, continued from `seed_crc`.
[[nodiscard]] std::uint32_t crc32c(const buffer_chain& bytes, std::uint32_t seed_crc = 0);

/// The CRC-32C of A followed by B, from the CRC of each and the length of B in bytes, without
/// looking at them. One multiplication modulo the polynomial per non-zero byte of `b_size`, as in
/// zlib's crc32_combine (Mark Adler) but with a table of 256 powers for each byte of the length.
/// Linear in both CRCs: with `a_crc` the exclusive or of the CRCs of an old and a new A of the same
/// size and `b_crc` the CRC of (old A, B), it is the CRC of (new A, B).
[[nodiscard]] std::uint32_t crc32c_combine(std::uint32_t a_crc, std::uint32_t b_crc,
                                           std::uint64_t b_size);

} // namespace aqueduct::protocol
