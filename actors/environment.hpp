// What actors may know of the outside world: time and chance. Given to them, so that a simulator
// can give them others.
#pragma once

#include "protocol/ids.hpp"

#include <cstdint>
#include <memory>

namespace aqueduct::actors {

/// Thread-safe.
class environment {
public:
  virtual ~environment() = default;
  /// Milliseconds since the Unix epoch; may jump.
  [[nodiscard]] virtual std::int64_t now_ms() = 0;
  /// Milliseconds of a clock that never goes back; for deadlines.
  [[nodiscard]] virtual std::int64_t steady_ms() = 0;
  [[nodiscard]] virtual std::uint64_t random() = 0;
};

/// Version 4 (RFC 4122) of what `env` draws.
[[nodiscard]] uuid random_uuid(environment& env);

/// The clocks of the machine and a generator seeded from the operating system.
[[nodiscard]] std::shared_ptr<environment> make_system_environment();

} // namespace aqueduct::actors
