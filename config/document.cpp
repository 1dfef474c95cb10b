// What the sources have in common; the formats are in toml_document.cpp and yaml_document.cpp.
#include "config/document.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>

namespace aqueduct::config {

namespace {

constexpr std::size_t file_bytes_max = 1 << 20;
constexpr std::string_view variable_prefix = "AQUEDUCT_";

constexpr auto reserved =
    std::to_array<std::string_view>({"AQUEDUCT_CONFIG", "AQUEDUCT_BROKER", "AQUEDUCT_ADMIN",
                                     "AQUEDUCT_OUTPUT", "AQUEDUCT_TIMEOUT"});

unexpected bad(std::string message) {
  return {errc::invalid_config, std::move(message)};
}

result<std::string> read_text(const std::filesystem::path& path) {
  std::error_code ec;
  if (std::filesystem::is_directory(path, ec))
    return bad(path.string() + ": is a directory; name a .toml or .yaml file");
  errno = 0;
  std::ifstream in(path, std::ios::binary);
  if (!in)
    return bad(fmt::format("{}: cannot be opened: {}", path.string(), std::strerror(errno)));
  std::string text(file_bytes_max + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(in.gcount()));
  if (in.bad())
    return bad(path.string() + ": cannot be read");
  if (text.size() > file_bytes_max)
    return bad(path.string() + ": is larger than 1 MiB, too large for a configuration file");
  return text;
}

} // namespace

std::string to_string(const origin& where) {
  switch (where.from) {
  case origin::source::standard:
    return "default";
  case origin::source::file:
    if (where.line == 0)
      return where.name;
    if (where.column == 0)
      return fmt::format("{}:{}", where.name, where.line);
    return fmt::format("{}:{}:{}", where.name, where.line, where.column);
  case origin::source::environment:
    return "environment " + where.name;
  case origin::source::command_line:
    break;
  }
  return "command line " + where.name;
}

result<std::vector<entry>> read_file(const std::filesystem::path& path) {
  const auto extension = path.extension();
  const bool toml = extension == ".toml";
  if (!toml && extension != ".yaml" && extension != ".yml")
    return bad(path.string() + ": has the unknown extension '" + extension.string() +
               "'; configuration files end in .toml, .yaml or .yml");
  const auto text = read_text(path);
  if (!text)
    return text.propagate();
  return toml ? read_toml(*text, path.string()) : read_yaml(*text, path.string());
}

std::string environment_name(std::string_view key) {
  std::string name(variable_prefix);
  for (const char c : key)
    name.push_back(c == '.' || c == '-'   ? '_'
                   : c >= 'a' && c <= 'z' ? static_cast<char>(c - 32)
                                          : c);
  return name;
}

std::span<const std::string_view> reserved_variables() {
  return reserved;
}

std::vector<named_text> environment_variables(const char* const* environ) {
  std::vector<named_text> found;
  for (; environ && *environ; ++environ) {
    const std::string_view variable = *environ;
    const auto equals = variable.find('=');
    const auto name = variable.substr(0, equals);
    if (equals == std::string_view::npos || !name.starts_with(variable_prefix) ||
        std::ranges::find(reserved, name) != reserved.end())
      continue;
    found.emplace_back(name, variable.substr(equals + 1));
  }
  return found;
}

} // namespace aqueduct::config
