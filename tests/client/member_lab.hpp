// A member of a consumer group of a `fake_cluster`.
#pragma once

#include "protocol/client/client.hpp"
#include "tests/client/fake_cluster.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace aqueduct::client::test {

using aqueduct::test::fake_cluster;
using aqueduct::test::fake_coordinator;
using aqueduct::test::fake_request;
using aqueduct::test::reaction;
using protocol::api_key;
using std::chrono::seconds;
using kind = reaction::kind;

inline topic_partition tp(int partition, const std::string& topic = "t") {
  return {topic, partition_id(partition)};
}

/// Partitions of "t".
inline fake_coordinator::partition_list share(std::vector<std::int32_t> partitions) {
  return {{"t", std::move(partitions)}};
}

/// A cluster with the topic "t" of two partitions, whose coordinator gives both to who joins.
struct group_lab {
  /// `named`: brokers that the client is told of; the others it hears of. 0: all.
  explicit group_lab(int brokers = 1, std::size_t named = 0) : nodes(brokers) {
    nodes.add_topic("t", 2);
    nodes.with([](auto& state) { state.group.assignments = {share({0, 1})}; });
    cluster_config config;
    config.brokers = nodes.addresses();
    if (named > 0)
      config.brokers.resize(named);
    config.backoff_min = milliseconds(1);
    config.backoff_max = milliseconds(10);
    auto opened = cluster::open(config);
    REQUIRE_MESSAGE(opened, to_string(opened.error()));
    on.emplace(*opened);
  }

  group_consumer_config config() {
    group_consumer_config made;
    made.group = "g";
    made.topics = {"t"};
    made.session_timeout = seconds(6);
    made.heartbeat_interval = milliseconds(5);
    made.auto_commit = false;
    made.reading.fetch_wait_max = milliseconds(20);
    made.reading.backoff_min = milliseconds(1);
    made.reading.backoff_max = milliseconds(10);
    made.on_assigned = [this](partition_span all) { tell("assigned", all); };
    made.on_revoked = [this](partition_span all) { tell("revoked", all); };
    made.on_lost = [this](partition_span all) { tell("lost", all); };
    return made;
  }
  group_consumer start(group_consumer_config with) {
    auto made = group_consumer::create(*on, std::move(with));
    REQUIRE_MESSAGE(made, to_string(made.error()));
    return std::move(*made);
  }
  group_consumer start() { return start(config()); }

  void tell(const std::string& what, partition_span all) {
    auto line = what;
    for (const auto& each : all)
      line += " " + std::to_string(each.partition.value);
    told.push_back(line);
  }

  /// Numbers from 0 on in each of the partitions.
  void store(int count, int partitions = 2) const {
    auto sender = producer::create(*on);
    REQUIRE(sender);
    for (int partition = 0; partition < partitions; ++partition)
      for (int i = 0; i < count; ++i)
        REQUIRE(sender->send({.topic = "t",
                              .partition = partition_id(partition),
                              .value = bytes_view(std::to_string(i))}));
    REQUIRE(sender->flush(seconds(10)));
  }

  /// Polls until it holds of the state.
  template <class Holds>
  bool poll_until(group_consumer& member, const Holds& holds) {
    const auto deadline = std::chrono::steady_clock::now() + seconds(10);
    while (!nodes.with([&](auto& state) { return holds(state.group); })) {
      if (std::chrono::steady_clock::now() > deadline)
        return false;
      const auto records = member.poll(milliseconds(5));
      REQUIRE_MESSAGE(records, to_string(records.error()));
      for (const auto& record : *records)
        read[record.partition.value].push_back(record.offset.value);
    }
    return true;
  }
  bool poll_until_told(group_consumer& member, const std::string& line) {
    return poll_until(member, [&](auto&) { return !told.empty() && told.back() == line; });
  }
  bool read_until(group_consumer& member, std::size_t count) {
    return poll_until(member,
                      [&](auto&) { return read[0].size() >= count && read[1].size() >= count; });
  }
  std::optional<std::int64_t> committed(int partition) {
    return nodes.with([&](auto& state) -> std::optional<std::int64_t> {
      const auto found = state.group.offsets.find({"t", partition});
      return found == state.group.offsets.end() ? std::nullopt : std::optional(found->second);
    });
  }
  fake_coordinator look() {
    return nodes.with([](auto& state) { return state.group; });
  }

  fake_cluster nodes;
  std::optional<cluster> on;
  std::vector<std::string> told;
  std::map<int, std::vector<std::int64_t>> read;
};

} // namespace aqueduct::client::test
