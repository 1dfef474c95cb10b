// A simulated cluster of three nodes with a consumer group on it, and random lives of both: members
// of one or both protocols join, leave, crash, stand still and come back while their coordinator is
// lost, also in the middle of a rebalance.
#pragma once

#include "actors/consumer_group/group_calls.hpp"
#include "actors/directory.hpp"
#include "tests/simulation/fault_cases.hpp"
#include "tests/simulation/sim_cluster.hpp"
#include "tests/simulation/sim_member.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

namespace aqueduct::actors::test {

class group_cluster {
public:
  /// Starts the nodes and creates the topics. `is_there` says whether that went well.
  explicit group_cluster(std::uint64_t seed);
  [[nodiscard]] bool is_there() const { return is_there_; }

  sim_member& add_member(sim_member_kind kind = sim_member_kind::native,
                         const std::string& instance = "");
  /// Members act every 50 ms.
  void run_for(std::int64_t ms);
  /// Of the coordinator of the group, as `node` knows it.
  [[nodiscard]] std::shared_ptr<partition_route> route(std::int32_t node);
  /// The node that coordinates the group; 0: none does.
  [[nodiscard]] std::int32_t coordinator();
  /// Another node that knows itself to be the coordinator; 0: there is none.
  [[nodiscard]] std::int32_t successor_of(std::int32_t former);
  /// Every member is in the same generation, and together they have all partitions.
  [[nodiscard]] bool is_shared_out() const;
  /// Runs until everything is shared out, or so long.
  [[nodiscard]] bool settles_within(std::int64_t ms);
  /// Runs until the coordinator says that the group is in that phase, and returns its node; 0 if
  /// that does not come up within so long.
  [[nodiscard]] std::int32_t run_until_phase(group_phase wanted, std::int64_t ms_max);
  /// Asks the coordinator for the offsets and holds them against what was acknowledged. False if it
  /// does not answer.
  [[nodiscard]] bool check_offsets();

  sim_cluster cluster;
  group_book book;
  std::vector<std::unique_ptr<sim_member>> members;

private:
  void pass_ms();

  bool is_there_ = false;
  int names_ = 0;
};

/// Who is in a group.
enum class group_mix : std::uint8_t { native, classic, both };

class group_life {
public:
  /// The seed says who is in the group.
  explicit group_life(std::uint64_t seed);

  /// Lives so many rounds, heals, and returns the promises that were broken.
  [[nodiscard]] std::vector<std::string> run(int rounds);

  [[nodiscard]] const group_book& book() const { return group_.book; }
  [[nodiscard]] std::uint64_t events() const { return group_.cluster.events(); }
  [[nodiscard]] std::int64_t simulated_ms() const { return group_.cluster.now_ms(); }
  /// What came up of the catalogue.
  [[nodiscard]] case_counts cases() const;
  /// Equal for equal seeds.
  [[nodiscard]] std::string trace() const;

private:
  [[nodiscard]] std::uint64_t draw(std::uint64_t bound) { return random_() % bound; }
  void step();
  void add_member();
  void bring_back();
  void lose_node();
  void lose_coordinator_in_rebalance();
  void remove(std::size_t member);
  void heal();

  std::mt19937_64 random_;
  group_mix mix_;
  group_cluster group_;
  /// A node that is down; 0: none is.
  std::int32_t down_ = 0;
  int instances_ = 0;
  case_counts counts_;
  std::vector<std::string> broken_;
};

} // namespace aqueduct::actors::test
