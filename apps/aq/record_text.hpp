// A record as the formats of produce and consume see it: views into memory that somebody else owns.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace aqueduct::aq {

struct header_text {
  std::string_view key;
  /// Nothing is not the same as empty.
  std::optional<std::string_view> value;

  friend bool operator==(const header_text&, const header_text&) = default;
};

struct record_text {
  std::string_view topic;
  /// -1: not said.
  std::int32_t partition = -1;
  std::int64_t offset = -1;
  /// Milliseconds since the epoch; -1: not said.
  std::int64_t timestamp = -1;
  std::optional<std::string_view> key;
  std::optional<std::string_view> value;
  std::vector<header_text> headers;
};

} // namespace aqueduct::aq
