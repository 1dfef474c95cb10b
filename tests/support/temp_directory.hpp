// A folder that exists as long as the object: for tests that need files.
#pragma once

#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <string_view>

namespace aqueduct::test {

class temp_directory {
public:
  temp_directory() {
    auto pattern =
        (std::filesystem::temp_directory_path() / ("aqueduct-" + std::string(6, 'X'))).string();
    if (!mkdtemp(pattern.data()))
      throw std::runtime_error("no temporary folder can be made at " + pattern);
    path_ = pattern;
  }
  ~temp_directory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  temp_directory(const temp_directory&) = delete;
  temp_directory& operator=(const temp_directory&) = delete;

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

  /// Writes a file of the folder and returns its path.
  std::filesystem::path write(const std::string& name, std::string_view text) const {
    auto file = path_ / name;
    std::ofstream(file, std::ios::binary) << text;
    return file;
  }

private:
  std::filesystem::path path_;
};

} // namespace aqueduct::test
