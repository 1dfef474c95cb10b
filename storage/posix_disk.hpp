// The disk of the operating system. posix_disk.cpp is the only file of storage with system calls.
#pragma once

#include "storage/disk.hpp"

#include <cstddef>

namespace aqueduct::storage {

struct posix_options {
  /// A file is written past the page cache (O_DIRECT), where the file system can, from its first
  /// write of `direct_bytes_min` on: smaller ones gain nothing by it. Reads use the page cache.
  bool direct_writes = false;
  std::size_t direct_bytes_min = 16 << 10;
  /// A power of two.
  std::size_t block_bytes = 4096;
};

/// One object serves all threads. A file that is written directly is written by one object at a
/// time.
class posix_disk final : public disk {
public:
  posix_disk() = default;
  explicit posix_disk(const posix_options& options) : options_(options) {}

  [[nodiscard]] result<std::shared_ptr<file>> open(const std::string& path,
                                                   open_mode mode) override;
  result<void> make_directories(const std::string& path) override;
  result<void> sync_directory(const std::string& path) override;
  result<void> rename(const std::string& from, const std::string& to) override;
  result<void> remove(const std::string& path) override;
  result<void> remove_tree(const std::string& path) override;
  [[nodiscard]] result<std::vector<std::string>> list(const std::string& path) override;
  [[nodiscard]] result<bool> exists(const std::string& path) override;
  [[nodiscard]] result<std::unique_ptr<file_lock>> lock_file(const std::string& path) override;
  [[nodiscard]] result<disk_space> space(const std::string& path) override;

private:
  posix_options options_;
};

} // namespace aqueduct::storage
