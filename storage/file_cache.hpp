// Open read-only files of closed segments, a bounded number of them: ten thousand partitions must
// not use up the descriptors of the process.
#pragma once

#include "storage/disk.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>

namespace aqueduct::storage {

/// Takes an open file that was deleted. Its space is given back when the last handle is dropped,
/// which takes the longer the larger it is: a place for that is found where nobody waits.
using file_release = std::function<void(std::shared_ptr<file>)>;

/// Least recently used files are closed first; who still reads one keeps it open. Thread-safe.
class file_cache {
public:
  /// Without `release`, deleting a file gives back its space at once.
  file_cache(disk& disk, std::size_t files_max, file_release release = {})
      : disk_(disk), files_max_(files_max), release_(std::move(release)) {}

  /// The open file of segment `id`. Errors: as `disk::open`, not_found among them.
  [[nodiscard]] result<std::shared_ptr<file>> open(std::uint64_t id, const std::string& path);
  void forget(std::uint64_t id);
  /// Deletes the file of segment `id`, which keeps its space until `release` drops it. Durable
  /// after `disk::sync_directory`. Errors: as `disk::remove`.
  result<void> remove(std::uint64_t id, const std::string& path);
  /// An id that no segment had before.
  [[nodiscard]] std::uint64_t new_id() { return next_id_.fetch_add(1); }
  [[nodiscard]] std::size_t size() const;

private:
  struct slot {
    std::uint64_t id;
    std::shared_ptr<file> opened;
  };

  disk& disk_;
  const std::size_t files_max_;
  const file_release release_;
  std::atomic<std::uint64_t> next_id_{1};
  mutable std::mutex mutex_;
  /// Most recently used first.
  std::list<slot> slots_;
  std::unordered_map<std::uint64_t, std::list<slot>::iterator> by_id_;
};

} // namespace aqueduct::storage
