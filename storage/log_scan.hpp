// Walking through the entries of a segment file, from a position on, in large reads. Decides what
// is an entry; what the absence of one means is recovery's to say.
#pragma once

#include "storage/disk.hpp"
#include "storage/log_entry.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace aqueduct::storage {

/// An entry in the scanner's memory; valid until its next call.
struct scanned_entry {
  entry_header header;
  std::uint64_t position = 0;
  /// Header and body.
  byte_span bytes;

  [[nodiscard]] byte_span body() const { return bytes.subspan(entry_header_bytes); }
  [[nodiscard]] std::uint64_t end() const { return position + bytes.size(); }
};

/// Reads forward. Not thread-safe.
class entry_scanner {
public:
  /// Scans [position, end) of `source`, which must outlive the scanner.
  entry_scanner(const file& source, std::uint64_t position, std::uint64_t end,
                std::size_t read_bytes = std::size_t{1} << 20);

  /// The entry at the present position. Nothing where none can begin or where it would not end
  /// before `end`; the position stays. Its checksum has not been looked at. Error: storage_failed.
  [[nodiscard]] result<std::optional<scanned_entry>> next();

  [[nodiscard]] std::uint64_t position() const { return position_; }
  /// Bytes read from the file so far.
  [[nodiscard]] std::uint64_t bytes_read() const { return bytes_read_; }

private:
  /// Makes `size` bytes from the position on available, or as many as there are.
  [[nodiscard]] result<byte_span> peek(std::size_t size);

  const file& source_;
  std::uint64_t position_;
  std::uint64_t end_;
  std::size_t read_bytes_;
  std::vector<std::byte> window_;
  std::uint64_t window_from_ = 0;
  std::uint64_t bytes_read_ = 0;
};

/// What the next entry of a log must continue.
struct log_chain {
  std::uint64_t index = 0;
  std::uint64_t term = 0;
  std::uint32_t crc = 0;
  offset_t next_offset{};
};

/// Why `entry` is not the one that follows `chain`, as a clause; nothing if it is. Checks its
/// checksum too.
[[nodiscard]] std::optional<std::string> check_next(const scanned_entry& entry,
                                                    const log_chain& chain, std::uint32_t seed);
/// Moves `chain` on to `entry`, which follows it. Returns the records' range if it has any.
std::optional<records_range> advance(log_chain& chain, const scanned_entry& entry);

/// Searches [from, end) for a whole entry of the group that says that index `lost` was durable when
/// it was written: then what should stand at `from` was lost after it was durable. Looks at every
/// byte, as the entry boundaries are unknown.
[[nodiscard]] result<std::optional<entry_header>> find_proof(const file& source, std::uint64_t from,
                                                             std::uint64_t end, std::uint64_t lost,
                                                             std::uint32_t seed);

/// "<20 digits>.log".
[[nodiscard]] std::string segment_name(std::uint64_t first_index);
/// The first index in a name of that form.
[[nodiscard]] std::optional<std::uint64_t> parse_segment_name(std::string_view name);

/// storage_damaged for a place in a file.
[[nodiscard]] unexpected damage(const std::string& path, std::uint64_t position,
                                std::uint64_t index, const std::string& why);

} // namespace aqueduct::storage
