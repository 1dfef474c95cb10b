#include "apps/aq/command_line.hpp"

#include "apps/aq/suggest.hpp"
#include "apps/aq/units.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <csignal>

namespace aqueduct::aq {

namespace {

constexpr std::string_view everyday = "Everyday";
constexpr std::string_view globals_group = "Global options";

std::atomic<bool> interrupted_by_signal{false};

extern "C" void on_interrupt(int) {
  interrupted_by_signal.store(true, std::memory_order_relaxed);
}

/// Reading returns early (no SA_RESTART), so that the verb notices. A second Ctrl-C ends at once.
void install_signal_handlers() {
  struct sigaction interrupt {};
  interrupt.sa_handler = on_interrupt;
  interrupt.sa_flags = static_cast<int>(SA_RESETHAND);
  ::sigaction(SIGINT, &interrupt, nullptr);
  ::sigaction(SIGTERM, &interrupt, nullptr);
  struct sigaction ignore {};
  ignore.sa_handler = SIG_IGN;
  ::sigaction(SIGPIPE, &ignore, nullptr);
}

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const auto end = std::min(text.find(separator), text.size());
    if (end > 0)
      parts.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

bool has_positionals(CLI::App& app) {
  return std::ranges::any_of(app.get_options(),
                             [](const CLI::Option* o) { return o->get_positional(); });
}

CLI::App* find_verb(CLI::App& app, const std::string& name) {
  const auto below = app.get_subcommands({});
  const auto found = std::ranges::find(below, name, &CLI::App::get_name);
  return found == below.end() ? nullptr : *found;
}

CLI::Option* find_option(CLI::App* app, const std::string& name) {
  for (; app != nullptr; app = app->get_parent())
    for (auto* option : app->get_options())
      if (!option->get_positional() && option->check_name(name))
        return option;
  return nullptr;
}

bool takes_value(const CLI::Option& option) {
  return option.get_items_expected_max() > 0;
}

/// The option whose value is the word after `word`, a short form such as `-qb` among them.
CLI::Option* option_waiting_after(CLI::App* at, const std::string& word, bool& is_known) {
  is_known = true;
  if (word.find('=') != std::string::npos && word.starts_with("--")) {
    is_known = find_option(at, word.substr(0, word.find('='))) != nullptr;
    return nullptr;
  }
  if (word.starts_with("--")) {
    auto* option = find_option(at, word);
    is_known = option != nullptr;
    return option != nullptr && takes_value(*option) ? option : nullptr;
  }
  for (std::size_t i = 1; i < word.size(); ++i) {
    auto* option = find_option(at, std::string("-") + word[i]);
    if (option == nullptr) {
      is_known = false;
      return nullptr;
    }
    if (takes_value(*option))
      return i + 1 == word.size() ? option : nullptr;
  }
  return nullptr;
}

std::vector<std::string> verb_names(CLI::App& app) {
  std::vector<std::string> names;
  for (auto* each : app.get_subcommands({}))
    if (!each->get_group().empty())
      names.push_back(each->get_name());
  return names;
}

std::vector<std::string> option_names(CLI::App* app) {
  std::vector<std::string> names;
  for (; app != nullptr; app = app->get_parent())
    for (auto* option : app->get_options())
      for (const auto& name : option->get_lnames())
        names.push_back("--" + name);
  return names;
}

CLI::App* deepest_parsed(CLI::App* app) {
  for (auto chosen = app->get_subcommands(); !chosen.empty(); chosen = app->get_subcommands())
    app = chosen.front();
  return app;
}

/// The library's messages begin with a capital letter, ours do not.
std::string lower_first(std::string_view text) {
  std::string lowered(text);
  if (lowered.size() > 1 && std::isupper(static_cast<unsigned char>(lowered[0])) &&
      std::islower(static_cast<unsigned char>(lowered[1])))
    lowered[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(lowered[0])));
  return lowered;
}

bool asks_for_json(std::span<const std::string> arguments) {
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const auto& word = arguments[i];
    if (word.starts_with("--output=json"))
      return true;
    if (word == "--output" && i + 1 < arguments.size() && arguments[i + 1].starts_with("json"))
      return true;
  }
  return false;
}

} // namespace

command_line::command_line() : root_(std::make_unique<CLI::App>("", "aq")) {
  root_->description("aq: the command line of Aqueduct, a distributed message queue and log.");
  root_->set_help_flag("-h,--help", "Show help for a command");
  root_->set_version_flag("--version", "aq " AQUEDUCT_VERSION);
  root_->require_subcommand(1);
  root_->get_formatter()->column_width(34);
  add_global_options();
  add_topic_verbs(*this);
  add_produce_verb(*this);
  add_consume_verb(*this);
  add_group_verbs(*this);
  add_cluster_verbs(*this);
  add_broker_verbs(*this);
  add_raft_verbs(*this);
  add_admin_verbs(*this);
  add_log_verbs(*this);
  add_config_verbs(*this);
  add_bench_verbs(*this);
  add_doctor_verb(*this);
  add_top_verb(*this);
  add_help_verbs(*this);
  add_completion_verbs(*this);
  root_->footer("Examples:\n"
                "  aq topic create orders --partitions 6\n"
                "  echo hello | aq produce orders\n"
                "  aq consume orders -o start -e\n\n"
                "aq help offsets|formats|exit-codes|settings tells more; so does every command "
                "with --help.");
}

command_line::~command_line() = default;

CLI::App& command_line::add_group(CLI::App& parent, std::string name, std::string description) {
  auto* group = parent.add_subcommand(std::move(name), std::move(description));
  group->require_subcommand(1);
  group->fallthrough();
  group->group(&parent == root_.get() ? std::string(everyday) : "Commands");
  return *group;
}

CLI::App& command_line::add_verb(CLI::App& parent, std::string name, std::string description,
                                 std::string_view examples, action run) {
  auto* verb = parent.add_subcommand(std::move(name), std::move(description));
  verb->fallthrough();
  verb->group(&parent == root_.get() ? std::string(everyday) : "Commands");
  std::string footer = "Examples:\n";
  for (const auto& line : split(examples, '\n'))
    footer += "  " + line + "\n";
  verb->footer(footer + "\nThe options of all commands are in aq --help.");
  actions_.emplace_back(verb, std::move(run));
  return *verb;
}

void command_line::add_global_options() {
  const std::string group(globals_group);
  auto& app = *root_;
  app.add_option_function<std::string>(
         "-b,--broker", [this](const std::string& v) { globals_.brokers = split(v, ','); },
         "Brokers to start with, host:port,... (default 127.0.0.1:9092)")
      ->type_name("HOST:PORT,...")
      ->envname("AQUEDUCT_BROKER")
      ->group(group);
  app.add_option("--admin", globals_.admin,
                 "Admin address of a node, for the verbs that operate it")
      ->type_name("HOST:PORT")
      ->envname("AQUEDUCT_ADMIN")
      ->capture_default_str()
      ->group(group);
  app.add_option_function<std::string>(
         "--output",
         [this](const std::string& v) {
           const auto format = parse_output_format(v);
           if (!format)
             throw CLI::ValidationError("--output", "\"" + v +
                                                        "\" is not one of table, wide, json, "
                                                        "jsonl, yaml, csv, name");
           globals_.output.format = *format;
           globals_.has_output = true;
         },
         "table, wide, json, jsonl, yaml, csv or name")
      ->type_name("FORMAT")
      ->envname("AQUEDUCT_OUTPUT")
      ->group(group);
  app.add_option_function<std::string>(
         "--columns", [this](const std::string& v) { globals_.output.columns = split(v, ','); },
         "Columns to show, in this order")
      ->type_name("A,B,...")
      ->group(group);
  app.add_option("--sort", globals_.output.sort, "Column to sort by; -COLUMN for descending")
      ->type_name("COLUMN")
      ->group(group);
  app.add_flag_callback(
         "--no-header", [this] { globals_.output.has_header = false; }, "Leave out the headings")
      ->group(group);
  app.add_flag("-q,--quiet", globals_.quiet, "Only data and errors")->group(group);
  app.add_flag("-v,--verbose", globals_.verbose, "Say more about what happens")->group(group);
  app.add_option_function<std::string>(
         "--timeout",
         [this](const std::string& v) {
           const auto timeout = parse_duration(v);
           if (!timeout || timeout->count() == 0)
             throw CLI::ValidationError("--timeout",
                                        timeout ? "must be above 0" : timeout.error().message);
           globals_.timeout = *timeout;
         },
         "How long a request may take, as in 5s (default 30s)")
      ->type_name("DURATION")
      ->envname("AQUEDUCT_TIMEOUT")
      ->group(group);
  app.add_flag("-y,--yes", globals_.yes, "Do not ask before something is deleted")->group(group);
  app.add_flag("--dry-run", globals_.dry_run, "Say what would be done, do nothing")->group(group);
  app.add_option_function<std::string>(
         "--color",
         [this](const std::string& v) {
           globals_.color = v == "always"  ? color_mode::always
                            : v == "never" ? color_mode::never
                                           : color_mode::automatic;
         },
         "auto, always or never")
      ->check(CLI::IsMember({"auto", "always", "never"}))
      ->type_name("WHEN")
      ->group(group);
  app.add_flag("--no-progress", globals_.no_progress, "No progress bars")->group(group);
  app.add_option_function<std::vector<std::string>>(
         "-X",
         [this](const std::vector<std::string>& all) {
           for (const auto& each : all) {
             const auto equals = each.find('=');
             if (equals == std::string::npos || equals == 0)
               throw CLI::ValidationError("-X", "\"" + each + "\" is not key=value");
             globals_.settings.emplace_back(each.substr(0, equals), each.substr(equals + 1));
           }
         },
         "Setting of the client; see aq help settings")
      ->allow_extra_args(false)
      ->type_name("KEY=VALUE")
      ->group(group);
}

std::string command_line::path_of(const CLI::App& app) {
  const auto* parent = app.get_parent();
  return parent == nullptr ? app.get_name() : path_of(*parent) + " " + app.get_name();
}

std::string command_line::help_of(const CLI::App& app) {
  return app.get_formatter()->make_help(&app, path_of(app), CLI::AppFormatMode::Normal);
}

std::vector<CLI::App*> command_line::leaves() {
  std::vector<CLI::App*> found;
  const std::function<void(CLI::App*)> visit = [&](CLI::App* app) {
    const auto below = app->get_subcommands({});
    if (below.empty())
      found.push_back(app);
    for (auto* each : below)
      visit(each);
  };
  visit(root_.get());
  return found;
}

command_line::cursor command_line::walk(std::span<const std::string> words) {
  cursor place;
  place.at = root_.get();
  bool only_positionals = false;
  for (const auto& word : words) {
    if (std::exchange(place.pending, nullptr) != nullptr)
      continue;
    if (!only_positionals && word == "--") {
      only_positionals = true;
    } else if (!only_positionals && word.size() > 1 && word.front() == '-') {
      bool is_known = true;
      place.pending = option_waiting_after(place.at, word, is_known);
      if (!is_known && place.unknown_option.empty())
        place.unknown_option = word.substr(0, word.find('='));
    } else if (auto* below = find_verb(*place.at, word);
               below != nullptr && !only_positionals && place.positionals == 0) {
      place.at = below;
    } else if (!place.at->get_subcommands({}).empty() && !has_positionals(*place.at)) {
      place.unknown_verb = word;
      return place;
    } else {
      ++place.positionals;
    }
  }
  place.after_dashes = only_positionals;
  return place;
}

exit_code command_line::report_usage(const surroundings& around, std::string_view what,
                                     std::span<const std::string> arguments) {
  if (asks_for_json(arguments))
    globals_.output.format = output_format::json;
  session reporter(around, globals_);
  const auto place = walk(arguments);
  const auto path = path_of(*place.at);
  const auto help = fmt::format("{} --help shows how it is used", path);
  if (!place.unknown_verb.empty()) {
    const auto words = (path == "aq" ? "" : path.substr(3) + " ") + place.unknown_verb;
    const auto near = nearest(place.unknown_verb, verb_names(*place.at));
    const auto suggestion = near ? fmt::format(". Did you mean \"{}{}\"?",
                                               path == "aq" ? "" : path.substr(3) + " ", *near)
                                 : std::string();
    return reporter.fail(errc::invalid_request,
                         fmt::format("unknown command \"{}\"{}", words, suggestion), help);
  }
  if (!place.unknown_option.empty()) {
    const auto near = nearest(place.unknown_option, option_names(place.at));
    const auto suggestion = near ? fmt::format(". Did you mean {}?", *near) : std::string();
    return reporter.fail(
        errc::invalid_request,
        fmt::format("{} has no option {}{}", path, place.unknown_option, suggestion), help);
  }
  if (!place.at->get_subcommands({}).empty()) {
    std::string verbs;
    for (const auto& name : verb_names(*place.at))
      verbs += (verbs.empty() ? "" : ", ") + name;
    return reporter.fail(errc::invalid_request, fmt::format("{} needs a command: {}", path, verbs),
                         help);
  }
  return reporter.fail(errc::invalid_request, lower_first(what), help);
}

exit_code command_line::run(std::span<const std::string> arguments, const surroundings& around) {
  // Its words are half a command line; they must not be parsed as one.
  if (!arguments.empty() && arguments.front() == "__complete")
    return answer_completion(*this, arguments.subspan(1), around);
  if (arguments.size() == 1 && arguments.front() == "__reference") {
    output_stream(around.out).write(command_reference(*this));
    return exit_code::done;
  }
  std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());
  try {
    root_->parse(std::move(reversed));
  } catch (const CLI::CallForHelp&) {
    output_stream out(around.out);
    auto* app = deepest_parsed(root_.get());
    out.write(help_of(*app));
    return exit_code::done;
  } catch (const CLI::CallForVersion& version) {
    output_stream(around.out).write(std::string(version.what()) + "\n");
    return exit_code::done;
  } catch (const CLI::ParseError& problem) {
    return report_usage(around, problem.what(), arguments);
  }
  return run_parsed(around);
}

exit_code command_line::run_parsed(const surroundings& around) {
  const auto* verb = deepest_parsed(root_.get());
  const auto found = std::ranges::find(actions_, verb, &decltype(actions_)::value_type::first);
  session running(around, globals_);
  if (found == actions_.end())
    return running.fail(errc::internal, "this command does nothing");
  try {
    return found->second(running);
  } catch (const std::exception& problem) {
    return running.fail(errc::internal, problem.what(), "this is a defect of aq; please report it");
  }
}

int run_process(int argc, char** argv) {
  install_signal_handlers();
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  command_line line;
  surroundings around;
  around.interrupted = &interrupted_by_signal;
  return static_cast<int>(line.run(arguments, around));
}

} // namespace aqueduct::aq
