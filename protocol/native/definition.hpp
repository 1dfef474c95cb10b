// How a message of the native protocol is defined: once, as a struct with an `info` and a `fields`
// function that names every field. Encoding, decoding, printing and the protocol reference all walk
// the same definition; see codec.hpp.
#pragma once

#include <concepts>
#include <cstdint>
#include <string_view>

namespace aqueduct::protocol {

/// A field of a message, as the definition states it.
struct field {
  std::string_view name;
  /// One or two sentences for the protocol reference.
  std::string_view doc;
  /// First API version that carries the field.
  std::int16_t since = 1;
};

/// Name and purpose of a message or of a struct within one.
struct message_info {
  std::string_view name;
  std::string_view doc;
};

/// A struct with a definition: `static constexpr message_info info` and
/// `template <class M, class V> static void fields(M& m, V& v)` that calls `v(field, m.member)` for
/// every member in wire order.
template <class T>
concept defined = requires {
  { T::info } -> std::convertible_to<message_info>;
};

} // namespace aqueduct::protocol
