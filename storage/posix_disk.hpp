// The disk of the operating system. posix_disk.cpp is the only file of storage with system calls.
#pragma once

#include "storage/disk.hpp"

namespace aqueduct::storage {

/// Stateless: one object serves all threads.
class posix_disk final : public disk {
public:
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
};

} // namespace aqueduct::storage
