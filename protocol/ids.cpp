#include "protocol/ids.hpp"

#include <cstring>

namespace aqueduct {

namespace {

constexpr std::string_view hex_digits = "0123456789abcdef";

bool has_hyphen_before(std::size_t byte) {
  return byte == 4 || byte == 6 || byte == 8 || byte == 10;
}

int hex_value(char c) {
  auto position = hex_digits.find(c);
  return position == std::string_view::npos ? -1 : static_cast<int>(position);
}

} // namespace

std::string to_string(const uuid& id) {
  std::string text;
  text.reserve(36);
  for (std::size_t i = 0; i < id.bytes.size(); ++i) {
    if (has_hyphen_before(i))
      text += '-';
    text += hex_digits[id.bytes[i] >> 4];
    text += hex_digits[id.bytes[i] & 15];
  }
  return text;
}

bool parse_uuid(std::string_view text, uuid& out) {
  if (text.size() != 36)
    return false;
  uuid id;
  std::size_t at = 0;
  for (std::size_t i = 0; i < id.bytes.size(); ++i) {
    if (has_hyphen_before(i) && text[at++] != '-')
      return false;
    const auto high = hex_value(text[at++]);
    const auto low = hex_value(text[at++]);
    if (high < 0 || low < 0)
      return false;
    id.bytes[i] = static_cast<std::uint8_t>(high * 16 + low);
  }
  out = id;
  return true;
}

std::string to_string(const group_id& id) {
  if (id == controller_group)
    return "controller";
  return to_string(id.topic) + "/" + std::to_string(id.partition);
}

} // namespace aqueduct

std::size_t std::hash<aqueduct::uuid>::operator()(const aqueduct::uuid& id) const noexcept {
  std::uint64_t high = 0;
  std::uint64_t low = 0;
  std::memcpy(&high, id.bytes.data(), sizeof high);
  std::memcpy(&low, id.bytes.data() + sizeof high, sizeof low);
  return high ^ (low * 0x9e3779b97f4a7c15ULL);
}

std::size_t std::hash<aqueduct::group_id>::operator()(const aqueduct::group_id& id) const noexcept {
  return std::hash<aqueduct::uuid>{}(id.topic) * 31 + static_cast<std::size_t>(id.partition);
}
