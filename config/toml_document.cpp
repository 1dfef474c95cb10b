#include "config/document.hpp"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <sstream>

namespace aqueduct::config {

namespace {

raw_value read_scalar(const toml::node& node) {
  raw_value raw;
  raw.line = node.source().begin.line;
  raw.column = node.source().begin.column;
  switch (node.type()) {
  case toml::node_type::string:
    raw.written = raw_value::form::quoted;
    raw.text = node.as_string()->get();
    break;
  case toml::node_type::boolean:
    raw.written = raw_value::form::boolean;
    raw.text = node.as_boolean()->get() ? "true" : "false";
    break;
  case toml::node_type::integer:
    raw.written = raw_value::form::integer;
    raw.text = std::to_string(node.as_integer()->get());
    break;
  case toml::node_type::floating_point:
    raw.written = raw_value::form::real;
    raw.text = fmt::format("{}", node.as_floating_point()->get());
    break;
  case toml::node_type::array:
    raw.written = raw_value::form::list;
    raw.text = "a list";
    break;
  case toml::node_type::table:
    raw.written = raw_value::form::other;
    raw.text = "a table";
    break;
  default:
    raw.written = raw_value::form::other;
    raw.text = "a date or time";
    break;
  }
  return raw;
}

raw_value read_node(const toml::node& node) {
  auto raw = read_scalar(node);
  // Lists hold scalars only; what is nested deeper is refused by its form.
  if (const auto* items = node.as_array())
    for (const auto& item : *items)
      raw.items.push_back(read_scalar(item));
  return raw;
}

void flatten(const toml::table& table, const std::string& prefix, const std::string& name,
             std::vector<entry>& out) {
  for (const auto& [key, node] : table) {
    const auto path = prefix + std::string(key.str());
    const auto* inner = node.as_table();
    if (inner && !inner->empty()) {
      flatten(*inner, path + ".", name, out);
      continue;
    }
    const auto at = key.source().begin;
    out.push_back({path, read_node(node), {origin::source::file, name, at.line, at.column}});
  }
}

} // namespace

result<std::vector<entry>> read_toml(std::string_view text, const std::string& name) {
  // toml++ reports errors by exceptions; none leaves this function.
  try {
    const auto document = toml::parse(text, name);
    std::vector<entry> entries;
    flatten(document, "", name, entries);
    return entries;
  } catch (const toml::parse_error& wrong) {
    const auto at = wrong.source().begin;
    return unexpected(errc::invalid_config,
                      fmt::format("{}:{}:{}: {}", name, at.line, at.column, wrong.description()));
  }
}

} // namespace aqueduct::config
