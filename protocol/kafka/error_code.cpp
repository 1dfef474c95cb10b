#include "protocol/kafka/error_code.hpp"

namespace aqueduct::protocol::kafka {

error_code kafka_error(errc code) {
  switch (code) {
  case errc::none:
    return error_code::none;
  case errc::invalid_topic:
    return error_code::invalid_topic_exception;
  case errc::unknown_topic:
  case errc::unknown_partition:
  case errc::not_found:
    return error_code::unknown_topic_or_partition;
  case errc::invalid_message:
    return error_code::invalid_record;
  // To a client both mean: make your batches smaller.
  case errc::message_too_large:
  case errc::decompression_limit:
    return error_code::message_too_large;
  case errc::offset_out_of_range:
    return error_code::offset_out_of_range;
  case errc::out_of_order_sequence:
    return error_code::out_of_order_sequence_number;
  case errc::duplicate_sequence:
    return error_code::duplicate_sequence_number;
  case errc::fenced_epoch:
    return error_code::invalid_producer_epoch;
  case errc::broker_unavailable:
  case errc::topic_not_ready:
    return error_code::leader_not_available;
  // What shuts down leads no more: the client looks for the next leader.
  case errc::not_leader:
  case errc::shutting_down:
    return error_code::not_leader_or_follower;
  case errc::unauthorized:
    return error_code::topic_authorization_failed;
  case errc::quota_exceeded:
    return error_code::throttling_quota_exceeded;
  case errc::topic_exists:
    return error_code::topic_already_exists;
  case errc::unsupported_api:
  case errc::unsupported_version:
    return error_code::unsupported_version;
  case errc::corrupt_batch:
    return error_code::corrupt_message;
  case errc::unsupported_codec:
    return error_code::unsupported_compression_type;
  case errc::invalid_config:
    return error_code::invalid_config;
  case errc::invalid_partitions:
    return error_code::invalid_partitions;
  case errc::invalid_replication:
    return error_code::invalid_replication_factor;
  case errc::storage_full:
  case errc::storage_failed:
  case errc::storage_damaged:
    return error_code::kafka_storage_error;
  // Every client takes it as "try again".
  case errc::timed_out:
  case errc::overloaded:
    return error_code::request_timed_out;
  case errc::invalid_timestamp:
    return error_code::invalid_timestamp;
  case errc::connection_lost:
    return error_code::network_exception;
  case errc::invalid_request:
  case errc::offset_conflict:
  case errc::unknown_subscription:
  case errc::conflict:
    return error_code::invalid_request;
  case errc::unknown_group:
    return error_code::group_id_not_found;
  case errc::unknown_member:
    return error_code::unknown_member_id;
  case errc::rebalance_in_progress:
    return error_code::rebalance_in_progress;
  case errc::generation_mismatch:
    return error_code::illegal_generation;
  case errc::not_coordinator:
    return error_code::not_coordinator;
  case errc::coordinator_loading:
    return error_code::coordinator_load_in_progress;
  case errc::invalid_group:
    return error_code::invalid_group_id;
  case errc::group_not_empty:
    return error_code::non_empty_group;
  case errc::fenced_member:
    return error_code::fenced_instance_id;
  case errc::member_id_required:
    return error_code::member_id_required;
  case errc::group_full:
    return error_code::group_max_size_reached;
  case errc::inconsistent_protocol:
    return error_code::inconsistent_group_protocol;
  case errc::invalid_session_timeout:
    return error_code::invalid_session_timeout;
  case errc::metadata_too_large:
    return error_code::offset_metadata_too_large;
  case errc::group_subscribed:
    return error_code::group_subscribed_to_topic;
  case errc::internal:
  case errc::cancelled:
    break;
  }
  return error_code::unknown_server_error;
}

namespace {

/// What the coordinator of a group answers.
bool is_of_groups(api_key api) {
  switch (api) {
  case api_key::find_coordinator:
  case api_key::join_group:
  case api_key::sync_group:
  case api_key::heartbeat:
  case api_key::leave_group:
  case api_key::offset_commit:
  case api_key::offset_fetch:
  case api_key::offset_delete:
  case api_key::describe_groups:
  case api_key::list_groups:
  case api_key::delete_groups:
    return true;
  default:
    return false;
  }
}

/// The same in the words for coordinators: clients take others for the end, though they would be
/// told to try again.
error_code of_coordinator(error_code found, api_key api) {
  switch (found) {
  case error_code::leader_not_available:
  case error_code::request_timed_out:
  case error_code::network_exception:
    return error_code::coordinator_not_available;
  case error_code::not_leader_or_follower:
  case error_code::kafka_storage_error:
    found = error_code::not_coordinator;
    break;
  case error_code::message_too_large:
    return api == api_key::offset_commit ? error_code::invalid_commit_offset_size : found;
  default:
    break;
  }
  // Who only looks for the coordinator knows one word for all of it.
  const bool is_passing =
      found == error_code::not_coordinator || found == error_code::coordinator_load_in_progress;
  return api == api_key::find_coordinator && is_passing ? error_code::coordinator_not_available
                                                        : found;
}

} // namespace

error_code kafka_error(errc code, api_key api, std::int16_t version) {
  const auto found = kafka_error(code);
  if (is_of_groups(api))
    return of_coordinator(found, api);
  const bool too_new =
      (api == api_key::produce && version < 4) || (api == api_key::fetch && version < 6);
  if (found == error_code::kafka_storage_error && too_new)
    return error_code::not_leader_or_follower;
  return found;
}

} // namespace aqueduct::protocol::kafka
