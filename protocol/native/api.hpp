// The requests of the native protocol: their numbers, names and versions.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace aqueduct::protocol {

/// Numbers below 100 and from 1000 on are those that Go-Queue gave to the same requests.
enum class api_key : std::uint16_t {
  produce = 1,
  fetch = 2,
  list_topics = 3,
  create_topic = 4,
  delete_topic = 5,
  join_group = 10,
  leave_group = 11,
  heartbeat = 12,
  commit_offset = 13,
  fetch_offset = 14,
  get_topic_info = 15,
  fetch_assignment = 16,
  batch_fetch = 17,
  list_groups = 30,
  describe_group = 31,
  hello = 100,
  api_versions = 101,
  subscribe = 102,
  credit = 103,
  unsubscribe = 104,
  delivery = 105,
  list_offsets = 106,
  alter_topic = 107,
  delete_records = 108,
  init_producer_id = 109,
  find_coordinator = 110,
  delete_group = 111,
  delete_offsets = 112,
  controller_discover = 1000,
  metadata = 1002,
};

/// What the broker offers for one request.
struct api_info {
  api_key key;
  std::string_view name;
  std::uint16_t version_min;
  std::uint16_t version_max;
  /// What the request does, for the protocol reference.
  std::string_view doc;
};

/// All requests, ordered by number.
[[nodiscard]] std::span<const api_info> api_table();
/// The row of `key`, or nullptr for a number that this version does not know.
[[nodiscard]] const api_info* find_api(std::uint16_t key);
[[nodiscard]] std::string_view to_string(api_key key);

/// The version of everything that has only one, and of frames that say no other.
inline constexpr std::uint16_t current_version = 1;

} // namespace aqueduct::protocol
