#include "config/command_line.hpp"
#include "tests/support/temp_directory.hpp"

#include <doctest/doctest.h>

#include <initializer_list>

using namespace aqueduct;
using namespace aqueduct::config;

namespace {

using words = std::vector<const char*>;

std::variant<loaded_config, program_exit> run(words arguments, words variables = {}) {
  arguments.insert(arguments.begin(), "aqueductd");
  variables.push_back(nullptr);
  return configure(static_cast<int>(arguments.size()), arguments.data(), variables.data(), "1.2.3");
}

node_config values(const std::variant<loaded_config, program_exit>& outcome) {
  const auto* exit = std::get_if<program_exit>(&outcome);
  REQUIRE_MESSAGE(exit == nullptr, exit->errors);
  return std::get<loaded_config>(outcome).values;
}

program_exit ended(const std::variant<loaded_config, program_exit>& outcome) {
  REQUIRE(std::holds_alternative<program_exit>(outcome));
  return std::get<program_exit>(outcome);
}

bool wrong_usage(const words& arguments, const std::string& part) {
  const auto exit = ended(run(arguments));
  INFO(exit.errors);
  return exit.status == exit_usage && exit.output.empty() &&
         exit.errors.find(part) != std::string::npos && exit.errors.ends_with("\n");
}

} // namespace

TEST_SUITE("config.command_line") {
  TEST_CASE("without arguments the defaults are run") {
    CHECK(values(run({})) == node_config{});
  }

  TEST_CASE("the direct options and --set give settings") {
    const auto config = values(run({"--data-dir", "/d", "--listen=a:1", "--set", "node.id=5",
                                    "--set=node.rack=x=y", "--set", "discovery.seeds="}));
    CHECK(config.data.dir == "/d");
    CHECK(config.listen == endpoint{"a", 1});
    CHECK(config.node.id == 5);
    CHECK(config.node.rack == "x=y");
  }

  TEST_CASE("an empty value is a value: it is not taken for a missing one") {
    CHECK(ended(run({"--listen", ""})).status == exit_config);
    CHECK(ended(run({"--config", ""})).status == exit_config);
  }

  TEST_CASE("the file is that of --config, else of AQUEDUCT_CONFIG") {
    const test::temp_directory directory;
    const auto one = directory.write("one.toml", "[node]\nid = 11\n").string();
    const auto two = directory.write("two.toml", "[node]\nid = 22\n").string();
    const auto variable = "AQUEDUCT_CONFIG=" + two;
    CHECK(values(run({}, {variable.c_str()})).node.id == 22);
    CHECK(values(run({"--config", one.c_str()}, {variable.c_str()})).node.id == 11);
    CHECK(values(run({}, {"AQUEDUCT_CONFIG=", "AQUEDUCT_NODE_ID=33"})).node.id == 33);
  }

  TEST_CASE("wrong usage ends with 64 and says what was meant") {
    CHECK(wrong_usage({"--lisen", "a:1"}, "unknown argument '--lisen'; did you mean --listen?"));
    CHECK(wrong_usage({"start"}, "unknown argument 'start'"));
    CHECK(wrong_usage({"--listen"}, "--listen"));
    CHECK(wrong_usage({"--set", "node.id"}, "--set wants KEY=VALUE, not 'node.id'"));
    CHECK(wrong_usage({"--set", "=5"}, "--set wants KEY=VALUE"));
    CHECK(wrong_usage({"--set", "node.id=1", "node.rack=x"}, "unknown argument 'node.rack=x'"));
    CHECK(wrong_usage({"--check-config", "--print-config"}, "--check-config"));
  }

  TEST_CASE("wrong settings end with 78 and list every problem") {
    const auto exit = ended(run({"--set", "node.id=x", "--set", "nod.rack=r", "--check-config"}));
    CHECK(exit.status == exit_config);
    CHECK(exit.output.empty());
    CHECK(exit.errors == "aqueductd: the configuration is wrong:\n"
                         "command line --set: node.id: 'x' is not a whole number; allowed: 0 to "
                         "2147483647\n"
                         "command line --set: nod.rack: is unknown; did you mean node.rack?\n");
  }

  TEST_CASE("--check-config and --print-config end with 0") {
    CHECK(ended(run({"--check-config"})).output == "the configuration is right\n");
    const auto printed = ended(run({"--print-config", "--set", "node.id=5"}));
    CHECK(printed.status == 0);
    CHECK(printed.output.find("id = 5  # command line --set\n") != std::string::npos);
    CHECK(printed.errors.empty());
  }

  TEST_CASE("--help and --version end with 0, whatever the settings are") {
    const auto help = ended(run({"--help", "--set", "node.id=x"}));
    CHECK(help.status == 0);
    for (const auto* option : {"--config", "--data-dir", "--listen", "--set", "--check-config",
                               "--print-config", "--version", "--help"})
      CHECK(help.output.find(option) != std::string::npos);
    CHECK(ended(run({"--version"})).output == "aqueductd 1.2.3\n");
  }
}
