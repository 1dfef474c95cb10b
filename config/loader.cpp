#include "config/loader.hpp"

#include "config/node_model.hpp"

#include <iterator>

namespace aqueduct::config {

namespace {

/// Variables as entries of the keys that they stand for; a variable of no key is a problem.
std::vector<entry> environment_entries(const std::vector<named_text>& variables, problems& found) {
  std::map<std::string, std::string> key_of;
  std::vector<std::string> names;
  for (const auto& key : node_model().keys()) {
    names.push_back(environment_name(key));
    key_of.emplace(names.back(), key);
  }
  std::vector<entry> entries;
  for (const auto& [name, text] : variables) {
    const origin where{origin::source::environment, name, 0, 0};
    if (const auto key = key_of.find(name); key != key_of.end()) {
      entries.push_back({key->second, {raw_value::form::plain, text, {}, 0, 0}, where});
      continue;
    }
    const auto near = nearest(name, names);
    found.push_back(problem_text(where, "",
                                 "no setting has this variable" +
                                     (near ? "; did you mean " + *near + "?" : std::string())));
  }
  return entries;
}

std::vector<entry> argument_entries(const std::vector<argument>& arguments) {
  std::vector<entry> entries;
  for (const auto& [option, key, text] : arguments)
    entries.push_back({key,
                       {raw_value::form::plain, text, {}, 0, 0},
                       {origin::source::command_line, option, 0, 0}});
  return entries;
}

std::string shown(const setting<node_config>& row, const node_config& config) {
  return row.visible == visibility::secret ? "(secret)" : print_value(row.type, row.read(config));
}

} // namespace

result<loaded_config> load(const config_sources& sources) {
  const auto& model = node_model();
  loaded_config loaded;
  problems found;
  if (sources.file) {
    if (const auto entries = read_file(*sources.file))
      model.apply(*entries, loaded.values, loaded.given, found);
    else
      found.push_back(entries.error().message);
  }
  const auto variables = environment_entries(sources.environment, found);
  model.apply(variables, loaded.values, loaded.given, found);
  model.apply(argument_entries(sources.command_line), loaded.values, loaded.given, found);
  // A value that could not be read would make the comparison speak of its default.
  if (found.empty())
    found = conflicts(loaded.values, loaded.given);
  if (!found.empty())
    return refused(found);
  return loaded;
}

std::string print(const loaded_config& config) {
  return node_model().print(config.values, config.given);
}

std::vector<setting_change> changes(const node_config& before, const node_config& after) {
  std::vector<setting_change> all;
  for (const auto& row : node_model().rows())
    if (row.read(before) != row.read(after))
      all.push_back({row.key, shown(row, before), shown(row, after), row.reloading == reload::yes});
  return all;
}

result<node_config> reloaded(const node_config& before, const node_config& after) {
  auto merged = before;
  for (const auto& row : node_model().rows())
    if (row.reloading == reload::yes)
      row.write(merged, row.read(after));
  if (const auto found = conflicts(merged, {}); !found.empty())
    return refused(found);
  return merged;
}

} // namespace aqueduct::config
