#include "protocol/error.hpp"

#include <algorithm>
#include <array>

namespace aqueduct {

namespace {

constexpr auto table = std::to_array<error_info>({
    {errc::none, "NONE", false, "Success.", "Nothing to do."},
    {errc::invalid_request, "INVALID_REQUEST", false, "The request cannot be understood.",
     "Correct the request; the message names the field."},
    {errc::invalid_topic, "INVALID_TOPIC", false, "The topic name breaks the naming rule.",
     "Use 1 to 249 characters of [a-zA-Z0-9._-], not '.' or '..'."},
    {errc::unknown_partition, "UNKNOWN_PARTITION", true, "The topic has no such partition.",
     "Refresh the metadata; the topic may have fewer partitions."},
    {errc::invalid_message, "INVALID_MESSAGE", false,
     "A record or batch breaks the format's rules.",
     "Correct the producer; the message names the rule."},
    {errc::message_too_large, "MESSAGE_TOO_LARGE", false,
     "A batch, a frame, or what a group is told at once is larger than the limit.",
     "Send less at once; for batches raise the topic's max.message.bytes."},
    {errc::offset_out_of_range, "OFFSET_OUT_OF_RANGE", false,
     "The offset is not within the partition's log.",
     "Seek to an offset within the range that the message names."},
    {errc::out_of_order_sequence, "OUT_OF_ORDER_SEQUENCE", false,
     "An idempotent producer's sequence number does not follow the last one.",
     "Send the batches in order, none left out, or start with a new producer id."},
    {errc::broker_unavailable, "BROKER_UNAVAILABLE", true, "No broker could be reached.",
     "Check the addresses; try again."},
    {errc::not_leader, "NOT_LEADER", true, "This broker does not lead the partition.",
     "Send the request to the leader that the answer names."},
    {errc::internal, "INTERNAL", false, "The broker failed in a way that it has no code for.",
     "Look at the broker's log."},
    {errc::unauthorized, "UNAUTHORIZED", false, "The principal may not do this.",
     "Ask an operator for the permission."},
    {errc::quota_exceeded, "QUOTA_EXCEEDED", true, "The client used up its quota.",
     "Slow down and try again."},
    {errc::unknown_group, "UNKNOWN_GROUP", false, "There is no such consumer group.",
     "Check the group id; a group is there once somebody joined it or committed an offset."},
    {errc::unknown_member, "UNKNOWN_MEMBER", false,
     "The consumer group has no such member, or not any more.",
     "Give up the partitions and join anew, without a member id."},
    {errc::rebalance_in_progress, "REBALANCE_IN_PROGRESS", true,
     "The consumer group is sharing its partitions out anew.", "Join again with the member id."},
    {errc::generation_mismatch, "GENERATION_MISMATCH", false,
     "The request names a generation that the consumer group is not at.",
     "Join again; what was not committed is consumed again."},
    {errc::unknown_topic, "UNKNOWN_TOPIC", true, "There is no such topic.",
     "Create the topic, or refresh the metadata if it was created just now."},
    {errc::topic_exists, "TOPIC_EXISTS", false, "A topic of that name exists.",
     "Choose another name, or use the topic as it is."},
    {errc::topic_not_ready, "TOPIC_NOT_READY", true, "The topic is being created or deleted.",
     "Try again shortly."},
    {errc::unsupported_api, "UNSUPPORTED_API", false, "The broker does not know this request.",
     "Ask API_VERSIONS what it knows."},
    {errc::unsupported_version, "UNSUPPORTED_VERSION", false,
     "The broker does not speak this version of the request or protocol.",
     "Use a version from the range that the message names."},
    {errc::corrupt_batch, "CORRUPT_BATCH", true, "A record batch does not match its checksum.",
     "Send it again; if it happens again, look for a faulty network or memory."},
    {errc::unsupported_codec, "UNSUPPORTED_CODEC", false,
     "The batch uses a compression codec that is unknown, or not allowed by the topic.",
     "Use none, gzip, snappy, lz4 or zstd, as the topic demands."},
    {errc::decompression_limit, "DECOMPRESSION_LIMIT", false,
     "The batch would decompress to more than the limit.", "Send smaller batches."},
    {errc::invalid_config, "INVALID_CONFIG", false, "A setting is unknown or out of range.",
     "Correct the setting; the message names the range."},
    {errc::invalid_partitions, "INVALID_PARTITIONS", false,
     "The number of partitions is out of range.", "Use a number in the range that is named."},
    {errc::invalid_replication, "INVALID_REPLICATION", false,
     "The replication factor is out of range or larger than the number of brokers.",
     "Use a factor between 1 and the number of brokers."},
    {errc::storage_full, "STORAGE_FULL", true,
     "The disk has less free space than the broker keeps in reserve.",
     "Free space, shorten the retention, or wait until retention has freed some."},
    {errc::storage_failed, "STORAGE_FAILED", true,
     "The disk refused a write or a sync; the partition is out of service on this broker.",
     "Use another replica; restart the broker after the disk was repaired."},
    {errc::storage_damaged, "STORAGE_DAMAGED", false,
     "Durable data of the partition on this broker is damaged.",
     "Restore the replica; `aq log verify` shows where the damage is."},
    {errc::timed_out, "TIMED_OUT", true,
     "The request was not finished in time; it may or may not have taken effect.",
     "Try again; an idempotent producer is protected from duplicates."},
    {errc::overloaded, "OVERLOADED", true, "The broker has too many bytes in flight.",
     "Wait a little and try again."},
    {errc::shutting_down, "SHUTTING_DOWN", true, "The broker or the client is shutting down.",
     "Use another broker, or try again after the restart."},
    {errc::offset_conflict, "OFFSET_CONFLICT", false,
     "The partition's end is not at the offset that the producer expected.",
     "Read up to the current end, which the answer names, and decide again."},
    {errc::fenced_epoch, "FENCED_EPOCH", false,
     "A newer producer with the same identity or a newer leader has taken over.",
     "Stop this producer; the newer one is in charge."},
    {errc::duplicate_sequence, "DUPLICATE_SEQUENCE", false,
     "The batch was stored before, too long ago for its offset to be remembered.",
     "Treat it as stored."},
    {errc::invalid_timestamp, "INVALID_TIMESTAMP", false,
     "A timestamp or timestamp type is not one that a client may set.",
     "Send create-time timestamps of 0 or later."},
    {errc::unknown_subscription, "UNKNOWN_SUBSCRIPTION", false,
     "The connection has no such subscription.", "Subscribe first."},
    {errc::not_found, "NOT_FOUND", false, "The named thing does not exist.", "Check the name."},
    {errc::conflict, "CONFLICT", false, "The request contradicts the present state.",
     "Look at the state and decide again."},
    {errc::connection_lost, "CONNECTION_LOST", true, "The connection broke before the answer came.",
     "Try again; the request may or may not have taken effect."},
    {errc::cancelled, "CANCELLED", false, "The caller gave the operation up.", "Nothing to do."},
    {errc::not_coordinator, "NOT_COORDINATOR", true,
     "This broker does not coordinate the consumer group.",
     "Send the request to the coordinator that the answer names, or ask FIND_COORDINATOR."},
    {errc::coordinator_loading, "COORDINATOR_LOADING", true,
     "The coordinator of the consumer group is taking over.", "Try again shortly."},
    {errc::invalid_group, "INVALID_GROUP", false, "The group id is not one.",
     "Use 1 to 255 bytes of text."},
    {errc::group_not_empty, "GROUP_NOT_EMPTY", false, "The consumer group has members.",
     "Stop its members first."},
    {errc::fenced_member, "FENCED_MEMBER", false,
     "Another process has taken the place of this static member.",
     "Stop this one; two must not have the same instance id."},
    {errc::member_id_required, "MEMBER_ID_REQUIRED", true,
     "A new member is given its id before it joins.", "Join again with the id of the answer."},
    {errc::group_full, "GROUP_FULL", false,
     "The consumer group takes no more: of members, or of what they say about themselves.",
     "The message names the limit: use fewer members, shorter subscriptions, or another group."},
    {errc::inconsistent_protocol, "INCONSISTENT_PROTOCOL", false,
     "The members of the consumer group know no common way to assign partitions.",
     "Configure an assignor that all members know."},
    {errc::invalid_session_timeout, "INVALID_SESSION_TIMEOUT", false,
     "The session timeout is out of range.", "Use one in the range that the message names."},
    {errc::metadata_too_large, "METADATA_TOO_LARGE", false,
     "The words that go with a committed offset are too many.", "Use at most 4096 bytes."},
    {errc::group_subscribed, "GROUP_SUBSCRIBED", false,
     "Members of the consumer group subscribe to the topic.", "Stop them first."},
});

constexpr bool is_ordered() {
  return std::ranges::is_sorted(table, {}, &error_info::code);
}
static_assert(is_ordered(), "the error table is searched by number");

} // namespace

std::span<const error_info> error_table() {
  return table;
}

const error_info& describe(errc code) {
  const auto row = std::ranges::lower_bound(table, code, {}, &error_info::code);
  if (row != table.end() && row->code == code)
    return *row;
  return describe(errc::internal);
}

std::string_view to_string(errc code) {
  return describe(code).name;
}

bool is_retriable(errc code) {
  return describe(code).retriable;
}

std::string to_string(const error& err) {
  std::string text(to_string(err.code));
  if (!err.message.empty())
    text.append(": ").append(err.message);
  return text;
}

} // namespace aqueduct
