#include "apps/aq/command_line.hpp"
#include "tests/aq/support.hpp"
#include "tests/support/paths.hpp"

#include <CLI/CLI.hpp>
#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <vector>

using namespace aqueduct;
using namespace aqueduct::aq;
using aq::test::run_aq;

TEST_SUITE_BEGIN("aq.command_line");

namespace {

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words;
  std::string word;
  for (const char c : text) {
    if (c != ' ') {
      word += c;
    } else if (!word.empty()) {
      words.push_back(std::move(word));
      word.clear();
    }
  }
  if (!word.empty())
    words.push_back(std::move(word));
  return words;
}

} // namespace

TEST_CASE("the help of every command has examples that begin with the command") {
  command_line line;
  const auto leaves = line.leaves();
  CHECK(leaves.size() >= 28);
  for (auto* leaf : leaves) {
    const auto path = command_line::path_of(*leaf);
    CAPTURE(path);
    auto words = words_of(path);
    words.erase(words.begin());
    words.push_back("--help");
    const auto shown = run_aq(words);
    CHECK(shown.code == exit_code::done);
    CHECK(shown.err.empty());
    CHECK(contains(shown.out, "Usage: " + path));
    const auto examples = shown.out.find("Examples:\n");
    REQUIRE(examples != std::string::npos);
    CHECK(contains(shown.out.substr(examples), path.substr(3)));
  }
}

TEST_CASE("the help of aq names every command") {
  const auto shown = run_aq({"--help"});
  CHECK(shown.code == exit_code::done);
  for (const auto* name : {"topic", "produce", "consume", "cluster", "admin", "bench", "log",
                           "config", "doctor", "top", "errors", "completion", "help"})
    CHECK(contains(shown.out, std::string("\n  ") + name));
}

TEST_CASE("help on a subject is what --help shows, or a text of its own") {
  CHECK(run_aq({"help", "topic", "create"}).out == run_aq({"topic", "create", "--help"}).out);
  CHECK(run_aq({"help"}).out == run_aq({"--help"}).out);
  for (const auto* subject : {"offsets", "formats", "exit-codes", "settings"}) {
    CAPTURE(subject);
    const auto shown = run_aq({"help", subject});
    CHECK(shown.code == exit_code::done);
    CHECK(shown.out.size() > 200);
  }
  CHECK(run_aq({"help", "nonsense"}).code == exit_code::usage);
}

TEST_CASE("the command reference is that of the command tree") {
  std::ifstream file(aqueduct::test::source_path("docs/aq.md"), std::ios::binary);
  REQUIRE(file.is_open());
  const std::string written(std::istreambuf_iterator<char>(file), {});
  command_line line;
  // ./dev docs writes it anew.
  CHECK(written == command_reference(line));
}

TEST_CASE("the version is one line") {
  const auto shown = run_aq({"--version"});
  CHECK(shown.code == exit_code::done);
  CHECK(shown.out.starts_with("aq "));
  CHECK(std::ranges::count(shown.out, '\n') == 1);
}

TEST_CASE("a command line that is wrong ends with 64 and says what is wrong") {
  const std::pair<std::string, std::string> rows[] = {
      {"", "needs a command"},
      {"topic", "aq topic needs a command: "},
      {"topic creat x", "unknown command \"topic creat\". Did you mean \"topic create\"?"},
      {"tpoic list", "unknown command \"tpoic\". Did you mean \"topic\"?"},
      {"prod", "Did you mean \"produce\"?"},
      {"zzzzzz", "unknown command \"zzzzzz\""},
      {"topic list --internl", "aq topic list has no option --internl. Did you mean --internal?"},
      {"consume t -Q", "has no option -Q"},
      {"produce", "TOPIC is required"},
      {"topic create t -p many", "many"},
      {"topic create t --set nonsense", "KEY=VALUE"},
      {"consume t -n 0", "not a number above 0"},
      {"--output xml topic list", "xml"},
      {"topic list --output", "--output"},
      {"topic list --timeout 5", "\"5\" is not a duration"},
      {"topic list -X nonsense", "key=value"},
      {"produce t --record-size 0", "above 0"},
      {"completion powershell", "powershell"},
      {"consume t -o nonsense", "\"nonsense\" is not an offset"},
      {"consume t -f %q", "%q is not a field"},
      {"consume t --output csv", "json or by a pattern"},
      {"produce t -K : -f %v", "exclude each other"},
      {"admin scrub --status --stop", "exclude each other"},
      {"produce t -f %k%v", "text after it"},
      {"produce t --rate fast", "not a rate"},
      {"produce t -z brotli", "-z brotli"},
      {"produce t --acks some", "--acks some"},
      {"produce t -H nonsense", "NAME=VALUE"},
      {"produce t --timestamp soon", "not a time"},
      {"topic alter t", "nothing to change"},
      {"topic trim t", "--before is required"},
      {"-X linger=5ms topic list", "there is no such setting. Did you mean"},
      {"-X producer.linger=soon topic list", "-X producer.linger: \"soon\""},
      {"log dump", "FILE is required"},
  };
  for (const auto& [text, part] : rows) {
    CAPTURE(text);
    const auto ended = run_aq(words_of(text));
    CAPTURE(ended.err);
    CHECK(ended.code == exit_code::usage);
    CHECK(ended.out.empty());
    CHECK(contains(ended.err, "error: "));
    CHECK(contains(ended.err, part));
  }
}

TEST_CASE("errors are one JSON object per line when JSON was asked for") {
  for (const auto& words : std::vector<std::vector<std::string>>{
           {"--output", "json", "topic", "creat"},
           {"topic", "list", "--nonsense", "--output=json"},
           {"consume", "t", "-o", "nonsense", "--output", "jsonl"}}) {
    const auto ended = run_aq(words);
    CHECK(ended.code == exit_code::usage);
    CHECK(ended.out.empty());
    const auto parsed = nlohmann::json::parse(ended.err);
    CHECK(parsed["error"]["code"] == "INVALID_REQUEST");
    CHECK(parsed["error"]["message"].is_string());
    CHECK(parsed["error"]["hint"].is_string());
    CHECK(parsed["error"]["retriable"] == false);
  }
}

TEST_CASE("nobody listening is told apart from everything else") {
  // Port 1 of the loopback is closed.
  const std::vector<std::string> where = {"-b", "127.0.0.1:1", "--timeout", "300ms"};
  for (const auto& verb : std::vector<std::vector<std::string>>{
           {"topic", "list"}, {"cluster", "info"}, {"consume", "t"}, {"produce", "t"}}) {
    auto words = where;
    words.insert(words.end(), verb.begin(), verb.end());
    const auto ended = run_aq(words);
    CHECK(ended.code == exit_code::unreachable);
    CHECK(contains(ended.err, "127.0.0.1:1"));
  }
}

TEST_CASE("options of all commands may stand before and after the verb") {
  CHECK(run_aq({"errors", "--output", "name"}).out == run_aq({"--output", "name", "errors"}).out);
}

TEST_CASE("errors lists the table, and explains one code by name or number") {
  const auto all = run_aq({"errors", "--output", "json"});
  CHECK(all.code == exit_code::done);
  const auto parsed = nlohmann::json::parse(all.out);
  CHECK(parsed["errors"].size() == error_table().size());
  for (const auto* code : {"NOT_LEADER", "not_leader", "13"}) {
    const auto one = nlohmann::json::parse(run_aq({"errors", code, "--output", "json"}).out);
    REQUIRE(one["errors"].size() == 1);
    CHECK(one["errors"][0]["code"] == "NOT_LEADER");
    CHECK(one["errors"][0]["exit_code"] == 75);
  }
  const auto none = run_aq({"errors", "NOT_LEDER"});
  CHECK(none.code == exit_code::not_found);
  CHECK(contains(none.err, "Did you mean NOT_LEADER?"));
}

TEST_CASE("a dry run of produce reads and checks the input without a broker") {
  const auto good =
      run_aq({"produce", "t", "-f", "%k:%v\\n", "--dry-run", "--output", "json"}, "a:b\nc:d\n");
  CHECK(good.code == exit_code::done);
  const auto parsed = nlohmann::json::parse(good.out);
  CHECK(parsed["records"] == 2);
  CHECK(parsed["bytes"] == 4);
  CHECK(parsed["dry_run"] == true);
  const auto bad = run_aq({"produce", "t", "-f", "%k:%v\\n", "--dry-run"}, "a:b\ncd\n");
  CHECK(bad.code == exit_code::bad_data);
  CHECK(contains(bad.err, "standard input, record 2"));
  const auto missing = run_aq({"produce", "t", "/nonexistent/file", "--dry-run"});
  CHECK(missing.code == exit_code::not_found);
}

TEST_CASE(
    "how fresh a follower has to be is refused before anybody is asked if it makes no sense") {
  const auto bad = run_aq({"consume", "t", "--follower-read=soon"});
  CHECK(bad.code == exit_code::usage);
  CHECK(contains(bad.err, "bounded:500ms"));
  CHECK(run_aq({"consume", "t", "--follower-read=bounded:x"}).code == exit_code::usage);
  CHECK(run_aq({"consume", "t", "-X", "consumer.read_from=soon"}).code == exit_code::usage);
}

TEST_CASE("what is printed to no terminal has neither colours nor bars") {
  const auto shown = run_aq({"errors"});
  CHECK_FALSE(contains(shown.out, "\x1b"));
  CHECK_FALSE(contains(run_aq({"nonsense"}).err, "\x1b"));
  CHECK(contains(run_aq({"errors", "--color", "always"}).out, "\x1b[1m"));
}

TEST_SUITE_END();

TEST_SUITE_BEGIN("aq.exit_code");

TEST_CASE("every error code has the exit code that scripts rely on") {
  const std::pair<errc, int> rows[] = {
      {errc::none, 0},
      {errc::invalid_request, 64},
      {errc::invalid_topic, 64},
      {errc::corrupt_batch, 65},
      {errc::storage_damaged, 65},
      {errc::unknown_topic, 66},
      {errc::offset_out_of_range, 66},
      {errc::broker_unavailable, 69},
      {errc::connection_lost, 69},
      {errc::internal, 70},
      {errc::topic_exists, 73},
      {errc::offset_conflict, 73},
      {errc::timed_out, 75},
      {errc::overloaded, 75},
      {errc::storage_full, 75},
      {errc::unauthorized, 77},
      {errc::invalid_config, 78},
      {errc::cancelled, 130},
  };
  for (const auto& [code, number] : rows)
    CHECK(static_cast<int>(exit_code_of(code)) == number);
  CHECK(exit_code_of(static_cast<errc>(9999)) == exit_code::internal);
}

TEST_CASE("only the codes of the contract are used") {
  const std::set<int> contract = {0, 64, 65, 66, 69, 70, 73, 75, 77, 78, 130};
  for (const auto& row : error_table()) {
    CAPTURE(row.name);
    CHECK(contract.contains(static_cast<int>(exit_code_of(row.code))));
  }
}

TEST_SUITE_END();
