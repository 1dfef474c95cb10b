#include "config/command_line.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <cstring>

namespace aqueduct::config {

namespace {

constexpr std::string_view file_variable = "AQUEDUCT_CONFIG";

/// The options as written, before they are given a meaning.
struct options {
  std::string file;
  std::string data_dir;
  std::string listen;
  std::vector<std::string> assignments;
  bool check_config = false;
  bool print_config = false;
  bool version = false;
};

void declare(CLI::App& app, options& given) {
  app.name("aqueductd");
  app.add_option("--config", given.file, "Settings as TOML or YAML")->type_name("FILE");
  app.add_option("--data-dir", given.data_dir, "Sets data.dir")->type_name("DIR");
  app.add_option("--listen", given.listen, "Sets listen")->type_name("HOST:PORT");
  app.add_option("--set", given.assignments, "Sets any setting; may be repeated")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
  auto* check = app.add_flag("--check-config", given.check_config,
                             "Says whether the settings are right, and ends");
  app.add_flag("--print-config", given.print_config,
               "Prints all settings as TOML, each with where it came from, and ends")
      ->excludes(check);
  app.add_flag("--version", given.version, "Prints the version, and ends");
  app.footer(
      "Settings come from defaults, then the file, then variables AQUEDUCT_SECTION_KEY, then\n"
      "the command line; docs/settings.md lists them all. AQUEDUCT_CONFIG names a file when\n"
      "--config does not.");
}

program_exit wrong_usage(const std::string& sentence) {
  return {exit_usage, "", "aqueductd: " + sentence + "\nTry aqueductd --help.\n"};
}

/// CLI11 names an unknown argument; this adds the option that was probably meant.
std::string unknown_argument(const CLI::App& app, const std::vector<std::string>& unknown) {
  std::vector<std::string> names;
  for (const auto* option : app.get_options())
    names.push_back(option->get_name());
  const auto word = unknown.empty() ? std::string() : unknown.front();
  const auto near = nearest(word.substr(0, word.find('=')), names);
  return "unknown argument '" + word + "'" + (near ? "; did you mean " + *near + "?" : "");
}

std::optional<std::string> variable(const char* const* environ, std::string_view name) {
  for (; environ && *environ; ++environ)
    if (const std::string_view entry = *environ;
        entry.size() > name.size() && entry.starts_with(name) && entry[name.size()] == '=')
      return std::string(entry.substr(name.size() + 1));
  return std::nullopt;
}

std::variant<command_line, program_exit> interpret(const CLI::App& app, const options& given,
                                                   const char* const* environ) {
  command_line line;
  if (given.check_config)
    line.wanted = command_line::action::check_config;
  if (given.print_config)
    line.wanted = command_line::action::print_config;
  if (app.count("--config") > 0)
    line.sources.file = given.file;
  else if (const auto file = variable(environ, file_variable); file && !file->empty())
    line.sources.file = *file;
  line.sources.environment = environment_variables(environ);
  auto& arguments = line.sources.command_line;
  if (app.count("--data-dir") > 0)
    arguments.push_back({"--data-dir", "data.dir", given.data_dir});
  if (app.count("--listen") > 0)
    arguments.push_back({"--listen", "listen", given.listen});
  for (const auto& assignment : given.assignments) {
    const auto equals = assignment.find('=');
    if (equals == std::string::npos || equals == 0)
      return wrong_usage("--set wants KEY=VALUE, not '" + assignment + "'");
    arguments.push_back({"--set", assignment.substr(0, equals), assignment.substr(equals + 1)});
  }
  return line;
}

/// The sentence that a valid configuration is confirmed with.
std::string confirmation(const config_sources& sources) {
  return fmt::format("the configuration{} is right\n",
                     sources.file ? " in " + sources.file->string() : std::string());
}

} // namespace

std::variant<command_line, program_exit> parse_command_line(int argc, const char* const* argv,
                                                            const char* const* environ,
                                                            std::string_view version) {
  CLI::App app("A node of Aqueduct, the distributed message queue and log.");
  options given;
  declare(app, given);
  // CLI11 reports by exceptions, --help among them; none leaves this function.
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    return program_exit{0, app.help(), ""};
  } catch (const CLI::ExtrasError&) {
    return wrong_usage(unknown_argument(app, app.remaining()));
  } catch (const CLI::ParseError& wrong) {
    return wrong_usage(wrong.what());
  }
  if (given.version)
    return program_exit{0, fmt::format("aqueductd {}\n", version), ""};
  return interpret(app, given, environ);
}

std::variant<loaded_config, program_exit>
configure(int argc, const char* const* argv, const char* const* environ, std::string_view version) {
  auto parsed = parse_command_line(argc, argv, environ, version);
  if (auto* exit = std::get_if<program_exit>(&parsed))
    return std::move(*exit);
  const auto& line = std::get<command_line>(parsed);
  auto loaded = load(line.sources);
  if (!loaded)
    return program_exit{exit_config, "",
                        "aqueductd: the configuration is wrong:\n" + loaded.error().message + "\n"};
  switch (line.wanted) {
  case command_line::action::check_config:
    return program_exit{0, confirmation(line.sources), ""};
  case command_line::action::print_config:
    return program_exit{0, print(*loaded), ""};
  case command_line::action::run:
    break;
  }
  return *std::move(loaded);
}

} // namespace aqueduct::config
