#include "tests/aq/support.hpp"

#include <doctest/doctest.h>

#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace aqueduct::aq::test {

memory_file::memory_file(std::string_view contents) : fd_(::memfd_create("aq-test", MFD_CLOEXEC)) {
  REQUIRE(fd_ >= 0);
  REQUIRE(::pwrite(fd_, contents.data(), contents.size(), 0) ==
          static_cast<ssize_t>(contents.size()));
}

memory_file::~memory_file() {
  ::close(fd_);
}

std::string memory_file::contents() const {
  std::string text(static_cast<std::size_t>(::lseek(fd_, 0, SEEK_END)), '\0');
  REQUIRE(::pread(fd_, text.data(), text.size(), 0) == static_cast<ssize_t>(text.size()));
  return text;
}

outcome run_aq(const std::vector<std::string>& arguments, std::string_view input) {
  const memory_file in(input);
  const memory_file out;
  const memory_file err;
  command_line line;
  surroundings around;
  around.in = in.fd();
  around.out = out.fd();
  around.err = err.fd();
  const auto code = line.run(arguments, around);
  return {code, out.contents(), err.contents()};
}

scratch_directory::scratch_directory() {
  auto name = (std::filesystem::temp_directory_path() / "aq-test-").string() + std::string(6, 'X');
  REQUIRE(::mkdtemp(name.data()) != nullptr);
  path_ = name;
}

scratch_directory::~scratch_directory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string scratch_directory::write(const std::string& name, std::string_view contents) const {
  const auto path = std::filesystem::path(path_) / name;
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << contents;
  return path.string();
}

} // namespace aqueduct::aq::test
