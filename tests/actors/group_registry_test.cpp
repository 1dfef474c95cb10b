#include "actors/replica/group_registry.hpp"

#include <caf/typed_event_based_actor.hpp>
#include <doctest/doctest.h>

using namespace aqueduct;
using namespace aqueduct::actors;

TEST_SUITE_BEGIN("actors.group_registry");

namespace {

constexpr raft::replica_id self{raft::node_id(1), raft::incarnation(2)};
constexpr raft::replica_id peer{raft::node_id(2), raft::incarnation(1)};
constexpr group_id known{uuid{{1}}, 0};
constexpr group_id unknown{uuid{{2}}, 0};

std::vector<raft_delivery> message_to(const group_id& group, raft::replica_id to) {
  return {{group, peer, to, raft::timeout_now{raft::term_id(1)}}};
}

} // namespace

TEST_CASE("a message to a group that is not open wakes it, once until it was opened") {
  group_registry registry(self);
  int woken = 0;
  registry.add(known, [&] { ++woken; });

  registry.deliver(message_to(known, self));
  registry.deliver(message_to(known, self));
  CHECK(woken == 1);

  registry.opened(known, replica_actor());
  registry.closed(known);
  registry.deliver(message_to(known, self));
  CHECK(woken == 2);
}

TEST_CASE("a message to an earlier life of the node, or to an unknown group, is dropped") {
  group_registry registry(self);
  int woken = 0;
  registry.add(known, [&] { ++woken; });

  registry.deliver(message_to(known, {self.node, raft::incarnation(1)}));
  CHECK(woken == 0);
  CHECK(registry.unknown_count() == 0);

  registry.deliver(message_to(unknown, self));
  CHECK(registry.unknown_count() == 1);

  registry.remove(known);
  registry.deliver(message_to(known, self));
  CHECK(woken == 0);
  CHECK(registry.unknown_count() == 2);
}

TEST_SUITE_END();
