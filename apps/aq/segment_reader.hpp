// Reading a segment file entry by entry, without the node that wrote it: what `aq log` works on.
// Says exactly where something is wrong. Opens the file for reading only.
#pragma once

#include "protocol/record_batch.hpp"
#include "storage/disk.hpp"
#include "storage/log_entry.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace aqueduct::aq {

/// The group that a segment belongs to, from the folders above it: <topic id>/<partition>/<file>.
[[nodiscard]] std::optional<group_id> group_of_path(const std::string& file);
/// The same for the folder of a group; that of the cluster's metadata is called "controller".
[[nodiscard]] std::optional<group_id> group_of_directory(const std::string& directory);
/// "controller" or "<topic id>/<partition>".
[[nodiscard]] std::optional<group_id> parse_group(std::string_view text);

struct segment_entry {
  /// Of its first byte in the file.
  std::uint64_t position = 0;
  storage::entry_header header;
  /// Lies in memory of the reader, until the next call.
  byte_span body;
  /// The batch of a `records` entry.
  std::optional<protocol::batch_header> batch;
};

class segment_reader {
public:
  /// Errors: not_found; storage_damaged, unsupported_version from the segment's header.
  [[nodiscard]] static result<segment_reader> open(storage::disk& files, const std::string& path,
                                                   const group_id& group);

  [[nodiscard]] const storage::segment_header& header() const { return header_; }
  [[nodiscard]] std::uint64_t size() const { return size_; }
  /// Where the next entry begins.
  [[nodiscard]] std::uint64_t position() const { return position_; }

  /// The next entry; nothing at the end, behind which there is only reserved space. Everything that
  /// can be checked within the file is: checksums of entry and batch, chain, index, term, offsets.
  /// Error storage_damaged names path, position and index; the entry after it cannot be found.
  [[nodiscard]] result<std::optional<segment_entry>> next();

private:
  segment_reader() = default;

  [[nodiscard]] result<byte_span> load(std::uint64_t position, std::size_t count);
  [[nodiscard]] result<bool> is_blank_from(std::uint64_t position);
  [[nodiscard]] unexpected damaged(std::string_view why) const;
  [[nodiscard]] result<void> check(const segment_entry& entry);

  std::string path_;
  std::shared_ptr<storage::file> file_;
  std::uint32_t seed_ = 0;
  storage::segment_header header_;
  std::uint64_t size_ = 0;
  std::uint64_t position_ = 0;

  // What the next entry has to follow.
  std::uint64_t next_index_ = 0;
  std::uint64_t term_ = 0;
  std::uint32_t prev_crc_ = 0;
  offset_t next_offset_{};

  /// A stretch of the file.
  std::vector<std::byte> window_;
  std::uint64_t window_position_ = 0;
  std::size_t window_size_ = 0;
};

[[nodiscard]] std::string_view to_string(storage::entry_kind kind);

} // namespace aqueduct::aq
