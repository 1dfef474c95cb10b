// Documents as text: the formats of `--output`.
#pragma once

#include "apps/aq/document.hpp"
#include "protocol/result.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace aqueduct::aq {

enum class output_format : std::uint8_t { table, wide, json, jsonl, yaml, csv, name };

[[nodiscard]] std::optional<output_format> parse_output_format(std::string_view name);

struct render_options {
  output_format format = output_format::table;
  /// Keys or headings of the columns to show, in this order; empty shows all.
  std::vector<std::string> columns;
  /// Key or heading to sort by, with a leading `-` for descending order; empty keeps the order.
  std::string sort;
  bool has_header = true;
  bool has_color = false;
};

/// The text, ending in a newline unless it is empty. Fails with invalid_request when a column is
/// not one of the document's.
[[nodiscard]] result<std::string> render(const document& doc, const render_options& options);

/// Compact JSON.
void append_json(std::string& out, const value& content);

} // namespace aqueduct::aq
