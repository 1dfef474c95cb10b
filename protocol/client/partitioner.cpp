#include "protocol/client/partitioner.hpp"

#include <cstring>

namespace aqueduct::client {

std::int32_t murmur2(byte_span bytes) {
  constexpr std::uint32_t seed = 0x9747b28c;
  constexpr std::uint32_t m = 0x5bd1e995;
  constexpr int r = 24;
  const auto size = bytes.size();
  auto h = seed ^ static_cast<std::uint32_t>(size);
  const auto byte = [&](std::size_t i) { return static_cast<std::uint32_t>(bytes[i]); };

  std::size_t at = 0;
  for (; size - at >= 4; at += 4) {
    auto k = byte(at) | byte(at + 1) << 8 | byte(at + 2) << 16 | byte(at + 3) << 24;
    k *= m;
    k ^= k >> r;
    k *= m;
    h *= m;
    h ^= k;
  }
  switch (size - at) {
  case 3:
    h ^= byte(at + 2) << 16;
    [[fallthrough]];
  case 2:
    h ^= byte(at + 1) << 8;
    [[fallthrough]];
  case 1:
    h ^= byte(at);
    h *= m;
  }
  h ^= h >> 13;
  h *= m;
  h ^= h >> 15;
  return static_cast<std::int32_t>(h);
}

std::int32_t partition_for_key(byte_span key, std::int32_t partition_count) {
  return (murmur2(key) & 0x7fffffff) % partition_count;
}

} // namespace aqueduct::client
