// The exit codes of `aq`: those of sysexits.h, so that scripts can tell a missing topic from a
// broker that does not answer. One table for all verbs.
#pragma once

#include "protocol/error.hpp"

#include <string_view>

namespace aqueduct::aq {

enum class exit_code : int {
  done = 0,
  failed = 1,
  /// The command line is wrong.
  usage = 64,
  bad_data = 65,
  not_found = 66,
  /// No broker can be reached.
  unreachable = 69,
  /// A defect of the broker or of this program.
  internal = 70,
  /// The request contradicts the present state.
  conflict = 73,
  /// Timed out or refused for now; the same command can succeed later.
  try_again = 75,
  denied = 77,
  config = 78,
  /// Ended by Ctrl-C: 128 and the number of the signal.
  interrupted = 130,
};

/// What a verb that ended with `code` exits with.
[[nodiscard]] exit_code exit_code_of(errc code);

} // namespace aqueduct::aq
