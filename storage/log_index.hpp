// The sparse indexes of one group's log: from offset, index and time to a position in a segment.
// They are hints: whoever uses one checks that the entry it names stands there. What is missing
// costs a longer scan, what is wrong is found out; neither can make an answer wrong.
#pragma once

#include "storage/kv.hpp"
#include "storage/log_entry.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace aqueduct::storage {

/// An entry of the log that an index names.
struct index_hit {
  std::uint64_t index = 0;
  /// Of the entry in its segment.
  std::uint64_t position = 0;
  /// Offset of the first record at or after it.
  offset_t offset{};
};

/// Thread-safe, as the store is.
class log_index {
public:
  log_index(kv& store, const group_id& group);

  /// Adds that the entry `hit` stands in the segment `first_index`. `max_timestamp` is the largest
  /// of the segment before that entry, -1 if it has none, nothing if it is not known.
  void add(write_batch& batch, std::uint64_t first_index, const index_hit& hit,
           std::optional<timestamp_ms> max_timestamp) const;
  /// The last one that is at or before the offset, index or time: for time, before any record with
  /// a timestamp as large. Nothing: start at the beginning of the segment.
  [[nodiscard]] result<std::optional<index_hit>> find_offset(std::uint64_t first_index,
                                                             offset_t at_most) const;
  [[nodiscard]] result<std::optional<index_hit>> find_index(std::uint64_t first_index,
                                                            std::uint64_t at_most) const;
  [[nodiscard]] result<std::optional<index_hit>> find_time(std::uint64_t first_index,
                                                           timestamp_ms timestamp) const;
  /// Removes what names entries from `index` on in a segment. `offset` is that of the first record
  /// which may stand there, `max_timestamp` at most the largest before it.
  void truncate(write_batch& batch, std::uint64_t first_index, std::uint64_t index, offset_t offset,
                timestamp_ms max_timestamp) const;
  void remove_segment(write_batch& batch, std::uint64_t first_index) const;
  /// Everything of the group.
  void remove_all(write_batch& batch) const;

private:
  [[nodiscard]] std::string prefix(std::uint64_t first_index) const;

  kv& store_;
  std::string group_;
};

} // namespace aqueduct::storage
