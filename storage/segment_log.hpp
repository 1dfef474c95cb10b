// The log of one group on disk: segment files of entries, with what is needed to open them fast and
// to tell a torn end from damage. One thread writes; readers share what it publishes (log_reader).
// FORMAT.md draws the files and goes through the crash cases.
#pragma once

#include "storage/disk.hpp"
#include "storage/file_cache.hpp"
#include "storage/kv.hpp"
#include "storage/log_entry.hpp"
#include "storage/log_index.hpp"
#include "storage/log_meta.hpp"
#include "storage/log_view.hpp"

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace aqueduct::storage {

struct segment_options {
  /// A segment that would grow beyond this is closed and another begun. An entry that is larger
  /// has a segment of its own.
  std::uint64_t segment_bytes = std::uint64_t{256} << 20;
  /// Age at which a segment that holds entries is closed; -1 is never.
  std::int64_t segment_age_ms = std::int64_t{7} * 24 * 3600 * 1000;
  /// Space is reserved in steps that double with the file, from 64 KiB up to this. 0 is never.
  std::uint64_t preallocate_bytes = std::uint64_t{16} << 20;
  /// One index entry per so many bytes of log.
  std::uint32_t index_interval_bytes = 64 << 10;
};

/// A segment as others see it.
struct segment_info {
  std::uint64_t first_index = 0;
  std::uint64_t last_index = 0;
  offset_t base_offset{};
  offset_t next_offset{};
  std::uint64_t bytes = 0;
  /// -1 without records.
  timestamp_ms max_timestamp{-1};
  timestamp_ms created{};
  bool is_active = false;
};

/// What recovery found.
struct recovery_report {
  /// Bytes that were read to find the end.
  std::uint64_t scanned_bytes = 0;
  std::uint64_t scanned_entries = 0;
  /// Bytes of a torn end that were cut.
  std::uint64_t cut_bytes = 0;
  std::uint32_t segments = 0;
};

/// What a log is opened with. The references must live as long as the log.
struct log_environment {
  disk& files;
  kv& store;
  file_cache& cache;
};

/// Not thread-safe, except `publication`.
///
/// Errors of changing calls: storage_full: nothing was changed, can be tried again. offset_conflict
/// or invalid_request: the arguments do not fit the log, nothing was changed. All others poison the
/// log: what is on disk is no longer known, every later change is refused with storage_failed (S6).
class segment_log {
public:
  /// Opens the log in `directory`, which need not exist: nothing is made before the first append.
  /// Reads only what was written since the last durable mark. A torn end is cut. Errors:
  /// storage_damaged, naming path, position and index, if something that was durable is not there.
  [[nodiscard]] static result<std::unique_ptr<segment_log>> open(const log_environment& environment,
                                                                 std::string directory,
                                                                 const group_id& group,
                                                                 const segment_options& options);
  /// Does nothing on disk; see `close`.
  ~segment_log();
  segment_log(const segment_log&) = delete;
  segment_log& operator=(const segment_log&) = delete;

  // -- changes ---------------------------------------------------------------------------------

  /// Writes entries that follow the last one: gathered, one write per segment. They are readable at
  /// once and durable after `sync`. A new segment is stamped with `now`.
  result<void> append(std::span<const log_entry> entries, timestamp_ms now);
  /// Everything that was appended is durable.
  result<void> sync();
  /// Removes the entries from `index` on, durably. Precondition for readers' sake: above the commit
  /// index.
  result<void> truncate_from(std::uint64_t index);
  /// The log begins after `base`; segments that hold nothing else are deleted. `base.index` must
  /// be in the log or right before it; `base.term` is ignored and filled in. Files that could not
  /// be removed are tried again by the next call, of whatever base.
  result<void> trim_prefix(log_base base);
  /// The log becomes empty and continues after `base`, durably.
  result<void> reset(const log_base& base);
  /// Closes the active segment if it holds entries, so that the next append begins another.
  result<void> roll();
  /// Records how far the log is durable, so that an opening reads less. Relaxed.
  result<void> mark();
  /// Syncs, gives back reserved space, records the mark, closes the file. Appending opens it again.
  result<void> close_file();
  /// The files are about to be deleted by the caller: readers get unknown_partition.
  void abandon();
  /// Poisons the log, for a reason outside of it.
  void take_out_of_service(const error& cause) { poison(cause); }

  // -- state -----------------------------------------------------------------------------------

  [[nodiscard]] const log_base& base() const { return base_; }
  [[nodiscard]] std::uint64_t first_index() const { return base_.index + 1; }
  /// `first_index` - 1 if the log is empty.
  [[nodiscard]] std::uint64_t last_index() const { return end_.index; }
  [[nodiscard]] std::uint64_t last_term() const { return end_.term; }
  /// Up to here everything is durable.
  [[nodiscard]] std::uint64_t durable_index() const { return durable_index_; }
  /// Of an entry from `base().index` to `last_index`; nothing outside.
  [[nodiscard]] std::optional<std::uint64_t> term_at(std::uint64_t index) const;
  /// Of the entries in the log.
  [[nodiscard]] std::vector<term_run> terms() const;
  [[nodiscard]] const std::vector<log_entry>& memberships() const { return memberships_; }
  [[nodiscard]] offset_t start_offset() const { return base_.next_offset; }
  [[nodiscard]] offset_t next_offset() const { return end_.next_offset; }
  /// Of all segment files, without reserved space.
  [[nodiscard]] std::uint64_t size_bytes() const;
  [[nodiscard]] std::vector<segment_info> segments() const;
  [[nodiscard]] std::size_t segment_count() const { return segments_.size(); }
  [[nodiscard]] bool is_dirty() const { return durable_index_ < end_.index; }
  [[nodiscard]] bool is_poisoned() const { return poison_.has_value(); }
  [[nodiscard]] bool has_open_file() const { return active_file_ != nullptr; }
  /// Written since the last mark.
  [[nodiscard]] std::uint64_t unmarked_bytes() const;
  /// When the active segment was begun; nothing if it holds no entry.
  [[nodiscard]] std::optional<timestamp_ms> active_since() const;
  [[nodiscard]] const recovery_report& recovery() const { return report_; }
  [[nodiscard]] std::shared_ptr<log_publication> publication() const { return publication_; }
  [[nodiscard]] const segment_options& options() const { return options_; }
  void configure(const segment_options& options) { options_ = options; }
  /// Gathered writes and syncs of files so far.
  [[nodiscard]] std::uint64_t write_count() const { return write_count_; }
  [[nodiscard]] std::uint64_t sync_count() const { return sync_count_; }

private:
  friend class log_recovery;

  /// The end of the log: what the next entry is checked against and chained to.
  struct log_end {
    std::uint64_t index = 0;
    std::uint64_t term = 0;
    std::uint32_t crc = 0;
    offset_t next_offset{};
  };
  /// A segment with what only the writer needs.
  struct segment {
    std::shared_ptr<log_segment> shared;
    segment_header header;
    /// Terms of the entries in it, ascending.
    std::vector<term_run> terms;
    /// Position of the last entry; 0 without entries.
    std::uint64_t last_position = 0;
    /// Checksum of the last entry, or what the header says of the one before.
    std::uint32_t last_crc = 0;
    /// Position of the entry that the index named last.
    std::uint64_t indexed_position = segment_header_bytes;

    [[nodiscard]] static segment make(std::uint64_t id, const std::string& path,
                                      const segment_header& header);
    /// No entry; then the header may not be on disk either.
    [[nodiscard]] bool is_empty() const { return last_position == 0; }
    void publish_end(std::uint64_t end, std::uint64_t last_index, offset_t next_offset);
  };
  /// What is taken down of an entry that was written or found.
  struct entry_note {
    std::uint64_t index = 0;
    std::uint64_t term = 0;
    std::uint32_t crc = 0;
    std::uint64_t position = 0;
    std::uint64_t size_bytes = 0;
    std::optional<records_range> records;
  };
  /// An entry in its segment, and what stands before it.
  struct entry_place {
    std::size_t segment = 0;
    std::uint64_t position = 0;
    std::uint32_t prev_crc = 0;
    /// 0 if the entry is the first of its segment.
    std::uint64_t prev_position = 0;
    /// Of the first record at or after it.
    offset_t next_offset{};
  };
  /// What one gathered write is put together in; kept from write to write.
  struct staging;

  segment_log(const log_environment& environment, std::string directory, const group_id& group,
              const segment_options& options);

  [[nodiscard]] result<void> check_usable() const;
  unexpected poison(const error& cause);
  /// Makes the active file durable, and its name.
  [[nodiscard]] result<void> sync_active();
  [[nodiscard]] result<void> check_entries(std::span<const log_entry> entries) const;
  [[nodiscard]] std::size_t fitting(std::span<const log_entry> entries) const;
  [[nodiscard]] result<void> ensure_active(const log_entry& next, timestamp_ms now);
  [[nodiscard]] result<void> begin_segment(timestamp_ms now);
  [[nodiscard]] result<void> open_active();
  void reserve(std::uint64_t end);
  [[nodiscard]] result<void> append_run(std::span<const log_entry> entries);
  void note_appended(std::span<const log_entry> entries, std::span<const std::uint32_t> crcs);
  void note_membership(write_batch& derived, const log_entry& entry);
  void note_entry(write_batch& derived, segment& s, const entry_note& note);
  /// Writes what was kept for the store.
  void write_derived();
  void add_mark(write_batch& batch, const segment& s) const;
  void publish_view();

  [[nodiscard]] result<entry_place> find_entry(std::uint64_t index) const;
  [[nodiscard]] result<std::shared_ptr<file>> file_of(const segment& s) const;
  [[nodiscard]] result<void> drop_last_segment();
  [[nodiscard]] result<void> remove_trimmed();
  [[nodiscard]] result<void> cut_last_segment(const entry_place& place, std::uint64_t index);
  void forget_above(std::uint64_t index);

  disk& files_;
  kv& store_;
  file_cache& cache_;
  std::string directory_;
  group_id group_;
  std::uint32_t seed_;
  segment_options options_;
  log_index index_;

  log_base base_;
  log_end end_;
  std::uint64_t durable_index_ = 0;
  /// Ascending and contiguous; the last one is active. Empty until the first append.
  std::vector<segment> segments_;
  /// Trimmed, oldest first, their files still to be removed: the disk refused it.
  std::deque<std::shared_ptr<log_segment>> trimmed_;
  std::vector<log_entry> memberships_;
  /// Index entries of the active segment that are not in the store yet, a bounded number.
  write_batch derived_;
  /// Open while the active segment is written to.
  std::shared_ptr<file> active_file_;
  /// The active file is that long at least.
  std::uint64_t reserved_ = 0;
  /// The name of the active file is durable.
  bool name_synced_ = true;
  /// The next append begins a segment.
  bool roll_pending_ = false;
  /// The segment and position of the last mark.
  std::uint64_t marked_segment_ = 0;
  std::uint64_t marked_end_ = 0;
  /// False once the store refused a write that a mark relies on: then no marks until the next
  /// opening, which reads more.
  bool marks_valid_ = true;
  std::uint64_t generation_ = 0;
  std::optional<error> poison_;
  std::shared_ptr<log_publication> publication_;
  std::unique_ptr<staging> staging_;
  recovery_report report_;
  std::uint64_t write_count_ = 0;
  std::uint64_t sync_count_ = 0;
};

} // namespace aqueduct::storage
