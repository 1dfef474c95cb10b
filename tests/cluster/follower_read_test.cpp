// Real nodes that answer fetches without leading.
#include "protocol/client/admin.hpp"
#include "protocol/client/consumer.hpp"
#include "protocol/client/producer.hpp"
#include "tests/support/native_calls.hpp"
#include "tests/support/paths.hpp"
#include "tests/support/test_cluster.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <future>
#include <set>
#include <thread>
#include <vector>

using namespace aqueduct;
using namespace aqueduct::client;
using namespace std::chrono_literals;
using protocol::fetch_freshness;
using test::native_client;
using test::patience;
using test::test_cluster;

namespace {

cluster open(const std::vector<std::string>& brokers) {
  auto opened = cluster::open({.brokers = brokers});
  REQUIRE_MESSAGE(opened, to_string(opened.error()));
  return *opened;
}

/// A topic "numbers" with one partition that all nodes have; returns who leads it.
int create_numbers(const cluster& on, int nodes) {
  const auto deadline = test::test_clock::now() + patience;
  const auto created = admin(on).create_topic(
      {.name = "numbers", .partitions = 1, .replication = static_cast<std::int16_t>(nodes)});
  REQUIRE_MESSAGE(created, to_string(created.error()));
  while (test::test_clock::now() < deadline) {
    const auto layout = admin(on).describe_cluster(2s);
    if (!layout)
      continue;
    const auto found = std::ranges::find(layout->topics, "numbers", &topic_layout::name);
    if (found != layout->topics.end() && found->partitions.size() == 1 &&
        found->partitions[0].leader)
      return found->partitions[0].leader->value;
  }
  FAIL("nobody leads the topic");
  return 0;
}

producer create_producer(const cluster& on) {
  producer_config config;
  config.request_timeout = 10min;
  config.delivery_timeout = patience;
  auto created = producer::create(on, config);
  REQUIRE(created);
  return std::move(*created);
}

void send_numbers(producer& sender, int first, int count) {
  for (int i = first; i < first + count; ++i) {
    const auto text = std::to_string(i);
    const auto stored =
        sender.send_and_wait({.topic = "numbers", .partition = partition_id(0), .value = text});
    REQUIRE_MESSAGE(stored, i << ": " << to_string(stored.error()));
  }
}

native_client connect(const test_cluster& nodes, int node) {
  const auto text = nodes.address(node);
  const auto colon = text.rfind(':');
  return native_client(
      {text.substr(0, colon), static_cast<std::uint16_t>(std::stoi(text.substr(colon + 1)))});
}

protocol::fetch_partition_result fetch(native_client& from, fetch_freshness freshness,
                                       std::int64_t age_max = 0, std::int64_t offset = 0) {
  auto request = test::fetch_request_of("numbers", 0, offset);
  request.freshness = freshness;
  request.age_ms_max = age_max;
  const auto answer = test::must(from.call(request));
  REQUIRE(answer.topics.size() == 1);
  return answer.topics[0].partitions.at(0);
}

} // namespace

TEST_SUITE_BEGIN("cluster.follower_reads");

TEST_CASE("any replica answers as fresh as it is asked to be, and never lies about it") {
  test_cluster nodes({});
  const auto on = open(nodes.addresses());
  const int leader = create_numbers(on, 3);
  const int follower = leader % 3 + 1;
  auto sender = create_producer(on);
  send_numbers(sender, 0, 100);
  auto at_leader = connect(nodes, leader);
  auto at_follower = connect(nodes, follower);

  for (const auto freshness : {fetch_freshness::linearizable, fetch_freshness::bounded}) {
    const auto latest = fetch(at_follower, freshness, 0);
    REQUIRE_MESSAGE(latest.error == errc::none, latest.message);
    CHECK(latest.high_watermark == 100);
    CHECK(test::records_in(latest.records).size() == 100);
    CHECK(latest.replica == follower);
    CHECK_FALSE(latest.leads);
    CHECK(latest.age_ms > 0);
  }
  const auto own = fetch(at_leader, fetch_freshness::linearizable);
  CHECK(own.leads);
  CHECK(own.replica == leader);
  CHECK(own.high_watermark == 100);
  CHECK(fetch(at_follower, fetch_freshness::leader).error == errc::not_leader);
  CHECK(fetch(at_follower, fetch_freshness::linearizable, 0, 101).error ==
        errc::offset_out_of_range);
  const auto beyond = fetch(at_follower, fetch_freshness::any, 0, 101);
  CHECK(beyond.error == errc::none);
  CHECK(beyond.records.empty());

  nodes.pause(leader);
  const auto any = fetch(at_follower, fetch_freshness::any);
  CHECK(any.error == errc::none);
  CHECK(any.high_watermark == 100);
  // Answered by the next leader's word, or not at all.
  send_numbers(sender, 100, 100);
  for (int node = 1; node <= 3; ++node) {
    if (node == leader)
      continue;
    auto at = connect(nodes, node);
    const auto latest = fetch(at, fetch_freshness::linearizable);
    CHECK((latest.error == errc::not_leader || latest.high_watermark == 200));
  }

  // Awake again it still believes to lead.
  const auto asked = at_leader.send([] {
    auto request = test::fetch_request_of("numbers", 0, 0);
    request.freshness = fetch_freshness::linearizable;
    return request;
  }());
  nodes.resume(leader);
  const auto frame = at_leader.receive_answer(asked);
  const auto answer = test::fetched(frame);
  const auto& latest = answer.topics.at(0).partitions.at(0);
  CHECK((latest.error == errc::not_leader || latest.high_watermark == 200));
}

TEST_CASE(
    "consumers read everything from followers, in order, while it is written and a node dies") {
  constexpr int count = 20'000;
  test_cluster nodes({});
  const auto on = open(nodes.addresses());
  const int leader = create_numbers(on, 3);
  producer_config config;
  config.batch_records = 50;
  auto sender = producer::create(on, config);
  REQUIRE(sender);
  std::atomic<int> failed = 0;
  std::thread writes([&] {
    for (int i = 0; i < count; ++i) {
      const auto text = std::to_string(i);
      const auto sent = sender->send({.topic = "numbers", .value = text},
                                     [&failed](const auto& outcome) { failed += outcome ? 0 : 1; });
      failed += sent ? 0 : 1;
    }
  });
  const auto read_all = [&](const read_source& source) {
    consumer_config reading;
    reading.read_from = source;
    auto reader = consumer::create(on, reading);
    std::set<int> replicas;
    std::string problem;
    const topic_partition tp{"numbers", partition_id(0)};
    if (!reader || !reader->assign({{tp, start_position::at(offset_t(0))}}))
      return std::pair(replicas, std::string("no consumer"));
    for (int next = 0; next < count && problem.empty();) {
      const auto got = reader->poll(patience);
      if (!got || got->empty())
        return std::pair(replicas, got ? "nothing came" : to_string(got.error()));
      for (const auto& record : *got)
        if (record.value->text() != std::to_string(next) || record.offset.value != next++)
          problem = "not " + std::to_string(next);
      if (const auto from = reader->last_answer(tp); from && !from->leads)
        replicas.insert(from->replica.value);
    }
    return std::pair(replicas, problem);
  };
  auto any = std::async(std::launch::async, read_all, read_source::any());
  auto within = std::async(std::launch::async, read_all, read_source::within(200ms));
  auto latest = std::async(std::launch::async, read_all, read_source::linearizable());
  const int victim = leader % 3 + 1;
  nodes.kill(victim);
  nodes.start_and_wait(victim);
  writes.join();
  CHECK(sender->flush(patience));
  CHECK(failed == 0);
  // Who was sent to the node that died may have read the rest from the leader.
  for (auto* each : {&any, &within, &latest}) {
    const auto problem = each->get().second;
    CHECK_MESSAGE(problem.empty(), problem);
  }
  for (const auto& source :
       {read_source::any(), read_source::within(200ms), read_source::linearizable()}) {
    // The leader answers as long as no follower is known to be there, or fresh enough.
    const auto deadline = test::test_clock::now() + patience;
    for (bool from_follower = false; !from_follower;) {
      REQUIRE(test::test_clock::now() < deadline);
      const auto [replicas, problem] = read_all(source);
      REQUIRE_MESSAGE(problem.empty(), problem);
      from_follower = !replicas.empty();
    }
  }
}

/// What an example prints, line by line.
std::vector<std::string> run_example(const std::string& name,
                                     const std::vector<std::string>& arguments) {
  const auto program = test::built_program("example-follower_reads-" + name);
  test::child_process example(program, arguments);
  const auto deadline = test::test_clock::now() + patience;
  std::vector<std::string> lines;
  while (auto line = example.read_line(deadline))
    lines.push_back(*line);
  const auto status = example.wait_until(deadline);
  REQUIRE_MESSAGE(status == 0, example.errors());
  return lines;
}

TEST_CASE("the examples read from followers") {
  test_cluster nodes({.racked = true});
  const auto on = open(nodes.addresses());
  const int leader = create_numbers(on, 3);
  const int follower = leader % 3 + 1;
  auto sender = create_producer(on);
  send_numbers(sender, 0, 3);
  // From here on the follower can answer.
  auto at_follower = connect(nodes, follower);
  const auto latest = fetch(at_follower, fetch_freshness::linearizable);
  REQUIRE_MESSAGE(latest.error == errc::none, latest.message);

  const auto rack = "r" + std::to_string(follower);
  const auto near = run_example("nearest", {nodes.address(leader), "numbers", "3", rack});
  const auto from = "  from node " + std::to_string(follower);
  CHECK(near == std::vector<std::string>{"numbers/0 @ 0  0" + from, "numbers/0 @ 1  1" + from,
                                         "numbers/0 @ 2  2" + from});
  for (const auto* age : {"0", "60000"}) {
    const auto fresh = run_example("freshness", {nodes.address(leader), "numbers", "3", age});
    REQUIRE(fresh.size() == 3);
    CHECK(fresh[2].find("numbers/0 @ 2  2  from node ") == 0);
    CHECK(fresh[2].find(" ms before") != std::string::npos);
  }
}

TEST_CASE("a node that is told not to serves no follower reads") {
  test_cluster nodes({.settings = {"partition.follower-reads=false"}});
  const auto on = open(nodes.addresses());
  const int leader = create_numbers(on, 3);
  auto sender = create_producer(on);
  send_numbers(sender, 0, 1);
  auto at = connect(nodes, leader % 3 + 1);
  auto refused = fetch(at, fetch_freshness::any);
  // The record was stored by a majority, to which this node need not have belonged: it may have to
  // hear of the leader yet.
  for (const auto deadline = test::test_clock::now() + patience;
       refused.leader < 0 && test::test_clock::now() < deadline;)
    refused = fetch(at, fetch_freshness::any);
  CHECK(refused.error == errc::not_leader);
  CHECK(refused.leader == leader);
}

TEST_SUITE_END();
