// Writes ranges of a file in whole blocks, as O_DIRECT asks (open(2), NOTES): what a range covers
// only a part of is completed with what the file holds there. No system call here.
#pragma once

#include "storage/disk.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace aqueduct::storage {

/// What a block_writer does to its file.
class block_target {
public:
  virtual ~block_target() = default;
  /// As `file::read_at`.
  [[nodiscard]] virtual result<std::size_t> read_block(std::uint64_t position,
                                                       std::span<std::byte> into) = 0;
  /// Position, size and address are multiples of the block.
  virtual result<void> write_blocks(std::uint64_t position, byte_span blocks) = 0;
};

/// Of one file. Whoever appends rewrites the block that the former write ended in: its bytes are
/// kept, so that appending never reads. Belongs to the thread that changes the file.
class block_writer {
public:
  /// A power of two.
  static constexpr std::size_t block_bytes_default = 4096;
  /// Written at once at most.
  static constexpr std::size_t chunk_bytes_max = 1 << 20;

  /// `file_size`: bytes of the file now.
  explicit block_writer(std::uint64_t file_size, std::size_t block_bytes = block_bytes_default);

  /// Whether whole blocks around the range end within the file, which `write` would otherwise make
  /// longer than asked.
  [[nodiscard]] bool fits(std::uint64_t position, std::uint64_t size) const;
  /// Writes all parts one after another from `position` on, in whole blocks. `size`: of all parts,
  /// not 0; the range `fits`. On an error any piece may have been written.
  result<void> write(block_target& target, std::uint64_t position, std::span<const byte_span> parts,
                     std::uint64_t size);

  /// The file was written to by others than `write`.
  void note_written(std::uint64_t position, std::uint64_t size);
  /// The file was made at least that long; what was not written reads as zeros.
  void note_allocated(std::uint64_t file_size);
  void note_truncated(std::uint64_t file_size);

private:
  /// The block at `position` as the file holds it.
  result<void> load(block_target& target, std::uint64_t position, std::span<std::byte> into) const;
  void keep(std::uint64_t end, byte_span last_block);

  std::size_t block_bytes_;
  std::uint64_t file_size_;
  /// Nothing was written from here on: the file reads as zeros.
  std::uint64_t zeros_from_;
  /// Where the last write ended, if zeros follow it in its block, with the block's bytes before it.
  std::optional<std::uint64_t> kept_end_;
  std::vector<std::byte> kept_;
};

} // namespace aqueduct::storage
