// Durations, sizes, rates and times as people write and read them. Parsing is strict: what is not
// understood is an `invalid_request` that quotes the text and shows forms that are. No locale.
#pragma once

#include "protocol/ids.hpp"
#include "protocol/result.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace aqueduct::aq {

/// `250ms`, `5s`, `1.5h`, `2d`, `1w`, and sums of them: `1h30m`. Never negative.
[[nodiscard]] result<std::chrono::milliseconds> parse_duration(std::string_view text);

/// `100`, `4k` and `4KB` (1000), `4Ki` and `4KiB` (1024), up to T; a trailing `B` means nothing.
[[nodiscard]] result<std::uint64_t> parse_size(std::string_view text);

/// Records or bytes per second.
struct rate {
  double per_second = 0;
  bool is_bytes = false;

  friend bool operator==(const rate&, const rate&) = default;
};

/// `500`, `1k/s`, `600/m` (records); `50MB/s`, `10MiB/s` (bytes, because of the B). Above 0.
[[nodiscard]] result<rate> parse_rate(std::string_view text);

/// `2026-01-31`, `2026-01-31T12:00[:05[.250]][Z|+02:00]` (UTC if no zone is given), or a number:
/// milliseconds since the epoch from 12 digits on, else seconds (9 digits at least). Not before the
/// epoch: negative timestamps mean that there is none.
[[nodiscard]] result<timestamp_ms> parse_time(std::string_view text);

/// RFC 3339 in UTC with milliseconds: `2026-01-31T12:00:05.250Z`. The milliseconds since the epoch
/// for years that it cannot write, before 0 and after 9999.
[[nodiscard]] std::string format_time(timestamp_ms time);
/// `512 B`, `4.0 KiB`, `211 MiB`.
[[nodiscard]] std::string format_bytes(std::uint64_t bytes);
/// The two largest units that matter: `250ms`, `12.4s`, `3m20s`, `2h14m`, `3d4h`.
[[nodiscard]] std::string format_duration(std::chrono::milliseconds duration);
/// With commas between thousands: `1,204`.
[[nodiscard]] std::string format_count(std::uint64_t count);

} // namespace aqueduct::aq
