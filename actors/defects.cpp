#include "actors/defects.hpp"

#ifdef AQUEDUCT_DEFECTS

#include <iterator>

namespace aqueduct::actors {

namespace {

defect seeded = defect::none;

} // namespace

void seed_defect(defect which) {
  seeded = which;
}

bool has_defect(defect which) {
  return seeded == which;
}

std::string_view to_string(defect which) {
  constexpr std::string_view names[] = {
      "none",
      "write-error-ignored",
      "log-committed-at-restart",
      "acknowledged-when-proposed",
      "newest-batch-not-remembered",
      "repeats-appended",
      "uncommitted-given-away",
      "founded-anew",
      "stands-still-when-refused",
      "old-commits-taken",
      "offsets-forgotten-at-failover",
      "partition-given-twice",
      "silent-members-stay",
  };
  static_assert(std::size(names) == static_cast<std::size_t>(defect::count_));
  return names[static_cast<std::size_t>(which)];
}

} // namespace aqueduct::actors

#endif
