// States of groups on their way to other replicas, piece by piece: what is left of each is kept
// until it was asked for, or nobody asks any more. Bounded; the one that was not asked for the
// longest gives way. Owned by one storage actor.
#pragma once

#include "protocol/result.hpp"
#include "storage/group_state.hpp"

#include <cstddef>
#include <cstdint>
#include <list>
#include <string_view>
#include <vector>

namespace aqueduct::actors {

/// A piece of a state of one moment.
struct state_piece {
  storage::state_mark mark;
  /// Names the moment.
  std::uint64_t snapshot = 0;
  std::vector<storage::kv_pair> rows;
  /// Position of the next piece; 0 after the last one.
  std::uint64_t next = 0;
};

class kept_states {
public:
  struct limits {
    std::size_t states_max = 4;
    std::size_t bytes_max = storage::group_state_bytes_max;
    /// Of keys and values in a piece, unless one row alone is larger.
    std::size_t piece_bytes = std::size_t{1} << 20;
    std::int64_t idle_ms_max = 30'000;
  };

  explicit kept_states(limits bounds) : limits_(bounds) {}

  /// The first piece of a state. `snapshot` is not 0 and not that of another one.
  [[nodiscard]] state_piece begin(std::uint64_t snapshot, storage::group_state state,
                                  std::int64_t now_ms);
  /// The piece at `position`. Error not_found: it is no longer kept; to be begun again.
  [[nodiscard]] result<state_piece> next(std::uint64_t snapshot, std::uint64_t position,
                                         std::int64_t now_ms);
  /// Drops what nobody asked for in a while.
  void expire(std::int64_t now_ms);

  [[nodiscard]] std::size_t count() const { return kept_.size(); }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

private:
  struct kept_state {
    std::uint64_t snapshot = 0;
    storage::group_state state;
    std::size_t bytes = 0;
    std::int64_t used_ms = 0;
  };

  [[nodiscard]] state_piece cut(const kept_state& from, std::size_t position) const;
  void drop(std::list<kept_state>::iterator which);

  limits limits_;
  /// The one that was used last is at the end.
  std::list<kept_state> kept_;
  /// Invariant: of all in kept_ together.
  std::size_t bytes_ = 0;
};

} // namespace aqueduct::actors
