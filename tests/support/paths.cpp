#include "tests/support/paths.hpp"

namespace aqueduct::test {

std::filesystem::path source_path(std::string_view below) {
  const std::filesystem::path top(AQUEDUCT_SOURCE_DIR);
  return below.empty() ? top : top / below;
}

std::filesystem::path built_program(std::string_view name) {
  return std::filesystem::path(AQUEDUCT_BIN_DIR) / name;
}

} // namespace aqueduct::test
