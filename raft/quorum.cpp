// Majorities as order statistics.
#include "raft/quorum.hpp"

#include "raft/defects.hpp"

#include <algorithm>
#include <functional>

namespace aqueduct::raft {

namespace {

std::size_t needed(std::size_t voters) {
  return has_defect(defect::half_is_enough) ? std::max<std::size_t>(voters / 2, 1)
                                            : majority(voters);
}

/// The largest value that a majority has reached: the median, rounded down.
template <class T>
T majority_value(std::vector<T>& values) {
  if (values.empty())
    return T{};
  const auto at = values.begin() + static_cast<std::ptrdiff_t>(needed(values.size()) - 1);
  std::nth_element(values.begin(), at, values.end(), std::greater<>{});
  return *at;
}

} // namespace

log_index reached_by_majority(std::vector<log_index> match) {
  return majority_value(match);
}

std::uint64_t confirmed_by_majority(std::vector<std::uint64_t> rounds) {
  return majority_value(rounds);
}

election_result tally(std::size_t voters, std::size_t granted, std::size_t refused) {
  if (granted >= needed(voters))
    return election_result::won;
  return refused + needed(voters) > voters ? election_result::lost : election_result::open;
}

} // namespace aqueduct::raft
