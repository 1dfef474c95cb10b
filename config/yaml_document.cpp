#include "config/document.hpp"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <optional>

namespace aqueduct::config {

namespace {

constexpr std::size_t depth_max = 8;
/// Aliases can make a small file expand into a huge document.
constexpr std::size_t entries_max = 10'000;

/// What went wrong, and where.
struct yaml_problem {
  YAML::Mark at;
  std::string message;
};

raw_value read_scalar(const YAML::Node& node) {
  raw_value raw;
  raw.line = static_cast<std::uint32_t>(node.Mark().line + 1);
  raw.column = static_cast<std::uint32_t>(node.Mark().column + 1);
  if (node.IsScalar()) {
    // yaml-cpp marks scalars in quotes with the tag "!".
    raw.written = node.Tag() == "!" ? raw_value::form::quoted : raw_value::form::plain;
    raw.text = node.Scalar();
  } else if (node.IsSequence()) {
    raw.written = raw_value::form::list;
    raw.text = "a list";
  } else {
    raw.written = raw_value::form::other;
    raw.text = node.IsMap() ? "a table" : "nothing";
  }
  return raw;
}

raw_value read_node(const YAML::Node& node) {
  auto raw = read_scalar(node);
  if (node.IsSequence())
    for (const auto& item : node)
      raw.items.push_back(read_scalar(item));
  return raw;
}

std::optional<yaml_problem> flatten(const YAML::Node& map, const std::string& prefix,
                                    const std::string& name, std::size_t depth,
                                    std::vector<entry>& out) {
  if (depth > depth_max)
    return yaml_problem{map.Mark(), "is nested too deep; settings are section.key"};
  for (const auto& pair : map) {
    if (!pair.first.IsScalar())
      return yaml_problem{pair.first.Mark(), "has a key that is not a name"};
    if (out.size() >= entries_max)
      return yaml_problem{pair.first.Mark(), "has too many entries"};
    const auto path = prefix + pair.first.Scalar();
    if (pair.second.IsMap() && pair.second.size() > 0) {
      if (auto problem = flatten(pair.second, path + ".", name, depth + 1, out))
        return problem;
      continue;
    }
    const auto at = pair.first.Mark();
    out.push_back({path,
                   read_node(pair.second),
                   {origin::source::file, name, static_cast<std::uint32_t>(at.line + 1),
                    static_cast<std::uint32_t>(at.column + 1)}});
  }
  return std::nullopt;
}

unexpected problem_at(const std::string& name, const YAML::Mark& at, const std::string& message) {
  return {errc::invalid_config,
          fmt::format("{}:{}:{}: {}", name, at.line + 1, at.column + 1, message)};
}

} // namespace

result<std::vector<entry>> read_yaml(std::string_view text, const std::string& name) {
  // yaml-cpp reports errors by exceptions; none leaves this function.
  try {
    const auto documents = YAML::LoadAll(std::string(text));
    std::vector<entry> entries;
    if (documents.empty() || documents.front().IsNull())
      return entries;
    if (documents.size() > 1)
      return problem_at(name, documents[1].Mark(), "holds several documents; write one");
    if (!documents.front().IsMap())
      return problem_at(name, documents.front().Mark(), "expected a table of settings");
    if (const auto problem = flatten(documents.front(), "", name, 0, entries))
      return problem_at(name, problem->at, problem->message);
    return entries;
  } catch (const YAML::Exception& wrong) {
    return problem_at(name, wrong.mark, wrong.msg);
  }
}

} // namespace aqueduct::config
