// The clock that the replicas of a node share: who is told of which step, and that a node on which
// nobody asks has no timer.
#include "actors/replica/tick_rota.hpp"
#include "actors/replica/ticker.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/atom.hpp>
#include <caf/scheduler/test_coordinator.hpp>
#include <caf/send.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <vector>

using namespace aqueduct;
using namespace aqueduct::actors;

namespace {

using names = std::vector<int>;
constexpr std::size_t all = 1000;
constexpr std::int64_t tick_ms = 50;

struct told {
  int ticks = 0;
  /// Whether it asks for the next tick when it is told of one.
  bool goes_on = true;
};

replica_actor::behavior_type fake_replica(replica_actor::pointer self, std::shared_ptr<told> notes,
                                          ticker_actor ticker) {
  return {
      [self, notes, ticker](replica_request& request) {
        if (std::holds_alternative<replica_tick>(request.what))
          ++notes->ticks;
        const bool out_of_tick = std::holds_alternative<replica_tick>(request.what);
        if (notes->goes_on)
          self->send(ticker, tick_request{replica_actor(self), out_of_tick});
      },
      [](storage_event&) {},
  };
}

/// A ticker and replicas that ask it.
struct bench {
  explicit bench(std::size_t replicas) {
    config.set("scheduler.policy", caf::atom("testing"));
    system = std::make_unique<caf::actor_system>(config);
    ticker = spawn_ticker(*system, tick_ms);
    for (std::size_t i = 0; i < replicas; ++i) {
      notes.push_back(std::make_shared<told>());
      members.push_back(system->spawn(fake_replica, notes.back(), ticker));
    }
  }
  ~bench() {
    for (auto& each : members)
      caf::anon_send_exit(each, caf::exit_reason::kill);
    caf::anon_send_exit(ticker, caf::exit_reason::kill);
    members.clear();
    ticker = nullptr;
    schedule().run();
    while (schedule().trigger_timeouts() > 0)
      schedule().run();
  }
  [[nodiscard]] caf::scheduler::test_coordinator& schedule() const {
    return dynamic_cast<caf::scheduler::test_coordinator&>(system->scheduler());
  }
  void wake(std::size_t which) {
    caf::anon_send(members.at(which), replica_request{replica_wake{}});
    schedule().run();
  }
  void pass(std::int64_t ms) {
    schedule().advance_time(std::chrono::milliseconds(ms));
    schedule().run();
  }

  caf::actor_system_config config;
  std::unique_ptr<caf::actor_system> system;
  ticker_actor ticker;
  std::vector<std::shared_ptr<told>> notes;
  std::vector<replica_actor> members;
};

} // namespace

TEST_SUITE("actors.ticker") {
  TEST_CASE("who asks while beats stand still is due with the first") {
    tick_rota<int> rota;
    CHECK(rota.ask(1, false));
    CHECK(rota.take(all).empty());
    CHECK(rota.beat());
    CHECK(rota.take(all) == names{1});
  }

  TEST_CASE("who asks out of a tick is due with every beat") {
    tick_rota<int> rota;
    (void)rota.ask(1, false);
    for (int i = 0; i < 5; ++i) {
      CHECK(rota.beat());
      CHECK(rota.take(all) == names{1});
      CHECK_FALSE(rota.ask(1, true));
    }
  }

  TEST_CASE("who comes between two beats waits one interval at least") {
    tick_rota<int> rota;
    (void)rota.ask(1, false);
    CHECK_FALSE(rota.ask(2, false));
    CHECK(rota.beat());
    CHECK(rota.take(all) == names{1});
    CHECK(rota.beat());
    CHECK(rota.take(all) == names{2});
  }

  TEST_CASE("beats end when nobody asks, and begin again") {
    tick_rota<int> rota;
    (void)rota.ask(1, false);
    CHECK(rota.beat());
    CHECK(rota.take(all) == names{1});
    CHECK_FALSE(rota.beat());
    CHECK(rota.ask(1, true));
    CHECK(rota.beat());
    CHECK(rota.take(all) == names{1});
  }

  TEST_CASE("who is due is taken in portions, in order, also across a beat") {
    tick_rota<int> rota;
    for (int i = 0; i < 5; ++i)
      (void)rota.ask(i, true);
    CHECK(rota.beat());
    CHECK(rota.take(2) == names{0, 1});
    CHECK(rota.has_due());
    CHECK_FALSE(rota.ask(0, true));
    CHECK(rota.beat());
    CHECK(rota.take(2) == names{2, 3});
    CHECK(rota.take(all) == names{4, 0});
    CHECK_FALSE(rota.has_due());
  }

  TEST_CASE("replicas that are awake hear of each step, hundreds as one") {
    bench node(300);
    for (std::size_t i = 0; i < node.members.size(); ++i)
      node.wake(i);
    // The first began the beats, the others came between.
    node.pass(tick_ms);
    CHECK(node.notes[0]->ticks == 1);
    CHECK(node.notes[1]->ticks == 0);
    for (int step = 1; step <= 20; ++step) {
      node.pass(tick_ms);
      CHECK(node.notes[0]->ticks == step + 1);
      CHECK(node.notes[1]->ticks == step);
      CHECK(node.notes[299]->ticks == step);
    }
  }

  TEST_CASE("a node whose replicas all sleep has no timer, until one wakes") {
    bench node(2);
    node.wake(0);
    node.wake(1);
    node.pass(tick_ms);
    node.pass(tick_ms);
    CHECK(node.notes[0]->ticks == 2);
    for (auto& each : node.notes)
      each->goes_on = false;
    node.pass(tick_ms);
    node.pass(tick_ms);
    CHECK_FALSE(node.schedule().has_pending_timeout());
    const auto heard = node.notes[1]->ticks;
    node.pass(100 * tick_ms);
    CHECK(node.notes[1]->ticks == heard);
    node.notes[1]->goes_on = true;
    node.wake(1);
    node.pass(tick_ms - 1);
    CHECK(node.notes[1]->ticks == heard);
    node.pass(1);
    CHECK(node.notes[1]->ticks == heard + 1);
  }

  TEST_CASE("a replica that is gone harms nobody") {
    bench node(3);
    for (std::size_t i = 0; i < 3; ++i)
      node.wake(i);
    node.pass(2 * tick_ms);
    caf::anon_send_exit(node.members[1], caf::exit_reason::kill);
    node.schedule().run();
    const auto before = node.notes[2]->ticks;
    for (int i = 0; i < 5; ++i)
      node.pass(tick_ms);
    CHECK(node.notes[2]->ticks == before + 5);
  }
}
