// A list in order of use and a map into it.
#include "storage/file_cache.hpp"

namespace aqueduct::storage {

result<std::shared_ptr<file>> file_cache::open(std::uint64_t id, const std::string& path) {
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = by_id_.find(id); found != by_id_.end()) {
      slots_.splice(slots_.begin(), slots_, found->second);
      return found->second->opened;
    }
  }
  // Opened without the lock: a slow disk holds up only those who need this file.
  auto opened = disk_.open(path, open_mode::read);
  if (!opened)
    return opened;
  std::shared_ptr<file> closed_after;
  const std::lock_guard lock(mutex_);
  if (const auto found = by_id_.find(id); found != by_id_.end())
    return found->second->opened;
  slots_.push_front({id, *opened});
  by_id_.emplace(id, slots_.begin());
  if (slots_.size() > files_max_) {
    closed_after = std::move(slots_.back().opened);
    by_id_.erase(slots_.back().id);
    slots_.pop_back();
  }
  return opened;
}

void file_cache::forget(std::uint64_t id) {
  const std::lock_guard lock(mutex_);
  if (const auto found = by_id_.find(id); found != by_id_.end()) {
    slots_.erase(found->second);
    by_id_.erase(found);
  }
}

result<void> file_cache::remove(std::uint64_t id, const std::string& path) {
  // A file that cannot be opened can be removed nevertheless; then its space goes here.
  auto opened = release_ ? open(id, path) : result<std::shared_ptr<file>>(nullptr);
  forget(id);
  auto removed = disk_.remove(path);
  if (removed && opened && *opened)
    release_(std::move(*opened));
  return removed;
}

std::size_t file_cache::size() const {
  const std::lock_guard lock(mutex_);
  return slots_.size();
}

} // namespace aqueduct::storage
