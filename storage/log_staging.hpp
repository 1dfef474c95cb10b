// Puts the pieces of one gathered write together. Part of segment_log, in a header of its own only
// because two of its files need it.
#pragma once

#include "storage/segment_log.hpp"

#include <cstddef>
#include <span>
#include <vector>

namespace aqueduct::storage {

/// Headers and small bodies are copied behind each other into one scratch area, large bodies are
/// written from where they are: a part of a gathered write costs more than copying a few hundred
/// bytes. Memory is kept from write to write.
struct segment_log::staging {
  /// Starts a write. The scratch area is made large enough at once, since parts point into it.
  void begin(std::span<const log_entry> entries, bool with_segment_header);
  /// The next `size` bytes of the scratch area, as part of the write.
  std::byte* add_scratch(std::size_t size);
  /// Adds an entry; returns its checksum.
  std::uint32_t add(const log_entry& entry, const entry_context& context);

  [[nodiscard]] std::span<const byte_span> parts() const { return parts_; }
  [[nodiscard]] std::span<const std::uint32_t> crcs() const { return crcs_; }
  /// Bytes of all parts.
  [[nodiscard]] std::uint64_t size() const { return size_; }

private:
  std::vector<std::byte> scratch_;
  std::size_t scratch_used_ = 0;
  std::vector<byte_span> parts_;
  std::vector<std::uint32_t> crcs_;
  std::uint64_t size_ = 0;
};

} // namespace aqueduct::storage
