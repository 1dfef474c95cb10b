#include "config/model.hpp"

#include <fmt/format.h>

#include <numeric>

namespace aqueduct::config {

namespace {

/// Levenshtein's distance, by one row of the usual table at a time.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    auto diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const auto above = row[j + 1];
      row[j + 1] = std::min({above + 1, row[j] + 1, diagonal + (a[i] == b[j] ? 0 : 1)});
      diagonal = above;
    }
  }
  return row.back();
}

/// Underscores for dashes and capitals are what people mistype most: they cost nothing.
std::string simplified(std::string_view word) {
  std::string simple(word);
  for (char& c : simple)
    c = c == '_' ? '-' : c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return simple;
}

} // namespace

std::string_view section_of(std::string_view key) {
  const auto dot = key.rfind('.');
  return dot == std::string_view::npos ? std::string_view() : key.substr(0, dot);
}

std::string problem_text(const origin& where, std::string_view key, std::string_view message) {
  const auto place = where.name.empty() ? std::string() : to_string(where) + ": ";
  const auto name = key.empty() ? std::string() : std::string(key) + ": ";
  return place + name + std::string(message);
}

std::optional<std::string> nearest(std::string_view word, std::span<const std::string> known) {
  constexpr std::size_t word_size_max = 100;
  if (word.size() > word_size_max)
    return std::nullopt;
  const auto wanted = simplified(word);
  const std::string* best = nullptr;
  // Farther than a third of the word is another word, not a slip.
  auto best_distance = std::max<std::size_t>(2, word.size() / 3) + 1;
  for (const auto& candidate : known)
    if (const auto distance = edit_distance(wanted, simplified(candidate));
        distance < best_distance) {
      best = &candidate;
      best_distance = distance;
    }
  if (!best)
    return std::nullopt;
  return *best;
}

std::string unknown_key_text(std::string_view key, std::span<const std::string> known) {
  for (const auto& candidate : known) {
    if (section_of(candidate) == key)
      return "is a section, not a setting; set " + candidate + " or others of it";
    if (key.starts_with(candidate + "."))
      return "is unknown: " + candidate + " is a single setting";
  }
  if (const auto near = nearest(key, known))
    return "is unknown; did you mean " + *near + "?";
  return "is unknown";
}

unexpected refused(const problems& all) {
  return {errc::invalid_config, fmt::format("{}", fmt::join(all, "\n"))};
}

std::string toml_line(const setting_info& info, const value& held, std::string_view comment) {
  const auto section = section_of(info.key);
  const auto name = std::string_view(info.key).substr(section.empty() ? 0 : section.size() + 1);
  if (info.visible == visibility::secret)
    return fmt::format("# {} is secret and not shown  # {}", name, comment);
  return fmt::format("{} = {}  # {}", name, print_toml_value(info.type, held), comment);
}

} // namespace aqueduct::config
