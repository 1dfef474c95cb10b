// What the key-value state holds of each log besides the indexes: where it begins, how far each
// segment is known to be durable (the durable mark), its membership entries, and hard state. Keys
// and encodings; FORMAT.md draws them.
#pragma once

#include "storage/kv.hpp"
#include "storage/log_entry.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace aqueduct::storage {

/// Where a run of entries of one term begins.
struct term_run {
  std::uint64_t first_index = 0;
  std::uint64_t term = 0;

  friend bool operator==(const term_run&, const term_run&) = default;
};

/// The entry before the first one of a log: all 0 at the beginning.
struct log_base {
  std::uint64_t index = 0;
  std::uint64_t term = 0;
  /// Offset of the first record after it. -1 in an argument: to be filled in from the log.
  offset_t next_offset{};
  /// Whatever the owner wants to find here again, such as the membership in force at `index`.
  buffer data;

  friend bool operator==(const log_base&, const log_base&) = default;
};

/// A segment as far as it was durable when this was written.
struct segment_mark {
  segment_header header;
  /// Bytes that hold whole entries.
  std::uint64_t end = 0;
  /// `header.first_index` - 1 without entries, as are the next three 0.
  std::uint64_t last_index = 0;
  std::uint64_t last_position = 0;
  std::uint32_t last_crc = 0;
  offset_t next_offset{};
  /// -1 without records.
  timestamp_ms max_timestamp{-1};
  /// Of the entries up to `last_index`.
  std::vector<term_run> terms;

  friend bool operator==(const segment_mark&, const segment_mark&) = default;
};

/// Everything in `log_state` of one group.
struct log_meta {
  log_base base;
  /// Ascending.
  std::vector<segment_mark> marks;
  /// Ascending. Those above the end of the log are left from a crash.
  std::vector<log_entry> memberships;
  bool is_being_removed = false;
  /// The base is that of a reset that may not have deleted all files yet.
  bool is_being_reset = false;
};

/// Reads it in one scan. Marks that are damaged are left out, as they are only shortcuts; a damaged
/// membership entry takes all marks with it, so that the entries are read from the log again. A
/// damaged base is storage_damaged.
[[nodiscard]] result<log_meta> load_log_meta(const kv& store, const group_id& group);

/// Keys in `log_state`. The group comes first, so that a group's keys lie together.
[[nodiscard]] std::string base_key(const group_id& group);
[[nodiscard]] std::string mark_key(const group_id& group, std::uint64_t first_index);
[[nodiscard]] std::string membership_key(const group_id& group, std::uint64_t index);
[[nodiscard]] std::string removal_key(const group_id& group);
[[nodiscard]] std::string reset_key(const group_id& group);

/// Values; each ends with its checksum.
[[nodiscard]] std::string encode_base(const log_base& base);
[[nodiscard]] std::string encode_mark(const segment_mark& mark);
[[nodiscard]] std::string encode_membership(const log_entry& entry);
[[nodiscard]] std::optional<log_base> decode_base(std::string_view value);
[[nodiscard]] std::optional<segment_mark> decode_mark(std::string_view value);
[[nodiscard]] std::optional<log_entry> decode_membership(std::string_view value);

/// 20 bytes that name a group; ordered as topics and partitions are.
[[nodiscard]] std::string group_key(const group_id& group);
/// The group that a key begins with.
[[nodiscard]] std::optional<group_id> group_of_key(std::string_view key);

} // namespace aqueduct::storage
