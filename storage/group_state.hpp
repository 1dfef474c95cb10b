// What a replica takes over from another one in place of entries that are gone there: the keys of
// the state machine, and where they stand in the log. The rows, the applied index and a note of
// what was installed become visible and durable together; the log is reset after that. The note
// tells an opening between the two to finish what was begun, and how much of the log the state is
// ahead of.
#pragma once

#include "storage/kv.hpp"
#include "storage/log_meta.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace aqueduct::storage {

/// Largest state, keys and values together, that goes from one replica to another.
inline constexpr std::size_t group_state_bytes_max = std::size_t{64} << 20;

/// Where a state machine keeps what it knows of a group.
struct state_place {
  family in = family::partition_state;
  std::string prefix;
};

/// A state that has applied everything up to `applied_index`, of a replica whose log begins after
/// `base`. Invariant: base.index <= applied_index.
struct state_mark {
  log_base base;
  std::uint64_t applied_index = 0;
  /// Term of the entry at `applied_index`.
  std::uint64_t applied_term = 0;

  friend bool operator==(const state_mark&, const state_mark&) = default;
};

struct group_state {
  state_mark mark;
  /// Without the prefix of the place, ascending by key.
  std::vector<kv_pair> rows;
};

/// The note of the last state that was installed; nothing if none ever was. storage_damaged if it
/// cannot be read.
[[nodiscard]] result<std::optional<state_mark>> read_installed(const kv& store,
                                                               const group_id& group);

/// True for keys that storage itself keeps among those of a state machine; they do not travel.
[[nodiscard]] bool is_own_key(std::string_view row_key);

/// The batch that puts `state` in the place of whatever is there.
[[nodiscard]] write_batch installation_of(const group_id& group, const state_place& place,
                                          const group_state& state);

} // namespace aqueduct::storage
