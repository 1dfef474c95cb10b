// What the writer of a group's log and its readers share: the list of segments at one moment, and
// per segment how far it may be read. The writer publishes, readers take what is there.
#pragma once

#include "storage/disk.hpp"
#include "storage/log_entry.hpp"

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace aqueduct::storage {

/// One segment file. The constants name it; the atomics grow while it is written to, and shrink
/// only when a suffix is truncated, which never concerns committed entries.
struct log_segment {
  /// Unique in the process: a file that is removed and made again by the same name is another.
  std::uint64_t id = 0;
  std::string path;
  std::uint64_t first_index = 0;
  offset_t base_offset{};
  timestamp_ms created{};

  /// Bytes that hold whole entries. Stored last, with release: a reader that has seen it sees the
  /// bytes and the other fields.
  std::atomic<std::uint64_t> end{segment_header_bytes};
  /// `first_index` - 1 while there is no entry.
  std::atomic<std::uint64_t> last_index{0};
  std::atomic<std::int64_t> next_offset{0};
  /// -1 while there is no record.
  std::atomic<std::int64_t> max_timestamp{-1};
};

/// All segments at one moment, ascending and without holes between them. Immutable.
struct log_view {
  std::vector<std::shared_ptr<const log_segment>> segments;
  /// The first entry that is in the log, whether its segment begins with it or not.
  std::uint64_t first_index = 1;
  /// Offset of the first record at or after it.
  offset_t start_offset{};
  /// Number of truncations: what was found in a view of another generation may be gone.
  std::uint64_t generation = 0;
  /// The group is gone from this node.
  bool is_removed = false;
};

/// The meeting point of one writer and any number of readers. Thread-safe.
class log_publication {
public:
  [[nodiscard]] std::shared_ptr<const log_view> view() const {
    const std::lock_guard lock(mutex_);
    return view_;
  }
  /// The file that the writer has open, if it is that of segment `id`.
  [[nodiscard]] std::shared_ptr<file> open_file(std::uint64_t id) const {
    const std::lock_guard lock(mutex_);
    return id == active_id_ ? active_file_ : nullptr;
  }

  void publish(std::shared_ptr<const log_view> view) {
    const std::lock_guard lock(mutex_);
    view_ = std::move(view);
  }
  void publish_file(std::uint64_t id, std::shared_ptr<file> active) {
    const std::lock_guard lock(mutex_);
    active_id_ = id;
    active_file_ = std::move(active);
  }

private:
  mutable std::mutex mutex_;
  std::shared_ptr<const log_view> view_ = std::make_shared<const log_view>();
  std::uint64_t active_id_ = 0;
  std::shared_ptr<file> active_file_;
};

} // namespace aqueduct::storage
