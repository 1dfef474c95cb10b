// A state of another replica that is long in coming, and a new leader that sends the same entries
// meanwhile: what is applied here never goes back to what the state has.
#include "tests/simulation/sim_group.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace aqueduct;
using namespace aqueduct::actors;
using namespace aqueduct::actors::test;

TEST_SUITE_BEGIN("simulation.late_state");

namespace {

/// Three replicas. One that was cut off has asked for the state of a leader that gave up what it
/// lacks, and the answer is under way. That leader is gone: the third one was elected, has the
/// whole log, and has just heard that the one that asks has it too, who does not know yet that it
/// is committed.
struct late_state {
  late_state() : group({.nodes = 3, .founders = 3, .disks_stall = true}) {
    REQUIRE(group.wait_for_leader() != 0);
    propose(5);
    group.run_for(100);
    gone = group.leader();
    behind = gone % 3 + 1;
    leader = behind % 3 + 1;
    auto& network = group.network();
    network.isolate(behind);
    const auto before = applied(gone);
    propose(5);
    REQUIRE(wait_until([&] { return applied(gone) == before + 5; }));
    // It is not told what is committed, and will not say it.
    network.cut(gone, leader);
    REQUIRE(applied(leader) < applied(gone));
    in_state = applied(gone);
    group.compact(gone, in_state);
    group.run_for(10);
    network.heal();
    network.cut(gone, leader);
    network.hold_answers(true);
    REQUIRE(wait_until([&] { return is_asking(); }));
    group.run_for(5);
    network.cut(gone, behind);
    REQUIRE(wait_until([&] { return group.leader() == leader; }));
    REQUIRE(is_asking());
    REQUIRE(applied(leader) > in_state);
    REQUIRE(applied(behind) < in_state);
  }

  void propose(int count) {
    for (int i = 0; i < count; ++i)
      group.propose(group.leader(), "value " + std::to_string(++proposed));
  }

  [[nodiscard]] std::uint64_t applied(std::int32_t node) const {
    return group.journal(node).state.applied;
  }

  [[nodiscard]] bool is_asking() const { return group.links().is_calling(behind); }

  template <class Condition>
  bool wait_until(Condition condition) {
    for (int ms = 0; ms < 2'000; ++ms) {
      if (condition())
        return true;
      group.run_for(1);
    }
    return false;
  }

  /// The answer arrives.
  void receive_state() {
    group.network().hold_answers(false);
    REQUIRE(wait_until([&] { return !is_asking(); }));
  }

  void check() {
    group.network().heal();
    CHECK(group.wait_until_equal());
    propose(1);
    group.run_for(100);
    CHECK(group.wait_until_equal());
    for (const auto& sentence : group.check())
      FAIL_CHECK(sentence);
    CHECK(group.acknowledged().size() == static_cast<std::size_t>(proposed));
  }

  sim_group group;
  std::int32_t gone = 0;
  std::int32_t behind = 0;
  std::int32_t leader = 0;
  /// Up to here the state has applied.
  std::uint64_t in_state = 0;
  int proposed = 0;
};

} // namespace

TEST_CASE("a state that has less than the log by the time it comes is not taken over") {
  late_state it;
  it.propose(5);
  it.group.run_for(100);
  REQUIRE(it.applied(it.behind) > it.in_state);
  it.receive_state();
  it.group.run_for(100);
  CHECK(it.group.installs() == 0);
  it.check();
}

TEST_CASE("nothing is committed while a state is being installed that may not have it") {
  late_state it;
  it.group.network().cut(it.leader, it.behind);
  it.group.stall_disk(it.behind, 100);
  it.receive_state();
  // The leader says that all of the log is committed.
  it.group.heal_network();
  it.group.run_for(50);
  CHECK(it.applied(it.behind) < it.in_state);
  it.group.run_for(100);
  CHECK(it.group.installs() == 1);
  CHECK(it.applied(it.behind) == it.applied(it.leader));
  it.check();
}

TEST_SUITE_END();
