// A cluster of real nodes on one machine, each in a folder of its own and on ports that it keeps.
#pragma once

#include "tests/support/child_process.hpp"
#include "tests/support/cluster_network.hpp"
#include "tests/support/namespace_network.hpp"
#include "tests/support/temp_directory.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace aqueduct::test {

/// A port that is free now, that was not given out a short while ago, and that the system gives to
/// nobody who does not ask for it.
[[nodiscard]] std::uint16_t free_port();

/// Nodes have the ids 1, 2, ... Not thread-safe.
class test_cluster {
public:
  struct options {
    int nodes = 3;
    /// `key=value` each, as after `--set`, of all nodes.
    std::vector<std::string> settings{};
    /// Whether all nodes are in each other's list of seeds; else each knows node 1 only, and node 1
    /// knows nobody.
    bool found_together = true;
    /// `discovery.seeds` of all nodes, if it is not to be other nodes.
    std::optional<std::string> seeds{};
    /// Node N is in the rack "rN"; else none is in any.
    bool racked = false;
    /// Nodes reach each other through a network that the test can break.
    bool relayed = false;
    /// Each node is in a network namespace of its own. Precondition: `has_namespaces`.
    bool namespaced = false;
    bool start = true;
  };

  explicit test_cluster(options opts);

  /// Begins to start a node; `wait_ready` sees it through.
  void start(int node);
  /// Throws std::runtime_error with what the node said if it does not become ready.
  void wait_ready(int node);
  /// Whether the `ready` line has come, or comes until then.
  [[nodiscard]] bool is_ready_until(int node, test_clock::time_point deadline);
  void start_and_wait(int node) {
    start(node);
    wait_ready(node);
  }
  /// SIGKILL, and waits for the end.
  void kill(int node);
  /// SIGTERM; returns the exit status. Throws when the node does not end.
  int stop(int node);
  void pause(int node);
  void resume(int node);
  /// Removes the data of a node that does not run.
  void wipe(int node);

  /// Whether one of the nodes logs these words before the patience of the test is over.
  [[nodiscard]] bool says(const std::vector<int>& nodes, const std::string& words) const;

  [[nodiscard]] int size() const { return static_cast<int>(nodes_.size()); }
  [[nodiscard]] bool is_running(int node) const { return at(node).process != nullptr; }
  [[nodiscard]] child_process& process(int node) { return *at(node).process; }
  /// "HOST:PORT" for clients.
  [[nodiscard]] std::string address(int node) const;
  [[nodiscard]] std::string admin_address(int node) const;
  /// Where other nodes reach it.
  [[nodiscard]] std::string cluster_address(int node) const;
  /// Precondition: `relayed`.
  [[nodiscard]] cluster_network& network() { return *network_; }
  /// Precondition: `namespaced`.
  [[nodiscard]] namespace_network& namespaces() { return *namespaces_; }
  /// Of all nodes, running or not.
  [[nodiscard]] std::vector<std::string> addresses() const;
  [[nodiscard]] std::filesystem::path data_of(int node) const;

private:
  struct member {
    std::uint16_t clients = 0;
    std::uint16_t nodes = 0;
    std::uint16_t operators = 0;
    std::unique_ptr<child_process> process;
  };

  [[nodiscard]] member& at(int node) { return nodes_.at(static_cast<std::size_t>(node - 1)); }
  [[nodiscard]] const member& at(int node) const {
    return nodes_.at(static_cast<std::size_t>(node - 1));
  }
  [[nodiscard]] std::string seeds_of(int node) const;
  /// With the host of the node.
  [[nodiscard]] std::string with_host(int node, std::uint16_t port) const;

  options options_;
  temp_directory folder_;
  std::unique_ptr<cluster_network> network_;
  std::unique_ptr<namespace_network> namespaces_;
  std::vector<member> nodes_;
};

} // namespace aqueduct::test
