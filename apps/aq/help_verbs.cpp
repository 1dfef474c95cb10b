// aq help and aq errors, and the help texts that concern several verbs.
#include "apps/aq/client_session.hpp"
#include "apps/aq/command_line.hpp"
#include "apps/aq/suggest.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <memory>

namespace aqueduct::aq {

namespace {

constexpr std::string_view offsets_help = R"(Offsets say where consume begins, and where it stops.

  start            the first record that is there
  end              after the last one: only what comes from now on
  47               offset 47
  +5  -10          5 after the start, 10 before the end
  @TIME            the first record at or after a time
  A:B              from A up to, not including, B
  :B  A:           from the start; without an end
  @A:1h            from the time A on, for an hour

A TIME is 2026-01-31, 2026-01-31T12:00, 2026-01-31T12:00:05.250+01:00 (UTC if no zone is given),
seconds or milliseconds since the epoch, or -1h: an hour ago.

  aq consume orders -o :end           everything that is there, then exit
  aq consume orders -o -10 -e         the last ten of each partition
  aq consume orders -o @-1h:end       the last hour
  aq consume orders -o @2026-01-01:1h the first hour of the year
)";

constexpr std::string_view formats_help =
    R"(Patterns say how consume prints records and how produce reads them.

  %t topic   %p partition   %o offset   %d timestamp in ms   %i number of the record, from 1
  %k key     %v value       %h{...} every header, by a pattern with %k and %v
  %T %K %V   sizes of topic, key and value in bytes           %H number of headers
  %% %{ %}   the characters themselves                        \n \t \r \0 \\ \xNN

  %v{hex}  %v{base64}  %v{json}         texts; when reading also %v{16}: exactly 16 bytes
  %V{big32}  %d{hex}                    numbers: big64 big32 big16 little64 little32 little16 byte
  %d{rfc3339}  %d{strftime[%F %T]}      times, in UTC

To read a text, something has to say where it ends: text after it, a size in it, or its size before
it (%K, %V). %t, %T, %o and %i are only for printing. Instead of a pattern, -f takes json (one
object per line, as consume --output json prints them) and, for produce, raw (a file, a record).
Null and empty are told apart by json only.

  aq consume orders -f '%p:%o %d{strftime[%F %T]} %k=%v\n'
  aq consume orders -f '%v%h{ [%k: %v]}\n'
  aq consume orders -e -f '%K{big32}%k%V{big32}%v' > framed.bin
  aq produce copy -f '%K{big32}%k%V{big32}%v' framed.bin
)";

constexpr std::string_view exit_codes_help = R"(Exit codes:

    0  done
    1  failed
   64  the command line is wrong
   65  bad data: damaged, too large, not in the format
   66  not found: topic, partition, offset
   69  no broker could be reached
   70  a defect of the broker or of aq
   73  conflict: it exists already, or somebody else was first
   75  not now: timed out, overloaded; the same command can succeed later
   77  denied
   78  a configuration is wrong
  130  interrupted by Ctrl-C

With --output json an error is one line on standard error:
  {"error":{"code":"UNKNOWN_TOPIC","message":"...","hint":"...","retriable":false}}
aq errors lists the codes.
)";

const std::string& settings_help() {
  static const std::string text = "Settings of the client, as in -X producer.linger=5ms:\n\n" +
                                  client_settings_help() +
                                  "\nEnvironment: AQUEDUCT_BROKER, AQUEDUCT_ADMIN, "
                                  "AQUEDUCT_OUTPUT, AQUEDUCT_TIMEOUT, NO_COLOR.\n";
  return text;
}

exit_code help(session& on, command_line& line, const std::vector<std::string>& words) {
  if (words.size() == 1)
    if (const auto text = help_topic(words.front()); !text.empty()) {
      on.out().write(text);
      return on.finish();
    }
  const auto place = line.walk(words);
  if (!place.unknown_verb.empty() || place.positionals > 0)
    return on.fail(errc::invalid_request,
                   fmt::format("there is no help on \"{}\"", fmt::join(words, " ")),
                   "aq help lists the commands; there is also help on offsets, formats, "
                   "exit-codes and settings");
  on.out().write(command_line::help_of(*place.at));
  return on.finish();
}

std::string upper(std::string text) {
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return std::toupper(c); });
  return text;
}

exit_code errors(session& on, const std::string& code) {
  document doc;
  auto& rows = doc.tables.emplace_back();
  rows.key = "errors";
  rows.columns = {{"code", "CODE"},           {"number", "NUMBER", kind::number},
                  {"retriable", "RETRIABLE"}, {"exit_code", "EXIT", kind::number},
                  {"meaning", "MEANING"},     {"remedy", "REMEDY", kind::text, code.empty()}};
  std::vector<std::string> names;
  for (const auto& row : error_table()) {
    names.emplace_back(row.name);
    const auto number = static_cast<int>(row.code);
    if (!code.empty() && upper(code) != row.name && code != std::to_string(number))
      continue;
    rows.rows.push_back({row.name, number, row.retriable, static_cast<int>(exit_code_of(row.code)),
                         row.meaning, row.remedy});
  }
  if (!rows.rows.empty())
    return on.print(doc);
  const auto near = nearest(upper(code), names);
  return on.fail(errc::not_found,
                 fmt::format("there is no error \"{}\"{}", code,
                             near ? fmt::format(". Did you mean {}?", *near) : std::string()),
                 "aq errors lists them all");
}

} // namespace

std::string_view help_topic(std::string_view name) {
  if (name == "offsets")
    return offsets_help;
  if (name == "formats")
    return formats_help;
  if (name == "exit-codes")
    return exit_codes_help;
  if (name == "settings")
    return settings_help();
  return {};
}

void add_help_verbs(command_line& line) {
  auto code = std::make_shared<std::string>();
  auto& errors_verb = line.add_verb(line.root(), "errors", "Explain error codes",
                                    "aq errors\n"
                                    "aq errors NOT_LEADER\n"
                                    "aq errors 13 --output json\n",
                                    [code](session& on) { return errors(on, *code); });
  errors_verb.add_option("CODE", *code, "Name or number")->type_name("CODE");

  auto words = std::make_shared<std::vector<std::string>>();
  auto& help_verb = line.add_verb(line.root(), "help", "Help on a command or a subject",
                                  "aq help consume\n"
                                  "aq help topic create\n"
                                  "aq help formats\n",
                                  [&line, words](session& on) { return help(on, line, *words); });
  help_verb.add_option("SUBJECT", *words, "A command, or offsets, formats, exit-codes, settings")
      ->type_name("SUBJECT");
}

} // namespace aqueduct::aq
