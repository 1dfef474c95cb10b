#include "storage/defects.hpp"

#ifdef AQUEDUCT_DEFECTS

#include <iterator>

namespace aqueduct::storage {

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
      "directory-not-synced",
      "torn-tail-accepted",
      "failed-sync-retried",
      "hard-state-not-synced",
      "closed-without-sync",
  };
  static_assert(std::size(names) == static_cast<std::size_t>(defect::count_));
  return names[static_cast<std::size_t>(which)];
}

} // namespace aqueduct::storage

#endif
