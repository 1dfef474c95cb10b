// The command line of `aqueductd`: options, and what follows from them before a node is started.
#pragma once

#include "config/loader.hpp"

#include <string>
#include <string_view>
#include <variant>

namespace aqueduct::config {

/// Exit codes of sysexits.h that a command line can end with.
inline constexpr int exit_usage = 64;
inline constexpr int exit_config = 78;

/// The program is done: print `output` to standard output, `errors` to standard error (both end in
/// a newline when they are not empty) and exit with `status`.
struct program_exit {
  int status = 0;
  std::string output;
  std::string errors;
};

/// What the options ask for.
struct command_line {
  enum class action : std::uint8_t { run, check_config, print_config };

  action wanted = action::run;
  config_sources sources;
};

/// Reads the options. The configuration file is that of `--config`, else of AQUEDUCT_CONFIG.
/// `--help` and `--version` are exits with status 0, mistakes exits with `exit_usage`.
[[nodiscard]] std::variant<command_line, program_exit>
parse_command_line(int argc, const char* const* argv, const char* const* environ,
                   std::string_view version);

/// Reads the options and the settings. What comes back is a configuration to run with, or an exit:
/// after --check-config and --print-config with 0, for wrong settings with `exit_config`.
[[nodiscard]] std::variant<loaded_config, program_exit>
configure(int argc, const char* const* argv, const char* const* environ, std::string_view version);

} // namespace aqueduct::config
