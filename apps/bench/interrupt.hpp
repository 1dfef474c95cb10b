// Ctrl-C: the case under way ends, servers are stopped and data is removed as after any other case.
#pragma once

namespace aqueduct::bench {

/// Makes SIGINT and SIGTERM set `is_interrupted` instead of ending the program.
void catch_interrupts();
[[nodiscard]] bool is_interrupted();

} // namespace aqueduct::bench
