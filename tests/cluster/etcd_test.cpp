// Real nodes that find each other through a real etcd.
#include "protocol/client/admin.hpp"
#include "protocol/client/producer.hpp"
#include "tests/support/etcd_process.hpp"
#include "tests/support/test_cluster.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <string>
#include <thread>
#include <vector>

using namespace aqueduct;
using namespace aqueduct::client;
using namespace std::chrono_literals;
using test::etcd_process;
using test::patience;
using test::test_cluster;

namespace {

/// False, with a sentence, where the package cannot be installed.
bool has_etcd() {
  if (!etcd_process::is_installed())
    MESSAGE("discovery by etcd is not tested: there is no etcd (Debian's package etcd-server)");
  return etcd_process::is_installed();
}

test_cluster::options by_etcd(const std::string& members, int nodes,
                              const std::string& prefix = "/aqueduct") {
  test_cluster::options options;
  options.nodes = nodes;
  options.settings = {"discovery.kind=etcd", "discovery.prefix=" + prefix, "discovery.ttl=2s"};
  options.seeds = members;
  options.start = false;
  return options;
}

std::string key_of(int node) {
  return "/aqueduct/nodes/" + std::to_string(node);
}

/// Whether this node belongs to a cluster of so many.
bool has_brokers(const test_cluster& nodes, int asked, std::size_t count) {
  const auto opened = cluster::open({.brokers = {nodes.address(asked)}});
  REQUIRE_MESSAGE(opened, to_string(opened.error()));
  const auto deadline = test::test_clock::now() + patience;
  while (test::test_clock::now() < deadline) {
    const auto layout = admin(*opened).describe_cluster(2s);
    if (layout && layout->brokers.size() == count)
      return true;
    std::this_thread::yield();
  }
  return false;
}

void send(const test_cluster& nodes, std::int64_t expected_offset) {
  const auto opened = cluster::open({.brokers = nodes.addresses()});
  REQUIRE_MESSAGE(opened, to_string(opened.error()));
  auto sender = producer::create(*opened, {});
  REQUIRE(sender);
  const auto stored =
      sender->send_and_wait({.topic = "t", .partition = partition_id(0), .value = "x"});
  REQUIRE_MESSAGE(stored, to_string(stored.error()));
  CHECK(stored->offset.value == expected_offset);
}

} // namespace

TEST_SUITE("cluster.etcd") {
  TEST_CASE("three empty nodes found one cluster through etcd, started in any order") {
    if (!has_etcd())
      return;
    const etcd_process etcd;
    std::array order{1, 2, 3};
    do {
      const auto prefix = "/of-" + std::to_string(order[0]) + "-" + std::to_string(order[1]) + "-" +
                          std::to_string(order[2]);
      INFO(prefix);
      test_cluster nodes(by_etcd(etcd.address(), 3, prefix));
      for (const int node : order)
        nodes.start(node);
      for (const int node : order)
        nodes.wait_ready(node);
      for (const int node : order)
        CHECK(has_brokers(nodes, node, 3));
      CHECK(etcd.has(prefix + "/cluster"));
    } while (std::ranges::next_permutation(order).found);
  }

  TEST_CASE("a cluster runs without etcd, and an etcd that comes back empty hears of it") {
    if (!has_etcd())
      return;
    etcd_process etcd;
    test_cluster nodes(by_etcd(etcd.address(), 4));
    for (int node = 1; node <= 3; ++node)
      nodes.start(node);
    for (int node = 1; node <= 3; ++node)
      nodes.wait_ready(node);
    REQUIRE(has_brokers(nodes, 1, 3));
    {
      const auto opened = cluster::open({.brokers = nodes.addresses()});
      REQUIRE(opened);
      REQUIRE(admin(*opened).create_topic({.name = "t", .partitions = 1, .replication = 3}));
    }
    send(nodes, 0);

    etcd.kill();
    CHECK(nodes.says({1}, "the cluster goes on without it"));
    send(nodes, 1);
    nodes.kill(2);
    nodes.start_and_wait(2);
    CHECK(has_brokers(nodes, 2, 3));
    send(nodes, 2);

    etcd.wipe();
    etcd.start();
    for (int node = 1; node <= 3; ++node)
      CHECK(etcd.becomes(key_of(node), true));
    CHECK(etcd.becomes("/aqueduct/cluster", true));
    CHECK_FALSE(etcd.has("/aqueduct/founder"));
    nodes.start_and_wait(4);
    CHECK(has_brokers(nodes, 4, 4));
    send(nodes, 3);
  }

  TEST_CASE("nodes wait for an etcd that is away, also one that keeps its data") {
    if (!has_etcd())
      return;
    etcd_process etcd;
    etcd.kill();
    test_cluster nodes(by_etcd(etcd.address(), 2));
    nodes.start(1);
    CHECK(nodes.says({1}, "waiting for etcd at " + etcd.address()));
    etcd.start();
    nodes.wait_ready(1);
    CHECK(etcd.becomes("/aqueduct/cluster", true));
    etcd.kill();
    nodes.start(2);
    CHECK(nodes.says({2}, "etcd does not answer at " + etcd.address()));
    etcd.start();
    nodes.wait_ready(2);
    CHECK(has_brokers(nodes, 2, 2));
  }

  TEST_CASE("a node whose lease ran out registers again") {
    if (!has_etcd())
      return;
    const etcd_process etcd;
    test_cluster nodes(by_etcd(etcd.address(), 1));
    nodes.start_and_wait(1);
    CHECK(etcd.becomes(key_of(1), true));
    nodes.pause(1);
    CHECK(etcd.becomes(key_of(1), false));
    nodes.resume(1);
    CHECK(etcd.becomes(key_of(1), true));
    // One that ends is gone with its lease.
    CHECK(nodes.stop(1) == 0);
    CHECK(etcd.becomes(key_of(1), false));
    CHECK(etcd.has("/aqueduct/cluster"));
  }

  TEST_CASE("a member of etcd that is down does not keep nodes from finding each other") {
    if (!has_etcd())
      return;
    const etcd_process etcd;
    const auto down = "127.0.0.1:" + std::to_string(test::free_port());
    test_cluster nodes(by_etcd(down + "," + etcd.address(), 2));
    for (int node = 1; node <= 2; ++node)
      nodes.start(node);
    for (int node = 1; node <= 2; ++node)
      nodes.wait_ready(node);
    for (int node = 1; node <= 2; ++node)
      CHECK(has_brokers(nodes, node, 2));
  }

  TEST_CASE("a node of another cluster than etcd names says so and stays out") {
    if (!has_etcd())
      return;
    etcd_process etcd;
    test_cluster nodes(by_etcd(etcd.address(), 2));
    nodes.start_and_wait(1);
    CHECK(nodes.stop(1) == 0);
    etcd.kill();
    etcd.wipe();
    etcd.start();
    nodes.start_and_wait(2);
    CHECK(etcd.becomes("/aqueduct/cluster", true));
    nodes.start_and_wait(1);
    CHECK(nodes.says({1}, "it is not registered there"));
    CHECK_FALSE(etcd.has(key_of(1)));
    CHECK(has_brokers(nodes, 2, 1));
  }
}
