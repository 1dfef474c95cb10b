#include "config/utf8.hpp"

#include <cstdint>

namespace aqueduct::config {

namespace {

/// What may follow a lead byte: how many bytes, and the range of the first of them.
struct sequence {
  std::size_t following = 0;
  std::uint8_t first_min = 0x80;
  std::uint8_t first_max = 0xbf;
  bool valid = true;
};

sequence sequence_of(std::uint8_t lead) {
  if (lead < 0x80)
    return {};
  if (lead >= 0xc2 && lead <= 0xdf)
    return {.following = 1};
  if (lead == 0xe0)
    return {.following = 2, .first_min = 0xa0};
  if (lead == 0xed)
    return {.following = 2, .first_max = 0x9f};
  if (lead >= 0xe1 && lead <= 0xef)
    return {.following = 2};
  if (lead == 0xf0)
    return {.following = 3, .first_min = 0x90};
  if (lead >= 0xf1 && lead <= 0xf3)
    return {.following = 3};
  if (lead == 0xf4)
    return {.following = 3, .first_max = 0x8f};
  return {.valid = false};
}

} // namespace

bool is_utf8(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const auto expected = sequence_of(static_cast<std::uint8_t>(text[at++]));
    if (!expected.valid || text.size() - at < expected.following)
      return false;
    for (std::size_t i = 0; i < expected.following; ++i) {
      const auto byte = static_cast<std::uint8_t>(text[at++]);
      const auto min = i == 0 ? expected.first_min : 0x80;
      const auto max = i == 0 ? expected.first_max : 0xbf;
      if (byte < min || byte > max)
        return false;
    }
  }
  return true;
}

} // namespace aqueduct::config
