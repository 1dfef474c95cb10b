// Where a broken invariant is thrown.
#include "raft/invariant.hpp"

namespace aqueduct::raft {

void fail_invariant(const char* condition, const char* file, int line, const std::string& values) {
  throw invariant_violation(std::string(file) + ":" + std::to_string(line) + ": " + condition +
                            " does not hold: " + values);
}

} // namespace aqueduct::raft
