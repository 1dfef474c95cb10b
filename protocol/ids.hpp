// Strong types for the numbers and names that cross room boundaries. A raw integer in a signature
// that means one of these is a mistake waiting to happen.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace aqueduct {

/// An integer with a meaning. Ordered, hashable, explicit in both directions.
template <class Tag, class Rep>
struct strong_id {
  using rep = Rep;

  Rep value{};

  constexpr strong_id() = default;
  constexpr explicit strong_id(Rep v) : value(v) {}

  friend constexpr auto operator<=>(strong_id, strong_id) = default;

  /// The identifier that follows this one.
  [[nodiscard]] constexpr strong_id next() const { return strong_id(static_cast<Rep>(value + 1)); }
};

/// A broker. Assigned by configuration, 0 to 2^31 - 1.
using node_id = strong_id<struct node_id_tag, std::int32_t>;
/// Number of a record in its partition, from 0. Never a Raft index.
using offset_t = strong_id<struct offset_tag, std::int64_t>;
/// Number of a partition in its topic, from 0.
using partition_id = strong_id<struct partition_id_tag, std::int32_t>;
/// Term of the leader that wrote a batch, as clients see it.
using leader_epoch = strong_id<struct leader_epoch_tag, std::int32_t>;
/// Identity of an idempotent producer; -1 is none.
using producer_id = strong_id<struct producer_id_tag, std::int64_t>;
/// Milliseconds since the Unix epoch; -1 is none.
using timestamp_ms = strong_id<struct timestamp_tag, std::int64_t>;

/// A 128-bit identity. All zero is "none".
struct uuid {
  std::array<std::uint8_t, 16> bytes{};

  friend constexpr auto operator<=>(const uuid&, const uuid&) = default;

  [[nodiscard]] constexpr bool is_nil() const { return *this == uuid{}; }
};

/// 36 characters, lower case, with hyphens (RFC 4122).
[[nodiscard]] std::string to_string(const uuid& id);
/// Reads what `to_string` writes. False when `text` is anything else.
[[nodiscard]] bool parse_uuid(std::string_view text, uuid& out);

/// A Raft group: the partition of a topic, or a group of the cluster itself (nil topic).
struct group_id {
  uuid topic;
  std::int32_t partition = 0;

  friend constexpr auto operator<=>(const group_id&, const group_id&) = default;
};

/// The Raft group of the cluster's metadata.
inline constexpr group_id controller_group{};

/// "<uuid>/<partition>", or "controller".
[[nodiscard]] std::string to_string(const group_id& id);

} // namespace aqueduct

template <class Tag, class Rep>
struct std::hash<aqueduct::strong_id<Tag, Rep>> {
  std::size_t operator()(aqueduct::strong_id<Tag, Rep> id) const noexcept {
    return std::hash<Rep>{}(id.value);
  }
};

template <>
struct std::hash<aqueduct::uuid> {
  std::size_t operator()(const aqueduct::uuid& id) const noexcept;
};

template <>
struct std::hash<aqueduct::group_id> {
  std::size_t operator()(const aqueduct::group_id& id) const noexcept;
};
