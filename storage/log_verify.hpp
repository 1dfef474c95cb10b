// The check of a whole log, from the files alone: checksums of entries and of batches, chain,
// indexes, terms, offsets, headers. Needs no key-value state. Offline for a log that nobody writes;
// online for the closed segments of one that is written, in small steps.
#pragma once

#include "storage/disk.hpp"
#include "storage/log_scan.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace aqueduct::storage {

/// How far a check got.
struct verify_progress {
  std::uint64_t bytes = 0;
  /// Of the segments that are to be checked.
  std::uint64_t bytes_total = 0;
  std::uint64_t entries = 0;
  std::uint64_t batches = 0;
};

/// One check of one log. Not thread-safe; `files` must outlive it. Holds one open file at a time.
///
/// With `only_closed` the log may be written, trimmed and removed meanwhile: the last segment is
/// left out, and a segment that goes while the check is on its way is no damage.
class log_verifier {
public:
  log_verifier(disk& files, std::string directory, const group_id& group, bool only_closed);

  /// Finds the segments; call it once, first. A folder that is not there is an empty log.
  [[nodiscard]] result<void> begin();

  /// Checks about `bytes_max` more; true when everything was checked. After an error the check can
  /// go on behind the segment that the error is about, until `true` is returned.
  /// Errors: storage_damaged, naming path, position and index; storage_failed.
  [[nodiscard]] result<bool> step(std::uint64_t bytes_max);

  [[nodiscard]] const verify_progress& progress() const { return progress_; }

private:
  struct segment_file {
    std::uint64_t first_index = 0;
    std::string path;
    std::uint64_t size = 0;
  };
  /// The segment under way.
  struct open_segment {
    std::shared_ptr<file> source;
    std::optional<entry_scanner> entries;
  };

  [[nodiscard]] result<std::vector<segment_file>> list() const;
  [[nodiscard]] result<bool> step_segment(std::uint64_t bytes_max);
  [[nodiscard]] result<bool> open_next();
  [[nodiscard]] result<bool> check_header(const file& source, const segment_file& s);
  [[nodiscard]] result<void> check_entry(const scanned_entry& entry, const segment_file& s);
  [[nodiscard]] result<void> check_end(const segment_file& s, std::uint64_t position,
                                       const std::string& why) const;
  [[nodiscard]] bool may_have_torn_end() const;
  [[nodiscard]] bool is_still_closed(const segment_file& s) const;
  void leave_segment();

  disk& files_;
  std::string directory_;
  group_id group_;
  bool only_closed_;
  std::uint32_t seed_;
  std::vector<segment_file> segments_;
  /// The next one to be checked, or the one that is under way.
  std::size_t which_ = 0;
  std::optional<open_segment> open_;
  /// What the next entry continues; nothing where that is not known: at the start, and behind what
  /// could not be read.
  std::optional<log_chain> chain_;
  /// Bytes of the segments before `which_`.
  std::uint64_t bytes_before_ = 0;
  verify_progress progress_;
};

/// Called with the progress every few MiB; false stops.
using verify_visitor = std::function<bool(const verify_progress&)>;

/// Checks a log from its beginning to the first error. Errors as `log_verifier::step`, and
/// cancelled.
result<verify_progress> verify_log(disk& files, const std::string& directory, const group_id& group,
                                   bool only_closed, const verify_visitor& visit);

} // namespace aqueduct::storage
