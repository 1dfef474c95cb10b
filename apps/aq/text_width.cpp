#include "apps/aq/text_width.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

namespace aqueduct::aq {

namespace {

struct code_range {
  char32_t first;
  char32_t last;
};

// The C library's wcwidth depends on the locale, which is "C" in most scripts and containers; these
// are the blocks of UAX 11 (East Asian Width) and the combining marks in common use.
constexpr auto zero_width = std::to_array<code_range>({
    {0x0300, 0x036f},
    {0x0483, 0x0489},
    {0x0591, 0x05bd},
    {0x0610, 0x061a},
    {0x064b, 0x065f},
    {0x0900, 0x0902},
    {0x0e34, 0x0e3a},
    {0x0e47, 0x0e4e},
    {0x1ab0, 0x1aff},
    {0x1dc0, 0x1dff},
    {0x200b, 0x200f},
    {0x202a, 0x202e},
    {0x2060, 0x2064},
    {0x20d0, 0x20ff},
    {0xfe00, 0xfe0f},
    {0xfe20, 0xfe2f},
    {0xfeff, 0xfeff},
    {0xe0100, 0xe01ef},
});

constexpr auto double_width = std::to_array<code_range>({
    {0x1100, 0x115f},   {0x231a, 0x231b},   {0x23e9, 0x23ec},   {0x2614, 0x2615},
    {0x26a1, 0x26a1},   {0x2705, 0x2705},   {0x274c, 0x274c},   {0x2753, 0x2755},
    {0x2e80, 0x303e},   {0x3041, 0x33ff},   {0x3400, 0x4dbf},   {0x4e00, 0x9fff},
    {0xa000, 0xa4cf},   {0xa960, 0xa97f},   {0xac00, 0xd7a3},   {0xf900, 0xfaff},
    {0xfe30, 0xfe6f},   {0xff00, 0xff60},   {0xffe0, 0xffe6},   {0x1f300, 0x1f64f},
    {0x1f680, 0x1f6ff}, {0x1f900, 0x1f9ff}, {0x1fa70, 0x1faff}, {0x20000, 0x3fffd},
});

template <std::size_t N>
bool contains(const std::array<code_range, N>& ranges, char32_t code) {
  const auto range = std::ranges::lower_bound(ranges, code, {}, &code_range::last);
  return range != ranges.end() && code >= range->first;
}

/// Takes a code point off the front; a byte that starts none counts as one character.
char32_t take_code_point(std::string_view& text) {
  const auto lead = static_cast<std::uint8_t>(text.front());
  const std::size_t size = lead < 0xc0 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  if (size == 1 || text.size() < size) {
    text.remove_prefix(1);
    return lead < 0x80 ? lead : U'\ufffd';
  }
  char32_t code = lead & (0xff >> (size + 1));
  for (std::size_t i = 1; i < size; ++i)
    code = code << 6 | (static_cast<std::uint8_t>(text[i]) & 0x3f);
  text.remove_prefix(size);
  return code;
}

} // namespace

std::size_t display_width(std::string_view text) {
  std::size_t width = 0;
  while (!text.empty()) {
    const auto code = take_code_point(text);
    if (code < 0x300 || !contains(zero_width, code))
      width += code >= 0x1100 && contains(double_width, code) ? 2 : 1;
  }
  return width;
}

void append_padded(std::string& out, std::string_view text, std::size_t width, bool right) {
  const auto taken = display_width(text);
  const auto blanks = width > taken ? width - taken : 0;
  if (right)
    out.append(blanks, ' ');
  out += text;
  if (!right)
    out.append(blanks, ' ');
}

} // namespace aqueduct::aq
