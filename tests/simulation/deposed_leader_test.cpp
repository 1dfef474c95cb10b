// A leader that was cut off and does not know yet that another one was elected: whatever it is
// asked, it does not say what only the leader of now can know.
#include "tests/simulation/sim_cluster.hpp"

#include <caf/send.hpp>
#include <doctest/doctest.h>

#include <cstring>

using namespace aqueduct;
using namespace aqueduct::actors;
using namespace aqueduct::actors::test;

TEST_SUITE_BEGIN("simulation.deposed_leader");

namespace {

constexpr std::int64_t producer = 9;
constexpr std::int64_t other_producer = 10;

struct noted_outcome : produce_sink {
  void produced(std::uint32_t, produce_outcome outcome) override { answer = std::move(outcome); }
  std::optional<produce_outcome> answer;
};

/// Three nodes with a partition, whose leader stood still, cut off, while the others elected
/// another one and took sequences 1 and 2 of a producer; the leader knows only 0.
struct divided_cluster {
  divided_cluster() : cluster({.seed = 5}) {
    for (std::int32_t node = 1; node <= 3; ++node)
      cluster.start(node);
    REQUIRE(cluster.run_until([&] { return cluster.unrest().empty(); }, 20'000));
    cluster.create_topic(cluster.controller(), "t", 1, 3);
    REQUIRE(cluster.run_until([&] { return is_settled(); }, 20'000));
    deposed = cluster.leader_of("t", 0);
    REQUIRE(ask(deposed, 0)->answer->error == errc::none);
    cluster.run_for(100);

    cluster.wires().isolate(deposed, 3);
    cluster.pause(deposed, true);
    REQUIRE(cluster.run_until([&] { return successor() != 0; }, 20'000));
    leader = successor();
    for (const std::int32_t sequence : {1, 2})
      REQUIRE(ask(leader, sequence)->answer->error == errc::none);
    cluster.pause(deposed, false);
  }

  [[nodiscard]] bool is_settled() {
    return cluster.leader_of("t", 0) != 0 && cluster.unrest().empty();
  }

  /// Who leads as the others see it.
  [[nodiscard]] std::int32_t successor() {
    for (std::int32_t node = 1; node <= 3; ++node) {
      const auto route = cluster.broker(node).directory().find("t");
      if (node != deposed && route && route->partitions[0]->leader.load() == node)
        return node;
    }
    return 0;
  }

  std::shared_ptr<noted_outcome> send(std::int32_t node, std::int32_t sequence,
                                      std::int64_t expected = -1, std::int64_t from = producer) {
    const auto value = std::to_string(from) + "/" + std::to_string(sequence);
    const auto batch = make_batch(value, from, sequence);
    auto sink = std::make_shared<noted_outcome>();
    produce_item item;
    item.sink = sink;
    item.expected_offset = expected;
    item.deadline_ms = cluster.broker(node).env().steady_ms() + 10'000;
    item.batch = mutable_buffer(batch.size());
    std::memcpy(item.batch.data(), batch.data(), batch.size());
    item.header = protocol::batch_view(batch.bytes()).header();
    produce_message message;
    message.items.push_back(std::move(item));
    caf::anon_send(cluster.broker(node).partition_of("t", 0), std::move(message));
    return sink;
  }

  std::shared_ptr<noted_outcome> ask(std::int32_t node, std::int32_t sequence,
                                     std::int64_t expected = -1, std::int64_t from = producer) {
    auto sink = send(node, sequence, expected, from);
    REQUIRE(cluster.run_until([&] { return sink->answer.has_value(); }, 5'000));
    return sink;
  }

  sim_cluster cluster;
  std::int32_t deposed = 0;
  std::int32_t leader = 0;
};

} // namespace

TEST_CASE("a producer that went on elsewhere is not told by the old leader that it is wrong") {
  divided_cluster it;
  // All three are next, stored, or far ahead for the leader of now; none is for the old one.
  const auto next = it.send(it.deposed, 3);
  const auto conditional = it.send(it.deposed, 1, 3);
  const auto behind = it.send(it.deposed, 4);
  it.cluster.run_for(5);
  for (const auto& each : {next, conditional, behind})
    CHECK_FALSE(each->answer);
  REQUIRE(it.cluster.run_until([&] { return behind->answer.has_value(); }, 5'000));
  for (const auto& each : {next, conditional, behind}) {
    REQUIRE(each->answer);
    CHECK(each->answer->error == errc::not_leader);
  }
  CHECK(it.ask(it.leader, 3)->answer->error == errc::none);
  CHECK(it.ask(it.leader, 4)->answer->base_offset == 4);
}

TEST_CASE("the old leader still knows what was stored while it led") {
  divided_cluster it;
  const auto repeat = it.send(it.deposed, 0);
  it.cluster.run_for(1);
  REQUIRE(repeat->answer);
  CHECK(repeat->answer->error == errc::none);
  CHECK(repeat->answer->base_offset == 0);
}

TEST_CASE("what the old leader took in vain is refused, and taken when it leads again") {
  divided_cluster it;
  const auto lost = it.send(it.deposed, 0, -1, other_producer);
  it.cluster.run_for(1);
  CHECK_FALSE(lost->answer);
  it.cluster.heal_network();
  REQUIRE(it.cluster.run_until([&] { return lost->answer && it.is_settled(); }, 20'000));
  CHECK(lost->answer->error == errc::not_leader);

  const auto topic = it.cluster.broker(it.leader).directory().find("t");
  const auto incarnation = it.cluster.broker(it.deposed).incarnation();
  it.cluster.broker(it.leader).transfer(
      {topic->record.id, 0}, {raft::node_id(it.deposed), raft::incarnation(incarnation)});
  REQUIRE(it.cluster.run_until(
      [&] { return it.cluster.leader_of("t", 0) == it.deposed && it.is_settled(); }, 20'000));
  const auto again = it.ask(it.deposed, 0, -1, other_producer);
  CHECK(again->answer->error == errc::none);
  CHECK(again->answer->base_offset == 3);
}

TEST_CASE("the leader of now refuses after a round with a majority") {
  divided_cluster it;
  const auto gap = it.send(it.leader, 9);
  const auto conflict = it.send(it.leader, 3, 7);
  it.cluster.run_for(100);
  REQUIRE(gap->answer);
  CHECK(gap->answer->error == errc::out_of_order_sequence);
  REQUIRE(conflict->answer);
  CHECK(conflict->answer->error == errc::offset_conflict);
  CHECK(conflict->answer->end_offset == 3);
}

TEST_SUITE_END();
