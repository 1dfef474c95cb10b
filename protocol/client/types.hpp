// The words that producer, consumer and admin share. Plain values, no behaviour.
#pragma once

#include "protocol/buffer.hpp"
#include "protocol/client/export.hpp"
#include "protocol/error.hpp"
#include "protocol/ids.hpp"
#include "protocol/result.hpp"

#include <chrono>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace aqueduct::client {

using std::chrono::milliseconds;

/// Bytes that somebody else owns. Made implicitly from text and from spans of bytes.
class bytes_view : public byte_span {
public:
  constexpr bytes_view() = default;
  constexpr bytes_view(byte_span bytes) : byte_span(bytes) {}
  bytes_view(std::string_view text) : byte_span(std::as_bytes(std::span(text))) {}
  bytes_view(const char* text) : bytes_view(std::string_view(text)) {}
  bytes_view(const std::string& text) : bytes_view(std::string_view(text)) {}
  bytes_view(const buffer& bytes) : byte_span(bytes.bytes()) {}

  [[nodiscard]] std::string_view text() const {
    return {reinterpret_cast<const char*>(data()), size()};
  }
};

/// A named value of a record. Names may repeat; their order is kept.
struct header {
  std::string_view name;
  /// Nothing is not the same as empty.
  std::optional<bytes_view> value;
};

struct topic_partition {
  std::string topic;
  partition_id partition;

  friend auto operator<=>(const topic_partition&, const topic_partition&) = default;
};

/// "topic/partition".
[[nodiscard]] AQUEDUCT_CLIENT_API std::string to_string(const topic_partition& tp);

/// The codecs of record batches.
enum class compression : std::uint8_t { none = 0, gzip = 1, snappy = 2, lz4 = 3, zstd = 4 };

/// "none", "gzip", "snappy", "lz4", "zstd".
[[nodiscard]] AQUEDUCT_CLIENT_API std::string_view to_string(compression codec);
/// Reads what `to_string` writes.
[[nodiscard]] AQUEDUCT_CLIENT_API std::optional<compression>
parse_compression(std::string_view name);

/// When a record counts as stored.
enum class acks : std::int8_t {
  /// When it is committed: durable on a majority of the replicas.
  all = -1,
  /// When it was handed to the network. Nobody says whether it was stored.
  none = 0,
  /// When it is durable on the leader.
  leader = 1,
};

} // namespace aqueduct::client
