// How the coordinator shares the partitions of topics out among the members of a group. Pure
// functions: the same members and topics give the same assignment, whatever their order.
#pragma once

#include "protocol/consumer_protocol.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace aqueduct::actors {

using protocol::topic_partitions;

/// A member as an assignor sees it.
struct assignable_member {
  std::string id;
  /// Of a static member: it keeps its place in the order of members when it comes back.
  std::string instance;
  std::vector<std::string> topics;
  /// What it says that it holds right now.
  std::vector<topic_partitions> owned;
  /// What the last assignment gave it.
  std::vector<topic_partitions> assigned;
};

/// Number of partitions by topic. Topics that are not here do not exist.
using topic_sizes = std::map<std::string, std::int32_t, std::less<>>;
/// By member id; every member is there. Topics and partitions in ascending order.
using assignment_map = std::map<std::string, std::vector<topic_partitions>>;

/// Names of the ways to assign, as Kafka's clients call them.
inline constexpr std::string_view range_assignor = "range";
inline constexpr std::string_view round_robin_assignor = "roundrobin";
inline constexpr std::string_view sticky_assignor = "sticky";
inline constexpr std::string_view cooperative_assignor = "cooperative-sticky";
[[nodiscard]] bool is_assignor(std::string_view name);

/// Of each topic a run of neighbours to each member that wants it; the first members get one more
/// where it does not divide.
[[nodiscard]] assignment_map assign_range(const std::vector<assignable_member>& members,
                                          const topic_sizes& topics);
/// All partitions in order, one to each member in turn.
[[nodiscard]] assignment_map assign_round_robin(const std::vector<assignable_member>& members,
                                                const topic_sizes& topics);
/// As even as it can be: no member has two more than another one that could take one of them. Moves
/// no partition for anything but that.
[[nodiscard]] assignment_map assign_sticky(const std::vector<assignable_member>& members,
                                           const topic_sizes& topics);
/// Takes from a target what another member holds still: it is given out when that member has let go
/// of it and joined again. Partitions that stay where they are stay.
[[nodiscard]] assignment_map withhold_moving(assignment_map target,
                                             const std::vector<assignable_member>& members);

/// By name; cooperative is sticky with what moves withheld. Precondition: `is_assignor(name)`.
[[nodiscard]] assignment_map assign(std::string_view name,
                                    const std::vector<assignable_member>& members,
                                    const topic_sizes& topics);

} // namespace aqueduct::actors
