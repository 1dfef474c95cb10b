// What a partition knows of itself while it sleeps: enough to answer what is asked most often, and
// to know when retention may have something to delete. Pure values.
#pragma once

#include "actors/calls.hpp"
#include "config/topic_config.hpp"
#include "storage/log_reader.hpp"

#include <cstdint>
#include <optional>

namespace aqueduct::actors {

/// Of a partition whose group is closed on this node, and written by nobody else: a group of one.
struct partition_rest {
  std::int32_t node = -1;
  std::int32_t epoch = 0;
  std::int64_t log_start = 0;
  std::int64_t high_watermark = 0;
  /// Time of the first record; -1 if there is none.
  std::int64_t oldest_ms = -1;
  storage::log_outline log;

  /// When retention may have something to delete, in milliseconds since the epoch, if the log stays
  /// as it is; nothing if it never will. May be too early, never too late by more than the clocks
  /// of producers were ahead.
  [[nodiscard]] std::optional<std::int64_t> retention_due(const config::topic_config& topic) const;

  [[nodiscard]] describe_outcome describe() const;
  /// Nothing if the log would have to be read.
  [[nodiscard]] std::optional<offset_outcome> find_offset(std::int64_t timestamp_ms) const;
};

} // namespace aqueduct::actors
