// What a decoded request takes of the node's memory beyond its own bytes, until it is answered: a
// few bytes on the wire name a partition, hundreds in memory follow it through the actors.
#pragma once

#include "protocol/native/messages.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace aqueduct::actors::network {

/// Of any request.
inline constexpr std::size_t request_cost_bytes = 1024;
/// Of each item that it names.
inline constexpr std::size_t item_cost_bytes = 512;

/// Topics, partitions, ranges or settings that `message` names.
template <class M>
[[nodiscard]] std::size_t items_of(const M& message) {
  std::size_t count = 0;
  if constexpr (std::is_same_v<M, protocol::metadata_request>) {
    count = message.topics ? message.topics->size() : 0;
  } else if constexpr (std::is_same_v<M, protocol::join_group_request>) {
    count = message.subscription.size() + message.assignors.size();
    for (const auto& topic : message.owned)
      count += 1 + topic.partitions.size();
  } else if constexpr (std::is_same_v<M, protocol::leave_group_request>) {
    count = message.members.size();
  } else if constexpr (requires { message.topics; }) {
    for (const auto& topic : message.topics)
      count += 1 + topic.partitions.size();
  } else if constexpr (requires { message.partitions.size(); }) {
    count = message.partitions.size();
  } else if constexpr (requires { message.ranges; }) {
    count = message.ranges.size();
  } else if constexpr (requires { message.settings; }) {
    count = message.settings.size();
  }
  return count;
}

template <class M>
[[nodiscard]] std::size_t cost_of(const M& message) {
  return request_cost_bytes + item_cost_bytes * items_of(message);
}

/// Items that a request may name when those of a connection may cost `cost_max` together.
[[nodiscard]] constexpr std::size_t items_max(std::uint64_t cost_max) {
  return static_cast<std::size_t>(cost_max / item_cost_bytes);
}

/// Most record bytes in the answer, but for what its first batch goes beyond.
[[nodiscard]] inline std::size_t answer_bytes_of(const protocol::fetch_request& message) {
  std::int64_t sum = 0;
  for (const auto& topic : message.topics)
    for (const auto& partition : topic.partitions)
      sum += std::max(partition.bytes_max, 1);
  return static_cast<std::size_t>(
      std::min<std::int64_t>(sum, std::max<std::int64_t>(message.max_bytes, 1)));
}

[[nodiscard]] inline std::size_t answer_bytes_of(const protocol::batch_fetch_request& message,
                                                 std::size_t bytes_max) {
  std::int64_t sum = 0;
  for (const auto& range : message.ranges)
    sum += std::max(range.bytes_max, 1);
  return std::min(static_cast<std::size_t>(sum), bytes_max);
}

} // namespace aqueduct::actors::network
