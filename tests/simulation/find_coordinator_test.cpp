// How nodes find the coordinator of a group while its replicas elect, are lost or are elsewhere, in
// clusters in virtual time.
#include "actors/consumer_group/group_partition.hpp"
#include "tests/simulation/sim_cluster.hpp"

#include <caf/send.hpp>
#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <optional>

using namespace aqueduct;
using namespace aqueduct::actors;
using namespace aqueduct::actors::test;

TEST_SUITE_BEGIN("simulation.find_coordinator");

namespace {

constexpr std::int64_t patience_ms = 60'000;
/// How long a search waits for an election, and until the coordinator has looked at the clock.
constexpr std::int64_t election_ms = 1500;
constexpr std::int64_t look_ms = 150;

using search = std::shared_ptr<std::optional<result<std::int32_t>>>;

/// Four nodes, of which three have the coordinator of group "g".
struct bench {
  explicit bench(std::uint64_t seed) : cluster({seed, 4}) {
    for (std::int32_t node = 1; node <= 4; ++node)
      cluster.start(node);
    REQUIRE(cluster.run_until(
        [&] { return cluster.unrest().empty() && cluster.controller_can_lose_one(); },
        patience_ms));
    REQUIRE(cluster.create_coordinators(1, patience_ms));
  }

  [[nodiscard]] std::shared_ptr<const topic_route> topic(std::int32_t node) {
    return cluster.broker(node).directory().find(group_topic_name);
  }
  [[nodiscard]] std::shared_ptr<partition_route> route(std::int32_t node) {
    return topic(node)->partitions[0];
  }
  [[nodiscard]] std::int32_t leader() {
    return cluster.leader_of(std::string(group_topic_name), 0);
  }
  /// The nodes with a replica, the leader first.
  [[nodiscard]] std::vector<std::int32_t> replicas() {
    auto nodes = topic(1)->record.partitions[0].nodes;
    const auto first = std::ranges::find(nodes, leader());
    REQUIRE(first != nodes.end());
    std::iter_swap(nodes.begin(), first);
    return nodes;
  }
  [[nodiscard]] std::int32_t outsider() {
    const auto with = topic(1)->record.partitions[0].nodes;
    std::int32_t node = 1;
    while (std::ranges::find(with, node) != with.end())
      ++node;
    return node;
  }
  search find(std::int32_t node) {
    auto found = std::make_shared<std::optional<result<std::int32_t>>>();
    cluster.broker(node).groups().find("g", [found](result<std::int32_t> answer) {
      CHECK_FALSE(found->has_value());
      found->emplace(std::move(answer));
    });
    return found;
  }
  /// Of three replicas only one is left, which sees after a while that nobody leads.
  std::int32_t leave_one() {
    const auto nodes = replicas();
    cluster.crash(nodes[0]);
    cluster.crash(nodes[1]);
    REQUIRE(cluster.run_until([&] { return route(nodes[2])->leader < 0; }, patience_ms));
    return nodes[2];
  }

  sim_cluster cluster;
};

} // namespace

TEST_CASE("who looks for the coordinator while its replicas elect is told when that is over") {
  bench on(1);
  const auto nodes = on.replicas();
  on.cluster.crash(nodes[0]);
  REQUIRE(on.cluster.run_until([&] { return on.route(nodes[1])->leader < 0; }, patience_ms));
  const auto first = on.find(nodes[1]);
  const auto second = on.find(nodes[1]);
  CHECK_FALSE(first->has_value());
  REQUIRE(on.cluster.run_until([&] { return first->has_value(); }, election_ms));
  REQUIRE(second->has_value());
  REQUIRE(first->value().has_value());
  CHECK(***first == on.leader());
  CHECK(***second == on.leader());
  // One that is known is named before `find` returns.
  const auto third = on.find(nodes[1]);
  REQUIRE(third->has_value());
  CHECK(***third == on.leader());
}

TEST_CASE(
    "a coordinator that cannot be elected is not waited for any longer than an election takes") {
  bench on(2);
  const auto left = on.leave_one();
  const auto found = on.find(left);
  on.cluster.run_for(election_ms - 1);
  CHECK_FALSE(found->has_value());
  on.cluster.run_for(look_ms);
  REQUIRE(found->has_value());
  REQUIRE_FALSE(found->value().has_value());
  CHECK(found->value().error().code == errc::coordinator_loading);
}

TEST_CASE("a search that waits ends when the replica stops or fails") {
  bench on(3);
  const auto left = on.leave_one();
  const auto found = on.find(left);
  REQUIRE_FALSE(found->has_value());
  SUBCASE("it stops") {
    on.cluster.broker(left).stop();
    on.cluster.run_for(look_ms);
    REQUIRE(found->has_value());
    REQUIRE_FALSE(found->value().has_value());
    CHECK(found->value().error().code == errc::coordinator_loading);
  }
  SUBCASE("it fails, and names another one") {
    caf::anon_send(on.route(left)->handle,
                   group_event{group_failed{{errc::internal, "an invariant is broken"}}});
    on.cluster.run_for(look_ms);
    REQUIRE(found->has_value());
    REQUIRE(found->value().has_value());
    CHECK(*found->value() != left);
    CHECK(*found->value() > 0);
  }
}

TEST_CASE("where the group has no replica, one that is there is named") {
  bench on(4);
  const auto asked = on.outsider();
  const auto named = [&] {
    const auto found = on.find(asked);
    REQUIRE(found->has_value());
    REQUIRE(found->value().has_value());
    return *found->value();
  };
  const auto told = [&] {
    const auto answer = std::make_shared<std::optional<heartbeat_answer>>();
    heartbeat_call call;
    call.group = "g";
    call.who = {"m", "", 1};
    call.done = [answer](heartbeat_answer said) { *answer = std::move(said); };
    on.cluster.broker(asked).groups().ask("g", {std::move(call)});
    REQUIRE(answer->has_value());
    CHECK((*answer)->error == errc::not_coordinator);
    return (*answer)->coordinator;
  };
  const auto before = named();
  CHECK(told() == before);
  const auto is_there = [&](std::int32_t node) {
    const auto view = on.cluster.broker(asked).view();
    return std::ranges::find(view->brokers, node, &broker_record::node) != view->brokers.end();
  };
  CHECK(is_there(before));
  on.cluster.crash(before);
  REQUIRE(on.cluster.run_until([&] { return !is_there(before); }, patience_ms));
  const auto after = named();
  CHECK(after != before);
  CHECK(is_there(after));
  CHECK(told() == after);
}

TEST_SUITE_END();
