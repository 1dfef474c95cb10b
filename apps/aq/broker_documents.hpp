// What the verbs on brokers, moves and Raft groups show, as documents.
#pragma once

#include "actors/admin_interface.hpp"
#include "apps/aq/document.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace aqueduct::aq {

[[nodiscard]] document brokers_described(const actors::admin_brokers& all);
/// `broker` is one of them, `asked` the node that answered.
[[nodiscard]] document broker_described(const actors::admin_broker& broker, std::int32_t asked);
[[nodiscard]] document moves_described(const std::vector<actors::admin_move>& moves, bool was_done);
/// What the replicas on a node know of their groups, and leaders of their followers.
[[nodiscard]] document groups_described(const actors::admin_groups& groups);

/// "orders:3" or "controller".
[[nodiscard]] std::string name_of(const actors::admin_group& group);
/// How many entries of the leader's log a follower is not known to have.
[[nodiscard]] std::uint64_t lag_of(const actors::admin_group& group,
                                   const actors::admin_follower& follower);

} // namespace aqueduct::aq
