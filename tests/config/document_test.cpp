#include "config/document.hpp"
#include "tests/support/temp_directory.hpp"

#include <doctest/doctest.h>

using namespace aqueduct;
using namespace aqueduct::config;
using form = raw_value::form;

namespace {

/// "key=text@line:column" of each entry, the position being that of the key.
std::string listing(const result<std::vector<entry>>& entries) {
  if (!entries)
    return "refused: " + entries.error().message;
  std::string text;
  for (const auto& one : *entries)
    text += one.key + "=" + one.raw.text + "@" + std::to_string(one.where.line) + ":" +
            std::to_string(one.where.column) + " ";
  return text;
}

bool refuses(const result<std::vector<entry>>& entries, const std::string& part) {
  const auto text = listing(entries);
  INFO(text);
  return text.starts_with("refused: ") && text.find(part) != std::string::npos;
}

} // namespace

TEST_SUITE("config.document") {
  TEST_CASE("a TOML document becomes keys with dots, each with its place") {
    const auto entries = read_toml("listen = \"a:1\"\n[storage]\n  flush = \"os\"\nthreads = 2\n"
                                   "x.y = true\n",
                                   "f.toml");
    CHECK(listing(entries) ==
          "listen=a:1@1:1 storage.flush=os@3:3 storage.threads=2@4:1 storage.x.y=true@5:3 ");
    REQUIRE(entries);
    CHECK((*entries)[0].raw.written == form::quoted);
    CHECK((*entries)[0].raw.column == 10);
    CHECK((*entries)[2].raw.written == form::integer);
    CHECK((*entries)[3].raw.written == form::boolean);
  }

  TEST_CASE("TOML lists keep their items, and what is no setting keeps its name") {
    const auto entries = read_toml("a = [\"x\", 2]\nb = 1979-05-27\nc = [[1]]\n[d]\n", "f.toml");
    REQUIRE(entries);
    REQUIRE(entries->size() == 4);
    CHECK((*entries)[0].raw.items.size() == 2);
    CHECK((*entries)[0].raw.items[1].written == form::integer);
    CHECK((*entries)[1].raw.text == "a date or time");
    CHECK((*entries)[2].raw.items[0].written == form::list);
    CHECK((*entries)[3].raw.written == form::other);
  }

  TEST_CASE("a TOML document that cannot be read names file, line and column") {
    CHECK(refuses(read_toml("a = 1\nb = \n", "f.toml"), "f.toml:2:"));
    CHECK(refuses(read_toml("a = 1\na = 2\n", "f.toml"), "f.toml:2:"));
    CHECK(refuses(read_toml("a = \"\xff\"\n", "f.toml"), "f.toml:1:"));
  }

  TEST_CASE("a YAML document becomes keys with dots, each with its place") {
    const auto entries =
        read_yaml("listen: a:1\nstorage:\n  flush: \"os\"\n  threads: 2\n", "f.yaml");
    CHECK(listing(entries) == "listen=a:1@1:1 storage.flush=os@3:3 storage.threads=2@4:3 ");
    REQUIRE(entries);
    CHECK((*entries)[0].raw.written == form::plain);
    CHECK((*entries)[0].raw.column == 9);
    CHECK((*entries)[1].raw.written == form::quoted);
    CHECK((*entries)[2].raw.written == form::plain);
  }

  TEST_CASE("YAML keeps a key that is given twice, for the model to refuse") {
    CHECK(listing(read_yaml("a: 1\na: 2\n", "f.yaml")) == "a=1@1:1 a=2@2:1 ");
  }

  TEST_CASE("YAML lists keep their items, and what is no setting keeps its name") {
    const auto entries =
        read_yaml("a: [x, \"y\"]\nb: ~\nc: [[1], {d: 2}, ~]\ne: {}\nf:\n", "f.yaml");
    CHECK(listing(entries) ==
          "a=a list@1:1 b=nothing@2:1 c=a list@3:1 e=a table@4:1 f=nothing@5:1 ");
    REQUIRE(entries);
    REQUIRE((*entries)[0].raw.items.size() == 2);
    CHECK((*entries)[0].raw.items[0].written == form::plain);
    CHECK((*entries)[0].raw.items[1].written == form::quoted);
    REQUIRE((*entries)[2].raw.items.size() == 3);
    CHECK((*entries)[2].raw.items[0].text == "a list");
    CHECK((*entries)[2].raw.items[1].text == "a table");
    CHECK((*entries)[2].raw.items[2].text == "nothing");
  }

  TEST_CASE("an empty document sets nothing") {
    CHECK(listing(read_toml("", "f.toml")).empty());
    CHECK(listing(read_yaml("", "f.yaml")).empty());
    CHECK(listing(read_yaml("# nothing\n", "f.yaml")).empty());
  }

  TEST_CASE("a YAML document that is no table of settings is refused with its place") {
    CHECK(refuses(read_yaml("a: [1\nb: 2\n", "f.yaml"), "f.yaml:2:"));
    CHECK(refuses(read_yaml("- a\n", "f.yaml"), "f.yaml:1:1: expected a table"));
    CHECK(refuses(read_yaml("a: 1\n---\nb: 2\n", "f.yaml"), "more than one document"));
    // yaml-cpp takes a stray comma for a document of its own, and never gets past it.
    CHECK(refuses(read_yaml(",a: 1\n", "f.yaml"), "more than one document"));
    CHECK(refuses(read_yaml("[a, b]: 1\n", "f.yaml"), "key that is not a name"));
    CHECK(refuses(read_yaml("a: *b\n", "f.yaml"), "f.yaml:1:"));
  }

  TEST_CASE("YAML that would grow without bound is refused") {
    std::string deep;
    for (int i = 0; i < 20; ++i)
      deep += std::string(static_cast<std::size_t>(i), ' ') + "a:\n";
    CHECK(refuses(read_yaml(deep + std::string(20, ' ') + "b: 1\n", "f.yaml"), "too deep"));
  }

  TEST_CASE("YAML aliases are refused: they could make a small file huge") {
    CHECK(refuses(read_yaml("a: &x 1\nb: *x\n", "f.yaml"), "f.yaml:2:4: uses an alias"));
    CHECK(listing(read_yaml("a: &x 1\n", "f.yaml")) == "a=1@1:1 ");
  }

  TEST_CASE("files are read by their extension") {
    const test::temp_directory directory;
    CHECK(listing(read_file(directory.write("a.toml", "a = 1\n"))) == "a=1@1:1 ");
    CHECK(listing(read_file(directory.write("a.yaml", "a: 1\n"))) == "a=1@1:1 ");
    CHECK(listing(read_file(directory.write("a.yml", "a: 1\n"))) == "a=1@1:1 ");
    CHECK(refuses(read_file(directory.write("a.json", "{}")), "unknown extension '.json'"));
    CHECK(refuses(read_file(directory.path() / "none.toml"), "No such file"));
    CHECK(refuses(read_file(directory.write("big.toml", std::string(2 << 20, '\n'))),
                  "larger than 1 MiB"));
    std::filesystem::create_directory(directory.path() / "d.toml");
    CHECK(refuses(read_file(directory.path() / "d.toml"), "is a directory"));
  }

  TEST_CASE("only the variables of settings are taken from the environment") {
    const char* const environ[] = {"PATH=/bin",    "AQUEDUCT_LISTEN=a:1=2", "AQUEDUCT_CONFIG=x",
                                   "AQUEDUCT_ODD", "AQUEDUCTX=1",           nullptr};
    const auto found = environment_variables(environ);
    REQUIRE(found.size() == 1);
    CHECK(found[0] == named_text("AQUEDUCT_LISTEN", "a:1=2"));
    CHECK(environment_variables(nullptr).empty());
  }

  TEST_CASE("the variable of a key has capitals and underscores") {
    CHECK(environment_name("storage.flush-interval") == "AQUEDUCT_STORAGE_FLUSH_INTERVAL");
    CHECK(environment_name("listen") == "AQUEDUCT_LISTEN");
  }

  TEST_CASE("places are named by their source") {
    CHECK(to_string(origin{}) == "default");
    CHECK(to_string(origin{origin::source::file, "f", 0, 0}) == "f");
    CHECK(to_string(origin{origin::source::file, "f", 3, 0}) == "f:3");
    CHECK(to_string(origin{origin::source::file, "f", 3, 7}) == "f:3:7");
    CHECK(to_string(origin{origin::source::environment, "A", 0, 0}) == "environment A");
    CHECK(to_string(origin{origin::source::command_line, "--set", 0, 0}) == "command line --set");
  }
}
