// The files that are shipped load, and what is generated from the model is up to date.
#include "config/loader.hpp"
#include "config/node_model.hpp"
#include "config/settings_reference.hpp"
#include "tests/support/paths.hpp"
#include "tests/support/temp_directory.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <set>

using namespace aqueduct;
using namespace aqueduct::config;

namespace {

const std::filesystem::path top = test::source_path();

std::string text_of(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  REQUIRE_MESSAGE(in, file.string());
  return {std::istreambuf_iterator<char>(in), {}};
}

/// Fails with the first line that differs, not with both texts.
void check_generated(const std::filesystem::path& file, const std::string& generated) {
  const auto kept = text_of(top / file);
  const auto [at, unused] = std::ranges::mismatch(kept, generated);
  const auto line = 1 + std::count(kept.begin(), at, '\n');
  const bool same = kept == generated;
  CHECK_MESSAGE(same, file.string(), ":", line,
                ": is not what the model generates; run ./dev docs");
}

loaded_config load_shipped(const std::filesystem::path& file) {
  auto loaded = load({top / file, {}, {}});
  REQUIRE_MESSAGE(loaded, loaded.error().message);
  return *std::move(loaded);
}

/// The settings of a file of a cluster, each checked by itself.
node_config read_shipped(const std::filesystem::path& file) {
  const auto entries = read_file(top / file);
  REQUIRE_MESSAGE(entries, entries.error().message);
  node_config config;
  origins given;
  problems found;
  node_model().apply(*entries, config, given, found);
  CHECK(found.empty());
  return config;
}

} // namespace

TEST_SUITE("config.shipped_files") {
  TEST_CASE("aqueduct.toml changes nothing, and nothing either when its lines are taken in") {
    CHECK(load_shipped("config/aqueduct.toml").values == node_config{});

    static const std::regex commented("\n#([a-z-]+ = )");
    const auto text = std::regex_replace(text_of(top / "config/aqueduct.toml"), commented, "\n$1");
    const test::temp_directory directory;
    const auto loaded = load({directory.write("all.toml", text), {}, {}});
    REQUIRE_MESSAGE(loaded, loaded.error().message);
    CHECK(loaded->values == node_config{});
    CHECK(loaded->given.size() > 40);
  }

  TEST_CASE("aqueduct.yaml sets some settings to their defaults") {
    const auto loaded = load_shipped("config/aqueduct.yaml");
    CHECK(loaded.values == node_config{});
    CHECK(loaded.given.size() > 5);
  }

  TEST_CASE("the three nodes of cluster-3 know each other and share nothing") {
    std::set<endpoint> addresses;
    std::set<endpoint> cluster;
    std::set<std::int32_t> ids;
    std::set<std::filesystem::path> folders;
    std::vector<node_config> nodes;
    for (const auto* name : {"node-1.toml", "node-2.toml", "node-3.toml"})
      nodes.push_back(read_shipped(std::filesystem::path("config/cluster-3") / name));
    for (const auto& node : nodes) {
      ids.insert(node.node.id);
      folders.insert(node.data.dir);
      cluster.insert(node.cluster.listen);
      addresses.insert({node.listen, node.cluster.listen, node.http.listen, node.admin.listen});
    }
    CHECK(ids == std::set<std::int32_t>{1, 2, 3});
    CHECK(folders.size() == 3);
    CHECK(addresses.size() == 12);
    for (const auto& node : nodes)
      CHECK(std::set<endpoint>(node.discovery.seeds.begin(), node.discovery.seeds.end()) ==
            cluster);
  }

  TEST_CASE("docs/settings.md is what the model generates") {
    check_generated("docs/settings.md", settings_reference());
  }

  TEST_CASE("config/aqueduct.toml is what the model generates") {
    check_generated("config/aqueduct.toml", default_config_file());
  }
}
