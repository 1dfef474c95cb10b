// What moves in a cluster, from two successive looks at it. Plain functions; top_verb.cpp looks.
#pragma once

#include "apps/aq/document.hpp"
#include "protocol/client/types.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace aqueduct::aq {

struct partition_look {
  std::optional<std::int32_t> leader;
  /// Offset after the last committed record; nothing: nobody could tell.
  std::optional<std::int64_t> end;
};

/// Of a group in one topic, over its partitions.
struct progress_look {
  /// By partition, where it has committed an offset.
  std::map<std::int32_t, std::int64_t> committed;
  /// Records that it has yet to consume.
  std::int64_t lag = 0;
  /// The longest that one of them has been waiting, if that is known.
  std::optional<std::chrono::milliseconds> behind;
};

struct group_look {
  std::string state;
  std::int32_t members = 0;
  std::map<std::string, progress_look> topics;
};

/// A cluster at a moment.
struct cluster_look {
  std::chrono::steady_clock::time_point at;
  std::map<client::topic_partition, partition_look> partitions;
  std::map<std::string, group_look> groups;
};

/// A row per topic, or per partition, and one per group and topic, with what came and was consumed
/// per second between the looks. The busiest come first, then by name. A rate is not known of what
/// was not there, or could not tell, at both looks, nor of offsets that went back.
[[nodiscard]] document top_described(const cluster_look& before, const cluster_look& now,
                                     bool by_partition);

/// What a terminal of `lines` lines is sent to show `text` from its first line on, over whatever it
/// shows. Lines that have no room are left out, and those that are too long are cut by the
/// terminal.
[[nodiscard]] std::string screen_of(std::string_view text, std::size_t lines);

} // namespace aqueduct::aq
