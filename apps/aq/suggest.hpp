// "Did you mean": the nearest of a few words.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace aqueduct::aq {

/// Insertions, deletions, substitutions and swaps of neighbours that make one of the other (optimal
/// string alignment distance, Damerau 1964).
[[nodiscard]] std::size_t edit_distance(std::string_view a, std::string_view b);

/// The candidate nearest to `word`, if it is near enough to be a slip of the fingers.
[[nodiscard]] std::optional<std::string> nearest(std::string_view word,
                                                 std::span<const std::string> candidates);

} // namespace aqueduct::aq
