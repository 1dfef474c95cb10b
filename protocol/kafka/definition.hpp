// How a message of the Kafka protocol is defined: once, as a struct with a `fields` function that
// names every field with the versions that carry it. Encoding and decoding walk the same
// definition; see codec.hpp.
//
// A member's type says how it travels: integers, bool and double, std::string, uuid, buffer
// (bytes), buffer_chain (records), std::vector (array), a struct with `fields`. std::optional is
// what may be null, or, of a tagged field, what may be absent.
#pragma once

#include "protocol/buffer.hpp"
#include "protocol/ids.hpp"
#include "protocol/kafka/api.hpp"

#include <concepts>
#include <cstdint>
#include <limits>
#include <string_view>

namespace aqueduct::protocol::kafka {

/// A field of a message and the versions of the message that carry it.
struct field {
  std::string_view name;
  std::int16_t since = 0;
  std::int16_t until = std::numeric_limits<std::int16_t>::max();
  /// Of an optional: first version in which it can be null. Before that null is sent as empty.
  std::int16_t nullable = 0;
  /// Not negative: sent in the tag section of its struct, with this tag, if it is there.
  std::int16_t tag = -1;
};

/// "No rights were asked for": the default of the fields with authorised operations.
inline constexpr std::int32_t operations_unknown = std::numeric_limits<std::int32_t>::min();

/// A whole message: a struct that says which API it belongs to and what it is called. It and the
/// structs within it have `template <class M, class V> static void fields(M& m, V& v)`, which calls
/// `v(field, m.member)` for every member in wire order.
template <class T>
concept message = requires {
  { T::api } -> std::convertible_to<api_key>;
  { T::title } -> std::convertible_to<std::string_view>;
};

} // namespace aqueduct::protocol::kafka
