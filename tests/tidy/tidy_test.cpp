// The house rules, checked over the whole tree, and each rule on a sample that breaks it.
#include "tests/support/paths.hpp"
#include "tests/tidy/rules.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <functional>

using namespace aqueduct::tidy;

namespace {

using rule = std::function<findings(const source_file&)>;

const std::vector<source_file>& tree() {
  static const auto files = tree_files(aqueduct::test::source_path());
  return files;
}

void check_tree(const rule& check) {
  REQUIRE(tree().size() > 20);
  findings all;
  for (const auto& file : tree())
    std::ranges::copy(check(file), std::back_inserter(all));
  CHECK_MESSAGE(all.empty(), to_string(all));
}

/// The messages that `check` has for a file.
std::string complaints(const rule& check, const std::string& path, const std::string& text) {
  return to_string(check({path, text}));
}

bool accepts(const rule& check, const std::string& path, const std::string& text) {
  return check({path, text}).empty();
}

} // namespace

TEST_SUITE("tidy.tree") {
  TEST_CASE("no file includes what its room must not know") {
    check_tree(check_includes);
  }
  TEST_CASE("every header is guarded, says what it is and opens no namespace") {
    check_tree(check_header);
  }
  TEST_CASE("lines stay within 100 columns and files within 800 lines") {
    check_tree(check_size);
  }
  TEST_CASE("no file has tabs, white space at line ends or an unfinished last line") {
    check_tree(check_whitespace);
  }
  TEST_CASE("no section title and no string was broken by the formatter") {
    check_tree(check_breaks);
  }
  TEST_CASE("no test sleeps") {
    check_tree(check_sleep);
  }
  TEST_CASE("no source carries a marker of unfinished work") {
    check_tree(check_leftovers);
  }
  TEST_CASE("no file names a path of one machine") {
    check_tree(check_machine_paths);
  }
  TEST_CASE("every file lies where the layout has a place for it") {
    check_tree(check_place);
  }
  TEST_CASE("files above the wanted 300 lines are counted") {
    const auto is_long = [](const source_file& file) {
      return is_cpp(file.path) && std::ranges::count(file.text, '\n') > 300;
    };
    const auto cpp = std::ranges::count_if(tree(), [](const auto& f) { return is_cpp(f.path); });
    const auto count = std::ranges::count_if(tree(), is_long);
    MESSAGE(count, " of ", cpp, " C++ files have more than 300 lines");
    CHECK_MESSAGE(count * 4 <= cpp, "more than a quarter of the files are long; split by concern");
  }
}

TEST_SUITE("tidy.rules") {
  TEST_CASE("an include against the layering is found") {
    const auto bad = [](const char* path, const char* line) {
      return !accepts(check_includes, path, std::string(line) + "\n");
    };
    CHECK(bad("protocol/frame.cpp", "#include <caf/actor.hpp>"));
    CHECK(bad("protocol/frame.cpp", "#include \"storage/disk.hpp\""));
    CHECK(bad("protocol/frame.cpp", "#include <boost/asio/buffer.hpp>"));
    CHECK(bad("protocol/frame.cpp", "#include \"protocol/client/producer.hpp\""));
    CHECK(bad("raft/core.hpp", "#include \"protocol/ids.hpp\""));
    CHECK(bad("raft/core.cpp", "#include <chrono>"));
    CHECK(bad("raft/core.cpp", "#include <unistd.h>"));
    CHECK(bad("storage/index.hpp", "#include <rocksdb/db.h>"));
    CHECK(bad("storage/index.cpp", "#include <caf/actor.hpp>"));
    CHECK(bad("storage/index.cpp", "#include \"raft/core.hpp\""));
    CHECK(bad("config/loader.cpp", "#include \"actors/partition.hpp\""));
    CHECK(bad("actors/partition.cpp", "#include \"apps/main.hpp\""));
    CHECK(bad("actors/partition.cpp", "#include <boost/asio/buffer.hpp>"));
    CHECK(bad("actors/partition.cpp", "#include <caf/all.hpp>"));
    CHECK(bad("tests/simulation/world.cpp", "#include <caf/all.hpp>"));
    CHECK(bad("tests/raft/core_test.cpp", "#include \"storage/disk.hpp\""));
    CHECK(bad("tests/storage/disk_test.cpp", "#include <caf/actor.hpp>"));
    CHECK(bad("storage/disk.cpp", "#include \"disk.hpp\""));
    CHECK(bad("storage/disk.cpp", "#include <leveldb/db.h>"));
  }

  TEST_CASE("an include along the layering is accepted") {
    const auto good = [](const char* path, const char* line) {
      return accepts(check_includes, path, std::string(line) + "\n");
    };
    CHECK(good("protocol/compression.cpp", "#include <zstd.h>"));
    CHECK(good("protocol/client/socket.cpp", "#include <boost/asio/buffer.hpp>"));
    CHECK(good("raft/core.cpp", "#include <vector>"));
    CHECK(good("storage/index.cpp", "#include <rocksdb/db.h>"));
    CHECK(good("storage/disk.cpp", "#include <sys/uio.h>"));
    CHECK(good("actors/network/session.cpp", "#include <boost/asio/buffer.hpp>"));
    CHECK(good("actors/replica.cpp", "#include \"raft/core.hpp\""));
    CHECK(good("tests/raft/core_test.cpp", "#include <doctest/doctest.h>"));
    CHECK(good("tests/raft/core_test.cpp", "#include <chrono>"));
    CHECK(good("tests/raft/core_test.cpp", "#include \"tests/support/seed.hpp\""));
    CHECK(good("tests/simulation/world.cpp", "#include \"storage/disk.hpp\""));
    CHECK(good("apps/aq/main.cpp", "#include \"protocol/client/producer.hpp\""));
  }

  TEST_CASE("a header without guard, without head comment or with an open namespace is found") {
    const std::string head = "// A thing.\n#pragma once\n";
    CHECK(accepts(check_header, "raft/a.hpp", head));
    CHECK(complaints(check_header, "raft/a.hpp", "// A thing.\n").find("#pragma once") !=
          std::string::npos);
    CHECK(complaints(check_header, "raft/a.hpp", "#pragma once\n").find("head comment") !=
          std::string::npos);
    CHECK_FALSE(accepts(check_header, "raft/a.hpp",
                        head + "using "
                               "namespace std;\n"));
    CHECK(accepts(check_header, "raft/a.cpp",
                  "using "
                  "namespace std;\n"));
  }

  TEST_CASE("a long line is found by its characters, not its bytes") {
    CHECK(accepts(check_size, "raft/a.cpp", std::string(100, 'x') + "\n"));
    CHECK_FALSE(accepts(check_size, "raft/a.cpp", std::string(101, 'x') + "\n"));
    CHECK(accepts(check_size, "raft/a.cpp", std::string(98, 'x') + "\xc3\xa4\xc3\xa4\n"));
    CHECK(accepts(check_size, "docs/a.md", std::string(500, 'x') + "\n"));
  }

  TEST_CASE("a long file is found") {
    CHECK(accepts(check_size, "dev", std::string(800, '\n')));
    CHECK_FALSE(accepts(check_size, "dev", std::string(801, '\n')));
  }

  TEST_CASE("white space that nobody sees is found") {
    CHECK(accepts(check_whitespace, "docs/a.md", "a b\n"));
    CHECK_FALSE(accepts(check_whitespace, "docs/a.md", "a \n"));
    CHECK_FALSE(accepts(check_whitespace, "docs/a.md", "a\tb\n"));
    CHECK_FALSE(accepts(check_whitespace, "docs/a.md", "a\r\n"));
    CHECK_FALSE(accepts(check_whitespace, "docs/a.md", "a"));
  }

  TEST_CASE("a title without its ruler and a string of one word are found") {
    const std::string dashes(60, '-');
    CHECK(accepts(check_breaks, "raft/a.cpp", "// -- state " + dashes + "\n\nint a;\n"));
    CHECK_FALSE(accepts(check_breaks, "raft/a.cpp", "// -- state\n// " + dashes + "\n"));
    CHECK_FALSE(accepts(check_breaks, "raft/a.cpp", "  // -- state\n  // -----\n"));
    CHECK_FALSE(accepts(check_breaks, "raft/a.cpp", "f(\"one \"\n  \"and \"\n  \"two\");\n"));
    CHECK(accepts(check_breaks, "raft/a.cpp", "f(\"one \"\n  \"and two\");\n"));
    CHECK(accepts(check_breaks, "docs/a.md", "// -- state\n// " + dashes + "\n"));
  }

  TEST_CASE("a pause is found in C++, shell and Python tests, and nowhere else") {
    const std::string call = "std::this_thread::"
                             "sleep"
                             "_for(1s);\n";
    CHECK_FALSE(accepts(check_sleep, "tests/raft/a_test.cpp", call));
    CHECK_FALSE(accepts(check_sleep, "tests/compat/run.sh",
                        "  sleep"
                        " 1\n"));
    CHECK_FALSE(accepts(check_sleep, "tests/compat/a.py",
                        "time.sleep"
                        "(1)\n"));
    CHECK(accepts(check_sleep, "tests/compat/run.sh", "# let sleeping dogs lie\n"));
    CHECK(accepts(check_sleep, "apps/aq/main.cpp", call));
  }

  TEST_CASE("a marker of unfinished work is found") {
    CHECK_FALSE(accepts(check_leftovers, "dev",
                        "# TO"
                        "DO: later\n"));
    CHECK_FALSE(accepts(check_leftovers, "raft/a.cpp",
                        "// FIX"
                        "ME\n"));
    CHECK_FALSE(accepts(check_leftovers, "raft/a.cpp",
                        "return \"not imple"
                        "mented\";\n"));
    CHECK(accepts(check_leftovers, "raft/a.cpp", "// Done.\n"));
  }

  TEST_CASE("a path of one machine is found, one of every machine is not") {
    CHECK_FALSE(accepts(check_machine_paths, "docs/a.md",
                        "see /ho"
                        "me/jo/x\n"));
    CHECK_FALSE(accepts(check_machine_paths, "docs/a.md",
                        "cd /wo"
                        "rk/main\n"));
    CHECK_FALSE(accepts(check_machine_paths, "docs/a.md",
                        "../sha"
                        "red/x\n"));
    CHECK(accepts(check_machine_paths, "docs/a.md", "/usr/bin/env, docs/work/x, /etc/x\n"));
  }

  TEST_CASE("a file outside of the layout is found") {
    CHECK_FALSE(accepts(check_place, "scripts/a.sh", ""));
    CHECK_FALSE(accepts(check_place, "notes.txt", ""));
    CHECK_FALSE(accepts(check_place, "raft/RaftCore.cpp", ""));
    CHECK(accepts(check_place, "raft/core.cpp", ""));
    CHECK(accepts(check_place, ".ci/run", ""));
  }
}
