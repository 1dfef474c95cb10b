#include "apps/aq/completion.hpp"
#include "apps/aq/suggest.hpp"
#include "tests/aq/support.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace aqueduct::aq;
using words = std::vector<std::string>;

TEST_SUITE_BEGIN("aq.completion");

namespace {

completions at(const words& typed) {
  command_line line;
  return complete(line, typed,
                  {.topics =
                       [] {
                         return words{"orders", "orders-eu", "payments"};
                       },
                   .groups =
                       [] {
                         return words{"billing", "shipping"};
                       }});
}

bool has(const completions& found, const std::string& word) {
  return std::find(found.words.begin(), found.words.end(), word) != found.words.end();
}

} // namespace

TEST_CASE("verbs complete at every level") {
  CHECK(at({"to"}).words == words{"top", "topic"});
  CHECK(at({"topic", "de"}).words == words{"delete", "describe"});
  CHECK(has(at({""}), "produce"));
  CHECK_FALSE(has(at({""}), "__complete"));
  CHECK(at({"-b", "x:1", "topic", "li"}).words == words{"list"});
  CHECK(at({"nonsense", ""}).words.empty());
}

TEST_CASE("options complete, those of all commands among them") {
  CHECK(at({"consume", "--gre"}).words == words{"--grep", "--grep-key"});
  CHECK(at({"topic", "list", "--outp"}).words == words{"--output"});
  CHECK(has(at({"produce", "t", "-"}), "--acks"));
}

TEST_CASE("topics complete where a topic can stand, and nowhere else") {
  CHECK(at({"consume", "o"}).words == words{"orders", "orders-eu"});
  CHECK(at({"consume", "orders", "p"}).words == words{"payments"});
  CHECK(at({"topic", "describe", ""}).words == words{"orders", "orders-eu", "payments"});
  CHECK(at({"topic", "create", ""}).words.empty());
  CHECK(at({"-q", "produce", "pay"}).words == words{"payments"});
}

TEST_CASE("groups complete where a group can stand, and nowhere else") {
  CHECK(at({"group", "describe", "b"}).words == words{"billing"});
  CHECK(at({"group", "delete", "billing", ""}).words == words{"billing", "shipping"});
  CHECK(at({"consume", "orders", "-g", "sh"}).words == words{"shipping"});
  CHECK(at({"consume", "orders", "--group=b"}).words == words{"--group=billing"});
  CHECK_FALSE(has(at({"consume", ""}), "billing"));
}

TEST_CASE("values of options complete, behind a blank or an equals sign") {
  CHECK(at({"--output", "js"}).words == words{"json", "jsonl"});
  CHECK(at({"topic", "list", "--output=js"}).words == words{"--output=json", "--output=jsonl"});
  CHECK(at({"produce", "t", "-z", "z"}).words == words{"zstd"});
  CHECK(at({"produce", "t", "--acks", ""}).words == words{"all", "leader", "none"});
  CHECK(at({"completion", ""}).words == words{"bash", "fish", "zsh"});
}

TEST_CASE("files are left to the shell") {
  CHECK(at({"produce", "orders", ""}).wants_files);
  CHECK(at({"log", "dump", ""}).wants_files);
  CHECK(at({"doctor", "--config", ""}).wants_files);
}

TEST_CASE("the hidden command answers one candidate per line") {
  const auto shown = test::run_aq({"__complete", "--", "topic", "de"});
  CHECK(shown.code == exit_code::done);
  CHECK(shown.out == "delete\ndescribe\n");
  CHECK(test::run_aq({"__complete", "log", "verify", ""}).out == ":files\n");
}

TEST_CASE("there is a script for each of the three shells") {
  for (const std::string shell : {"bash", "zsh", "fish"}) {
    CAPTURE(shell);
    const auto shown = test::run_aq({"completion", shell});
    CHECK(shown.code == exit_code::done);
    CHECK(shown.out.find("__complete") != std::string::npos);
  }
}

TEST_CASE("slips of the fingers are a small distance") {
  CHECK(edit_distance("", "abc") == 3);
  CHECK(edit_distance("creat", "create") == 1);
  CHECK(edit_distance("tpoic", "topic") == 1);
  CHECK(edit_distance("kitten", "sitting") == 3);
  const words candidates = {"topic", "produce", "consume"};
  CHECK(nearest("tpoic", candidates) == "topic");
  CHECK(nearest("prod", candidates) == "produce");
  CHECK_FALSE(nearest("xyz", candidates).has_value());
  CHECK_FALSE(nearest("", candidates).has_value());
}

TEST_SUITE_END();
