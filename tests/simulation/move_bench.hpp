// A simulated cluster with a topic "t" of one partition, whose replicas are moved and damaged.
#pragma once

#include "storage/log_store.hpp"
#include "tests/simulation/sim_cluster.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace aqueduct::actors::test {

inline constexpr std::int64_t patience_ms = 120'000;

class move_bench {
public:
  explicit move_bench(std::int32_t nodes, std::int16_t replication = 3, std::uint64_t seed = 1,
                      std::int64_t move_timeout_ms = 600'000)
      : cluster({.seed = seed, .nodes = nodes, .move_timeout_ms = move_timeout_ms}) {
    for (std::int32_t node = 1; node <= nodes; ++node)
      cluster.start(node);
    const auto voters = static_cast<std::size_t>(nodes);
    REQUIRE(cluster.run_until(
        [&] {
          const auto who = cluster.controller();
          if (who == 0)
            return false;
          const auto report = cluster.broker(who).report(controller_group);
          return report && report->members.voters.size() == voters;
        },
        patience_ms));
    cluster.create_topic(cluster.controller(), "t", 1, replication);
    REQUIRE(cluster.run_until([&] { return cluster.leader_of("t", 0) != 0; }, patience_ms));
    group = {record().id, 0};
  }

  [[nodiscard]] topic_record record() {
    for (const auto& topic : cluster.topics())
      if (topic->record.name == "t")
        return topic->record;
    return {};
  }
  [[nodiscard]] replica_set placed() { return record().partitions.at(0); }
  /// A node that holds the partition and leads neither it nor the metadata.
  [[nodiscard]] std::int32_t follower() {
    for (const auto node : placed().nodes)
      if (node != cluster.leader_of("t", 0) && node != cluster.controller())
        return node;
    return 0;
  }
  [[nodiscard]] std::int32_t outsider() {
    std::int32_t node = 1;
    while (placed().is_on(node))
      ++node;
    return node;
  }

  void write(int count) {
    for (int i = 0; i < count; ++i) {
      cluster.produce("t", 0);
      auto& producer = cluster.ledger().producers.begin()->second;
      REQUIRE(cluster.run_until([&] { return !producer.wanted; }, patience_ms));
    }
  }

  void move(const std::vector<std::int32_t>& to) {
    const auto done = std::make_shared<bool>(false);
    for (int tries = 0; !*done && tries < 50; ++tries) {
      if (const auto who = cluster.controller(); who != 0)
        cluster.broker(who).ask_controller(
            move_question{"t", 0, to, false},
            [done](const result<controller_answer>& answer) { *done = *done || answer; });
      cluster.run_for(100);
    }
    REQUIRE(*done);
  }
  /// Takes the move back; false if there is none any more.
  bool cancel() {
    const auto answer = std::make_shared<std::optional<result<controller_answer>>>();
    for (int tries = 0; tries < 50; ++tries) {
      if (const auto who = cluster.controller(); who != 0)
        cluster.broker(who).ask_controller(cancel_move_question{"t", 0, false},
                                           [answer](const result<controller_answer>& said) {
                                             // A question that is asked again finds that it was
                                             // done.
                                             if (!*answer || !**answer)
                                               *answer = said;
                                           });
      cluster.run_for(100);
      if (*answer && (**answer || (*answer)->error().code == errc::not_found))
        return (*answer)->has_value();
    }
    FAIL("the controller does not answer");
    return false;
  }
  /// Members of the group as its leader sees them.
  [[nodiscard]] raft::membership members() {
    const auto leader = cluster.leader_of("t", 0);
    const auto report = leader == 0 ? std::nullopt : cluster.broker(leader).report(group);
    return report ? report->members : raft::membership();
  }
  void settle() {
    REQUIRE(cluster.run_until([&] { return !placed().is_moving(); }, patience_ms));
  }
  /// Everything comes to rest, and nothing was lost.
  void finish() {
    std::string why;
    const bool rests =
        cluster.run_until([&] { return (why = cluster.unrest()).empty(); }, patience_ms);
    CHECK_MESSAGE(rests, why);
    cluster.audit();
    for (const auto& sentence : cluster.ledger().take_broken())
      FAIL_CHECK(sentence);
  }

  [[nodiscard]] std::vector<std::string> files(std::int32_t node, bool set_aside = false) {
    std::vector<std::string> found;
    const auto directory = storage::group_directory("/data", group) + "/";
    for (const auto& path : cluster.machine(node).disk->files())
      if (path.starts_with(directory) && path.ends_with(".damaged") == set_aside)
        found.push_back(path);
    return found;
  }
  /// A segment in the middle is gone: the log cannot be opened.
  void lose_segment(std::int32_t node) {
    const auto segments = files(node);
    REQUIRE(segments.size() > 2);
    REQUIRE(cluster.machine(node).disk->remove(segments[1]));
    REQUIRE(cluster.machine(node).disk->sync_directory(storage::parent_path(segments[1])));
  }
  /// An entry in a segment that is closed.
  void spoil_entry(std::int32_t node) {
    const auto segments = files(node);
    REQUIRE(segments.size() > 2);
    REQUIRE(cluster.machine(node).disk->flip_bit(segments[1], 700, 3));
  }
  [[nodiscard]] bool is_repaired(std::int32_t changes_before) {
    return placed().repairs.empty() && placed().changes >= changes_before + 3;
  }

  sim_cluster cluster;
  group_id group;
};

} // namespace aqueduct::actors::test
