#include "tests/tidy/rules.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <regex>
#include <string_view>

namespace aqueduct::tidy {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t columns_max = 100;
constexpr std::size_t lines_max = 800;

constexpr auto top_level = std::to_array<std::string_view>(
    {"CMakeLists.txt", "CMakePresets.json", "actors", "storage", "raft", "protocol", "apps",
     "config", "tests", "README.md", "docs", "packaging", "cmake", "dev", "LICENSE", "SECURITY.md",
     "CHANGELOG.md", "CONTRIBUTING.md"});

/// Folders that hold no sources when git cannot tell.
constexpr auto never_sources =
    std::to_array<std::string_view>({".git", "build", "data", ".cache", "__pycache__"});

bool has_extension(const std::string& path, std::initializer_list<std::string_view> extensions) {
  return std::ranges::any_of(extensions, [&](std::string_view e) { return path.ends_with(e); });
}

/// What people write by hand and read in an editor.
bool is_source(const std::string& path) {
  return is_cpp(path) || path == "dev" || path == ".ci/run" ||
         has_extension(path, {".sh", ".py", ".js", ".css", ".cmake", "CMakeLists.txt"});
}

bool is_test_data(const std::string& path) {
  return path.find("/testdata/") != std::string::npos || path.starts_with("tests/fuzz/corpus/");
}

using line_visitor = std::function<void(std::size_t number, std::string_view line)>;

void for_each_line(std::string_view text, const line_visitor& visit) {
  std::size_t number = 0;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    visit(++number, text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

/// Characters, not bytes: continuation bytes of UTF-8 take no column.
std::size_t columns(std::string_view line) {
  return static_cast<std::size_t>(std::ranges::count_if(
      line, [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

/// One finding per line that contains one of `words`.
findings find_words(const source_file& file, std::initializer_list<std::string> words,
                    const std::string& advice) {
  findings found;
  for_each_line(file.text, [&](std::size_t number, std::string_view line) {
    for (const auto& word : words)
      if (line.find(word) != std::string_view::npos) {
        found.push_back({file.path, number, "contains '" + word + "'; " + advice});
        return;
      }
  });
  return found;
}

std::string read_text(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(in), {}};
  return text.find('\0') == std::string::npos ? text : std::string();
}

/// The paths that git lists, separated by NUL; empty when git is not there or refuses.
std::vector<std::string> git_paths(const fs::path& top) {
  const auto command = "git -c safe.directory='*' -C '" + top.string() +
                       "' ls-files -z -co --exclude-standard 2>/dev/null";
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command.c_str(), "r"), &pclose);
  std::vector<std::string> paths;
  std::string path;
  if (pipe)
    for (int c = std::fgetc(pipe.get()); c != EOF; c = std::fgetc(pipe.get())) {
      if (c != 0) {
        path.push_back(static_cast<char>(c));
        continue;
      }
      paths.push_back(std::move(path));
      path.clear();
    }
  return paths;
}

std::vector<std::string> walked_paths(const fs::path& top) {
  std::vector<std::string> paths;
  auto at = fs::recursive_directory_iterator(top);
  for (; at != fs::recursive_directory_iterator(); ++at) {
    if (std::ranges::find(never_sources, at->path().filename().string()) != never_sources.end())
      at.disable_recursion_pending();
    else if (at->is_regular_file())
      paths.push_back(at->path().lexically_relative(top).generic_string());
  }
  return paths;
}

} // namespace

std::string to_string(const findings& all) {
  std::string text;
  for (const auto& [path, line, message] : all)
    text += "\n" + path + (line ? ":" + std::to_string(line) : "") + ": " + message;
  return text;
}

std::vector<source_file> tree_files(const fs::path& top) {
  auto paths = git_paths(top);
  if (paths.empty())
    paths = walked_paths(top);
  std::ranges::sort(paths);
  std::vector<source_file> files;
  for (auto& path : paths)
    if (fs::is_regular_file(top / path))
      files.push_back({path, read_text(top / path)});
  return files;
}

bool is_cpp(const std::string& path) {
  return has_extension(path, {".cpp", ".hpp"});
}

bool is_header(const std::string& path) {
  return path.ends_with(".hpp");
}

findings check_header(const source_file& file) {
  if (!is_header(file.path))
    return {};
  findings found;
  bool once = false;
  for_each_line(file.text, [&](std::size_t number, std::string_view line) {
    once = once || line == "#pragma once";
    if (line.find("using "
                  "namespace ") != std::string_view::npos)
      found.push_back({file.path, number,
                       "opens a namespace in a header, for all who include it; name what you use"});
  });
  if (!once)
    found.push_back({file.path, 1, "has no #pragma once; add it below the head comment"});
  if (!file.text.starts_with("//"))
    found.push_back({file.path, 1, "has no head comment; say what the file is and what it is not"});
  return found;
}

findings check_size(const source_file& file) {
  if (!is_source(file.path) || is_test_data(file.path))
    return {};
  findings found;
  std::size_t lines = 0;
  for_each_line(file.text, [&](std::size_t number, std::string_view line) {
    lines = number;
    if (const auto width = columns(line); width > columns_max)
      found.push_back({file.path, number,
                       "has " + std::to_string(width) + " columns; break the line at " +
                           std::to_string(columns_max)});
  });
  if (lines > lines_max)
    found.push_back({file.path, 0,
                     "has " + std::to_string(lines) + " lines, more than " +
                         std::to_string(lines_max) + "; split it by concern"});
  return found;
}

findings check_whitespace(const source_file& file) {
  if (is_test_data(file.path) || file.text.empty())
    return {};
  findings found;
  for_each_line(file.text, [&](std::size_t number, std::string_view line) {
    if (line.ends_with(' ') || line.ends_with('\t') || line.ends_with('\r'))
      found.push_back({file.path, number, "ends in white space; remove it"});
    else if (line.find('\t') != std::string_view::npos)
      found.push_back({file.path, number, "contains a tab; use spaces"});
  });
  if (file.text.back() != '\n')
    found.push_back({file.path, 0, "does not end in a newline; add one"});
  return found;
}

findings check_breaks(const source_file& file) {
  if (!is_cpp(file.path))
    return {};
  static const std::regex title("^ *// -- .*[^-]$");
  static const std::regex ruler("^ *// -+$");
  static const std::regex lone_word("^ +\"[a-z]+ \"$");
  findings found;
  bool after_title = false;
  for_each_line(file.text, [&](std::size_t number, std::string_view line) {
    const auto is = [&](const std::regex& what) {
      return std::regex_match(line.begin(), line.end(), what);
    };
    if (after_title && is(ruler))
      found.push_back({file.path, number, "is the ruler of the title above; make it one line"});
    if (is(lone_word) && !file.path.starts_with("tests/tidy/"))
      found.push_back({file.path, number, "is one word of a string; fill the lines again"});
    after_title = is(title);
  });
  return found;
}

// The words below are put together from parts, so that this file passes its own rules.

findings check_sleep(const source_file& file) {
  if (!file.path.starts_with("tests/") || is_test_data(file.path))
    return {};
  const std::string advice = "tests never wait for real time: use virtual time, or block on the "
                             "event itself with a deadline";
  if (is_cpp(file.path))
    return find_words(file,
                      {"sleep"
                       "_for",
                       "sleep"
                       "_until",
                       "u"
                       "sleep",
                       "nano"
                       "sleep",
                       "this_thread::"
                       "sleep"},
                      advice);
  findings found;
  static const std::regex pause(R"((^|[;&|({\s])sl)"
                                R"(eep\s+[0-9.$]|time\.sl)"
                                R"(eep\()");
  for_each_line(file.text, [&](std::size_t number, std::string_view line) {
    if (std::regex_search(line.begin(), line.end(), pause))
      found.push_back({file.path, number, "sleeps; " + advice});
  });
  return found;
}

findings check_leftovers(const source_file& file) {
  if (!is_source(file.path))
    return {};
  return find_words(file,
                    {"TO"
                     "DO",
                     "FIX"
                     "ME",
                     "XX"
                     "X",
                     "not imple"
                     "mented",
                     "unimple"
                     "mented"},
                    "finish it (a mkdtemp template is written as std::string(6, 'X'))");
}

findings check_machine_paths(const source_file& file) {
  static const std::regex path_of_one_machine(R"((^|[^A-Za-z0-9_.])/(wo)"
                                              R"(rk|fa)"
                                              R"(rm|ho)"
                                              R"(me/[a-z]+|ro)"
                                              R"(ot)/|\.\./sha)"
                                              R"(red)");
  findings found;
  const std::string advice = "names a path that exists on one machine alone; use a relative one";
  if (std::regex_search(file.path, path_of_one_machine))
    found.push_back({file.path, 0, advice});
  for_each_line(file.text, [&](std::size_t number, std::string_view line) {
    if (line.find('/') != std::string_view::npos && line.size() < 4096 &&
        std::regex_search(line.begin(), line.end(), path_of_one_machine))
      found.push_back({file.path, number, advice});
  });
  return found;
}

findings check_place(const source_file& file) {
  findings found;
  const auto first = file.path.substr(0, file.path.find('/'));
  if (!first.starts_with('.') && std::ranges::find(top_level, first) == top_level.end())
    found.push_back({file.path, 0,
                     "lies outside of the layout; put it into one of the rooms, docs/ or "
                     "packaging/"});
  static const std::regex snake_case("[a-z0-9_]+\\.[ch]pp");
  const auto name = file.path.substr(file.path.rfind('/') + 1);
  if (is_cpp(file.path) && !std::regex_match(name, snake_case))
    found.push_back({file.path, 0, "is not named in snake_case; rename it"});
  return found;
}

} // namespace aqueduct::tidy
