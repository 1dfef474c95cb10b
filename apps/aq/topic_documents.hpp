// What the topic verbs show, as documents.
#pragma once

#include "apps/aq/document.hpp"
#include "apps/aq/offsets.hpp"
#include "protocol/client/admin.hpp"

#include <map>
#include <span>
#include <string>
#include <vector>

namespace aqueduct::aq {

struct created_row {
  std::string name;
  client::created_topic topic;
};

[[nodiscard]] document topics_created(std::span<const created_row> topics);
[[nodiscard]] document topics_listed(std::span<const client::topic_summary> topics);
[[nodiscard]] document topic_described(const client::topic_description& topic, timestamp_ms now);
/// `at`: the offsets that were asked for besides both ends; may be empty.
[[nodiscard]] document topic_offsets(const std::string& topic,
                                     const std::map<std::int32_t, partition_bounds>& bounds,
                                     const std::map<std::int32_t, std::int64_t>& at);

/// What a deletion takes away.
struct loss_row {
  std::string topic;
  std::int32_t partitions = 0;
  std::int64_t records = 0;
  std::int64_t size_bytes = 0;
  /// Partitions that cannot say what they hold: it is not in the numbers above.
  std::int32_t silent_partitions = 0;
};

[[nodiscard]] document topics_lost(std::span<const loss_row> topics);

struct trim_row {
  std::int32_t partition = 0;
  std::int64_t log_start = 0;
  std::int64_t before = 0;
  std::int64_t end = 0;
  /// Empty, or why nothing was deleted.
  std::string problem;
};

[[nodiscard]] document topic_trimmed(const std::string& topic, std::span<const trim_row> rows);

} // namespace aqueduct::aq
