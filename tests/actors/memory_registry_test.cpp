// Nodes that find each other in their process: who is there, and who founds the cluster.
#include "actors/discovery/memory_registry.hpp"
#include "actors/environment.hpp"
#include "actors/node.hpp"
#include "storage/data_directory.hpp"
#include "storage/posix_disk.hpp"
#include "tests/support/temp_directory.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <future>
#include <memory>
#include <set>
#include <string>
#include <vector>

using namespace aqueduct;
using namespace aqueduct::actors;

namespace {

using endpoints = std::vector<config::endpoint>;

uuid id_of(std::uint8_t number) {
  uuid id;
  id.bytes[15] = number;
  return id;
}

/// A real node with ports that nobody else has, of no more threads than it needs.
node::options settings_of(std::int32_t number, const test::temp_directory& folder,
                          const std::shared_ptr<memory_registry>& process) {
  node::options options;
  options.software = "test";
  options.process = process;
  auto& config = options.config;
  config.node.id = number;
  config.data.dir = folder.path() / ("node-" + std::to_string(number));
  config.listen.port = 0;
  config.cluster.listen.port = 0;
  config.admin.listen.port = 0;
  config.discovery.kind = config::discovery_kind::memory;
  config.storage.threads = 1;
  config.storage.reader_threads = 1;
  config.storage.flush = config::flush_policy::os;
  config.actors.threads = 1;
  return options;
}

/// Which cluster a node that does not run belongs to.
uuid cluster_of(const node::options& options) {
  storage::posix_disk disk;
  storage::claim_request claim;
  claim.path = options.config.data.dir.string();
  claim.node = node_id(options.config.node.id);
  const auto data = storage::data_directory::claim(disk, claim);
  REQUIRE(data);
  return data->identity().cluster;
}

} // namespace

TEST_SUITE("actors.memory_registry") {
  TEST_CASE("those that are there are seen, in the order in which they came") {
    const auto registry = memory_registry::make();
    const auto one = registry->enter(1, {"a", 1});
    auto two = registry->enter(2, {"b", 2});
    CHECK(one->addresses() == endpoints{{"a", 1}, {"b", 2}});
    CHECK(two->addresses() == one->addresses());
    two.reset();
    CHECK(one->addresses() == endpoints{{"a", 1}});
    const auto three = registry->enter(2, {"c", 3});
    three->leave();
    three->leave();
    CHECK(one->addresses() == endpoints{{"a", 1}});
    CHECK(memory_registry::make()->enter(3, {"d", 4})->addresses() == endpoints{{"d", 4}});
  }

  TEST_CASE("one node gets leave to found a cluster, and has it when it comes back") {
    const auto registry = memory_registry::make();
    auto one = registry->enter(1, {"a", 1});
    const auto two = registry->enter(2, {"b", 2});
    CHECK(two->may_found());
    CHECK_FALSE(one->may_found());
    two->leave();
    CHECK_FALSE(one->may_found());
    CHECK(registry->enter(2, {"c", 3})->may_found());
  }

  TEST_CASE("nobody founds a cluster where one is known, also when all have left") {
    const auto registry = memory_registry::make();
    registry->enter(2, {"a", 1})->belongs_to(id_of(1));
    const auto two = registry->enter(2, {"b", 2});
    CHECK_FALSE(two->may_found());
    CHECK_FALSE(registry->enter(1, {"b", 2})->may_found());
  }
}

TEST_SUITE("actors.nodes_of_one_process") {
  TEST_CASE("three real nodes that start at once are one cluster, and are it again") {
    const test::temp_directory folder;
    std::set<std::string> clusters;
    for (int turn = 0; turn < 2; ++turn) {
      const auto process = memory_registry::make();
      std::vector<std::future<result<std::unique_ptr<node>>>> starts;
      for (const std::int32_t number : {3, 1, 2})
        starts.push_back(std::async(std::launch::async, [&, number] {
          return node::start(settings_of(number, folder, process));
        }));
      std::vector<std::unique_ptr<node>> nodes;
      for (auto& start : starts) {
        auto started = start.get();
        REQUIRE_MESSAGE(started, started.error().message);
        nodes.push_back(std::move(*started));
      }
      for (const auto& each : nodes)
        CHECK(each->stop());
      for (const std::int32_t number : {1, 2, 3})
        clusters.insert(to_string(cluster_of(settings_of(number, folder, nullptr))));
    }
    CHECK(clusters.size() == 1);
    CHECK_FALSE(clusters.contains(to_string(uuid())));
  }

  TEST_CASE("nodes that come one after the other, and one that shares nothing with them") {
    const test::temp_directory folder;
    const test::temp_directory elsewhere;
    const auto process = memory_registry::make();
    auto second = node::start(settings_of(2, folder, process));
    REQUIRE_MESSAGE(second, second.error().message);
    auto first = node::start(settings_of(1, folder, process));
    REQUIRE_MESSAGE(first, first.error().message);
    auto alone = node::start(settings_of(1, elsewhere, nullptr));
    REQUIRE_MESSAGE(alone, alone.error().message);
    for (auto* each : {&*second, &*first, &*alone})
      CHECK((*each)->stop());
    const auto founded = cluster_of(settings_of(2, folder, nullptr));
    CHECK(founded == cluster_of(settings_of(1, folder, nullptr)));
    CHECK(founded != cluster_of(settings_of(1, elsewhere, nullptr)));
  }

  TEST_CASE("a node that began to found another cluster than that of its process says so") {
    const test::temp_directory folder;
    const auto process = memory_registry::make();
    process->enter(2, {"h", 1})->belongs_to(id_of(7));
    const auto options = settings_of(1, folder, process);
    CHECK(cluster_of(options).is_nil());
    std::filesystem::create_directories(options.config.data.dir / "groups" / "controller");
    const auto refused = node::start(options);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == errc::conflict);
    CHECK(refused.error().message.find("began to found a cluster") != std::string::npos);
  }
}
