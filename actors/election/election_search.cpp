#include "actors/election/election_search.hpp"

#include <utility>

namespace aqueduct::actors {

std::optional<std::int32_t> election_search::next() {
  auto node = std::exchange(told_, -1);
  if (node < 0 && !unasked_.empty())
    node = unasked_.front();
  if (node < 0 || asked_ == asked_max)
    return std::nullopt;
  ++asked_;
  std::erase(unasked_, node);
  return node;
}

} // namespace aqueduct::actors
