// aq consume, as the command line sees it.
#include "apps/aq/command_line.hpp"
#include "apps/aq/consume.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <memory>
#include <string>

namespace aqueduct::aq {

namespace {

std::string check_count(const std::string& text) {
  const bool is_number = std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
  const bool is_zero = text.find_first_not_of('0') == std::string::npos;
  return is_number && !is_zero ? std::string() : "\"" + text + "\" is not a number above 0";
}

} // namespace

void add_consume_verb(command_line& line) {
  auto options = std::make_shared<consume_options>();
  auto& verb = line.add_verb(line.root(), "consume", "Print records, and follow new ones",
                             "aq consume orders\n"
                             "aq consume orders -o end\n"
                             "aq consume orders -o -10 -e\n"
                             "aq consume orders -o @-1h:end --output json\n"
                             "aq consume orders -p 0 -o 100:200 -f '%o %k=%v\\n'\n"
                             "aq consume orders -e --follower-read=bounded:500ms\n"
                             "aq consume orders -g billing\n"
                             "aq consume orders payments -n 5 --grep 'error|failed'\n",
                             [options](session& on) { return consume(on, *options); });
  auto& o = *options;
  verb.add_option("TOPIC", o.topics, "Names of the topics")->required()->type_name("TOPIC");
  verb.add_option("-o,--offset", o.offsets,
                  "Where to begin and to stop; see aq help offsets (default start)")
      ->type_name("OFFSETS");
  verb.add_option("-g,--group", o.group,
                  "Consume as a member of this group: its members share the partitions, and what "
                  "is printed is committed; -o start or end is for what it has not committed yet")
      ->type_name("GROUP");
  verb.add_option("-n,--count", o.count, "Stop after this many records")
      ->check(CLI::Validator(check_count, "", ""))
      ->type_name("N");
  verb.add_flag("-e,--exit-at-end", o.exit_at_end,
                "Stop at what was the end when the command started");
  verb.add_option("-p,--partitions", o.partitions, "Partitions, as in 0,2,5-7")->type_name("LIST");
  verb.add_option("-f,--format", o.format, "Pattern for each record, or json; see aq help formats")
      ->type_name("PATTERN");
  verb.add_flag("--meta-only", o.meta_only, "Leave out keys, values and headers");
  verb.add_option(
          "--follower-read", o.follower_read,
          "Read from replicas that do not lead: any, bounded:AGE for what was committed that "
          "long ago, linearizable for all (the value if none is given)")
      ->expected(0, 1)
      ->default_str("linearizable")
      ->type_name("FRESHNESS");
  verb.add_option("--grep", o.grep, "Only records whose value matches")->type_name("REGEX");
  verb.add_option("--grep-key", o.grep_key, "Only records whose key matches")->type_name("REGEX");
}

} // namespace aqueduct::aq
