// What the consensus core promises to itself, checked in every build. A broken invariant means that
// the core may no longer be trusted with the log: the owner of the group takes it out of service.
// Never used for what came from a disk or a peer: `core::create` refuses the former, `core::step`
// ignores the latter.
#pragma once

#include <stdexcept>
#include <string>

namespace aqueduct::raft {

/// A promise of the core to itself, or of its driver to the core, is broken. After it the core is
/// in no defined state: drop it, and rebuild it from what is durable only after somebody looked.
class invariant_violation : public std::logic_error {
public:
  using std::logic_error::logic_error;
};

/// Throws `invariant_violation` with the condition, the place and the values.
[[noreturn]] void fail_invariant(const char* condition, const char* file, int line,
                                 const std::string& values);

} // namespace aqueduct::raft

/// `values` is a std::string that shows the numbers involved; built only on failure.
#define RAFT_INVARIANT(condition, values)                                                          \
  do {                                                                                             \
    if (!(condition)) [[unlikely]]                                                                 \
      ::aqueduct::raft::fail_invariant(#condition, __FILE__, __LINE__, (values));                  \
  } while (false)
