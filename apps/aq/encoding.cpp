#include "apps/aq/encoding.hpp"

#include <array>
#include <cstdint>
#include <cstring>

namespace aqueduct::aq {

namespace {

constexpr std::string_view hex_digits = "0123456789abcdef";
constexpr std::string_view base64_digits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

int hex_value(char c) {
  if (c >= '0' && c <= '9')
    return c - '0';
  if (c >= 'a' && c <= 'f')
    return c - 'a' + 10;
  if (c >= 'A' && c <= 'F')
    return c - 'A' + 10;
  return -1;
}

constexpr std::array<std::int8_t, 256> make_base64_values() {
  std::array<std::int8_t, 256> values{};
  values.fill(-1);
  for (std::size_t i = 0; i < base64_digits.size(); ++i)
    values[static_cast<unsigned char>(base64_digits[i])] = static_cast<std::int8_t>(i);
  return values;
}

constexpr auto base64_values = make_base64_values();

std::uint8_t byte_at(std::string_view bytes, std::size_t i) {
  return static_cast<std::uint8_t>(bytes[i]);
}

bool is_continuation(std::string_view bytes, std::size_t i) {
  return i < bytes.size() && (byte_at(bytes, i) & 0xc0) == 0x80;
}

/// Size of the well-formed sequence at `i`, or 0.
std::size_t sequence_size(std::string_view bytes, std::size_t i) {
  const auto lead = byte_at(bytes, i);
  if (lead < 0x80)
    return 1;
  if (lead >= 0xc2 && lead <= 0xdf)
    return is_continuation(bytes, i + 1) ? 2 : 0;
  if (lead >= 0xe0 && lead <= 0xef) {
    if (!is_continuation(bytes, i + 1) || !is_continuation(bytes, i + 2))
      return 0;
    const auto second = byte_at(bytes, i + 1);
    const bool overlong = lead == 0xe0 && second < 0xa0;
    const bool surrogate = lead == 0xed && second >= 0xa0;
    return overlong || surrogate ? 0 : 3;
  }
  if (lead >= 0xf0 && lead <= 0xf4) {
    if (!is_continuation(bytes, i + 1) || !is_continuation(bytes, i + 2) ||
        !is_continuation(bytes, i + 3))
      return 0;
    const auto second = byte_at(bytes, i + 1);
    const bool overlong = lead == 0xf0 && second < 0x90;
    const bool too_large = lead == 0xf4 && second >= 0x90;
    return overlong || too_large ? 0 : 4;
  }
  return 0;
}

bool has_only_ascii(std::string_view bytes, std::size_t from) {
  std::uint64_t word;
  std::memcpy(&word, bytes.data() + from, sizeof word);
  return (word & 0x8080808080808080ULL) == 0;
}

bool is_control(std::uint8_t byte) {
  return byte < 0x20 || byte == 0x7f;
}

} // namespace

void append_hex(std::string& out, std::string_view bytes) {
  for (const char c : bytes) {
    out += hex_digits[static_cast<std::uint8_t>(c) >> 4];
    out += hex_digits[static_cast<std::uint8_t>(c) & 15];
  }
}

bool append_from_hex(std::string& out, std::string_view text) {
  if (text.size() % 2 != 0)
    return false;
  const auto size_before = out.size();
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const int high = hex_value(text[i]);
    const int low = hex_value(text[i + 1]);
    if (high < 0 || low < 0) {
      out.resize(size_before);
      return false;
    }
    out += static_cast<char>(high * 16 + low);
  }
  return true;
}

void append_base64(std::string& out, std::string_view bytes) {
  std::size_t i = 0;
  for (; i + 3 <= bytes.size(); i += 3) {
    const auto word = byte_at(bytes, i) << 16 | byte_at(bytes, i + 1) << 8 | byte_at(bytes, i + 2);
    out += base64_digits[word >> 18 & 63];
    out += base64_digits[word >> 12 & 63];
    out += base64_digits[word >> 6 & 63];
    out += base64_digits[word & 63];
  }
  const auto left = bytes.size() - i;
  if (left == 0)
    return;
  const auto word = byte_at(bytes, i) << 16 | (left == 2 ? byte_at(bytes, i + 1) << 8 : 0);
  out += base64_digits[word >> 18 & 63];
  out += base64_digits[word >> 12 & 63];
  out += left == 2 ? base64_digits[word >> 6 & 63] : '=';
  out += '=';
}

bool append_from_base64(std::string& out, std::string_view text) {
  if (text.size() % 4 == 0 && text.ends_with('='))
    text.remove_suffix(text.ends_with("==") ? 2 : 1);
  if (text.size() % 4 == 1)
    return false;
  const auto size_before = out.size();
  std::uint32_t word = 0;
  unsigned bits = 0;
  for (const char c : text) {
    const int value = base64_values[static_cast<unsigned char>(c)];
    if (value < 0) {
      out.resize(size_before);
      return false;
    }
    word = word << 6 | static_cast<std::uint32_t>(value);
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      out += static_cast<char>(word >> bits & 0xff);
    }
  }
  return true;
}

bool is_utf8(std::string_view bytes) {
  for (std::size_t i = 0; i < bytes.size();) {
    if (i + sizeof(std::uint64_t) <= bytes.size() && has_only_ascii(bytes, i)) {
      i += sizeof(std::uint64_t);
      continue;
    }
    const auto size = sequence_size(bytes, i);
    if (size == 0)
      return false;
    i += size;
  }
  return true;
}

bool is_printable(std::string_view bytes) {
  for (const char c : bytes) {
    const auto byte = static_cast<std::uint8_t>(c);
    if (is_control(byte) && c != '\t' && c != '\n' && c != '\r')
      return false;
  }
  return is_utf8(bytes);
}

void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  std::size_t run = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = byte_at(text, i);
    if (byte >= 0x20 && byte != '"' && byte != '\\' && byte != 0x7f)
      continue;
    out.append(text, run, i - run);
    run = i + 1;
    switch (byte) {
    case '"':
      out += "\\\"";
      break;
    case '\\':
      out += "\\\\";
      break;
    case '\n':
      out += "\\n";
      break;
    case '\r':
      out += "\\r";
      break;
    case '\t':
      out += "\\t";
      break;
    default:
      out += "\\u00";
      append_hex(out, text.substr(i, 1));
    }
  }
  out.append(text, run);
  out += '"';
}

std::string sanitized(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size();) {
    const auto size = sequence_size(text, i);
    if (size == 0) {
      out += "\xef\xbf\xbd";
      ++i;
    } else if (size == 1 && is_control(byte_at(text, i))) {
      out += "\\x";
      append_hex(out, text.substr(i, 1));
      ++i;
    } else if (size == 2 && byte_at(text, i) == 0xc2 && byte_at(text, i + 1) < 0xa0) {
      // The second set of control characters: U+009B starts a sequence like ESC [.
      out += "\\x";
      append_hex(out, text.substr(i + 1, 1));
      i += 2;
    } else {
      out.append(text, i, size);
      i += size;
    }
  }
  return out;
}

} // namespace aqueduct::aq
