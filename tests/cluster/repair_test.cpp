// Real nodes, one of which comes back with damaged files: the others serve on, its replicas are
// replaced, and in the end all hold the same.
#include "tests/cluster/cluster_user.hpp"
#include "tests/support/paths.hpp"
#include "tests/support/test_cluster.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

using namespace aqueduct;
using namespace aqueduct::client;
using namespace aqueduct::test;
using json = nlohmann::json;
namespace fs = std::filesystem;

namespace {

const fs::path program = built_program("aq");
constexpr int damaged_data = 65;

/// What `aq` printed, whatever its status was.
std::pair<int, std::string> aq(const std::vector<std::string>& arguments) {
  child_process run(program, arguments);
  const auto status = run.wait_until(test_clock::now() + patience);
  REQUIRE(status);
  auto text = run.rest_of_output();
  INFO(run.errors());
  return {*status, std::move(text)};
}

/// The segments of partition 0, oldest first.
std::vector<fs::path> segments_of(const test_cluster& nodes, int node, const std::string& topic) {
  std::vector<fs::path> found;
  for (const auto& each : fs::directory_iterator(nodes.data_of(node) / "groups" / topic / "0"))
    if (each.path().extension() == ".log")
      found.push_back(each.path());
  std::ranges::sort(found);
  return found;
}

void flip_byte(const fs::path& path, std::streamoff at) {
  std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
  file.seekg(at);
  const auto byte = static_cast<char>(file.get() ^ 0x10);
  file.seekp(at);
  file.put(byte);
  REQUIRE(file.good());
}

/// Half way to the last byte that was written; what follows is reserved space.
std::streamoff middle_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  return static_cast<std::streamoff>(bytes.find_last_not_of('\0') / 2);
}

/// All records of a node that does not run.
std::string records_of(const test_cluster& nodes, int node, const std::string& topic) {
  std::string all;
  for (const auto& file : segments_of(nodes, node, topic)) {
    auto [status, text] = aq({"log", "dump", file.string(), "--records", "-f", "%o %v\n"});
    CHECK(status == 0);
    all += text;
  }
  return all;
}

std::size_t set_aside_on(const test_cluster& nodes, int node) {
  std::size_t count = 0;
  for (const auto& each : fs::recursive_directory_iterator(nodes.data_of(node) / "groups"))
    count += each.path().extension() == ".damaged" ? 1 : 0;
  return count;
}

} // namespace

TEST_SUITE_BEGIN("cluster.repair");

TEST_CASE("a node with damaged files is repaired from the others, which serve on") {
  test_cluster nodes(
      {.settings = {"storage.segment-bytes=65536", "storage.preallocate-bytes=65536",
                    "storage.index-interval-bytes=1024", "topic.message-bytes-max=65536"}});
  const auto on = open(nodes.addresses());
  CHECK(has_brokers(on, 3));
  const auto large = to_string(create_topic(on, "large", 1, std::int16_t{3}).id);
  const auto numbers = to_string(create_topic(on, "numbers", 1, std::int16_t{3}).id);
  auto sender = producer::create(on, {});
  REQUIRE(sender);
  const auto send_large = [&](int count) {
    for (int i = 0; i < count; ++i)
      REQUIRE(sender->send_and_wait({.topic = "large",
                                     .partition = partition_id(0),
                                     .value = std::to_string(i) + std::string(8000, '.')}));
  };
  send_large(60);
  steady_writer writer(on, "numbers", 1);
  writer.wait_for_more(200);

  // Where the node looks when it starts.
  constexpr int bad = 3;
  nodes.kill(bad);
  const auto open_one = segments_of(nodes, bad, numbers).back();
  flip_byte(open_one, middle_of(open_one));
  nodes.start_and_wait(bad);
  writer.wait_for_more(100);
  CHECK(nodes.says({bad}, "the damaged replica is repaired"));
  writer.wait_for_more(100);
  // In a segment that is closed, which a scrub finds, unless somebody read it before and it is
  // repaired already.
  const auto closed = segments_of(nodes, bad, large);
  REQUIRE(closed.size() > 3);
  flip_byte(closed[1], 20'000);
  const auto operators = nodes.admin_address(bad);
  const auto scrubbed = aq({"--admin", operators, "admin", "scrub", "large"}).first;
  CHECK((scrubbed == 0 || scrubbed == damaged_data));
  const auto deadline = test_clock::now() + patience;
  const auto is_mended = [&] {
    const auto [status, text] = aq({"--admin", operators, "--output", "json", "admin", "status"});
    const auto report = status == 0 ? json::parse(text) : json();
    return status == 0 && report["damaged"] == 0 && report["repairs"] == 0;
  };
  bool mended = false;
  while (!mended && test_clock::now() < deadline)
    mended = is_mended();
  CHECK(mended);
  CHECK(nodes.says({bad}, "partition " + large + "/0: the damaged replica is repaired"));
  send_large(10);
  writer.wait_for_more(100);
  for (int node = 1; node <= 3; ++node) {
    const auto [status, text] = aq({"--admin", nodes.admin_address(node), "--output", "json",
                                    "cluster", "health", "--wait", "20s"});
    CHECK_MESSAGE(status == 0, text);
  }
  writer.finish();
  CHECK(aq({"--admin", operators, "admin", "scrub"}).first == 0);

  for (int node = 1; node <= 3; ++node)
    CHECK(nodes.stop(node) == 0);
  for (const auto& topic : {large, numbers}) {
    const auto truth = records_of(nodes, 1, topic);
    CHECK_FALSE(truth.empty());
    for (int node = 2; node <= 3; ++node)
      CHECK(records_of(nodes, node, topic) == truth);
  }
  CHECK(set_aside_on(nodes, bad) == 0);
}

TEST_SUITE_END();
