// A real node that grows to three and shrinks back to one: no record is lost, and no file is moved
// by hand.
#include "tests/cluster/operator_bench.hpp"

#include <doctest/doctest.h>

#include <set>
#include <string>

using namespace aqueduct;
using namespace aqueduct::client;
using namespace aqueduct::test;
using json = nlohmann::json;

TEST_SUITE_BEGIN("cluster.shrink");

TEST_CASE("a node grows to three and shrinks back to one with as many replicas as brokers") {
  operator_bench at(
      {.settings = {"cluster.session-timeout=1500ms"}, .found_together = false, .start = false});
  create_topic(*at.on, "early", 1);
  {
    auto sender = producer::create(*at.on, {});
    REQUIRE(sender);
    send_numbers(*sender, "early", 0, 300);
  }

  at.nodes.start_and_wait(2);
  at.nodes.start_and_wait(3);
  CHECK(has_brokers(*at.on, 3));
  for (const std::string node : {"2", "3"}) {
    // The cluster has heard that the change before is made.
    CHECK(at.comes(1, {"raft", "add-replica", "early:0", node, "--dry-run"},
                   [](const json&) { return true; }));
    at.done(1, {"raft", "add-replica", "early:0", node});
  }
  CHECK(at.has_voters({1, 2, 3}, "early"));
  create_topic(*at.on, "numbers", 3, std::int16_t{3});
  steady_writer writer(*at.on, "numbers", 3);
  writer.wait_for_more(200);

  std::set<int> left{1, 2, 3};
  for (const int leaving : {3, 2}) {
    const auto number = std::to_string(leaving);
    const auto refused = at.aq(1, {"broker", "drain", number, "--evacuate", "--dry-run"});
    CHECK(refused.status != 0);
    CHECK_MESSAGE(refused.err.find("shrink") != std::string::npos, refused.err);
    const auto plan =
        at.done(1, {"broker", "drain", number, "--evacuate", "--shrink", "--dry-run"});
    CHECK(plan["done"] == false);
    CHECK(plan["moves_total"] == 4);
    CHECK(at.broker(leaving)["state"] == "there");
    CHECK(at.broker(leaving)["replicas"] == 4);

    at.done(1, {"broker", "drain", number, "--evacuate", "--shrink", "--wait"});
    CHECK(at.broker(leaving)["replicas"] == 0);
    CHECK(at.broker(leaving)["votes"] == false);
    CHECK(at.nodes.stop(leaving) == 0);
    at.on.emplace(open({at.nodes.address(1)}));
    CHECK(at.comes(1, {"broker", "describe", number},
                   [](const json& broker) { return broker["state"] == "gone"; }));
    at.done(1, {"broker", "remove", number});
    left.erase(leaving);
    CHECK(at.has_voters(left, "early"));
    CHECK(at.has_voters(left, "numbers"));
    writer.wait_for_more(200);
    at.check_health({1});
  }

  // The last one has nowhere to go, whoever asks for what.
  CHECK(at.aq(1, {"broker", "drain", "1", "--evacuate", "--shrink", "--dry-run"}).status != 0);
  writer.finish();
  expect_numbers(*at.on, "early", 300);
  create_topic(*at.on, "after", 1);
}

TEST_SUITE_END();
