// From sources to a checked `node_config`. Precedence: default < file < environment < command line.
#pragma once

#include "config/document.hpp"
#include "config/model.hpp"
#include "config/node_config.hpp"
#include "protocol/result.hpp"

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace aqueduct::config {

/// An assignment of the command line, and the option that made it ("--set", "--listen").
struct argument {
  std::string option;
  std::string key;
  std::string text;
};

/// Everything that settings are read from.
struct config_sources {
  std::optional<std::filesystem::path> file;
  /// As `environment_variables` returns them.
  std::vector<named_text> environment;
  std::vector<argument> command_line;
};

struct loaded_config {
  node_config values;
  origins given;
};

/// Reads and checks everything. On failure the error (`invalid_config`) has one line per problem,
/// all of them, each with its place; no partial result is returned.
[[nodiscard]] result<loaded_config> load(const config_sources& sources);

/// What `--print-config` shows: TOML that loads to the same values, each with its origin.
[[nodiscard]] std::string print(const loaded_config& config);

/// A setting that differs between two configurations, in canonical spelling (a secret's is not
/// shown).
struct setting_change {
  std::string key;
  std::string before;
  std::string after;
  /// False: the node keeps `before` until it is started again.
  bool reloadable = false;
};

/// What reading the settings again would change, in the order of the model.
[[nodiscard]] std::vector<setting_change> changes(const node_config& before,
                                                  const node_config& after);

/// `before` with the reloadable settings of `after`: what a running node may switch to. Fails with
/// `invalid_config` when they contradict settings that stay as they were.
[[nodiscard]] result<node_config> reloaded(const node_config& before, const node_config& after);

} // namespace aqueduct::config
