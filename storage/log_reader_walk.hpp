// A reading of one segment under way: large reads of the file, and the entries in them one after
// another, each verified. Part of log_reader.
#pragma once

#include "storage/log_reader.hpp"

#include <algorithm>
#include <cstdint>
#include <optional>

namespace aqueduct::storage {

/// The end of the records in a view.
[[nodiscard]] inline offset_t end_offset(const log_view& view) {
  return view.segments.empty()
             ? view.start_offset
             : std::max(offset_t(view.segments.back()->next_offset), view.start_offset);
}

/// Precondition: the entry is in the view.
[[nodiscard]] const std::shared_ptr<const log_segment>& segment_of_index(const log_view& view,
                                                                         std::uint64_t index);

class log_reader::walk {
public:
  /// An entry in the memory of the last `fill`.
  struct entry {
    std::uint64_t index = 0;
    std::uint64_t term = 0;
    entry_kind kind = entry_kind::noop;
    /// In the memory.
    std::size_t body_at = 0;
    std::size_t body_bytes = 0;
    std::optional<records_range> records;
    /// In the file, and what was there before it.
    place at;
  };

  /// Walks from `start` to the end of what is written, or to the entry `end_index`.
  walk(const log_reader& reader, const log_segment& segment, const file& source, const place& start,
       std::uint64_t end_index);

  /// Reads about `size` bytes from the present position on.
  [[nodiscard]] result<mutable_buffer> fill(std::size_t size);
  /// The next entry in the memory, verified. Nothing at the end of the memory or of the walk.
  /// Error: storage_damaged.
  [[nodiscard]] result<std::optional<entry>> next();
  /// Makes `e`, the last one that `next` returned, the next one again.
  void step_back(const entry& e);

  /// There is nothing more, whatever is read.
  [[nodiscard]] bool is_done() const { return is_done_; }
  /// How much has to be read at least for the next entry.
  [[nodiscard]] std::size_t needed_bytes() const { return needed_bytes_; }
  [[nodiscard]] const place& here() const { return here_; }
  /// Puts index entries where there were none over a long way.
  void heal_index();

private:
  const log_reader& reader_;
  const log_segment& segment_;
  const file& source_;
  place here_;
  std::uint64_t end_index_;
  std::uint64_t end_;
  mutable_buffer memory_;
  /// Position in the file of the memory's first byte.
  std::uint64_t memory_from_ = 0;
  std::size_t needed_bytes_ = entry_header_bytes;
  bool is_done_ = false;
  /// Position of the last entry that the index is known to name.
  std::uint64_t indexed_position_;
  write_batch index_entries_;
};

} // namespace aqueduct::storage
