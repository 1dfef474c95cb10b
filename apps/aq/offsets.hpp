// Where in a partition to begin and where to stop: the grammar of `-o` on `consume`.
//
//   start  end  47  +5 (from the start)  -10 (before the end)  @TIME
//   A:B    from A up to, not including, B      :B   from the start      A:   to no end
//   TIME   2026-01-31[T12:00[:05][Z]], milliseconds or seconds since the epoch, -1h (before now)
//   @A:1h  from the time A on for an hour       @A:end  from the time A to the present end
#pragma once

#include "protocol/ids.hpp"
#include "protocol/result.hpp"

#include <cstdint>
#include <optional>
#include <string_view>

namespace aqueduct::aq {

/// A place in a partition. Which offset it is can only be said when the partition is known.
struct position {
  enum class anchor : std::uint8_t {
    /// `number` records after the first record.
    start,
    /// `number` records before the end.
    end,
    /// The offset `number`.
    absolute,
    /// The first record at or after `number`, in ms since the epoch.
    time,
  };

  anchor from = anchor::start;
  std::int64_t number = 0;

  friend bool operator==(const position&, const position&) = default;
};

struct offset_range {
  position begin;
  /// The first offset that is not wanted; nothing follows for ever. `end` means the end as it is
  /// when the command starts.
  std::optional<position> end;

  friend bool operator==(const offset_range&, const offset_range&) = default;
};

/// Reads one place; `now` anchors times such as `@-1h`.
[[nodiscard]] result<position> parse_position(std::string_view text, timestamp_ms now);
/// Reads a range.
[[nodiscard]] result<offset_range> parse_offsets(std::string_view text, timestamp_ms now);

/// What is known of a partition when a position becomes an offset.
struct partition_bounds {
  std::int64_t start = 0;
  std::int64_t end = 0;
};

/// The offset of `where`, within the bounds. Nothing for times, which only the broker can look up.
[[nodiscard]] std::optional<std::int64_t> resolve(const position& where,
                                                  const partition_bounds& bounds);

} // namespace aqueduct::aq
