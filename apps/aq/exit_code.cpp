#include "apps/aq/exit_code.hpp"

namespace aqueduct::aq {

exit_code exit_code_of(errc code) {
  switch (code) {
  case errc::none:
    return exit_code::done;
  case errc::invalid_request:
  case errc::invalid_topic:
  case errc::invalid_group:
  case errc::invalid_session_timeout:
  case errc::metadata_too_large:
  case errc::invalid_partitions:
  case errc::invalid_replication:
    return exit_code::usage;
  case errc::invalid_message:
  case errc::message_too_large:
  case errc::corrupt_batch:
  case errc::unsupported_codec:
  case errc::decompression_limit:
  case errc::invalid_timestamp:
  case errc::storage_damaged:
    return exit_code::bad_data;
  case errc::unknown_topic:
  case errc::unknown_partition:
  case errc::unknown_group:
  case errc::unknown_member:
  case errc::offset_out_of_range:
  case errc::unknown_subscription:
  case errc::not_found:
    return exit_code::not_found;
  case errc::broker_unavailable:
  case errc::connection_lost:
  case errc::unsupported_api:
  case errc::unsupported_version:
    return exit_code::unreachable;
  case errc::topic_exists:
  case errc::offset_conflict:
  case errc::out_of_order_sequence:
  case errc::duplicate_sequence:
  case errc::fenced_epoch:
  case errc::fenced_member:
  case errc::generation_mismatch:
  case errc::group_full:
  case errc::group_not_empty:
  case errc::group_subscribed:
  case errc::inconsistent_protocol:
  case errc::conflict:
    return exit_code::conflict;
  case errc::timed_out:
  case errc::coordinator_loading:
  case errc::not_coordinator:
  case errc::rebalance_in_progress:
  case errc::member_id_required:
  case errc::not_leader:
  case errc::topic_not_ready:
  case errc::quota_exceeded:
  case errc::storage_full:
  case errc::storage_failed:
  case errc::overloaded:
  case errc::shutting_down:
    return exit_code::try_again;
  case errc::unauthorized:
    return exit_code::denied;
  case errc::invalid_config:
    return exit_code::config;
  case errc::cancelled:
    return exit_code::interrupted;
  default:
    // Internal errors, and codes of a broker that is newer than this program.
    return exit_code::internal;
  }
}

} // namespace aqueduct::aq
