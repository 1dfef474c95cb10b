// Durations and sizes as people write them: a whole number and a unit. One spelling per value is
// canonical: the largest unit that leaves a whole number.
#pragma once

#include "protocol/result.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace aqueduct::config {

/// A count of bytes; keeps sizes and plain numbers apart.
struct byte_size {
  std::uint64_t count = 0;

  friend bool operator==(const byte_size&, const byte_size&) = default;
  friend auto operator<=>(const byte_size&, const byte_size&) = default;
};

/// Reads "10ms", "5s", "2m", "1h", "7d" (a day is 24 hours) and "0". Fails with `invalid_config` on
/// anything else, also on what does not fit into 63 bits of milliseconds.
[[nodiscard]] result<std::chrono::milliseconds> parse_duration(std::string_view text);
/// "7d", "90s", "0ms". Precondition: not negative.
[[nodiscard]] std::string format_duration(std::chrono::milliseconds duration);

/// Reads "512", "512B", "64KiB", "1MB", "1GiB", "1TB": KB is 1000 bytes, KiB is 1024. Fails with
/// `invalid_config` on anything else, also on what does not fit into 63 bits.
[[nodiscard]] result<byte_size> parse_size(std::string_view text);
/// "64KiB", "1MB", "1048588B".
[[nodiscard]] std::string format_size(byte_size size);

} // namespace aqueduct::config
