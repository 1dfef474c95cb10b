// Encoding and decoding of the messages of the Kafka protocol, and the headers in front of them.
// The templates are instantiated in the codec_*.cpp files only.
#pragma once

#include "protocol/buffer.hpp"
#include "protocol/kafka/api.hpp"
#include "protocol/kafka/definition.hpp"
#include "protocol/result.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

namespace aqueduct::protocol::kafka {

/// Bytes of the size in front of every frame; it does not count itself.
inline constexpr std::size_t frame_prefix_bytes = 4;
/// The smallest request: size, key, version, correlation id.
inline constexpr std::size_t request_bytes_min = 12;

struct request_header {
  api_key key{};
  std::int16_t version = 0;
  std::int32_t correlation_id = 0;
  std::string client_id;
  /// Bytes of the frame before the message.
  std::size_t size = 0;
};

/// Reads the header of a whole frame. Errors: invalid_request for one that is cut,
/// unsupported_api, unsupported_version. An ApiVersions of a version that is not known is no error:
/// its header ends with the correlation id, as nothing can be said of what follows.
[[nodiscard]] result<request_header> read_request_header(const buffer& frame);

/// Reads a message from the beginning of `payload`. What is behind it is ignored, as Kafka does:
/// librdkafka since 2.1 sends three bytes more when it asks for all topics (its issue 5049).
/// Buffers in the message are slices of `payload`. Fails with invalid_request on anything else, and
/// never allocates more than 64 KiB plus sixteen times the size of `payload`. Precondition: the API
/// has the version.
template <message M>
[[nodiscard]] result<M> decode(const buffer& payload, std::int16_t version);

/// The message alone. Records are shared, not copied. Precondition: the API has the version.
template <message M>
[[nodiscard]] buffer_chain encode(const M& message, std::int16_t version);

/// A response as a whole frame, ready for a gathered write.
template <message M>
[[nodiscard]] buffer_chain encode_response(const M& message, std::int16_t version,
                                           std::int32_t correlation_id);

} // namespace aqueduct::protocol::kafka
