// The command tree of `aq`: which verbs there are, how their options are called, what their help
// says. What a verb does is elsewhere; a verb registers an action that is run once everything has
// been parsed and checked.
#pragma once

#include "apps/aq/session.hpp"

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace CLI {
class App;
class Option;
} // namespace CLI

namespace aqueduct::aq {

class command_line {
public:
  using action = std::function<exit_code(session&)>;

  command_line();
  ~command_line();
  command_line(const command_line&) = delete;
  command_line& operator=(const command_line&) = delete;

  [[nodiscard]] CLI::App& root() { return *root_; }
  [[nodiscard]] global_options& globals() { return globals_; }

  /// A verb with verbs below it.
  CLI::App& add_group(CLI::App& parent, std::string name, std::string description);
  /// A verb that does something. `examples`: complete command lines, one per line.
  CLI::App& add_verb(CLI::App& parent, std::string name, std::string description,
                     std::string_view examples, action run);

  /// Parses and runs. Never throws.
  exit_code run(std::span<const std::string> arguments, const surroundings& around);

  /// Where the last of `words` stands in the tree, for completion and for suggestions.
  struct cursor {
    CLI::App* at = nullptr;
    /// The option that waits for its value.
    CLI::Option* pending = nullptr;
    /// Words that are values of positionals of `at`.
    std::size_t positionals = 0;
    /// The first word that should be the name of a verb and is not.
    std::string unknown_verb;
    /// The first option that nobody knows.
    std::string unknown_option;
    /// The option that would take `pending`'s place is written with its value: `--output=`.
    bool after_dashes = false;
  };
  [[nodiscard]] cursor walk(std::span<const std::string> words);

  /// The words that lead to `app`: "aq topic create".
  [[nodiscard]] static std::string path_of(const CLI::App& app);
  [[nodiscard]] static std::string help_of(const CLI::App& app);
  /// Verbs that do something, in the order of the help.
  [[nodiscard]] std::vector<CLI::App*> leaves();

private:
  void add_global_options();
  exit_code run_parsed(const surroundings& around);
  exit_code report_usage(const surroundings& around, std::string_view what,
                         std::span<const std::string> arguments);

  global_options globals_;
  std::unique_ptr<CLI::App> root_;
  /// What runs for each verb. Invariant: every leaf of the tree has one.
  std::vector<std::pair<const CLI::App*, action>> actions_;
};

// Each adds the verbs of one subject.
void add_topic_verbs(command_line& line);
void add_produce_verb(command_line& line);
void add_consume_verb(command_line& line);
void add_group_verbs(command_line& line);
void add_cluster_verbs(command_line& line);
void add_broker_verbs(command_line& line);
void add_raft_verbs(command_line& line);
void add_admin_verbs(command_line& line);
void add_log_verbs(command_line& line);
void add_config_verbs(command_line& line);
void add_bench_verbs(command_line& line);
void add_doctor_verb(command_line& line);
void add_top_verb(command_line& line);
void add_help_verbs(command_line& line);
void add_completion_verbs(command_line& line);

/// What `aq __complete WORDS...` answers, one per line; `:files` stands for files.
exit_code answer_completion(command_line& line, std::span<const std::string> words,
                            const surroundings& around);

/// Help texts on subjects that several verbs share; empty if there is none of that name.
[[nodiscard]] std::string_view help_topic(std::string_view name);

/// docs/aq.md, which `aq __reference` prints.
[[nodiscard]] std::string command_reference(command_line& line);

/// What main() does: signal handlers, streams, exit code.
int run_process(int argc, char** argv);

} // namespace aqueduct::aq
