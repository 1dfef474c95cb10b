// Frames of the native protocol and the preface that tells the protocol apart.
//
// A connection starts with the client's 8-byte preface. Then both sides send frames:
//
//   offset size field
//   0      4    length          bytes after this field, 12 to the frame limit
//   4      1    kind            0 request, 1 response, 2 push
//   5      1    flags           0
//   6      2    api_key
//   8      2    version         of the message; a response has the version of its request
//   10     2    status          0, or the error code of a failed request (responses and pushes)
//   12     4    correlation_id  chosen by the client, repeated in the response
//   16     ...  payload         the message, or an ErrorResponse if status is not 0
//
// Integers are big-endian. Responses may come in any order.
#pragma once

#include "protocol/buffer.hpp"
#include "protocol/error.hpp"
#include "protocol/native/api.hpp"
#include "protocol/result.hpp"

#include <array>
#include <cstdint>
#include <optional>

namespace aqueduct::protocol {

/// Sent first by every native client. As the length of a Kafka request it would be 1.1 GB, so the
/// first four bytes tell the dialects apart.
inline constexpr std::array<char, 8> native_preface = {'A', 'Q', 'D', 'T', 0, 0, 0, 1};

inline constexpr std::size_t frame_header_size = 16;
/// Frames before the HELLO was answered are no larger than this.
inline constexpr std::size_t handshake_frame_bytes_max = 64 * 1024;

enum class frame_kind : std::uint8_t { request = 0, response = 1, push = 2 };

struct frame_header {
  /// Bytes after the length field.
  std::uint32_t length = 0;
  frame_kind kind = frame_kind::request;
  api_key key = api_key::hello;
  std::uint16_t version = current_version;
  errc status = errc::none;
  std::uint32_t correlation_id = 0;

  [[nodiscard]] std::size_t payload_size() const { return length - (frame_header_size - 4); }
  friend bool operator==(const frame_header&, const frame_header&) = default;
};

/// Writes the 16 bytes at `to`.
void write_frame_header(std::byte* to, const frame_header& header);

/// Reads the 16 bytes at `from`. Refuses lengths below 12 or above `frame_bytes_max`, unknown kinds
/// and flags; an api key or version that is not known is not refused here.
[[nodiscard]] result<frame_header> read_frame_header(const std::byte* from,
                                                     std::size_t frame_bytes_max);

} // namespace aqueduct::protocol
