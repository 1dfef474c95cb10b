// Checks of what the code itself guarantees, active in every build. Never for bytes that came from
// a disk or a network: those get an `error`.
#pragma once

#include <stdexcept>
#include <string>

namespace aqueduct {

/// A promise of the code to itself is broken. Whoever owns the group that noticed takes the group
/// out of service; nothing catches this and carries on.
class invariant_violation : public std::logic_error {
public:
  using std::logic_error::logic_error;
};

[[noreturn]] void fail_invariant(const char* condition, const char* file, int line,
                                 const std::string& values);

} // namespace aqueduct

/// `values` is a std::string that shows the numbers involved; built only on failure.
#define AQUEDUCT_INVARIANT(condition, values)                                                      \
  do {                                                                                             \
    if (!(condition)) [[unlikely]]                                                                 \
      ::aqueduct::fail_invariant(#condition, __FILE__, __LINE__, (values));                        \
  } while (false)
