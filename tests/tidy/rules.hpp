// The rules that every file of the tree keeps, as functions from a file to what is wrong with it.
// They look at text only: what the compiler and clang-format can tell is left to them. Each finding
// says what to do, so that nobody has to look the rule up.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

namespace aqueduct::tidy {

/// A file of the tree: `path` is relative to the top, with '/' between its parts.
struct source_file {
  std::string path;
  std::string text;
};

struct finding {
  std::string path;
  /// From 1; 0 when the file as a whole is meant.
  std::size_t line = 0;
  /// What is wrong and what to do.
  std::string message;
};

using findings = std::vector<finding>;

/// "path:line: message" per finding.
[[nodiscard]] std::string to_string(const findings& all);

/// Everything that git tracks under `top`, and what is new and not ignored. Without git, everything
/// outside of build and data folders. Binary files come with an empty text.
[[nodiscard]] std::vector<source_file> tree_files(const std::filesystem::path& top);

/// True for .cpp and .hpp.
[[nodiscard]] bool is_cpp(const std::string& path);
[[nodiscard]] bool is_header(const std::string& path);

/// Which room may include which room and which library: the table of section 1 of the
/// architecture, "the house".
[[nodiscard]] findings check_includes(const source_file& file);
/// `#pragma once`, a head comment, no `using namespace`: headers only.
[[nodiscard]] findings check_header(const source_file& file);
/// Lines within 100 columns, files within 800 lines: sources that people write.
[[nodiscard]] findings check_size(const source_file& file);
/// No tab, no space at the end of a line, a newline at the end of the file.
[[nodiscard]] findings check_whitespace(const source_file& file);
/// The title of a section and its ruler are one line, and a string is not cut before one word: what
/// clang-format makes of lines that were too long.
[[nodiscard]] findings check_breaks(const source_file& file);
/// Nothing in tests/ waits for real time to pass.
[[nodiscard]] findings check_sleep(const source_file& file);
/// No marker of unfinished work.
[[nodiscard]] findings check_leftovers(const source_file& file);
/// No path that exists on one machine alone, in a file or as its name.
[[nodiscard]] findings check_machine_paths(const source_file& file);
/// Top-level entries are those of the layout; sources are named in snake_case.
[[nodiscard]] findings check_place(const source_file& file);

} // namespace aqueduct::tidy
