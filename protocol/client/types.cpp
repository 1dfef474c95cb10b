#include "protocol/client/types.hpp"

#include "protocol/compression.hpp"

namespace aqueduct::client {

std::string to_string(const topic_partition& tp) {
  return tp.topic + "/" + std::to_string(tp.partition.value);
}

std::string_view to_string(compression codec) {
  return protocol::to_string(static_cast<protocol::codec>(codec));
}

std::optional<compression> parse_compression(std::string_view name) {
  const auto codec = protocol::parse_codec(name);
  if (!codec)
    return {};
  return static_cast<compression>(*codec);
}

} // namespace aqueduct::client
