// What members of a consumer group and who assigns their partitions tell each other: the two
// embedded structs of Kafka's protocol type "consumer" (ConsumerProtocolSubscription and
// ConsumerProtocolAssignment). Members of both dialects speak it, so that they can share a group.
#pragma once

#include "protocol/buffer.hpp"
#include "protocol/result.hpp"

#include <compare>
#include <cstdint>
#include <string>
#include <vector>

namespace aqueduct::protocol {

/// The protocol type of groups that share partitions of topics.
inline constexpr std::string_view consumer_protocol_type = "consumer";

/// Partitions of one topic.
struct topic_partitions {
  std::string topic;
  std::vector<std::int32_t> partitions;

  friend auto operator<=>(const topic_partitions&, const topic_partitions&) = default;
};

struct consumer_subscription {
  std::vector<std::string> topics;
  /// Opaque bytes of the member.
  buffer user_data;
  /// What the member holds while it asks for more; empty of members that gave up everything.
  std::vector<topic_partitions> owned;
  /// The generation in which it got them; -1 unknown.
  std::int32_t generation = -1;
  std::string rack;

  friend bool operator==(const consumer_subscription&, const consumer_subscription&) = default;
};

struct consumer_assignment {
  std::vector<topic_partitions> partitions;
  /// Opaque bytes of whoever assigned.
  buffer user_data;

  friend bool operator==(const consumer_assignment&, const consumer_assignment&) = default;
};

/// Version 3 of the subscription, and version 1 of the assignment.
[[nodiscard]] buffer encode_subscription(const consumer_subscription& subscription);
[[nodiscard]] buffer encode_assignment(const consumer_assignment& assignment);
/// Versions 0 to 3; of later ones what is known of them, as their fields come last. Error
/// invalid_request: it is cut short, or counts more than it has.
[[nodiscard]] result<consumer_subscription> decode_subscription(const buffer& bytes);
/// No bytes are an empty assignment.
[[nodiscard]] result<consumer_assignment> decode_assignment(const buffer& bytes);

} // namespace aqueduct::protocol
