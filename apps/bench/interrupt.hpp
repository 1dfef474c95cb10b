// Ctrl-C: the case under way ends, servers are stopped and data is removed as after any other case.
#pragma once

#include "protocol/result.hpp"

namespace aqueduct::bench {

/// Makes SIGINT and SIGTERM set `is_interrupted` instead of ending the program.
void catch_interrupts();
[[nodiscard]] bool is_interrupted();
/// Sleeps so long. Error: cancelled as soon as the user interrupts.
[[nodiscard]] result<void> wait_seconds(double seconds);

} // namespace aqueduct::bench
