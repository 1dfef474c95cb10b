// aq config show|validate|template: the configuration of a node, offline.
#include "apps/aq/command_line.hpp"
#include "apps/aq/config_document.hpp"
#include "config/settings_reference.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <unistd.h>

#include <cstdlib>
#include <memory>

namespace aqueduct::aq {

namespace {

struct config_options {
  std::string file;
  std::vector<std::string> set;
  bool changed_only = false;
  bool no_environment = false;
};

config::config_sources sources_of(const config_options& options) {
  config::config_sources sources;
  const char* from_environment = std::getenv("AQUEDUCT_CONFIG");
  if (!options.file.empty())
    sources.file = options.file;
  else if (from_environment != nullptr && *from_environment != '\0')
    sources.file = from_environment;
  if (!options.no_environment)
    sources.environment = config::environment_variables(environ);
  for (const auto& text : options.set) {
    const auto equals = text.find('=');
    sources.command_line.push_back(
        {"--set", text.substr(0, equals),
         equals == std::string::npos ? std::string() : text.substr(equals + 1)});
  }
  return sources;
}

exit_code show(session& on, const config_options& options) {
  const auto loaded = config::load(sources_of(options));
  if (!loaded)
    return on.fail(loaded.error());
  return on.print(config_described(*loaded, options.changed_only));
}

exit_code validate(session& on, const config_options& options) {
  const auto loaded = config::load(sources_of(options));
  if (!loaded)
    return on.fail(loaded.error());
  document doc;
  doc.add("file", "FILE", options.file);
  doc.add("valid", "VALID", true);
  doc.add("settings_given", "SETTINGS", static_cast<std::int64_t>(loaded->given.size()),
          kind::number);
  return on.print(doc);
}

exit_code print_template(session& on) {
  on.out().write(config::default_config_file());
  return on.finish();
}

void add_common(CLI::App& verb, config_options& options, bool needs_file) {
  auto* file = verb.add_option("FILE", options.file, "Configuration file, .toml or .yaml")
                   ->type_name("FILE");
  if (needs_file)
    file->required();
  verb.add_option("-s,--set", options.set, "Setting on top of the file")
      ->allow_extra_args(false)
      ->type_name("KEY=VALUE");
  verb.add_flag("--no-environment", options.no_environment,
                "Leave the variables AQUEDUCT_* out of account");
}

} // namespace

void add_config_verbs(command_line& line) {
  auto& group = line.add_group(line.root(), "config", "Check and show the configuration of a node");

  auto shown = std::make_shared<config_options>();
  auto& show_verb = line.add_verb(group, "show", "Show every setting and where it comes from",
                                  "aq config show /etc/aqueduct/aqueduct.toml\n"
                                  "aq config show node.yaml --changed\n"
                                  "aq config show --set storage.flush=os --output json\n",
                                  [shown](session& on) { return show(on, *shown); });
  add_common(show_verb, *shown, false);
  show_verb.add_flag("--changed", shown->changed_only, "Only what differs from the defaults");

  auto checked = std::make_shared<config_options>();
  auto& validate_verb = line.add_verb(group, "validate", "Check a configuration file",
                                      "aq config validate /etc/aqueduct/aqueduct.toml\n"
                                      "aq config validate node.yaml --no-environment\n",
                                      [checked](session& on) { return validate(on, *checked); });
  add_common(validate_verb, *checked, true);

  line.add_verb(group, "template", "Print a configuration file with every setting explained",
                "aq config template > aqueduct.toml\n", print_template);
}

} // namespace aqueduct::aq
