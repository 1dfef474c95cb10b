// Reading one group's log while one storage thread writes it. A reader never waits for a flush, and
// is never in the way of a deletion: a segment that goes while it is read stays readable for those
// who have it open.
#pragma once

#include "storage/file_cache.hpp"
#include "storage/kv.hpp"
#include "storage/log_index.hpp"
#include "storage/log_view.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

namespace aqueduct::storage {

/// Where a reading of records starts and how much it returns.
struct records_request {
  offset_t from{};
  /// First index that must not be read: one past the commit index.
  std::uint64_t end_index = 0;
  /// Of batches. A batch that is larger is returned if it is the first and `at_least_one` is set.
  std::size_t bytes_max = 0;
  bool at_least_one = true;
};

struct records_read {
  /// Whole batches, back to back as in a fetch reply. The first may begin below the offset that was
  /// asked for, as the batch that holds it. Empty: nothing there yet, or nothing fits.
  buffer_chain batches;
  /// Where to go on: after the last record in `batches`, or the offset asked for if there is none.
  offset_t next_offset{};
  /// Of the last entry in `batches`; 0 if there is none.
  std::uint64_t last_index = 0;
  std::uint32_t batch_count = 0;
};

/// Answer to a search by time.
struct time_found {
  offset_t offset{};
  timestamp_ms timestamp{};
};

/// Where the entries of a term, and of all below it, end.
struct term_end {
  /// The largest term that the log has up to the one asked for; that itself if the log begins with
  /// a larger one.
  std::uint64_t term = 0;
  /// Of the first record that comes after them.
  offset_t offset{};
};

/// A log from outside, at one moment.
struct log_outline {
  std::uint64_t size_bytes = 0;
  /// Of the oldest closed segment: the time of its newest record, which is never after the segment
  /// behind it was begun, and its size. Nothing if none is closed.
  std::optional<std::int64_t> oldest_closed_ms;
  std::uint64_t oldest_closed_bytes = 0;
  /// Of the last segment: when it was begun, and the time of its newest record. Nothing if there is
  /// no entry.
  std::optional<std::int64_t> active_since_ms;
  std::int64_t active_newest_ms = -1;
};

/// Thread-safe; any number of threads may share one. Outlives the log that it reads: then every
/// call fails with unknown_partition.
///
/// Errors of all calls: storage_damaged (path, position and index in the message), storage_failed,
/// unknown_partition (the group was removed).
class log_reader {
public:
  /// `store` and the disk behind `cache` must live as long as the reader.
  log_reader(std::shared_ptr<const log_publication> log, group_id group,
             std::shared_ptr<file_cache> cache, kv& store, std::size_t index_interval_bytes);

  /// Committed batches from an offset on, from one segment, usually with one read of the disk;
  /// every entry that is returned has been verified. Errors besides: offset_out_of_range, naming
  /// the valid range, when `from` is below the start or above the end of the log.
  [[nodiscard]] result<records_read> read_records(const records_request& request) const;

  /// Entries [from_index, end_index), as many as fit in `bytes_max` of body but at least one if
  /// there is one; from one segment. Errors besides: offset_out_of_range when `from_index` is below
  /// the first entry or more than one above the last.
  [[nodiscard]] result<std::vector<log_entry>>
  read_entries(std::uint64_t from_index, std::uint64_t end_index, std::size_t bytes_max) const;

  /// The first record from offset `start` on and before `end_index` in log order whose timestamp is
  /// at least `timestamp` (as Kafka's ListOffsets), nothing if there is none. Control batches count
  /// as they do there: no.
  [[nodiscard]] result<std::optional<time_found>>
  find_time(timestamp_ms timestamp, std::uint64_t end_index, offset_t start = {}) const;

  /// The record with the largest timestamp among the same, the first of several; nothing if there
  /// is none. Reads one place by the index of times, and a whole segment only if the newest record
  /// of that segment is not among them.
  [[nodiscard]] result<std::optional<time_found>> find_newest(std::uint64_t end_index,
                                                              offset_t start = {}) const;

  /// The end of the entries before `end_index` whose terms are at most `term` (as Kafka's
  /// OffsetForLeaderEpoch). Terms never fall along a log: it is found by halving.
  [[nodiscard]] result<term_end> find_term_end(std::uint64_t term, std::uint64_t end_index) const;

  /// The offset that the first record at or after entry `index` has or will have.
  [[nodiscard]] result<offset_t> offset_at(std::uint64_t index) const;

  /// Without touching the disk.
  [[nodiscard]] log_outline outline() const;

  [[nodiscard]] std::uint64_t first_index() const;
  /// `first_index` - 1 if the log is empty. Written, not necessarily durable.
  [[nodiscard]] std::uint64_t last_index() const;
  [[nodiscard]] offset_t start_offset() const;
  [[nodiscard]] offset_t next_offset() const;

private:
  /// Where an entry stands in its segment.
  struct place {
    std::uint64_t position = 0;
    std::uint64_t index = 0;
    /// Offset of the first record at or after it.
    offset_t offset{};
  };
  /// Where the last readings ended, so that those who read on need no search.
  struct hint {
    std::uint64_t segment = 0;
    std::uint64_t generation = 0;
    place at;
  };
  class walk;

  [[nodiscard]] result<std::shared_ptr<file>> open_segment(const log_segment& segment) const;
  template <class Wanted>
  [[nodiscard]] std::optional<place> recall(const log_view& view, const log_segment& segment,
                                            const Wanted& wanted) const;
  void remember(const log_view& view, const log_segment& segment, const place& at) const;
  [[nodiscard]] bool stands_at(const file& source, const log_segment& segment,
                               const index_hit& hit) const;
  /// Where `wanted` is known to be, else the first of the places that `next_hit` gives, highest
  /// first, where an entry really stands.
  template <class Wanted, class NextHit>
  [[nodiscard]] result<place> locate(const log_view& view, const log_segment& segment,
                                     const file& source, const Wanted& wanted,
                                     const NextHit& next_hit) const;
  [[nodiscard]] result<place> locate_offset(const log_view& view, const log_segment& segment,
                                            const file& source, offset_t from) const;
  [[nodiscard]] result<place> locate_index(const log_view& view, const log_segment& segment,
                                           const file& source, std::uint64_t index) const;
  [[nodiscard]] result<records_read> try_read_records(const log_view& view,
                                                      const records_request& request) const;
  [[nodiscard]] result<records_read> read_segment(const log_view& view, const log_segment& segment,
                                                  const records_request& request) const;
  [[nodiscard]] result<std::vector<log_entry>> try_read_entries(const log_view& view,
                                                                std::uint64_t from_index,
                                                                std::uint64_t end_index,
                                                                std::size_t bytes_max) const;
  [[nodiscard]] result<std::optional<time_found>> try_find_time(const log_view& view,
                                                                timestamp_ms timestamp,
                                                                std::uint64_t end_index,
                                                                offset_t start) const;
  [[nodiscard]] result<std::optional<time_found>> find_time_in(const log_segment& segment,
                                                               timestamp_ms timestamp,
                                                               std::uint64_t end_index,
                                                               offset_t start) const;
  [[nodiscard]] result<std::optional<time_found>>
  try_find_newest(const log_view& view, std::uint64_t end_index, offset_t start) const;
  [[nodiscard]] result<std::optional<time_found>> find_newest_in(const log_segment& segment,
                                                                 timestamp_ms at_most,
                                                                 std::uint64_t end_index,
                                                                 offset_t start) const;
  [[nodiscard]] result<std::uint64_t> term_of(const log_segment& segment, const file& source,
                                              const place& at) const;
  [[nodiscard]] result<term_end> try_find_term_end(const log_view& view, std::uint64_t term,
                                                   std::uint64_t end_index) const;
  [[nodiscard]] result<term_end> find_term_end_in(const log_view& view, const log_segment& segment,
                                                  std::uint64_t term,
                                                  std::uint64_t end_index) const;
  [[nodiscard]] result<offset_t> try_offset_at(const log_view& view, std::uint64_t index) const;
  /// Runs an attempt on the present view, once more if the view changed under a failure.
  template <class Attempt>
  [[nodiscard]] auto with_view(const Attempt& attempt) const;

  std::shared_ptr<const log_publication> log_;
  group_id group_;
  std::uint32_t seed_;
  std::shared_ptr<file_cache> cache_;
  kv& store_;
  log_index index_;
  std::size_t index_interval_bytes_;

  mutable std::mutex mutex_;
  mutable std::array<hint, 8> hints_;
  mutable std::size_t next_hint_ = 0;
};

} // namespace aqueduct::storage
