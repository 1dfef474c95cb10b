// Bytes for tests: hex, text, and a generator that gives the same sequence everywhere.
#pragma once

#include "protocol/buffer.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace aqueduct::testing {

using byte_vector = std::vector<std::byte>;

inline byte_vector from_hex(std::string_view hex) {
  const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  byte_vector bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
    bytes.push_back(static_cast<std::byte>(digit(hex[i]) * 16 + digit(hex[i + 1])));
  return bytes;
}

inline std::string to_hex(byte_span bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string hex;
  for (const auto byte : bytes) {
    hex += digits[static_cast<unsigned>(byte) >> 4];
    hex += digits[static_cast<unsigned>(byte) & 15];
  }
  return hex;
}

inline byte_span as_bytes(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

inline std::string as_text(byte_span bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

inline byte_vector copy(byte_span bytes) {
  return {bytes.begin(), bytes.end()};
}

/// SplitMix64 (Steele, Lea, Flood 2014).
class sample_generator {
public:
  explicit sample_generator(std::uint64_t seed) : state_(seed) {}

  std::uint64_t next() {
    state_ += 0x9e3779b97f4a7c15ULL;
    auto z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
  }

  /// From 0 to `end` - 1.
  std::size_t below(std::size_t end) { return static_cast<std::size_t>(next() % end); }

  byte_vector bytes(std::size_t size) {
    byte_vector out(size);
    for (auto& byte : out)
      byte = static_cast<std::byte>(next());
    return out;
  }

  /// Words with repetitions, which every codec makes smaller.
  byte_vector text(std::size_t size) {
    constexpr std::string_view words[] = {"river ", "canal ", "sluice ", "weir ", "basin\n"};
    byte_vector out;
    while (out.size() < size) {
      const auto word = as_bytes(words[below(std::size(words))]);
      out.insert(out.end(), word.begin(), word.end());
    }
    out.resize(size);
    return out;
  }

private:
  std::uint64_t state_;
};

} // namespace aqueduct::testing
