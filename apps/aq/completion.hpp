// What can stand at the place where somebody pressed Tab.
#pragma once

#include "apps/aq/command_line.hpp"

#include <functional>
#include <span>
#include <string>
#include <vector>

namespace aqueduct::aq {

struct completions {
  /// Sorted; each begins with what was typed.
  std::vector<std::string> words;
  /// The shell should offer files instead.
  bool wants_files = false;
};

/// Names that the cluster knows. Each is asked for only where one can stand.
struct live_names {
  std::function<std::vector<std::string>()> topics;
  std::function<std::vector<std::string>()> groups;
};

/// `words` are those behind `aq` up to the cursor; the last one may be empty or a beginning.
[[nodiscard]] completions complete(command_line& line, std::span<const std::string> words,
                                   const live_names& names);

/// The script that makes `shell` (bash, zsh, fish) ask `aq __complete`; empty for other shells.
[[nodiscard]] std::string_view completion_script(std::string_view shell);

} // namespace aqueduct::aq
