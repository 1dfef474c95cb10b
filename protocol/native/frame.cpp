#include "protocol/native/frame.hpp"

#include "protocol/bytes.hpp"

#include <string>

namespace aqueduct::protocol {

void write_frame_header(std::byte* to, const frame_header& header) {
  store_be<std::uint32_t>(to, header.length);
  to[4] = static_cast<std::byte>(header.kind);
  to[5] = std::byte{0};
  store_be<std::uint16_t>(to + 6, static_cast<std::uint16_t>(header.key));
  store_be<std::uint16_t>(to + 8, header.version);
  store_be<std::uint16_t>(to + 10, static_cast<std::uint16_t>(header.status));
  store_be<std::uint32_t>(to + 12, header.correlation_id);
}

result<frame_header> read_frame_header(const std::byte* from, std::size_t frame_bytes_max) {
  frame_header header;
  header.length = load_be<std::uint32_t>(from);
  if (header.length < frame_header_size - 4)
    return unexpected(errc::invalid_request, "frame length " + std::to_string(header.length) +
                                                 " is too small; a frame has at least 12 bytes");
  if (header.length > frame_bytes_max)
    return unexpected(errc::message_too_large, "frame length " + std::to_string(header.length) +
                                                   " is over the limit of " +
                                                   std::to_string(frame_bytes_max) + " bytes");
  const auto kind = static_cast<std::uint8_t>(from[4]);
  if (kind > static_cast<std::uint8_t>(frame_kind::push))
    return unexpected(errc::invalid_request, "frame kind " + std::to_string(kind) +
                                                 " is unknown; 0 request, 1 response, 2 push");
  if (from[5] != std::byte{0})
    return unexpected(errc::invalid_request, "frame flags must be 0");
  header.kind = static_cast<frame_kind>(kind);
  header.key = static_cast<api_key>(load_be<std::uint16_t>(from + 6));
  header.version = load_be<std::uint16_t>(from + 8);
  header.status = static_cast<errc>(load_be<std::uint16_t>(from + 10));
  header.correlation_id = load_be<std::uint32_t>(from + 12);
  return header;
}

} // namespace aqueduct::protocol
