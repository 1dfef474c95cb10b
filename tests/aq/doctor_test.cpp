#include "apps/aq/doctor.hpp"
#include "tests/aq/support.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <filesystem>
#include <set>
#include <string>

using namespace aqueduct;
using namespace aqueduct::aq;
using namespace std::chrono_literals;

TEST_SUITE_BEGIN("aq.doctor");

TEST_CASE("a directory that cannot be written is critical") {
  CHECK(judge_writable("/data", "").how == severity::ok);
  const auto bad = judge_writable("/data", "Permission denied");
  CHECK(bad.how == severity::critical);
  CHECK(bad.current == "/data: Permission denied");
  CHECK_FALSE(bad.fix.empty());
}

TEST_CASE("file systems are judged by what they do to synced appends") {
  CHECK(judge_file_system(0xef53).how == severity::ok);
  CHECK(judge_file_system(0xef53).current == "ext4");
  CHECK(judge_file_system(0x58465342).how == severity::ok);
  CHECK(judge_file_system(0x01021994).how == severity::critical);
  CHECK(judge_file_system(0x6969).how == severity::critical);
  CHECK(judge_file_system(0x9123683e).how == severity::warning);
  CHECK(judge_file_system(0x12345678).how == severity::info);
  CHECK(judge_file_system(std::nullopt).how == severity::info);
}

TEST_CASE("little free disk warns, and below the reserve it is critical") {
  constexpr std::uint64_t gib = 1ULL << 30;
  CHECK(judge_free_disk(50 * gib, 100 * gib, gib).how == severity::ok);
  CHECK(judge_free_disk(10 * gib, 100 * gib, gib).how == severity::warning);
  CHECK(judge_free_disk(gib, 100 * gib, gib).how == severity::critical);
  CHECK(judge_free_disk(std::nullopt, 0, gib).how == severity::info);
}

TEST_CASE("limits of the process and the machine are compared with what a node needs") {
  CHECK(judge_open_files(65536, 10000).how == severity::ok);
  CHECK(judge_open_files(4096, 10000).how == severity::warning);
  CHECK(judge_open_files(4096, 10000).fix.find("LimitNOFILE=") != std::string::npos);
  CHECK(judge_memory(8ULL << 30, 4ULL << 30).how == severity::ok);
  CHECK(judge_memory(8ULL << 30, 100ULL << 20).how == severity::warning);
  CHECK(judge_memory(1ULL << 30, 1ULL << 30).how == severity::warning);
  CHECK(judge_swap(0, 60).how == severity::ok);
  CHECK(judge_swap(1ULL << 30, 1).how == severity::ok);
  CHECK(judge_swap(1ULL << 30, 60).how == severity::warning);
  CHECK(judge_huge_pages("always [madvise] never\n").how == severity::ok);
  CHECK(judge_huge_pages("[always] madvise never\n").how == severity::warning);
  CHECK(judge_huge_pages("always [madvise] never\n").current == "madvise");
  CHECK(judge_huge_pages(std::nullopt).how == severity::info);
}

TEST_CASE("an advertised address that does not answer is critical only while the node runs") {
  CHECK(judge_advertised("a:1", true, "").how == severity::ok);
  CHECK(judge_advertised("a:1", true, "Connection refused").how == severity::critical);
  CHECK(judge_advertised("a:1", false, "Connection refused").how == severity::info);
  CHECK(judge_advertised("a:1", true, "refused").fix ==
        "clients are told to connect to a:1; set `advertise` to an address that reaches this node");
  const auto of_listener = judge_advertised("a:1", true, "refused", "out");
  CHECK(of_listener.check == "advertised address of out");
  CHECK(of_listener.fix ==
        "clients are told to connect to a:1; set out in `listeners.advertise` to "
        "an address that reaches this node");
}

TEST_CASE("the disk is judged by the 99th percentile of its syncs") {
  CHECK(judge_sync(2ms, 1ms, 500).how == severity::ok);
  CHECK(judge_sync(25ms, 1ms, 500).how == severity::warning);
  CHECK(judge_sync(150ms, 1ms, 500).how == severity::critical);
  CHECK(judge_sync(50us, 5us, 500).how == severity::info);
  CHECK(judge_sync(std::nullopt, 0us, 0).how == severity::info);
}

TEST_CASE("lines of meminfo are found by their whole name") {
  const std::string meminfo =
      "MemTotal:       24000 kB\nMemAvailable:   12000 kB\nSwapTotal: 0 kB\n";
  CHECK(meminfo_bytes(meminfo, "MemTotal") == 24000ULL * 1024);
  CHECK(meminfo_bytes(meminfo, "SwapTotal") == 0);
  CHECK_FALSE(meminfo_bytes(meminfo, "Mem").has_value());
  CHECK_FALSE(meminfo_bytes("", "MemTotal").has_value());
}

TEST_CASE("the report has every row with all columns, and leaves nothing behind") {
  const test::scratch_directory data;
  const auto shown =
      test::run_aq({"doctor", "--no-disk-probe", "--data-dir", data.path(), "--output", "json"});
  const auto parsed = nlohmann::json::parse(shown.out);
  std::set<std::string> checks;
  for (const auto& row : parsed["checks"]) {
    for (const auto* key : {"check", "required", "current", "severity", "fix"})
      CHECK(row[key].is_string());
    checks.insert(row["check"].get<std::string>());
  }
  for (const auto* check :
       {"configuration", "data directory", "file system", "free disk", "disk fsync p99",
        "open files", "memory", "swap", "transparent huge pages", "client port", "cluster port",
        "http port", "admin port", "advertised address"})
    CHECK(checks.contains(check));
  CHECK(std::filesystem::is_empty(data.path()));
  CHECK((shown.code == exit_code::done || shown.code == exit_code::failed));
}

TEST_CASE("a configuration that is wrong is a row, not the end") {
  const test::scratch_directory files;
  const auto file = files.write("node.toml", "[storage]\nflush = \"never\"\n");
  const auto shown = test::run_aq({"doctor", "--no-disk-probe", "--config", file});
  CHECK(shown.code == exit_code::failed);
  CHECK(shown.out.find("CHECK") == 0);
  CHECK(shown.out.find("critical") != std::string::npos);
}

TEST_SUITE_END();
