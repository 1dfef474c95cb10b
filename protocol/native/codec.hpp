// Encoding, decoding and printing of defined messages. The templates are instantiated in the
// codec_*.cpp files only, one explicit instantiation per message.
//
// Wire types: integers big-endian; bool one byte; string, bytes and records as varint length and
// content; uuid 16 bytes; optional as one byte and the value; variant as one byte, the number of
// the alternative, and its value; array as varint count and elements; a struct as its fields in
// order.
#pragma once

#include "protocol/buffer.hpp"
#include "protocol/native/api.hpp"
#include "protocol/native/definition.hpp"
#include "protocol/native/frame.hpp"
#include "protocol/result.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace aqueduct::protocol {

/// A message as a whole frame, ready for a gathered write. Payload buffers above a kilobyte are
/// shared, not copied.
template <defined M>
[[nodiscard]] buffer_chain encode_frame(const frame_header& header, const M& message);

/// The message alone, in one piece.
template <defined M>
[[nodiscard]] buffer encode(const M& message, std::uint16_t version = current_version);

/// Reads a message that fills `payload` exactly. Buffers in the message are slices of `payload`.
/// Fails with invalid_request on anything else, and never allocates more than 64 KiB plus eight
/// times the size of `payload`.
template <defined M>
[[nodiscard]] result<M> decode(const buffer& payload, std::uint16_t version = current_version);

/// One line for people: `Name{field: value, ...}`. Payload bytes are shown as their size.
template <defined M>
[[nodiscard]] std::string print(const M& message);

/// A row of the reference: the field and how its type is called.
struct field_reference {
  field definition;
  std::string type;
};
/// The definition of one struct, for the generated reference.
struct message_reference {
  message_info info;
  std::vector<field_reference> fields;
};
/// The message and, after it, the structs within it.
template <defined M>
[[nodiscard]] std::vector<message_reference> reference();

/// The message of a response or push with `header.status` not 0.
[[nodiscard]] error decode_error(const frame_header& header, const buffer& payload);

} // namespace aqueduct::protocol
