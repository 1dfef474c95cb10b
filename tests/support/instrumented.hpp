// What a build with a sanitizer cannot be held to.
#pragma once

#include <cstddef>

namespace aqueduct::test {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool is_instrumented = true;
#else
inline constexpr bool is_instrumented = false;
#endif

/// A bound on the memory of a process. Sanitizers keep what is freed for a while, and add to what
/// is not: with them the bound only tells growth without end.
[[nodiscard]] constexpr std::size_t memory_bound(std::size_t bytes) {
  return is_instrumented ? bytes * 16 : bytes;
}

} // namespace aqueduct::test
