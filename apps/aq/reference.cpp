// The command reference, docs/aq.md, made of the same tree as the help.
#include "apps/aq/command_line.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

namespace aqueduct::aq {

namespace {

constexpr std::string_view introduction = R"(# aq

<!-- Generated from the command tree by `./dev docs`; a test compares. -->

The command line of Aqueduct: one binary for topics, records, operating a node, looking into its
files and measuring. Every command tells the following with `--help`.

- Data goes to standard output, everything else to standard error. Colours and bars appear on
  terminals only, and not with `NO_COLOR`, `TERM=dumb` or `-q`.
- `--output json` is one document (with `"v": 1`; fields are only ever added), or one line for each
  record or log entry that is printed. Sizes are in bytes; times are there twice, in RFC 3339 and,
  with `_ms`, in milliseconds since the epoch.
- What deletes says what will go, and wants the name typed on a terminal and `--yes` elsewhere.
- A closed pipe (`| head`) ends a command quietly; Ctrl-C ends it with a summary.

)";

std::string block(std::string_view text) {
  return fmt::format("```text\n{}```\n\n", text);
}

} // namespace

std::string command_reference(command_line& line) {
  std::string text(introduction);
  text += "## Options of all commands\n\n" + block(command_line::help_of(line.root()) + "\n");
  for (auto* leaf : line.leaves())
    text += fmt::format("## {}\n\n", command_line::path_of(*leaf)) +
            block(command_line::help_of(*leaf) + "\n");
  for (const auto* subject : {"offsets", "formats", "exit-codes", "settings"})
    text += fmt::format("## aq help {}\n\n", subject) + block(help_topic(subject));
  while (text.ends_with("\n\n"))
    text.pop_back();
  return text;
}

} // namespace aqueduct::aq
