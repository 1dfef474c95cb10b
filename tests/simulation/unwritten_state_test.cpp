// State that the key-value store has no room for: the state machine has handed over what changed
// and forgotten it, so it must be on the disk before anything that came later, or the log must
// still be able to rebuild it.
#include "storage/log_meta.hpp"
#include "tests/simulation/sim_group.hpp"

#include <doctest/doctest.h>

#include <map>
#include <string>

using namespace aqueduct;
using namespace aqueduct::actors;
using namespace aqueduct::actors::test;

TEST_SUITE_BEGIN("simulation.unwritten_state");

namespace {

/// The group of the simulation.
constexpr group_id group{uuid{{1}}, 0};
/// Longer than a storage actor waits until it tries again.
constexpr std::int64_t retry_ms = 1500;

using rows = std::map<std::string, std::string>;

rows rows_on_disk(const sim_machine& machine) {
  rows found;
  const auto prefix = storage::group_prefix(group);
  REQUIRE(machine.kv->scan(storage::family::partition_state, prefix, storage::end_of_prefix(prefix),
                           [&](std::string_view key, std::string_view value) {
                             const auto row = key.substr(prefix.size());
                             if (!storage::is_own_key(row))
                               found.emplace(row, value);
                             return true;
                           }));
  return found;
}

rows rows_of(const noted_state& state) {
  rows found;
  for (const auto& row : state.to_rows())
    found.emplace(row.key, row.value);
  return found;
}

std::uint64_t applied_on_disk(const sim_machine& machine) {
  const auto applied = storage::read_applied_index(*machine.kv, group);
  REQUIRE(applied);
  return *applied;
}

std::uint64_t log_base_of(const sim_machine& machine) {
  const auto meta = storage::load_log_meta(*machine.kv, group);
  REQUIRE(meta);
  return meta->base.index;
}

void propose_some(sim_group& cluster, int count) {
  for (int i = 0; i < count; ++i)
    cluster.propose(cluster.leader(),
                    "value " + std::to_string(cluster.now_ms()) + "." + std::to_string(i));
  cluster.run_for(100);
}

} // namespace

TEST_CASE("state that found no room is written before what came after it") {
  sim_group cluster({.nodes = 1, .founders = 1});
  REQUIRE(cluster.wait_for_leader() == 1);
  auto& store = *cluster.machine(1).store;
  propose_some(cluster, 5);
  store.refuse_writes(1);
  cluster.persist(1);
  cluster.run_for(10);
  CHECK(store.refused_count() > 0);
  CHECK(applied_on_disk(cluster.machine(1)) == 0);

  store.refuse_writes(0);
  propose_some(cluster, 1);
  cluster.persist(1);
  cluster.run_for(retry_ms);
  const auto state = cluster.journal(1).state;
  CHECK(applied_on_disk(cluster.machine(1)) == state.applied);
  CHECK(rows_on_disk(cluster.machine(1)) == rows_of(state));

  // What was handed over first is in no log any more.
  cluster.compact(1, state.applied);
  cluster.run_for(100);
  CHECK(log_base_of(cluster.machine(1)) == state.applied);
  cluster.crash(1);
  CHECK(rows_on_disk(cluster.machine(1)) == rows_of(state));
  cluster.start(1);
  REQUIRE(cluster.wait_for_leader() == 1);
  for (const auto& sentence : cluster.check())
    FAIL_CHECK(sentence);
}

TEST_CASE("while state finds no room, what is on the disk is of one moment, and the log leads on") {
  sim_group cluster({.nodes = 1, .founders = 1});
  REQUIRE(cluster.wait_for_leader() == 1);
  auto& store = *cluster.machine(1).store;
  propose_some(cluster, 5);
  cluster.persist(1);
  cluster.run_for(10);
  const auto before = cluster.journal(1).state;
  store.refuse_writes(1);
  for (int i = 0; i < 4; ++i) {
    propose_some(cluster, 3);
    cluster.persist(1);
    cluster.run_for(retry_ms);
  }
  CHECK(applied_on_disk(cluster.machine(1)) == before.applied);
  CHECK(rows_on_disk(cluster.machine(1)) == rows_of(before));

  cluster.crash(1);
  cluster.start(1);
  REQUIRE(cluster.wait_for_leader() == 1);
  for (const auto& sentence : cluster.check())
    FAIL_CHECK(sentence);
  CHECK(cluster.acknowledged().size() == 17);
}

TEST_CASE("a state that is taken over is not overwritten by what found no room before") {
  sim_group cluster({.nodes = 3, .founders = 3});
  REQUIRE(cluster.wait_for_leader() != 0);
  propose_some(cluster, 5);
  const auto behind = cluster.leader() % 3 + 1;
  auto& store = *cluster.machine(behind).store;
  store.refuse_writes(1);
  cluster.persist(behind);
  cluster.run_for(10);
  cluster.network().isolate(behind);
  propose_some(cluster, 9);
  cluster.compact(cluster.leader(), cluster.journal(cluster.leader()).state.applied);
  cluster.run_for(100);
  cluster.heal_network();
  REQUIRE(cluster.wait_until_equal());
  CHECK(cluster.installs() == 1);

  store.refuse_writes(0);
  cluster.run_for(retry_ms);
  cluster.persist(behind);
  cluster.run_for(10);
  CHECK(rows_on_disk(cluster.machine(behind)) == rows_of(cluster.journal(behind).state));
  for (const auto& sentence : cluster.check())
    FAIL_CHECK(sentence);
}

TEST_CASE("a log that finds no room to be trimmed is trimmed later, and its replica goes on") {
  // The state cannot be written, or it is and the log itself has no room for where it begins.
  for (const bool is_state_there : {false, true}) {
    CAPTURE(is_state_there);
    sim_group cluster({.nodes = 1, .founders = 1});
    REQUIRE(cluster.wait_for_leader() == 1);
    auto& store = *cluster.machine(1).store;
    propose_some(cluster, 5);
    if (is_state_there)
      cluster.persist(1);
    cluster.run_for(10);
    const auto upto = cluster.journal(1).state.applied - 2;
    store.refuse_writes(1);
    cluster.compact(1, upto);
    cluster.run_for(retry_ms);
    CHECK_FALSE(cluster.journal(1).failure);
    CHECK(log_base_of(cluster.machine(1)) == 0);
    propose_some(cluster, 5);
    CHECK(cluster.acknowledged().size() == 10);

    store.refuse_writes(0);
    cluster.run_for(retry_ms);
    CHECK(log_base_of(cluster.machine(1)) == upto);
    for (const auto& sentence : cluster.check())
      FAIL_CHECK(sentence);
  }
}

TEST_SUITE_END();
