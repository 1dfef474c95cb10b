#include "tests/aq/support.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <string>

using namespace aqueduct::aq;
using test::run_aq;

TEST_SUITE_BEGIN("aq.config");

TEST_CASE("config show tells where each value comes from") {
  const test::scratch_directory files;
  const auto file = files.write("node.toml", "[node]\nid = 7\n");
  const auto shown = run_aq({"config", "show", file, "--set", "storage.flush=os",
                             "--no-environment", "--output", "json"});
  REQUIRE(shown.code == exit_code::done);
  const auto parsed = nlohmann::json::parse(shown.out);
  std::size_t seen = 0;
  for (const auto& row : parsed["settings"]) {
    if (row["key"] == "node.id") {
      CHECK(row["value"] == "7");
      CHECK(row["origin"].get<std::string>().find("node.toml:2") != std::string::npos);
      ++seen;
    } else if (row["key"] == "storage.flush") {
      CHECK(row["value"] == "os");
      CHECK(row["origin"].get<std::string>().find("--set") != std::string::npos);
      ++seen;
    } else if (row["key"] == "data.dir") {
      CHECK(row["origin"] == "default");
      ++seen;
    }
  }
  CHECK(seen == 3);
  const auto changed =
      run_aq({"config", "show", file, "--no-environment", "--changed", "--output", "name"});
  CHECK(changed.out == "node.id\n");
}

TEST_CASE("config validate ends with 78 and names every problem with its line") {
  const test::scratch_directory files;
  const auto bad = files.write("bad.toml", "[node]\nid = -1\nidd = 3\n");
  const auto ended = run_aq({"config", "validate", bad, "--no-environment"});
  CHECK(ended.code == exit_code::config);
  CHECK(ended.out.empty());
  CHECK(ended.err.find("bad.toml:2") != std::string::npos);
  CHECK(ended.err.find("bad.toml:3") != std::string::npos);
  const auto good = files.write("good.yaml", "node:\n  id: 3\n");
  CHECK(run_aq({"config", "validate", good, "--no-environment"}).code == exit_code::done);
  CHECK(run_aq({"config", "validate", files.path() + "/none.toml"}).code == exit_code::config);
}

TEST_CASE("the template is a valid configuration") {
  const test::scratch_directory files;
  const auto shown = run_aq({"config", "template"});
  CHECK(shown.code == exit_code::done);
  const auto file = files.write("template.toml", shown.out);
  CHECK(run_aq({"config", "validate", file, "--no-environment"}).code == exit_code::done);
}

TEST_SUITE_END();
