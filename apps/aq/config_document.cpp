#include "apps/aq/config_document.hpp"

#include "config/node_model.hpp"

namespace aqueduct::aq {

document config_described(const config::loaded_config& loaded, bool changed_only) {
  document doc;
  auto& rows = doc.tables.emplace_back();
  rows.key = "settings";
  rows.columns = {{"key", "KEY"},
                  {"value", "VALUE"},
                  {"origin", "ORIGIN"},
                  {"reloadable", "RELOADABLE", kind::text, true},
                  {"allowed", "ALLOWED", kind::text, true}};
  for (const auto& row : config::node_model().rows()) {
    const auto given = loaded.given.find(row.key);
    if (changed_only && given == loaded.given.end())
      continue;
    const bool is_secret = row.visible == config::visibility::secret;
    rows.rows.push_back(
        {row.key,
         is_secret ? std::string("(secret)")
                   : config::print_value(row.type, row.read(loaded.values)),
         given == loaded.given.end() ? std::string("default") : to_string(given->second),
         row.reloading == config::reload::yes, config::kind_range(row.type)});
  }
  return doc;
}

} // namespace aqueduct::aq
