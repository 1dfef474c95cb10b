#include "actors/partition/partition_rest.hpp"

#include <algorithm>

namespace aqueduct::actors {

std::optional<std::int64_t> partition_rest::retention_due(const config::topic_config& topic) const {
  if (high_watermark == log_start)
    return std::nullopt;
  if (topic.retention_bytes && log.oldest_closed_ms &&
      log.size_bytes - log.oldest_closed_bytes >= *topic.retention_bytes)
    return 0;
  if (!topic.retention_time)
    return std::nullopt;
  const auto keeps = topic.retention_time->count();
  if (log.oldest_closed_ms)
    return *log.oldest_closed_ms + keeps + 1;
  if (!log.active_since_ms)
    return std::nullopt;
  // Nothing was written to it after its time, whatever the producers' clocks said.
  return std::min(*log.active_since_ms + topic.segment_age.count(), log.active_newest_ms) + keeps +
         1;
}

describe_outcome partition_rest::describe() const {
  describe_outcome outcome;
  outcome.leader = node;
  outcome.leader_epoch = epoch;
  outcome.log_start = log_start;
  outcome.high_watermark = high_watermark;
  outcome.last_stable = high_watermark;
  outcome.size_bytes = static_cast<std::int64_t>(log.size_bytes);
  outcome.oldest_ms = oldest_ms;
  return outcome;
}

std::optional<offset_outcome> partition_rest::find_offset(std::int64_t timestamp_ms) const {
  if (timestamp_ms != protocol::latest_timestamp && timestamp_ms != protocol::earliest_timestamp)
    return std::nullopt;
  offset_outcome outcome;
  outcome.leader = node;
  outcome.leader_epoch = epoch;
  outcome.offset = timestamp_ms == protocol::latest_timestamp ? high_watermark : log_start;
  return outcome;
}

} // namespace aqueduct::actors
