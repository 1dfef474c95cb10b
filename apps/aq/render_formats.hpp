// The formats behind render(): one function each, on a document whose columns and order are final.
#pragma once

#include "apps/aq/render.hpp"

namespace aqueduct::aq {

/// The document as one value: what JSON and YAML show. `"v"` is the version of the schema.
[[nodiscard]] value to_value(const document& doc);
/// One row as an object.
[[nodiscard]] value to_value(const table& rows, const std::vector<value>& row);

[[nodiscard]] std::string render_json(const document& doc);
[[nodiscard]] std::string render_jsonl(const document& doc);
[[nodiscard]] std::string render_yaml(const document& doc);
[[nodiscard]] std::string render_csv(const document& doc, bool has_header);
[[nodiscard]] std::string render_names(const document& doc);
[[nodiscard]] std::string render_table(const document& doc, const render_options& options);

} // namespace aqueduct::aq
