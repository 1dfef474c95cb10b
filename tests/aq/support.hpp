// Running the command line inside the test process, with files in memory for its streams.
#pragma once

#include "apps/aq/command_line.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace aqueduct::aq::test {

/// A file in memory that goes away with the object.
class memory_file {
public:
  explicit memory_file(std::string_view contents = {});
  ~memory_file();
  memory_file(const memory_file&) = delete;
  memory_file& operator=(const memory_file&) = delete;

  [[nodiscard]] int fd() const { return fd_; }
  /// All that was written.
  [[nodiscard]] std::string contents() const;

private:
  int fd_;
};

struct outcome {
  exit_code code = exit_code::done;
  std::string out;
  std::string err;
};

/// What `aq ARGUMENTS...` does with `input` on its standard input.
[[nodiscard]] outcome run_aq(const std::vector<std::string>& arguments,
                             std::string_view input = {});

/// A directory that is removed with all that is in it.
class scratch_directory {
public:
  scratch_directory();
  ~scratch_directory();
  scratch_directory(const scratch_directory&) = delete;
  scratch_directory& operator=(const scratch_directory&) = delete;

  [[nodiscard]] const std::string& path() const { return path_; }
  /// Writes a file and returns its path.
  std::string write(const std::string& name, std::string_view contents) const;

private:
  std::string path_;
};

} // namespace aqueduct::aq::test
