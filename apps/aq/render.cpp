#include "apps/aq/render.hpp"

#include "apps/aq/encoding.hpp"
#include "apps/aq/render_formats.hpp"
#include "apps/aq/units.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <numeric>

namespace aqueduct::aq {

namespace {

constexpr auto format_names = std::to_array<std::pair<std::string_view, output_format>>({
    {"table", output_format::table},
    {"wide", output_format::wide},
    {"json", output_format::json},
    {"jsonl", output_format::jsonl},
    {"yaml", output_format::yaml},
    {"csv", output_format::csv},
    {"name", output_format::name},
});

bool equals_ignoring_case(std::string_view a, std::string_view b) {
  return std::ranges::equal(
      a, b, [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

result<std::size_t> find_column(const table& rows, std::string_view name) {
  for (std::size_t i = 0; i < rows.columns.size(); ++i)
    if (equals_ignoring_case(rows.columns[i].key, name) ||
        equals_ignoring_case(rows.columns[i].title, name))
      return i;
  std::string known;
  for (const auto& each : rows.columns)
    known += (known.empty() ? "" : ", ") + each.key;
  return unexpected(errc::invalid_request,
                    fmt::format("there is no column \"{}\"; the columns are {}", name, known));
}

/// Orders numbers by size, everything else as text; what is not known comes first.
bool is_less(const value& a, const value& b) {
  const auto number = [](const value& v) -> std::optional<double> {
    if (const auto* whole = std::get_if<std::int64_t>(&v.data))
      return static_cast<double>(*whole);
    if (const auto* real = std::get_if<double>(&v.data))
      return *real;
    return std::nullopt;
  };
  const auto left = number(a);
  const auto right = number(b);
  if (left && right)
    return *left < *right;
  if (a.is_null() || b.is_null())
    return a.is_null() && !b.is_null();
  return to_display(a, kind::text) < to_display(b, kind::text);
}

result<void> sort_rows(table& rows, std::string_view by) {
  const bool descending = by.starts_with('-');
  const auto index = find_column(rows, descending ? by.substr(1) : by);
  if (!index)
    return index.propagate();
  std::ranges::stable_sort(rows.rows, [&](const auto& a, const auto& b) {
    return descending ? is_less(b[*index], a[*index]) : is_less(a[*index], b[*index]);
  });
  return {};
}

result<void> choose_columns(table& rows, const std::vector<std::string>& names) {
  std::vector<std::size_t> indexes;
  for (const auto& name : names) {
    const auto index = find_column(rows, name);
    if (!index)
      return index.propagate();
    indexes.push_back(*index);
  }
  const auto pick = [&](const auto& all) {
    std::decay_t<decltype(all)> some;
    for (const auto index : indexes)
      some.push_back(all[index]);
    return some;
  };
  rows.columns = pick(rows.columns);
  // Who names a column wants to see it.
  for (auto& each : rows.columns)
    each.wide = false;
  for (auto& row : rows.rows)
    row = pick(row);
  return {};
}

std::string number_to_display(std::int64_t number, kind how) {
  switch (how) {
  case kind::bytes:
    return number < 0 ? "-" : format_bytes(static_cast<std::uint64_t>(number));
  case kind::time:
    return number < 0 ? "-" : format_time(timestamp_ms(number));
  case kind::duration:
    return number < 0 ? "-" : format_duration(std::chrono::milliseconds(number));
  case kind::text:
  case kind::number:
    break;
  }
  return std::to_string(number);
}

} // namespace

std::optional<output_format> parse_output_format(std::string_view name) {
  for (const auto& [each, format] : format_names)
    if (each == name)
      return format;
  return std::nullopt;
}

std::string to_display(const value& content, kind how) {
  struct visitor {
    kind how;

    std::string operator()(std::monostate) const { return "-"; }
    std::string operator()(bool v) const { return v ? "yes" : "no"; }
    std::string operator()(std::int64_t v) const { return number_to_display(v, how); }
    std::string operator()(double v) const { return fmt::format("{:.2f}", v); }
    std::string operator()(const std::string& v) const { return v.empty() ? "-" : sanitized(v); }
    std::string operator()(const value::list& v) const {
      std::string text;
      for (const auto& each : v)
        text += (text.empty() ? "" : ",") + to_display(each, how);
      return text.empty() ? "-" : text;
    }
    std::string operator()(const value::object& v) const {
      std::string text;
      for (const auto& [key, each] : v)
        text += (text.empty() ? "" : " ") + key + "=" + to_display(each, kind::text);
      return text.empty() ? "-" : text;
    }
  };
  return std::visit(visitor{how}, content.data);
}

result<std::string> render(const document& doc, const render_options& options) {
  auto chosen = doc;
  if (!chosen.tables.empty()) {
    if (!options.sort.empty())
      if (auto sorted = sort_rows(chosen.tables.front(), options.sort); !sorted)
        return sorted.propagate();
    if (!options.columns.empty())
      if (auto picked = choose_columns(chosen.tables.front(), options.columns); !picked)
        return picked.propagate();
  }
  switch (options.format) {
  case output_format::json:
    return render_json(chosen);
  case output_format::jsonl:
    return render_jsonl(chosen);
  case output_format::yaml:
    return render_yaml(chosen);
  case output_format::csv:
    return render_csv(chosen, options.has_header);
  case output_format::name:
    return render_names(chosen);
  case output_format::table:
  case output_format::wide:
    break;
  }
  return render_table(chosen, options);
}

} // namespace aqueduct::aq
