// aqueduct-bench: measures the floor of this machine and a node beside it; see docs/performance.md.
#include "apps/bench/cases.hpp"
#include "apps/bench/floor_server.hpp"
#include "apps/bench/interrupt.hpp"
#include "apps/bench/process.hpp"

#include <CLI/CLI.hpp>

#include <stdlib.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace {

using namespace aqueduct;
using namespace aqueduct::bench;

constexpr int exit_failed = 1;
constexpr int exit_usage = 64;

struct arguments {
  std::vector<std::string> names;
  bench_options bench;
  std::string data = "data";
  bool as_json = false;
  floor_options floor;
  std::optional<int> floor_writers;
};

std::string describe_cases() {
  std::string text = "Cases (all when none is named):\n";
  for (const auto& each : all_cases())
    text += "  " + std::string(each.name) + std::string(18 - each.name.size(), ' ') +
            std::string(each.what) + "\n";
  return text;
}

void define(CLI::App& app, arguments& args) {
  app.footer(describe_cases());
  app.add_option("CASE", args.names, "What to measure");
  app.add_option("--seconds", args.bench.seconds, "Length of each round of each server")
      ->check(CLI::Range(0.1, 3600.0))
      ->capture_default_str();
  app.add_option("--rounds", args.bench.rounds, "Rounds, of which the median counts")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app.add_option("--data", args.data, "Folder on the file system to measure")
      ->capture_default_str();
  app.add_option("--node", args.bench.node_path, "Path of aqueductd; default: beside this program");
  app.add_option("--set", args.bench.settings, "Setting of the node as key=value; repeatable")
      ->allow_extra_args(false);
  app.add_flag("--json", args.as_json, "Print JSON instead of tables");
  // How this program starts itself as the floor server.
  auto* floor = app.add_option("--floor", args.floor.directory)->group("");
  app.add_option("--floor-partitions", args.floor.partitions)->group("")->needs(floor);
  app.add_option("--floor-file-bytes", args.floor.file_bytes)->group("")->needs(floor);
  app.add_option("--floor-writers", args.floor_writers,
                 "Threads of the floor server that write, instead of what a case finds best");
}

bool is_wanted(const arguments& args, const bench_case& each) {
  return args.names.empty() || std::ranges::find(args.names, each.name) != args.names.end();
}

int fail(const error& why) {
  std::fprintf(stderr, "aqueduct-bench: %s\n", why.message.c_str());
  return exit_failed;
}

int run_cases(const arguments& args) {
  report found;
  int status = 0;
  for (const auto& each : all_cases()) {
    if (!is_wanted(args, each))
      continue;
    std::fprintf(stderr, "%s: %s\n", std::string(each.name).c_str(),
                 std::string(each.what).c_str());
    auto options = args.bench;
    options.folder += "/" + std::string(each.name);
    std::filesystem::create_directories(options.folder);
    settle_disk(options.folder);
    const auto done = each.run(options, found);
    remove_folder(options.folder);
    if (is_interrupted())
      return exit_failed;
    if (!done)
      status = fail({done.error().code, std::string(each.name) + ": " + done.error().message});
  }
  const auto text = args.as_json ? to_json(found) : to_text(found);
  std::fputs(text.c_str(), stdout);
  return status;
}

int run(arguments args) {
  for (const auto& name : args.names)
    if (std::ranges::find(all_cases(), name, &bench_case::name) == all_cases().end()) {
      std::fprintf(stderr, "aqueduct-bench: there is no case '%s'\n%s", name.c_str(),
                   describe_cases().c_str());
      return exit_usage;
    }
  if (args.bench.node_path.empty())
    args.bench.node_path = own_folder() + "/aqueductd";
  std::error_code failed;
  std::filesystem::create_directories(args.data, failed);
  auto folder = args.data + "/bench-" + std::string(6, 'X');
  if (::mkdtemp(folder.data()) == nullptr)
    return fail({errc::storage_failed, "cannot make a folder in " + args.data});
  args.bench.folder = folder;
  catch_interrupts();
  const auto status = run_cases(args);
  remove_folder(folder);
  return status;
}

} // namespace

int main(int argc, char** argv) {
  arguments args;
  CLI::App app("Measures the floor of this machine, and Aqueduct beside it.");
  define(app, args);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& wrong) {
    return app.exit(wrong) == 0 ? 0 : exit_usage;
  }
  if (!args.floor.directory.empty()) {
    args.floor.writers = args.floor_writers.value_or(args.floor.writers);
    const auto served = serve_floor(args.floor);
    return served ? 0 : fail(served.error());
  }
  args.bench.floor_writers = args.floor_writers;
  return run(std::move(args));
}
