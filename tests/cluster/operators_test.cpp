// Real nodes under a producer that never stops, while an operator works on them with `aq`: nothing
// that was acknowledged is lost, doubled or reordered, and no request fails.
#include "tests/cluster/operator_bench.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <filesystem>
#include <set>
#include <thread>

using namespace aqueduct;
using namespace aqueduct::client;
using namespace aqueduct::test;
using json = nlohmann::json;
using words = std::vector<std::string>;

namespace {

constexpr int not_found = 66;
constexpr int conflict = 73;
constexpr int try_again = 75;

using bench = operator_bench;

} // namespace

TEST_SUITE_BEGIN("cluster.operators");

TEST_CASE("replicas are added and taken away, that of the leader too, while records come") {
  bench at;
  create_topic(*at.on, "numbers", 1, std::int16_t{2});
  steady_writer writer(*at.on, "numbers", 1);
  writer.wait_for_more(200);
  const auto before = at.placed(0);
  REQUIRE(before.size() == 2);
  const int third = 6 - before[0] - before[1];
  const auto number = std::to_string(third);

  const auto imagined = at.done(1, {"raft", "add-replica", "numbers:0", number, "--dry-run"});
  CHECK(imagined["done"] == false);
  CHECK(at.aq(third, {"raft", "status", "numbers:0"}).status == not_found);
  const auto added = at.done(1, {"raft", "add-replica", "numbers:0", number});
  CHECK(added["moves"][0]["from"] == json(before));
  CHECK(at.has_voters({1, 2, 3}));
  writer.wait_for_more(200);
  CHECK(at.aq(1, {"raft", "add-replica", "numbers:0", number}).status == conflict);

  const int leader = leader_of(*at.on, "numbers", 0);
  const auto its_number = std::to_string(leader);
  // The cluster has heard that the first change is made.
  CHECK(at.comes(2, {"raft", "remove-replica", "numbers:0", its_number, "--dry-run"},
                 [](const json&) { return true; }));
  at.done(2, {"raft", "remove-replica", "numbers:0", its_number});
  std::set<int> rest{1, 2, 3};
  rest.erase(leader);
  CHECK(at.has_voters(rest));
  writer.wait_for_more(200);
  // Its files go, and its group with them.
  CHECK(at.comes(leader, {"raft", "status"}, [](const json& all) {
    return std::ranges::none_of(all["groups"],
                                [](const json& group) { return group["group"] == "numbers:0"; });
  }));
  at.check_health({1, 2, 3});
  writer.finish();
}

TEST_CASE("a broker is evacuated and leaves the cluster for good, while records come") {
  bench at({.settings = {"cluster.session-timeout=1500ms"}});
  create_topic(*at.on, "numbers", 6, std::int16_t{2});
  steady_writer writer(*at.on, "numbers", 6);
  writer.wait_for_more(200);
  CHECK(at.broker(3)["replicas"] == 4);
  CHECK(at.aq(1, {"broker", "remove", "3"}).status == conflict);
  const auto plan = at.done(2, {"broker", "drain", "3", "--evacuate", "--dry-run"});
  CHECK(plan["moves"].size() == 4);
  CHECK(at.broker(3)["state"] == "there");

  at.done(2, {"broker", "drain", "3", "--evacuate", "--wait"});
  CHECK(at.broker(3)["state"] == "evacuating");
  CHECK(at.broker(3)["replicas"] == 0);
  writer.wait_for_more(200);
  const auto refused = at.aq(1, {"broker", "remove", "3"});
  CHECK(refused.status == conflict);
  CHECK_MESSAGE(refused.err.find("stop it first") != std::string::npos, refused.err);
  at.check_health({1, 2, 3});

  CHECK(at.nodes.stop(3) == 0);
  CHECK(at.comes(1, {"broker", "describe", "3"},
                 [](const json& broker) { return broker["state"] == "gone"; }));
  at.done(1, {"broker", "remove", "3"});
  CHECK(at.aq(1, {"broker", "describe", "3"}).status == not_found);
  CHECK(
      at.comes(2, {"broker", "list"}, [](const json& all) { return all["brokers"].size() == 2; }));
  CHECK(at.aq(1, {"broker", "remove", "3"}).status == not_found);
  // Two are a majority of two: the one that left is missed by nobody.
  CHECK(at.comes(1, {"raft", "status", "controller"}, [](const json& all) {
    return all["groups"][0]["voters"] == json({1, 2});
  }));
  writer.wait_for_more(200);
  at.check_health({1, 2});
  writer.finish();
}

TEST_CASE("three brokers shrink to one, whoever leads the metadata, while records come") {
  bench at({.settings = {"cluster.session-timeout=1500ms"}});
  create_topic(*at.on, "numbers", 3, std::int16_t{1});
  steady_writer writer(*at.on, "numbers", 3);
  writer.wait_for_more(200);
  std::set<int> left{1, 2, 3};
  while (left.size() > 1) {
    const int leaving = admin(*at.on).describe_cluster()->controller->value;
    const int asked = *std::ranges::find_if(left, [&](int node) { return node != leaving; });
    left.erase(leaving);
    const auto number = std::to_string(leaving);
    at.done(asked, {"broker", "drain", number, "--evacuate", "--wait"});
    CHECK(at.done(asked, {"broker", "describe", number})["votes"] == false);
    // It is missed by nobody, also for the moment until it counts as gone.
    CHECK(at.nodes.stop(leaving) == 0);
    at.on.emplace(open({at.nodes.address(asked)}));
    CHECK(at.comes(asked, {"broker", "describe", number},
                   [](const json& broker) { return broker["state"] == "gone"; }));
    at.done(asked, {"broker", "remove", number});
    CHECK(at.comes(asked, {"raft", "status", "controller"}, [&](const json& all) {
      const auto& group = all["groups"][0];
      return group["voters"].get<std::set<int>>() == left && group["learners"].empty();
    }));
    writer.wait_for_more(200);
    for (const int node : left)
      at.check_health({node});
  }
  create_topic(*at.on, "after", 1);
  writer.finish();
}

TEST_CASE("a broker that comes back from a drain is filled by a rebalance, while records come") {
  bench at;
  create_topic(*at.on, "numbers", 6, std::int16_t{2});
  steady_writer writer(*at.on, "numbers", 6);
  at.done(1, {"broker", "drain", "3", "--evacuate", "--wait"});
  at.done(1, {"broker", "undrain", "3"});
  CHECK(at.broker(3)["state"] == "there");
  const auto plan = at.done(3, {"cluster", "rebalance", "--dry-run"});
  CHECK(plan["done"] == false);
  CHECK(plan["moves"].size() >= 4);
  CHECK(at.broker(3)["replicas"] == 0);

  at.done(3, {"cluster", "rebalance", "--wait"});
  CHECK(at.broker(3)["replicas"] == 4);
  CHECK(at.broker(3)["preferred"] == 2);
  CHECK(at.done(2, {"cluster", "rebalance", "--dry-run"})["moves"].empty());
  writer.wait_for_more(200);
  at.check_health({1, 2, 3});
  writer.finish();
}

TEST_CASE("a drained broker leads nothing and gets nothing, until it is called back") {
  bench at;
  create_topic(*at.on, "numbers", 1);
  steady_writer writer(*at.on, "numbers", 1);
  writer.wait_for_more(200);
  const int preferred = at.placed(0).front();
  const auto number = std::to_string(preferred);
  const auto leads = [&](bool wanted) {
    return becomes(*at.on, [&](const cluster_layout&) {
      return (leader_of(*at.on, "numbers", 0) == preferred) == wanted;
    });
  };
  at.done(1, {"broker", "drain", number});
  CHECK(leads(false));
  CHECK(at.broker(preferred)["state"] == "draining");
  CHECK(create_topic(*at.on, "later", 4, std::int16_t{2}).replication == 2);
  CHECK(at.broker(preferred)["replicas"] == 1);
  at.check_health({1, 2, 3});
  writer.wait_for_more(200);
  at.done(1, {"broker", "undrain", number});
  CHECK(leads(true));
  writer.finish();
}

TEST_CASE("leaders hand over when they are told, of partitions and of the metadata") {
  bench at;
  create_topic(*at.on, "numbers", 1);
  steady_writer writer(*at.on, "numbers", 1);
  for (int turn = 0; turn < 5; ++turn) {
    writer.wait_for_more(200);
    const int leader = leader_of(*at.on, "numbers", 0);
    const int next = leader % 3 + 1;
    const auto refused = at.aq(next, {"raft", "transfer", "numbers:0", std::to_string(next)});
    // The preferred leader may have taken its office back in between.
    if (refused.status != 0) {
      CHECK(refused.status == try_again);
      CHECK_MESSAGE(refused.err.find("leads numbers:0") != std::string::npos, refused.err);
    }
    const words transfer{"raft", "transfer", "numbers:0", std::to_string(next)};
    CHECK(becomes(*at.on, [&](const cluster_layout&) {
      return at.aq(leader_of(*at.on, "numbers", 0), transfer).status == 0;
    }));
  }
  const int controller = admin(*at.on).describe_cluster()->controller->value;
  const int next = controller % 3 + 1;
  at.done(controller, {"raft", "transfer", "controller", std::to_string(next)});
  CHECK(at.done(next, {"raft", "status", "controller"})["groups"][0]["role"] == "leader");
  create_topic(*at.on, "after", 1);
  writer.finish();
}

TEST_CASE("a node that lacks entries which a snapshot stands for takes over the state") {
  bench at;
  create_topic(*at.on, "before", 1);
  at.check_health({1, 2, 3});
  const int leader = admin(*at.on).describe_cluster()->controller->value;
  CHECK(at.comes(leader, {"raft", "status", "controller"},
                 [](const json& now) { return now["groups"][0]["voters"].size() == 3; }));
  const int away = leader % 3 + 1;
  at.nodes.kill(away);
  for (int i = 0; i < 5; ++i)
    create_topic(*at.on, "during-" + std::to_string(i), 1);
  for (int node = 1; node <= 3; ++node)
    if (node != away) {
      const auto kept = at.done(node, {"raft", "snapshot", "controller"});
      CHECK(kept["first"].get<int>() > 5);
      CHECK(kept["first"] == kept["applied"].get<int>() + 1);
    }
  at.nodes.start_and_wait(away);
  at.check_health({1, 2, 3});
  const auto group = at.done(away, {"raft", "status", "controller"})["groups"][0];
  CHECK(group["first"].get<int>() > 5);
  create_topic(*at.on, "after", 1);
  const auto there = at.done(away, {"raft", "status"})["groups"];
  CHECK(std::ranges::any_of(there, [](const auto& each) { return each["group"] == "during-4:0"; }));
  CHECK(std::ranges::any_of(there, [](const auto& each) { return each["group"] == "before:0"; }));
}

TEST_CASE("health says what is wrong when a node is gone, and all is well when it is back") {
  bench at({.settings = {"cluster.session-timeout=1500ms"}});
  create_topic(*at.on, "numbers", 3);
  steady_writer writer(*at.on, "numbers", 3);
  writer.wait_for_more(200);
  at.check_health({1, 2, 3});
  at.nodes.kill(3);
  const auto finds = [&](const std::string& what, const std::string& problem) {
    const auto deadline = test_clock::now() + patience;
    while (test_clock::now() < deadline) {
      const auto health = at.aq(1, {"cluster", "health"});
      CHECK((health.status == 0 || health.status == 1));
      for (const auto& finding : health.out["findings"])
        if (finding["what"] == what &&
            finding["problem"].get<std::string>().find(problem) != std::string::npos)
          return true;
    }
    return false;
  };
  CHECK(finds("link 1-3", "down"));
  CHECK(finds("broker 3", "gone, with 3 replicas"));
  writer.wait_for_more(200);
  at.nodes.start_and_wait(3);
  at.check_health({1, 2, 3});
  writer.finish();
}

TEST_SUITE_END();
