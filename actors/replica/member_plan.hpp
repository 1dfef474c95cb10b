// How the members of a Raft group come to be those that are wanted, one change at a time: pure.
// Used for the controller's own group and for the partitions'.
#pragma once

#include "raft/membership.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace aqueduct::actors {

/// Between two tries to hand leadership to the same replica: one that fails keeps the group from
/// taking anything for an election timeout.
inline constexpr std::int64_t transfer_interval_ms = 5000;

/// Of the controller's group: the other brokers are learners.
inline constexpr std::size_t controller_voters_max = 5;

/// What the leader of a group is to do next. Nothing: the members are those that are wanted.
///
/// 1. A wanted node that is no member becomes a learner. If another life of its disk is a member,
///    the new one takes its place: that disk is lost.
/// 2. A learner becomes a voter, while fewer than `voters_max` wanted nodes are, unless it is to
///    listen only. The Raft core refuses it until the learner has caught up.
/// 3. Who is not wanted goes, and so does a voter that is to listen only, when every wanted node is
///    in its place; the latter comes back by 1. The leader itself never goes by this plan: it first
///    hands its office to somebody else.
///
/// `wanted` is in order of preference; `listeners` are some of them.
[[nodiscard]] std::optional<raft::membership_change>
next_member_change(const raft::membership& members, std::span<const raft::replica_id> wanted,
                   std::size_t voters_max, raft::replica_id leader,
                   std::span<const raft::replica_id> listeners = {});

} // namespace aqueduct::actors
