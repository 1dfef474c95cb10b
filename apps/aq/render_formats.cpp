#include "apps/aq/render_formats.hpp"

#include "apps/aq/encoding.hpp"
#include "apps/aq/text_width.hpp"
#include "apps/aq/units.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace aqueduct::aq {

namespace {

constexpr std::int64_t schema_version = 1;

/// Adds a value under the key of its column; a time comes as text and as a number.
void add_member(value::object& object, const column& label, const value& content) {
  if (label.kind != kind::time) {
    object.emplace_back(label.key, content);
    return;
  }
  const auto* ms = std::get_if<std::int64_t>(&content.data);
  const bool is_known = ms != nullptr && *ms >= 0;
  object.emplace_back(label.key, is_known ? value(format_time(timestamp_ms(*ms))) : value());
  object.emplace_back(label.key + "_ms", is_known ? value(*ms) : value());
}

std::string utf8_of(const std::string& text) {
  return is_utf8(text) ? text : sanitized(text);
}

void append_number(std::string& out, double number) {
  // JSON knows neither infinity nor NaN.
  if (std::isfinite(number))
    fmt::format_to(std::back_inserter(out), "{}", number);
  else
    out += "null";
}

void append_pretty_json(std::string& out, const value& content, std::size_t depth) {
  const auto line = [&](std::size_t indent) {
    out += '\n';
    out.append(indent * 2, ' ');
  };
  if (const auto* list = std::get_if<value::list>(&content.data); list && !list->empty()) {
    const bool has_objects = std::holds_alternative<value::object>(list->front().data);
    if (!has_objects)
      return append_json(out, content);
    char separator = '[';
    for (const auto& each : *list) {
      out += std::exchange(separator, ',');
      line(depth + 1);
      append_pretty_json(out, each, depth + 1);
    }
    line(depth);
    out += ']';
  } else if (const auto* object = std::get_if<value::object>(&content.data);
             object && !object->empty()) {
    char separator = '{';
    for (const auto& [key, each] : *object) {
      out += std::exchange(separator, ',');
      line(depth + 1);
      append_json_string(out, key);
      out += ": ";
      append_pretty_json(out, each, depth + 1);
    }
    line(depth);
    out += '}';
  } else {
    append_json(out, content);
  }
}

/// Whether YAML reads `text` as this string without quotes, whichever version of YAML it is.
bool is_plain_yaml(std::string_view text) {
  constexpr auto reserved = std::to_array<std::string_view>(
      {"true", "false", "null", "yes", "no", "on", "off", "y", "n", "~"});
  const auto is_word = [](unsigned char c) {
    return std::isalnum(c) || c == '_' || c == '-' || c == '.' || c == '/';
  };
  std::string lower(text);
  std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return std::tolower(c); });
  return !text.empty() && std::isalpha(static_cast<unsigned char>(text.front())) &&
         std::ranges::all_of(text, is_word) && std::ranges::find(reserved, lower) == reserved.end();
}

void append_yaml(std::string& out, const value& content, std::size_t depth);

void append_yaml_members(std::string& out, const value::object& object, std::size_t depth,
                         bool first_is_indented) {
  bool is_indented = first_is_indented;
  for (const auto& [key, each] : object) {
    if (!is_indented)
      out.append(depth * 2, ' ');
    is_indented = false;
    if (is_plain_yaml(key))
      out += key;
    else
      append_json_string(out, key);
    out += ':';
    append_yaml(out, each, depth + 1);
  }
}

/// Appends what stands behind a `key:`, with the line's end.
void append_yaml(std::string& out, const value& content, std::size_t depth) {
  if (const auto* list = std::get_if<value::list>(&content.data);
      list && !list->empty() && std::holds_alternative<value::object>(list->front().data)) {
    out += '\n';
    for (const auto& each : *list) {
      out.append((depth - 1) * 2, ' ');
      out += "- ";
      append_yaml_members(out, std::get<value::object>(each.data), depth, true);
    }
    return;
  }
  if (const auto* object = std::get_if<value::object>(&content.data); object && !object->empty()) {
    out += '\n';
    append_yaml_members(out, *object, depth, false);
    return;
  }
  out += ' ';
  if (const auto* text = std::get_if<std::string>(&content.data); text && is_plain_yaml(*text))
    out += *text;
  else
    append_json(out, content);
  out += '\n';
}

void append_csv_cell(std::string& out, std::string_view text) {
  if (text.find_first_of(",\"\r\n") == std::string_view::npos) {
    out += text;
    return;
  }
  out += '"';
  for (const char c : text) {
    if (c == '"')
      out += '"';
    out += c;
  }
  out += '"';
}

/// What a cell of CSV holds: numbers without units, times in RFC 3339, nothing for null.
std::string csv_text(const value& content, kind how) {
  if (content.is_null())
    return {};
  if (const auto* number = std::get_if<std::int64_t>(&content.data)) {
    if (how == kind::time)
      return *number < 0 ? std::string() : format_time(timestamp_ms(*number));
    return std::to_string(*number);
  }
  if (const auto* flag = std::get_if<bool>(&content.data))
    return *flag ? "true" : "false";
  if (const auto* text = std::get_if<std::string>(&content.data))
    return *text;
  if (const auto* list = std::get_if<value::list>(&content.data); list && list->empty())
    return {};
  return to_display(content, kind::text);
}

bool is_right_aligned(kind how) {
  return how == kind::number || how == kind::bytes || how == kind::duration;
}

void append_table(std::string& out, const table& rows, const render_options& options) {
  std::vector<std::size_t> shown;
  for (std::size_t i = 0; i < rows.columns.size(); ++i)
    if (!rows.columns[i].wide || options.format == output_format::wide)
      shown.push_back(i);

  std::vector<std::vector<std::string>> cells;
  std::vector<std::size_t> widths(shown.size(), 0);
  for (const auto& row : rows.rows) {
    auto& texts = cells.emplace_back();
    for (std::size_t i = 0; i < shown.size(); ++i) {
      texts.push_back(to_display(row[shown[i]], rows.columns[shown[i]].kind));
      widths[i] = std::max(widths[i], display_width(texts.back()));
    }
  }
  const auto append_row = [&](const auto& text_of) {
    const auto start = out.size();
    for (std::size_t i = 0; i < shown.size(); ++i) {
      if (i > 0)
        out += "  ";
      append_padded(out, text_of(i), widths[i], is_right_aligned(rows.columns[shown[i]].kind));
    }
    // Blanks at the end of a line are noise when it is copied.
    while (out.size() > start && out.back() == ' ')
      out.pop_back();
  };
  if (options.has_header) {
    for (std::size_t i = 0; i < shown.size(); ++i)
      widths[i] = std::max(widths[i], display_width(rows.columns[shown[i]].title));
    if (options.has_color)
      out += "\x1b[1m";
    append_row([&](std::size_t i) -> std::string_view { return rows.columns[shown[i]].title; });
    out += options.has_color ? "\x1b[0m\n" : "\n";
  }
  for (const auto& row : cells) {
    append_row([&](std::size_t i) -> std::string_view { return row[i]; });
    out += '\n';
  }
}

} // namespace

void append_json(std::string& out, const value& content) {
  struct visitor {
    std::string& out;

    void operator()(std::monostate) const { out += "null"; }
    void operator()(bool v) const { out += v ? "true" : "false"; }
    void operator()(std::int64_t v) const { out += std::to_string(v); }
    void operator()(double v) const { append_number(out, v); }
    void operator()(const std::string& v) const { append_json_string(out, utf8_of(v)); }
    void operator()(const value::list& v) const {
      out += '[';
      for (std::size_t i = 0; i < v.size(); ++i) {
        if (i > 0)
          out += ',';
        append_json(out, v[i]);
      }
      out += ']';
    }
    void operator()(const value::object& v) const {
      out += '{';
      for (std::size_t i = 0; i < v.size(); ++i) {
        if (i > 0)
          out += ',';
        append_json_string(out, v[i].first);
        out += ':';
        append_json(out, v[i].second);
      }
      out += '}';
    }
  };
  std::visit(visitor{out}, content.data);
}

value to_value(const table& rows, const std::vector<value>& row) {
  value::object object;
  for (std::size_t i = 0; i < row.size(); ++i)
    add_member(object, rows.columns[i], row[i]);
  return object;
}

value to_value(const document& doc) {
  value::object object;
  object.emplace_back("v", schema_version);
  for (const auto& each : doc.facts)
    add_member(object, each.label, each.content);
  for (const auto& rows : doc.tables) {
    value::list list;
    for (const auto& row : rows.rows)
      list.push_back(to_value(rows, row));
    object.emplace_back(rows.key, std::move(list));
  }
  return object;
}

std::string render_json(const document& doc) {
  std::string out;
  append_pretty_json(out, to_value(doc), 0);
  out += '\n';
  return out;
}

std::string render_jsonl(const document& doc) {
  std::string out;
  if (doc.tables.empty()) {
    append_json(out, to_value(doc));
    out += '\n';
    return out;
  }
  const auto& rows = doc.tables.front();
  for (const auto& row : rows.rows) {
    append_json(out, to_value(rows, row));
    out += '\n';
  }
  return out;
}

std::string render_yaml(const document& doc) {
  std::string out;
  append_yaml_members(out, std::get<value::object>(to_value(doc).data), 0, false);
  return out;
}

std::string render_csv(const document& doc, bool has_header) {
  std::string out;
  if (doc.tables.empty()) {
    if (has_header)
      out += "key,value\n";
    for (const auto& each : doc.facts) {
      append_csv_cell(out, each.label.key);
      out += ',';
      append_csv_cell(out, csv_text(each.content, each.label.kind));
      out += '\n';
    }
    return out;
  }
  const auto& rows = doc.tables.front();
  const auto append_row = [&](const auto& text_of) {
    for (std::size_t i = 0; i < rows.columns.size(); ++i) {
      if (i > 0)
        out += ',';
      append_csv_cell(out, text_of(i));
    }
    out += '\n';
  };
  if (has_header)
    append_row([&](std::size_t i) { return rows.columns[i].key; });
  for (const auto& row : rows.rows)
    append_row([&](std::size_t i) { return csv_text(row[i], rows.columns[i].kind); });
  return out;
}

std::string render_names(const document& doc) {
  std::string out;
  if (doc.tables.empty()) {
    if (!doc.facts.empty())
      out = csv_text(doc.facts.front().content, doc.facts.front().label.kind) + "\n";
    return out;
  }
  const auto& rows = doc.tables.front();
  for (const auto& row : rows.rows)
    if (!row.empty())
      out += csv_text(row.front(), rows.columns.front().kind) + "\n";
  return out;
}

std::string render_table(const document& doc, const render_options& options) {
  std::string out;
  std::size_t width = 0;
  for (const auto& each : doc.facts)
    width = std::max(width, display_width(each.label.title));
  for (const auto& each : doc.facts) {
    append_padded(out, each.label.title, width, false);
    out += "  " + to_display(each.content, each.label.kind) + "\n";
  }
  for (const auto& rows : doc.tables) {
    // An empty list after other facts would be a heading over nothing.
    if (rows.rows.empty() && !out.empty())
      continue;
    if (!out.empty())
      out += '\n';
    append_table(out, rows, options);
  }
  return out;
}

} // namespace aqueduct::aq
