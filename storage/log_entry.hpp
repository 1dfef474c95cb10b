// The bytes of a log: entries and the header of a segment file. FORMAT.md draws them and goes
// through the crash cases. Nothing here reads or writes a file.
#pragma once

#include "protocol/buffer.hpp"
#include "protocol/ids.hpp"
#include "protocol/result.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace aqueduct::storage {

/// What an entry is for. Numbers are part of the disk format.
enum class entry_kind : std::uint8_t {
  noop = 0,
  /// The body is exactly one record batch; the only kind that takes offsets.
  records = 1,
  /// For the state machine.
  command = 2,
  membership = 3,
};

/// One entry of a group's log.
struct log_entry {
  /// Position in the log, from 1, without holes.
  std::uint64_t index = 0;
  /// Never lower than that of the entry before.
  std::uint64_t term = 0;
  entry_kind kind = entry_kind::noop;
  buffer body;

  friend bool operator==(const log_entry&, const log_entry&) = default;
};

// -- entry ----------------------------------------------------------------------------------------
//
//    0          4          8          12    13        16
//   +----------+----------+----------+-----+---------+
//   | length   | crc32c   | prev_crc |kind | 0  0  0 |
//   +----------+----------+----------+-----+---------+
//    16                    24                    32                    40
//   +---------------------+---------------------+---------------------+------ - -
//   | index               | term                | durable_index       | body
//   +---------------------+---------------------+---------------------+------ - -

inline constexpr std::size_t entry_header_bytes = 40;
/// What `length` counts besides the body: everything after the checksum.
inline constexpr std::size_t entry_length_overhead = 32;
/// A body may have this many bytes at most.
inline constexpr std::size_t entry_body_bytes_max = std::size_t{128} << 20;

/// The header of an entry, decoded. Says what the bytes say; `verify_entry` vouches for it.
struct entry_header {
  std::uint32_t crc = 0;
  /// Checksum of the entry before this one; of the first of a log 0.
  std::uint32_t prev_crc = 0;
  entry_kind kind = entry_kind::noop;
  std::uint64_t index = 0;
  std::uint64_t term = 0;
  /// When this entry was written, all entries up to this index were durable.
  std::uint64_t durable_index = 0;
  std::size_t body_bytes = 0;

  [[nodiscard]] std::size_t size_bytes() const { return entry_header_bytes + body_bytes; }
};

/// The checksum that all entries of a group start from: bytes of another group never pass.
[[nodiscard]] std::uint32_t entry_seed(const group_id& group);

/// What an entry's header says besides the entry.
struct entry_context {
  std::uint32_t seed = 0;
  std::uint32_t prev_crc = 0;
  std::uint64_t durable_index = 0;
};

/// Writes the header of `entry` to the `entry_header_bytes` bytes at `out` and returns its
/// checksum. For large `records` the checksum is put together from that of the batch, which must
/// have been validated, and the body is not read. Precondition: the body is at most
/// `entry_body_bytes_max`.
std::uint32_t encode_entry_header(std::byte* out, const log_entry& entry,
                                  const entry_context& context);

/// Reads a header. Nothing when no entry can begin like that: fewer than `entry_header_bytes`
/// bytes, reserved bytes or kind or size out of range, index or term 0. Checks no checksum.
[[nodiscard]] std::optional<entry_header> decode_entry_header(byte_span bytes);

/// True if the checksum of the entry that `bytes` is, header and body and nothing else, is right.
[[nodiscard]] bool verify_entry(byte_span bytes, std::uint32_t seed);

/// The offsets and time of a `records` body.
struct records_range {
  offset_t base_offset;
  offset_t next_offset;
  timestamp_ms max_timestamp;
};

/// Nothing when `body` is not one whole batch with a sane header. Checks no checksum.
[[nodiscard]] std::optional<records_range> records_of(byte_span body);

// -- segment header -------------------------------------------------------------------------------

inline constexpr std::size_t segment_header_bytes = 80;
inline constexpr std::uint32_t segment_version = 1;

/// How a segment file begins. It repeats what the segments before it end with, so that each file
/// can be checked alone.
struct segment_header {
  std::uint64_t first_index = 0;
  /// Of the entry before `first_index`; both 0 at the beginning of a log.
  std::uint64_t prev_term = 0;
  std::uint32_t prev_crc = 0;
  /// The offset that the first record in here gets.
  offset_t base_offset{};
  timestamp_ms created{};

  friend bool operator==(const segment_header&, const segment_header&) = default;
};

void encode_segment_header(std::byte* out, const group_id& group, const segment_header& header);
/// Errors: storage_damaged (cut off, not a segment, checksum), conflict (another group's),
/// unsupported_version (written by a newer Aqueduct).
[[nodiscard]] result<segment_header> decode_segment_header(byte_span bytes, const group_id& group);

} // namespace aqueduct::storage
