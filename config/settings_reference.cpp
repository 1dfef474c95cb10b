#include "config/settings_reference.hpp"

#include "config/node_model.hpp"
#include "config/topic_model.hpp"

#include <fmt/format.h>

namespace aqueduct::config {

namespace {

constexpr std::string_view introduction = R"(# Settings

This page is generated from the settings model by `./dev docs`; a test fails when it is out of date.

## Where settings come from

A setting is looked for in this order, and the last one that gives it wins:

1. its default, which is listed here;
2. the configuration file, `--config FILE`, else the one that `AQUEDUCT_CONFIG` names: TOML
   (`.toml`) or YAML (`.yaml`, `.yml`);
3. the environment: `storage.flush-interval` is `AQUEDUCT_STORAGE_FLUSH_INTERVAL`, the key in
   capitals with `_` for dots and dashes;
4. the command line: `--set storage.flush-interval=5s`, or the options `--listen` and `--data-dir`.

`aqueductd --print-config` shows every value with where it came from, as TOML that can be loaded
again. `aqueductd --check-config` only says whether everything is right. A key that is unknown or
given twice in one place, a value of the wrong type, one out of range, and settings that contradict
each other are refused, all of them in one go, with file, line and column; the exit status is 78. So
is a variable that begins with `AQUEDUCT_` and belongs to no setting, except for:
)";

constexpr std::string_view spelling_rules = R"(
## How values are written

- **Duration**: a whole number and `ms`, `s`, `m`, `h` or `d`: `10ms`, `5s`, `7d`. In TOML as a
  string.
- **Size**: a whole number and `B`, `KB`, `MB`, `GB`, `TB` (powers of 1000) or `KiB`, `MiB`, `GiB`,
  `TiB` (powers of 1024). In TOML as a string; a bare number is bytes.
- **Address**: `host:port`, an IPv6 address in brackets: `[::1]:9092`.
- **List**: a TOML or YAML list; in the environment and on the command line with commas between.
- `unlimited` stands for no limit where the range says so.

A setting marked *reloadable* may be changed in the file while the node runs: it is taken over on
SIGHUP. The others are taken at the start.
)";

constexpr std::string_view topic_introduction = R"(
## Settings of topics

A topic has settings of its own, in Kafka's spelling, given when it is created or changed later.
Durations are milliseconds and sizes are bytes, as in Kafka; values with units (`7d`, `1GiB`) are
understood too. Without them a topic follows the node.
)";

constexpr std::string_view file_head =
    R"(# The settings of a node of Aqueduct, each with its default. Remove the # in front of a
# line to change it. `aqueductd --check-config --config FILE` says whether a file is right,
# docs/settings.md says more. Generated from the settings model.
)";

std::string default_text(const kind& type, const value& held) {
  const auto text = print_value(type, held);
  return text.empty() ? "empty" : "`" + text + "`";
}

template <class C>
std::string reference_of(const setting<C>& row) {
  auto text =
      fmt::format("#### `{}`\n\n{}\n\n- Type: {}; {}\n- Default: {}\n", row.key, row.documentation,
                  kind_name(row.type), kind_range(row.type), default_text(row.type, row.read(C())));
  if (row.reloading == reload::yes)
    text += "- Reloadable\n";
  if (row.visible == visibility::secret)
    text += "- Secret: never printed\n";
  return text;
}

/// `text` broken at spaces, each line with `prefix` and at most 100 columns.
std::string wrapped(std::string_view text, std::string_view prefix) {
  constexpr std::size_t columns_max = 100;
  std::string out;
  while (!text.empty()) {
    const auto room = columns_max - prefix.size();
    auto length = text.size();
    if (length > room) {
      const auto space = text.rfind(' ', room);
      length = space == std::string_view::npos ? text.find(' ') : space;
    }
    out.append(prefix).append(text.substr(0, length)).append("\n");
    text.remove_prefix(
        std::min(text.size(), length == std::string_view::npos ? length : length + 1));
  }
  return out;
}

} // namespace

std::string settings_reference() {
  std::string text(introduction);
  text += "\n";
  for (const auto name : reserved_variables())
    text += fmt::format("- `{}`\n", name);
  text += spelling_rules;
  text += "\n## Settings of a node\n";
  std::string_view section = "none";
  for (const auto& row : node_model().rows()) {
    if (const auto own = section_of(row.key); own != section) {
      section = own;
      text += own.empty() ? "\n### Without a section\n" : fmt::format("\n### `[{}]`\n", own);
    }
    text += "\n" + reference_of(row);
  }
  text += topic_introduction;
  for (const auto& row : topic_model().rows())
    text += "\n" + reference_of(row);
  return text;
}

std::string default_config_file() {
  const node_config defaults;
  std::string text(file_head);
  std::string_view section;
  for (const auto& row : node_model().rows()) {
    if (const auto own = section_of(row.key); own != section) {
      section = own;
      text += fmt::format("\n[{}]\n", own);
    }
    const auto name = row.key.substr(section.empty() ? 0 : section.size() + 1);
    text += "\n" + wrapped(row.documentation, "# ");
    text += wrapped(kind_range(row.type) + ".", "# Allowed: ");
    text += fmt::format("#{} = {}\n", name, print_toml_value(row.type, row.read(defaults)));
  }
  return text;
}

} // namespace aqueduct::config
