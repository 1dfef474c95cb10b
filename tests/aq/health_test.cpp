// What counts as wrong with a cluster.
#include "apps/aq/health.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace aqueduct;
using namespace aqueduct::aq;
using namespace aqueduct::actors;

namespace {

admin_broker broker(std::int32_t node, const std::string& state = "there") {
  admin_broker one;
  one.node = node;
  one.state = state;
  one.is_controller = node == 1;
  one.link.is_up = true;
  return one;
}

/// Three brokers, seen from node 1, which leads orders:0.
cluster_report sound() {
  cluster_report report;
  report.brokers.node = 1;
  report.brokers.brokers = {broker(1), broker(2), broker(3)};
  report.brokers.brokers[0].link.is_up = false;
  admin_partition placed;
  placed.topic = "orders";
  placed.replicas = {3, 1, 2};
  report.partitions.partitions = {placed};
  admin_group group;
  group.topic = "orders";
  group.partition = 0;
  group.role = "leader";
  group.leader = 1;
  group.last = 5000;
  group.voters = {1, 2, 3};
  group.followers = {{2, 7, false, "replicate", 5000}, {3, 7, false, "replicate", 4500}};
  admin_group controller;
  controller.role = "follower";
  controller.leader = 1;
  controller.voters = {1, 2, 3};
  report.groups.groups = {controller, group};
  return report;
}

using findings = std::vector<cluster_trouble>;

} // namespace

TEST_SUITE_BEGIN("aq.health");

TEST_CASE("a cluster with nothing wrong is healthy; a node has no link to itself") {
  CHECK(find_trouble(sound()) == findings{});
}

TEST_CASE("a broker that is gone is said once, not for its link and its replicas") {
  auto report = sound();
  report.brokers.brokers[1] = broker(2, "gone");
  report.brokers.brokers[1].replicas = 4;
  report.brokers.brokers[1].link.is_up = false;
  report.groups.groups[1].followers[0].mode = "probe";
  report.groups.groups[1].followers[0].match = 0;
  CHECK(find_trouble(report) == findings{{"broker 2", "gone, with 4 replicas"}});
}

TEST_CASE("a placement on somebody who is not registered is found") {
  auto report = sound();
  auto stranger = broker(9, "");
  stranger.replicas = 2;
  report.brokers.brokers.push_back(stranger);
  CHECK(find_trouble(report) ==
        findings{{"broker 9", "not registered, but 2 replicas are placed on it"}});
}

TEST_CASE("a link that is down says why, when that is known") {
  auto report = sound();
  report.brokers.brokers[1].link.is_up = false;
  report.brokers.brokers[2].link.is_up = false;
  report.brokers.brokers[2].link.last_error = "connection refused";
  CHECK(find_trouble(report) ==
        findings{{"link 1-2", "down"}, {"link 1-3", "down: connection refused"}});
}

TEST_CASE("metadata and groups without a leader are found; a group that sleeps needs none") {
  auto report = sound();
  report.brokers.brokers[0].is_controller = false;
  report.groups.groups[0].leader = -1;
  report.groups.groups[1].leader = -1;
  CHECK(find_trouble(report) == findings{{"controller", "nobody leads the cluster's metadata"},
                                         {"controller", "nobody leads it"},
                                         {"orders:0", "nobody leads it"}});
  report = sound();
  report.groups.groups[1] = {};
  report.groups.groups[1].topic = "orders";
  report.groups.groups[1].partition = 0;
  report.groups.groups[1].role = "asleep";
  CHECK(find_trouble(report) == findings{});
}

TEST_CASE("replicas that move, and brokers that lose them, are found") {
  auto report = sound();
  report.brokers.brokers[2] = broker(3, "evacuating");
  report.brokers.brokers[2].replicas = 2;
  report.brokers.brokers[2].leaving = 1;
  report.groups.groups[1].voters = {1, 2};
  report.groups.groups[1].learners = {3};
  report.groups.groups[1].followers[1] = {3, 7, true, "snapshot", 0};
  CHECK(find_trouble(report) ==
        findings{{"broker 3", "evacuating, 2 replicas to go"},
                 {"broker 3", "1 replicas are moving away from it"},
                 {"orders:0", "is placed on 1,2,3, but its voters are 1,2 and its learners 3"},
                 {"orders:0", "node 3 takes over the state"}});
}

TEST_CASE("a drained broker is no trouble") {
  auto report = sound();
  report.brokers.brokers[2] = broker(3, "draining");
  report.brokers.brokers[2].replicas = 2;
  CHECK(find_trouble(report) == findings{});
}

TEST_CASE("followers far behind and followers that do not answer are found") {
  auto report = sound();
  report.groups.groups[1].followers[0].match = 3999;
  report.groups.groups[1].followers[1].mode = "probe";
  CHECK(find_trouble(report) ==
        findings{{"orders:0", "node 2 is 1001 entries behind"},
                 {"orders:0", "node 3 does not answer its leader, it lacks 500 entries"}});
  report.groups.groups[1].followers[0].match = 4000;
  // One that has everything needs no answer.
  report.groups.groups[1].followers[1].match = 5000;
  CHECK(find_trouble(report) == findings{});
}

TEST_CASE("what is out of service or damaged is found with its reason") {
  auto report = sound();
  report.partitions.partitions[0].error = "the disk failed";
  report.partitions.partitions[0].damage = "entry 7 is damaged";
  report.groups.groups[1].error = "no answer in time";
  CHECK(find_trouble(report) == findings{{"orders:0", "the disk failed"},
                                         {"orders:0", "entry 7 is damaged"},
                                         {"orders:0", "no answer in time"}});
}

TEST_SUITE_END();
