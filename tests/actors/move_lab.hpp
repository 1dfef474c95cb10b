// Metadata with brokers and a topic whose replicas move.
#pragma once

#include "actors/controller/controller_core.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <vector>

namespace aqueduct::actors::test {

inline uuid id_of(std::uint8_t number) {
  uuid id;
  id.bytes[15] = number;
  return id;
}

inline controller_core cluster_of(std::int32_t count) {
  controller_core::limits limits;
  limits.partitions_per_node = 1000;
  controller_core core(limits);
  core.replay(create_cluster_command{id_of(99)});
  for (std::int32_t node = 1; node <= count; ++node) {
    broker_record broker{node, "host", 9092, ""};
    broker.incarnation = static_cast<std::uint64_t>(node) * 10;
    core.replay(register_broker_command{broker});
  }
  return core;
}

inline void create(controller_core& core, const std::string& name, std::uint8_t id,
                   std::int32_t partitions, std::int16_t replication) {
  protocol::create_topic_request request;
  request.name = name;
  request.partitions = partitions;
  request.replication = replication;
  const auto command = core.decide_create(request, id_of(id), 5);
  REQUIRE(command);
  REQUIRE_FALSE(core.replay(*command).refused);
}

inline const replica_set& placed(const controller_core& core, std::uint8_t topic,
                                 std::size_t partition) {
  return core.topics().at(id_of(topic)).partitions.at(partition);
}

using nodes = std::vector<std::int32_t>;

/// Four brokers and a topic "t" with three replicas on 1, 2 and 3.
inline controller_core cluster_with_topic() {
  auto core = cluster_of(4);
  create(core, "t", 1, 1, 3);
  REQUIRE_FALSE(core.replay(*core.decide_move("t", 0, {1, 2, 3})).refused);
  const auto& at = placed(core, 1, 0);
  if (at.is_moving())
    REQUIRE_FALSE(core.replay(replicas_moved_command{id_of(1), 0, at.nodes, at.changes}).refused);
  REQUIRE_FALSE(placed(core, 1, 0).is_moving());
  return core;
}

inline void move(controller_core& core, const nodes& to) {
  const auto command = core.decide_move("t", 0, to);
  REQUIRE(command);
  REQUIRE_FALSE(core.replay(*command).refused);
}

inline void cancel(controller_core& core) {
  const auto command = core.decide_cancel("t", 0);
  REQUIRE(command);
  REQUIRE_FALSE(core.replay(*command).refused);
}

inline bool settle(controller_core& core) {
  const auto& at = placed(core, 1, 0);
  return !core.replay(replicas_moved_command{id_of(1), 0, at.nodes, at.changes}).refused;
}

} // namespace aqueduct::actors::test
