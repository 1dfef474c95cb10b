// An operator who works on a cluster of real nodes with `aq`.
#pragma once

#include "tests/cluster/cluster_user.hpp"
#include "tests/support/paths.hpp"
#include "tests/support/test_cluster.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace aqueduct::test {

class operator_bench {
public:
  using json = nlohmann::json;
  using words = std::vector<std::string>;

  struct answer {
    int status = -1;
    /// What it printed, or nothing.
    json out;
    std::string err;
  };

  /// Of all nodes that are to be started; of the first if none is.
  explicit operator_bench(test_cluster::options opts = {}) : nodes(std::move(opts)) {
    std::vector<std::string> running;
    for (int node = 1; node <= nodes.size(); ++node) {
      if (!nodes.is_running(node) && node == 1)
        nodes.start_and_wait(node);
      if (nodes.is_running(node))
        running.push_back(nodes.address(node));
    }
    on.emplace(open(running));
    CHECK(has_brokers(*on, running.size()));
  }

  /// What `aq` says when it asks that node.
  answer aq(int node, words arguments) {
    arguments.insert(arguments.begin(), {"--admin", nodes.admin_address(node), "--output", "json"});
    child_process program(built_program("aq"), arguments);
    const auto status = program.wait_until(test_clock::now() + patience);
    REQUIRE(status);
    const auto text = program.rest_of_output();
    return {*status, text.empty() ? json() : json::parse(text), program.errors()};
  }
  /// Checks that it worked.
  json done(int node, const words& arguments) {
    const auto ended = aq(node, arguments);
    INFO(ended.err);
    REQUIRE(ended.status == 0);
    return ended.out;
  }
  template <class Condition>
  bool comes(int node, const words& arguments, const Condition& holds) {
    const auto deadline = test_clock::now() + patience;
    while (test_clock::now() < deadline) {
      const auto now = aq(node, arguments);
      if (now.status == 0 && holds(now.out))
        return true;
      std::this_thread::yield();
    }
    return false;
  }
  json broker(int node) { return done(1, {"broker", "describe", std::to_string(node)}); }
  void check_health(const std::vector<int>& asked) {
    for (const int node : asked) {
      const auto health = aq(node, {"cluster", "health", "--wait", "20s"});
      CHECK_MESSAGE(health.status == 0, health.out.dump());
    }
  }
  /// Where the controller wants a partition of "numbers".
  std::vector<int> placed(int partition) {
    std::vector<int> where;
    const auto layout = on->topic("numbers");
    REQUIRE(layout);
    for (const auto& each : layout->partitions)
      if (each.partition.value == partition)
        for (const auto replica : each.replicas)
          where.push_back(replica.value);
    return where;
  }
  /// As the node that leads partition 0 of the topic says, once they are those.
  bool has_voters(const std::set<int>& wanted, const std::string& topic = "numbers") {
    return becomes(*on, [&](const client::cluster_layout&) {
      const auto status = aq(leader_of(*on, topic, 0), {"raft", "status", topic + ":0"});
      if (status.status != 0)
        return false;
      const auto group = status.out["groups"][0];
      return group["role"] == "leader" && group["voters"].get<std::set<int>>() == wanted &&
             group["learners"].empty();
    });
  }

  test_cluster nodes;
  std::optional<client::cluster> on;
};

} // namespace aqueduct::test
