// A node of a test's own, with an empty data directory that goes when the test ends.
#pragma once

#include "tests/support/native_calls.hpp"
#include "tests/support/temp_directory.hpp"

#include <chrono>
#include <string>
#include <vector>

namespace aqueduct::test {

struct own_node {
  explicit own_node(const std::vector<std::string>& settings = {})
      : node({folder.path() / "data", settings, {}}), client(node.client_address()) {}

  void restart() {
    node.restart();
    client = native_client(node.client_address());
  }
  void kill_and_start() {
    node.kill();
    node.start();
    client = native_client(node.client_address());
  }

  temp_directory folder;
  node_process node;
  native_client client;
};

/// Wall clock, in ms since the Unix epoch, as the node's own.
inline std::int64_t wall_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

/// Files below `directory` whose paths contain `part`, while a node may add and remove some.
inline std::vector<std::filesystem::path> files_with(const std::filesystem::path& directory,
                                                     const std::string& part) {
  const auto deadline = test_clock::now() + patience;
  for (;;) {
    try {
      std::vector<std::filesystem::path> found;
      for (const auto& entry : std::filesystem::recursive_directory_iterator(directory))
        if (entry.path().string().find(part) != std::string::npos)
          found.push_back(entry.path());
      return found;
    } catch (const std::filesystem::filesystem_error&) {
      // A folder went while it was walked: what was found so far is not the whole.
      if (test_clock::now() > deadline)
        throw;
    }
  }
}

} // namespace aqueduct::test
