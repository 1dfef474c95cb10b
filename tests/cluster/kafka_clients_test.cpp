// Clients of Kafka against a cluster: kcat while nodes die, and operators' requests by hand.
#include "protocol/bytes.hpp"
#include "protocol/kafka/codec.hpp"
#include "protocol/kafka/data_messages.hpp"
#include "protocol/kafka/group_messages.hpp"
#include "protocol/kafka/metadata_messages.hpp"
#include "protocol/kafka/placement_messages.hpp"
#include "protocol/kafka/topic_messages.hpp"
#include "protocol/kafka/transaction_messages.hpp"
#include "tests/cluster/cluster_user.hpp"
#include "tests/support/raw_socket.hpp"
#include "tests/support/test_cluster.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <thread>

using namespace aqueduct;
using namespace aqueduct::protocol;
using namespace std::chrono_literals;
using test::child_process;
using test::patience;
using test::test_clock;
using test::test_cluster;

namespace {

/// Asks in a version without tags in the header, on a connection of its own.
template <class Response, class Request>
Response ask(const test_cluster& cluster, int node, const Request& request, std::int16_t version) {
  const auto address = cluster.address(node);
  auto socket = test::raw_socket::connected_to(
      static_cast<std::uint16_t>(std::stoi(address.substr(address.rfind(':') + 1))));
  const bool flexible = kafka::describe(Request::api).is_flexible(version);
  const auto message = kafka::encode(request, version).flatten();
  std::vector<std::byte> frame;
  byte_writer to(frame);
  to.write(static_cast<std::int32_t>(10 + (flexible ? 1 : 0) + message.size()));
  to.write(static_cast<std::int16_t>(Request::api));
  to.write(version);
  to.write<std::int32_t>(1);
  to.write<std::int16_t>(-1);
  if (flexible)
    to.write_varint(0);
  to.write_bytes(message.bytes());
  socket.write(buffer::from(std::move(frame)));
  std::vector<std::byte> size(4);
  REQUIRE(socket.read_exactly(size));
  std::vector<std::byte> answer(static_cast<std::size_t>(load_be<std::int32_t>(size.data())));
  REQUIRE(socket.read_exactly(answer));
  const auto whole = buffer::from(std::move(answer));
  const std::size_t header = flexible ? 5 : 4;
  auto decoded = kafka::decode<Response>(whole.slice(header, whole.size() - header), version);
  REQUIRE_MESSAGE(decoded, to_string(decoded.error()));
  return std::move(*decoded);
}

kafka::metadata_response metadata(const test_cluster& cluster, int node, const std::string& topic) {
  kafka::metadata_request request;
  request.topics.emplace().push_back({{}, topic});
  request.allow_auto_topic_creation = false;
  return ask<kafka::metadata_response>(cluster, node, request, 8);
}

template <class F>
void wait_for(F&& condition, const char* what) {
  const auto deadline = test_clock::now() + patience;
  while (!condition()) {
    REQUIRE_MESSAGE(test_clock::now() < deadline, what);
    std::this_thread::yield();
  }
}

/// The node that leads partition 0, as a node knows it; in Kafka's protocol it would guess.
int leader_of(const test_cluster& cluster, int asked, const std::string& topic) {
  return test::leader_of(test::open({cluster.address(asked)}), topic, 0);
}

void create(const test_cluster& cluster, const std::string& topic, std::int16_t replication) {
  kafka::create_topics_request request;
  auto& one = request.topics.emplace_back();
  one.name = topic;
  one.num_partitions = 1;
  one.replication_factor = replication;
  request.timeout_ms = 30000;
  const auto answer = ask<kafka::create_topics_response>(cluster, 2, request, 4);
  REQUIRE(answer.topics.at(0).error_code == 0);
}

/// Partition 0 from `offset` on as `node` answers a consumer in the rack of node `near`.
auto fetch_from_rack(const test_cluster& cluster, int node, const std::string& topic,
                     std::int64_t offset, int near) {
  kafka::fetch_request request;
  request.max_wait_ms = 100;
  request.min_bytes = 1;
  request.rack_id = "r" + std::to_string(near);
  auto& asked = request.topics.emplace_back();
  asked.topic = topic;
  auto& partition = asked.partitions.emplace_back();
  partition.fetch_offset = offset;
  partition.partition_max_bytes = 1 << 20;
  return ask<kafka::fetch_response>(cluster, node, request, 11).responses.at(0).partitions.at(0);
}

child_process shell(const std::string& line) {
  return child_process("/bin/sh", {"-c", line});
}

std::string all_addresses(const test_cluster& cluster) {
  std::string all;
  for (const auto& address : cluster.addresses())
    all += (all.empty() ? "" : ",") + address;
  return all;
}

} // namespace

TEST_SUITE("cluster.kafka") {
  TEST_CASE("every node lists all brokers, the controller and the same leaders") {
    test_cluster cluster({.nodes = 3});
    create(cluster, "listed", 3);
    const auto leader = leader_of(cluster, 1, "listed");
    for (int node = 1; node <= 3; ++node) {
      kafka::metadata_response said;
      wait_for(
          [&] {
            said = metadata(cluster, node, "listed");
            return said.topics.at(0).partitions.at(0).leader_id == leader;
          },
          "all agree");
      CHECK(said.brokers.size() == 3);
      CHECK(std::ranges::count(said.brokers, said.controller_id,
                               &kafka::metadata_response::broker_entry::node_id) == 1);
      auto replicas = said.topics.at(0).partitions.at(0).replica_nodes;
      std::ranges::sort(replicas);
      CHECK(replicas == std::vector<std::int32_t>{1, 2, 3});
    }
  }

  TEST_CASE("the leader of a partition alone tells who produces to it, its successor as well") {
    test_cluster cluster({.nodes = 3});
    create(cluster, "produced", 3);
    const auto leader = leader_of(cluster, 1, "produced");
    auto producer = shell("echo one | kcat -P -b " + cluster.address(leader) +
                          " -t produced -X enable.idempotence=true");
    REQUIRE(producer.wait_until(test_clock::now() + patience) == 0);
    const auto ask_producers = [&](int node) {
      kafka::describe_producers_request request;
      request.topics.push_back({"produced", {0}});
      return ask<kafka::describe_producers_response>(cluster, node, request, 0)
          .topics.at(0)
          .partitions.at(0);
    };
    const auto told = ask_producers(leader);
    CHECK(told.error_code == 0);
    REQUIRE(told.active_producers.size() == 1);
    CHECK(told.active_producers[0].last_sequence == 0);
    const auto other = leader % 3 + 1;
    CHECK(ask_producers(other).error_code == 6);
    cluster.kill(leader);
    int next = leader;
    wait_for([&] { return (next = leader_of(cluster, other, "produced")) != leader; },
             "another one leads");
    CHECK(ask_producers(next).active_producers == told.active_producers);
  }

  TEST_CASE("kcat with idempotence loses and doubles nothing when the leader is killed") {
    test_cluster cluster({.nodes = 3});
    create(cluster, "killed", 3);
    const auto leader = leader_of(cluster, 1, "killed");
    const auto brokers = all_addresses(cluster);
    auto producer = shell("seq 1 300000 | kcat -P -b " + brokers +
                          " -t killed -X enable.idempotence=true -X batch.num.messages=500");
    const auto other = leader % 3 + 1;
    const auto written = [&](int asked) {
      kafka::list_offsets_request request;
      auto& topic = request.topics.emplace_back();
      topic.name = "killed";
      topic.partitions.emplace_back().timestamp = -1;
      request.replica_id = -1;
      return ask<kafka::list_offsets_response>(cluster, asked, request, 2)
          .topics.at(0)
          .partitions.at(0)
          .offset;
    };
    wait_for([&] { return written(leader) > 0; }, "it has begun");
    cluster.kill(leader);
    const auto status = producer.wait_until(test_clock::now() + patience);
    REQUIRE_MESSAGE(status == 0, producer.errors());
    (void)leader_of(cluster, other, "killed");
    auto consumer = shell("kcat -C -b " + cluster.address(other) +
                          " -t killed -o beginning -e -q -X check.crcs=true | sha256sum");
    auto expected = shell("seq 1 300000 | sha256sum");
    REQUIRE(consumer.wait_until(test_clock::now() + patience) == 0);
    REQUIRE(expected.wait_until(test_clock::now() + patience) == 0);
    CHECK(consumer.rest_of_output() == expected.rest_of_output());
  }

  TEST_CASE("a group of kcat goes on when the node that coordinates it is killed") {
    test_cluster cluster({.nodes = 3});
    create(cluster, "grouped", 3);
    const auto brokers = all_addresses(cluster);
    const auto write = [&](const std::string& numbers) {
      auto producer = shell(numbers + " | kcat -P -b " + brokers + " -t grouped");
      REQUIRE(producer.wait_until(test_clock::now() + patience) == 0);
    };
    const auto read = [&](const std::string& count) {
      auto member = shell("kcat -b " + brokers +
                          " -G readers -q -X auto.offset.reset=earliest -X "
                          "session.timeout.ms=6000 -c " +
                          count + " grouped");
      REQUIRE(member.wait_until(test_clock::now() + patience) == 0);
      return member.rest_of_output();
    };
    const auto numbers = [](const std::string& line) {
      auto wanted = shell(line);
      REQUIRE(wanted.wait_until(test_clock::now() + patience) == 0);
      return wanted.rest_of_output();
    };
    write("seq 1 1000");
    CHECK(read("1000") == numbers("seq 1 1000"));
    int coordinator = -1;
    wait_for(
        [&] {
          kafka::find_coordinator_request request;
          request.key = "readers";
          const auto found = ask<kafka::find_coordinator_response>(cluster, 1, request, 2);
          coordinator = found.node_id;
          return found.error_code == 0;
        },
        "the group has a coordinator");
    cluster.kill(coordinator);
    write("seq 1001 2000");
    CHECK(read("1000") == numbers("seq 1001 2000"));
  }

  TEST_CASE("a client reads from the replica of its rack, and from the leader when that is gone") {
    test_cluster cluster({.nodes = 3, .racked = true});
    create(cluster, "near", 3);
    const auto leader = leader_of(cluster, 1, "near");
    const auto near = leader % 3 + 1;
    auto producer = shell("seq 1 1000 | kcat -P -b " + cluster.address(leader) + " -t near");
    REQUIRE(producer.wait_until(test_clock::now() + patience) == 0);
    auto expected = shell("seq 1 1000");
    REQUIRE(expected.wait_until(test_clock::now() + patience) == 0);
    const auto wanted = expected.rest_of_output();
    const auto read = [&] {
      auto consumer = shell("kcat -C -b " + all_addresses(cluster) +
                            " -t near -o beginning -c 1000 -d topic,fetch -X client.rack=r" +
                            std::to_string(near));
      REQUIRE(consumer.wait_until(test_clock::now() + patience) == 0);
      CHECK(consumer.rest_of_output() == wanted);
      return consumer.errors();
    };
    wait_for(
        [&] {
          return fetch_from_rack(cluster, leader, "near", 0, near).preferred_read_replica == near;
        },
        "it keeps up");
    const auto moved = "to " + std::to_string(near) + " (leader is " + std::to_string(leader) +
                       "): preferred replica updated";
    CHECK(read().find(moved) != std::string::npos);
    cluster.kill(near);
    wait_for([&] { return metadata(cluster, leader, "near").brokers.size() == 2; }, "it is missed");
    CHECK(read().find("preferred replica updated") == std::string::npos);
  }

  TEST_CASE("a replica that does not keep up is not named, though its broker counts as there") {
    test_cluster cluster({.nodes = 3, .settings = {"cluster.session-timeout=60s"}, .racked = true});
    create(cluster, "frozen", 3);
    const auto leader = leader_of(cluster, 1, "frozen");
    const auto near = leader % 3 + 1;
    auto producer = shell("seq 1 10 | kcat -P -b " + cluster.address(leader) + " -t frozen");
    REQUIRE(producer.wait_until(test_clock::now() + patience) == 0);
    const auto fetch = [&](int node, std::int64_t offset) {
      return fetch_from_rack(cluster, node, "frozen", offset, near);
    };
    const auto named = [&] { return fetch(leader, 0).preferred_read_replica; };
    wait_for([&] { return named() == near; }, "it keeps up");
    // What it does not have the leader may: it alone can tell that it is nowhere.
    wait_for([&] { return fetch(near, 10).error_code == 0; }, "it has everything");
    CHECK(fetch(near, 11).error_code == 78);
    CHECK(fetch(leader, 11).error_code == 1);
    CHECK(fetch(near, -1).error_code == 1);

    cluster.pause(near);
    wait_for([&] { return named() == -1; }, "it is not named any more");
    CHECK(metadata(cluster, leader, "frozen").brokers.size() == 3);
    const auto whole = fetch(leader, 0);
    REQUIRE(whole.records);
    CHECK(whole.records->size() > 0);
    cluster.resume(near);
    // Where nobody writes, the leader has no occasion to hear from it.
    auto more = shell("seq 11 20 | kcat -P -b " + cluster.address(leader) + " -t frozen");
    REQUIRE(more.wait_until(test_clock::now() + patience) == 0);
    wait_for([&] { return named() == near; }, "it keeps up again");
  }

  TEST_CASE(
      "preferred replicas lead when that is asked for, and are said not to when they cannot") {
    test_cluster cluster({.nodes = 3});
    create(cluster, "elected", 3);
    const auto preferred =
        metadata(cluster, 1, "elected").topics.at(0).partitions.at(0).replica_nodes[0];
    const auto other = preferred % 3 + 1;
    wait_for([&] { return leader_of(cluster, other, "elected") == preferred; }, "the first leads");
    kafka::elect_leaders_request request;
    request.timeout_ms = 20'000;
    request.topic_partitions.emplace().push_back({"elected", {0, 9}});
    request.topic_partitions->push_back({"none-such", {0}});
    const auto codes = [&](std::int16_t version) {
      std::vector<std::int16_t> found;
      const auto answer = ask<kafka::elect_leaders_response>(cluster, other, request, version);
      CHECK(answer.error_code == (version > 0 && request.election_type > 1 ? 42 : 0));
      for (const auto& topic : answer.replica_election_results)
        for (const auto& partition : topic.partition_result) {
          CHECK(partition.error_message.has_value() == (partition.error_code != 0));
          found.push_back(partition.error_code);
        }
      return found;
    };
    using numbers = std::vector<std::int16_t>;
    for (std::int16_t version = 0; version <= 2; ++version)
      CHECK(codes(version) == numbers{84, 3, 3});
    request.election_type = 1;
    CHECK(codes(2) == numbers{84, 3, 3});
    request.election_type = 7;
    CHECK(codes(1) == numbers{42, 42, 42});
    request.election_type = 0;

    cluster.kill(preferred);
    wait_for([&] { return leader_of(cluster, other, "elected") != preferred; }, "another leads");
    request.topic_partitions->resize(1);
    request.topic_partitions->front().partitions = {0};
    CHECK(codes(2) == numbers{80});
    // All that there was something to do about.
    request.topic_partitions.reset();
    const auto all = codes(2);
    CHECK(std::ranges::count(all, 80) == static_cast<std::ptrdiff_t>(all.size()));
    CHECK_FALSE(all.empty());

    cluster.start(preferred);
    request.topic_partitions.emplace().push_back({"elected", {0}});
    std::int16_t code = 80;
    // Until the leader has heard of it again.
    wait_for([&] { return (code = codes(2).at(0)) != 80; }, "it can lead again");
    CHECK((code == 0 || code == 84));
    CHECK(leader_of(cluster, preferred, "elected") == preferred);
    request.topic_partitions.reset();
    wait_for([&] { return codes(2).empty(); }, "nothing is left to do");
  }

  TEST_CASE("replicas are moved as asked") {
    test_cluster cluster({.nodes = 3});
    create(cluster, "moved", 1);
    const auto from = leader_of(cluster, 1, "moved");
    const auto to = from % 3 + 1;
    kafka::alter_partition_reassignments_request request;
    request.timeout_ms = 30000;
    auto& topic = request.topics.emplace_back();
    topic.name = "moved";
    auto& partition = topic.partitions.emplace_back();
    const auto code = [&](std::int16_t version) {
      return ask<kafka::alter_partition_reassignments_response>(cluster, 1, request, version)
          .responses.at(0)
          .partitions.at(0)
          .error_code;
    };

    CHECK(code(0) == 85);
    partition.replicas.emplace({77});
    CHECK(code(0) == 39);
    partition.replicas.emplace({from, to});
    request.allow_replication_factor_change = false;
    CHECK(code(1) == 38);
    partition.partition_index = 5;
    CHECK(code(0) == 3);
    partition.partition_index = 0;
    partition.replicas.emplace({to});
    CHECK(code(1) == 0);

    wait_for(
        [&] {
          const auto left = ask<kafka::list_partition_reassignments_response>(
              cluster, 2, kafka::list_partition_reassignments_request{}, 0);
          return left.topics.empty() && leader_of(cluster, 1, "moved") == to;
        },
        "the replica has moved");
    CHECK(metadata(cluster, 1, "moved").topics.at(0).partitions.at(0).replica_nodes ==
          std::vector<std::int32_t>{to});
  }

  TEST_CASE("a move to a broker that does not answer is listed until it is cancelled") {
    test_cluster cluster({.nodes = 4, .settings = {"cluster.session-timeout=60s"}});
    create(cluster, "cancelled", 3);
    (void)leader_of(cluster, 1, "cancelled");
    const auto replicas = [&](int asked) {
      return metadata(cluster, asked, "cancelled").topics.at(0).partitions.at(0).replica_nodes;
    };
    const auto before = replicas(1);
    std::int32_t target = 1;
    while (std::ranges::count(before, target) > 0)
      ++target;
    const int asked = before[0];
    kafka::alter_partition_reassignments_request request;
    request.timeout_ms = 30000;
    auto& topic = request.topics.emplace_back();
    topic.name = "cancelled";
    auto& partition = topic.partitions.emplace_back();
    const auto code = [&] {
      return ask<kafka::alter_partition_reassignments_response>(cluster, asked, request, 0)
          .responses.at(0)
          .partitions.at(0)
          .error_code;
    };
    const auto listed = [&] {
      return ask<kafka::list_partition_reassignments_response>(
                 cluster, asked, kafka::list_partition_reassignments_request{}, 0)
          .topics;
    };
    cluster.pause(target);
    partition.replicas.emplace({before[0], before[1], target});
    CHECK(code() == 0);
    REQUIRE(listed().size() == 1);
    using numbers = std::vector<std::int32_t>;
    const auto row = listed()[0].partitions.at(0);
    CHECK(row.replicas == numbers{before[0], before[1], target, before[2]});
    CHECK(row.adding_replicas == numbers{target});
    CHECK(row.removing_replicas == numbers{before[2]});
    CHECK(code() == 60);
    partition.replicas.reset();
    CHECK(code() == 0);
    wait_for([&] { return listed().empty(); }, "everything is as it was");
    CHECK(code() == 85);
    CHECK(replicas(asked) == before);
    partition.partition_index = 7;
    CHECK(code() == 3);
    cluster.resume(target);
  }
}
