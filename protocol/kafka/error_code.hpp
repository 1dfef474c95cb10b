// Error codes of the Kafka protocol, and how the error table of Aqueduct maps to them.
#pragma once

#include "protocol/error.hpp"
#include "protocol/kafka/api.hpp"

#include <cstdint>

namespace aqueduct::protocol::kafka {

/// Those that this broker sends, by the protocol's names.
enum class error_code : std::int16_t {
  unknown_server_error = -1,
  none = 0,
  offset_out_of_range = 1,
  corrupt_message = 2,
  unknown_topic_or_partition = 3,
  leader_not_available = 5,
  not_leader_or_follower = 6,
  request_timed_out = 7,
  message_too_large = 10,
  offset_metadata_too_large = 12,
  network_exception = 13,
  coordinator_load_in_progress = 14,
  coordinator_not_available = 15,
  not_coordinator = 16,
  invalid_topic_exception = 17,
  invalid_required_acks = 21,
  illegal_generation = 22,
  inconsistent_group_protocol = 23,
  invalid_group_id = 24,
  unknown_member_id = 25,
  invalid_session_timeout = 26,
  rebalance_in_progress = 27,
  invalid_commit_offset_size = 28,
  topic_authorization_failed = 29,
  invalid_timestamp = 32,
  unsupported_version = 35,
  topic_already_exists = 36,
  invalid_partitions = 37,
  invalid_replication_factor = 38,
  invalid_replica_assignment = 39,
  invalid_config = 40,
  not_controller = 41,
  invalid_request = 42,
  policy_violation = 44,
  out_of_order_sequence_number = 45,
  duplicate_sequence_number = 46,
  invalid_producer_epoch = 47,
  invalid_txn_state = 48,
  kafka_storage_error = 56,
  reassignment_in_progress = 60,
  non_empty_group = 68,
  group_id_not_found = 69,
  fetch_session_id_not_found = 70,
  invalid_fetch_session_epoch = 71,
  listener_not_found = 72,
  fenced_leader_epoch = 74,
  unknown_leader_epoch = 75,
  unsupported_compression_type = 76,
  offset_not_available = 78,
  member_id_required = 79,
  preferred_leader_not_available = 80,
  group_max_size_reached = 81,
  fenced_instance_id = 82,
  eligible_leaders_not_available = 83,
  election_not_needed = 84,
  no_reassignment_in_progress = 85,
  group_subscribed_to_topic = 86,
  invalid_record = 87,
  throttling_quota_exceeded = 89,
  unknown_topic_id = 100,
  fetch_session_topic_id_error = 106,
  unsupported_endpoint_type = 115,
};

[[nodiscard]] constexpr std::int16_t number_of(error_code code) {
  return static_cast<std::int16_t>(code);
}

/// The code that says `code` to clients of every version.
[[nodiscard]] error_code kafka_error(errc code);
/// The same for an answer of `version` of `api`: a code that this version did not have yet is told
/// by an older one.
[[nodiscard]] error_code kafka_error(errc code, api_key api, std::int16_t version);

} // namespace aqueduct::protocol::kafka
