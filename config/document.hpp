// Where settings come from: files, variables and arguments, each read into the same flat list of
// entries. Nothing here knows which keys exist or what they mean.
#pragma once

#include "config/value.hpp"
#include "protocol/result.hpp"

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace aqueduct::config {

/// Where a value was given.
struct origin {
  /// In the order of precedence: a later one wins.
  enum class source : std::uint8_t { standard, file, environment, command_line };

  source from = source::standard;
  /// The file, the variable or the option; empty for a default, and for a value of a request.
  std::string name;
  /// Position in the file, from 1; 0 when there is none.
  std::uint32_t line = 0;
  std::uint32_t column = 0;

  friend bool operator==(const origin&, const origin&) = default;
};

/// "default", "aqueduct.toml:12:9", "environment AQUEDUCT_LISTEN", "command line --listen".
[[nodiscard]] std::string to_string(const origin& where);

/// One setting as given: `raw` has the position of the value, `where` that of the key.
struct entry {
  std::string key;
  raw_value raw;
  origin where;
};

/// The text of a TOML document as entries. `name` is the file's name for messages. The error
/// (`invalid_config`) names file, line and column.
[[nodiscard]] result<std::vector<entry>> read_toml(std::string_view text, const std::string& name);
/// The same for YAML.
[[nodiscard]] result<std::vector<entry>> read_yaml(std::string_view text, const std::string& name);
/// Reads a file of at most 1 MiB, as TOML or YAML by its extension (.toml, .yaml, .yml).
[[nodiscard]] result<std::vector<entry>> read_file(const std::filesystem::path& path);

/// The variable of a key: "storage.flush-interval" is AQUEDUCT_STORAGE_FLUSH_INTERVAL.
[[nodiscard]] std::string environment_name(std::string_view key);

/// Variables that begin with AQUEDUCT_ and set nothing of the node: `aq` reads them, or they name
/// the configuration file.
[[nodiscard]] std::span<const std::string_view> reserved_variables();

/// Name and value of a variable, or key and value of an assignment.
using named_text = std::pair<std::string, std::string>;

/// The variables of `environ` that begin with AQUEDUCT_, without the reserved ones.
[[nodiscard]] std::vector<named_text> environment_variables(const char* const* environ);

} // namespace aqueduct::config
