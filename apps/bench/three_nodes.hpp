// A cluster of three nodes on this machine, for the cases that strike or load it. Not thread-safe.
#pragma once

#include "apps/bench/servers.hpp"
#include "protocol/client/client.hpp"
#include "protocol/result.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace aqueduct::bench {

class three_nodes {
public:
  static constexpr int size = 3;

  /// Starts all three at once, and returns when all serve. `settings` come on top of those of
  /// `options`. Errors: as `child_process::start`; storage_failed without a folder.
  [[nodiscard]] static result<three_nodes> start(const bench_options& options,
                                                 const std::vector<std::string>& settings = {});

  /// Nodes are called 1 to 3, here and below.
  [[nodiscard]] child_process& process(int node) { return *at(node).process; }
  [[nodiscard]] std::vector<std::string> addresses() const;
  /// The client library's handle; it knows all three nodes.
  [[nodiscard]] result<client::cluster> connect() const;
  /// Starts a node that has ended, on its data and its ports.
  result<void> restart(int node);
  /// Waits until every replica is there and has caught up. Error: internal if that takes long.
  result<void> wait_healthy();

  /// Creates a topic, replicated three times, and returns when all its partitions serve.
  result<void> create_topic(const std::string& name, std::int32_t partitions);
  /// Who leads a partition now. Error: timed_out if nobody does for a long time.
  [[nodiscard]] result<int> leader(const std::string& topic, std::int32_t partition);
  /// Runs `aq` with these words, as an operator would, against the admin port of the node. Error:
  /// internal if it ends with a status other than 0.
  result<void> operate(int node, std::vector<std::string> words);

private:
  struct member {
    std::uint16_t clients = 0;
    std::uint16_t nodes = 0;
    std::uint16_t operators = 0;
    std::optional<child_process> process;
  };

  three_nodes() = default;
  [[nodiscard]] member& at(int node) { return members_.at(static_cast<std::size_t>(node - 1)); }
  [[nodiscard]] std::vector<std::string> command(int node) const;

  std::string node_path_;
  std::string folder_;
  std::vector<std::string> settings_;
  std::array<member, size> members_;
};

} // namespace aqueduct::bench
