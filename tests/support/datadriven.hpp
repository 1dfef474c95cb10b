// Golden scenarios as text files. A file is a row of blocks, each of them a command with optional
// further input lines, the line "----", and what it prints, up to an empty line:
//
//   # a comment
//   propose node=1
//   first
//   ----
//   persist 3 append 4@2
//
// With REWRITE=1 in the environment the outputs are written anew instead of compared. Only commit
// that if you understand what caused each difference.
#pragma once

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <sstream>
#include <string>
#include <vector>

namespace aqueduct::test {

/// One command of a scenario.
struct directive {
  std::string name;
  /// Words after the name that have no '='.
  std::vector<std::string> words;
  /// key=value words.
  std::map<std::string, std::string> arguments;
  /// Lines between the command and "----".
  std::vector<std::string> input;

  [[nodiscard]] std::string text(const std::string& key, const std::string& fallback = "") const {
    const auto at = arguments.find(key);
    return at == arguments.end() ? fallback : at->second;
  }
  [[nodiscard]] unsigned long long number(const std::string& key,
                                          unsigned long long fallback = 0) const {
    const auto at = arguments.find(key);
    return at == arguments.end() ? fallback : std::stoull(at->second);
  }
};

inline directive parse_directive(const std::string& line) {
  directive d;
  std::istringstream words(line);
  words >> d.name;
  for (std::string word; words >> word;) {
    if (const auto equals = word.find('='); equals != std::string::npos)
      d.arguments[word.substr(0, equals)] = word.substr(equals + 1);
    else
      d.words.push_back(word);
  }
  return d;
}

/// Runs every command of the file through `run`, which returns what it prints, with a newline after
/// each line and no empty line.
inline void run_scenario(const std::filesystem::path& path,
                         const std::function<std::string(const directive&)>& run) {
  const bool rewrite = std::getenv("REWRITE") != nullptr;
  std::ifstream file(path);
  REQUIRE_MESSAGE(file.good(), "cannot read ", path.string());
  std::ostringstream rewritten;
  std::string line;
  int number = 0;
  const auto next_line = [&] {
    ++number;
    return static_cast<bool>(std::getline(file, line));
  };
  while (next_line()) {
    if (line.empty() || line.front() == '#') {
      rewritten << line << '\n';
      continue;
    }
    const int begin = number;
    auto d = parse_directive(line);
    rewritten << line << '\n';
    while (next_line() && line != "----") {
      d.input.push_back(line);
      rewritten << line << '\n';
    }
    std::string expected;
    while (next_line() && !line.empty())
      expected += line + '\n';
    const auto actual = run(d);
    rewritten << "----\n" << actual << '\n';
    if (!rewrite)
      CHECK_MESSAGE(actual == expected, path.string(), ":", begin, ": ", d.name);
  }
  if (rewrite) {
    auto text = rewritten.str();
    while (text.size() > 1 && text[text.size() - 2] == '\n')
      text.pop_back();
    std::ofstream(path) << text;
  }
}

} // namespace aqueduct::test
