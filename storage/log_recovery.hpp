// Opening a log: finds its end, cuts what a crash tore, and refuses what was damaged after it was
// durable. Part of segment_log, which it fills.
//
// What proves that an entry was durable (FORMAT.md, "Torn or damaged"):
//   - a durable mark in the key-value state at or above it;
//   - a later entry that says so in `durable_index`;
//   - a later segment file: a segment is only begun when the one before it is durable.
// What is missing without proof was never acknowledged: it is cut.
#pragma once

#include "storage/log_scan.hpp"
#include "storage/segment_log.hpp"

#include <string>
#include <vector>

namespace aqueduct::storage {

/// Used once, for a log that was just made.
class log_recovery {
public:
  explicit log_recovery(segment_log& log) : log_(log) {}

  /// Error: storage_damaged, with path, position and index.
  [[nodiscard]] result<void> run();

private:
  /// A segment file on its way into the log.
  struct found_segment {
    std::uint64_t first_index = 0;
    std::string path;
    /// Nothing: everything in it has to be read.
    std::optional<segment_mark> mark;
    std::shared_ptr<file> source;
    std::uint64_t size = 0;
  };

  [[nodiscard]] result<void> list_files();
  [[nodiscard]] result<void> finish_reset();
  [[nodiscard]] result<void> delete_trimmed();
  [[nodiscard]] result<void> check_marks() const;
  [[nodiscard]] result<void> read_segment(std::size_t which);
  [[nodiscard]] result<bool> begin(found_segment& found, bool is_last);
  [[nodiscard]] result<bool> begin_unmarked(found_segment& found, bool is_last);
  [[nodiscard]] result<void> begin_marked(const found_segment& found);
  [[nodiscard]] result<void> check_header(const found_segment& found,
                                          const segment_header& header) const;
  [[nodiscard]] result<std::uint64_t> scan(const found_segment& found, std::uint64_t from);
  [[nodiscard]] result<void> settle_end(const found_segment& found, std::uint64_t scanned_from,
                                        std::uint64_t end);
  [[nodiscard]] result<void> rewrite(file& target, std::uint64_t from, std::uint64_t end);
  [[nodiscard]] result<void> remove_file(const std::string& path);
  [[nodiscard]] result<void> save();

  segment_log& log_;
  log_meta meta_;
  std::vector<found_segment> found_;
  log_chain chain_;
  /// Derived state that was found missing or new.
  write_batch derived_;
  /// Why the last scan stopped.
  std::string stopped_because_;
};

} // namespace aqueduct::storage
