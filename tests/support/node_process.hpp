// A real node, `aqueductd`, on ports that the system chooses, in a data directory of the test's.
#pragma once

#include "tests/support/child_process.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace aqueduct::test {

struct node_options {
  std::filesystem::path data_dir;
  /// `key=value` each, as after `--set`.
  std::vector<std::string> settings{};
  /// Further arguments, such as `--config FILE`.
  std::vector<std::string> arguments{};
};

struct address {
  std::string host;
  std::uint16_t port = 0;
};

/// What a run that ended left behind.
struct finished_run {
  int status = 0;
  std::string output;
  std::string errors;
};

/// Not thread-safe, but for `client_address`.
class node_process {
public:
  /// Starts a node and waits for its `ready` line; throws std::runtime_error with what it said if
  /// none comes.
  explicit node_process(node_options options);

  [[nodiscard]] const address& client_address() const { return clients_; }
  [[nodiscard]] const address& admin_address() const { return operators_; }
  [[nodiscard]] const node_options& options() const { return options_; }
  [[nodiscard]] child_process& process() { return *process_; }

  /// SIGTERM; returns the exit status. Throws when the node does not end.
  int stop();
  /// SIGKILL, and waits for the end.
  void kill();
  /// Starts again with the same options after `stop` or `kill`, on other ports.
  void start();
  void restart() {
    stop();
    start();
  }

private:
  node_options options_;
  std::unique_ptr<child_process> process_;
  address clients_;
  address operators_;
};

/// The arguments for a node with free ports.
[[nodiscard]] std::vector<std::string> node_arguments(const node_options& options);

/// Runs `aqueductd` until it ends by itself: for starts that must be refused. Throws when it is
/// still there after `patience`.
[[nodiscard]] finished_run run_node(const std::vector<std::string>& arguments);

} // namespace aqueduct::test
