#include "apps/aq/suggest.hpp"

#include <algorithm>
#include <vector>

namespace aqueduct::aq {

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before_last(b.size() + 1);
  std::vector<std::size_t> last(b.size() + 1);
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j)
    row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    before_last.swap(last);
    last.swap(row);
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t cost = a[i - 1] == b[j - 1] ? 0 : 1;
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + cost});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        row[j] = std::min(row[j], before_last[j - 2] + 1);
    }
  }
  return row[b.size()];
}

std::optional<std::string> nearest(std::string_view word, std::span<const std::string> candidates) {
  std::optional<std::string> best;
  // Two slips, or one in a short word; a beginning of a word counts as one.
  std::size_t best_distance = word.size() <= 3 ? 2 : 3;
  for (const auto& each : candidates) {
    const bool is_beginning = word.size() >= 2 && each.starts_with(word);
    const auto distance = is_beginning ? 1 : edit_distance(word, each);
    if (distance < best_distance) {
      best = each;
      best_distance = distance;
    }
  }
  return best;
}

} // namespace aqueduct::aq
