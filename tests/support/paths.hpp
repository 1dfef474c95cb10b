// Where the tree and what was built of it are. Only the source file knows it when it is compiled:
// the objects of all others are the same in every clone, and a compiler cache finds them.
#pragma once

#include <filesystem>
#include <string_view>

namespace aqueduct::test {

/// A file or folder of the tree that the tests were built from, or its top.
[[nodiscard]] std::filesystem::path source_path(std::string_view below = {});
/// A program that was built with the tests.
[[nodiscard]] std::filesystem::path built_program(std::string_view name);

} // namespace aqueduct::test
