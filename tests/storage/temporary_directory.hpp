// A directory of its own for a test, removed at the end.
#pragma once

#include "storage/posix_disk.hpp"

#include <doctest/doctest.h>

#include <unistd.h>

#include <cstdlib>
#include <string>

namespace aqueduct::storage::test {

class temporary_directory {
public:
  temporary_directory() {
    const char* root = std::getenv("TMPDIR");
    path_ =
        std::string(root != nullptr ? root : "/tmp") + "/aqueduct-storage-" + std::string(6, 'X');
    REQUIRE(::mkdtemp(path_.data()) != nullptr);
  }
  temporary_directory(const temporary_directory&) = delete;
  temporary_directory& operator=(const temporary_directory&) = delete;
  ~temporary_directory() { (void)posix_disk().remove_tree(path_); }

  [[nodiscard]] const std::string& path() const { return path_; }

private:
  std::string path_;
};

} // namespace aqueduct::storage::test
