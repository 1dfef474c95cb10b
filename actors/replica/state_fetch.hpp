// Taking over the state of a group from another replica, piece by piece: what to ask next, and
// whether what came can be. Pure; the `replica` actor asks and installs.
#pragma once

#include "actors/storage_pool/kept_states.hpp"
#include "protocol/ids.hpp"
#include "raft/effects.hpp"

#include <cstdint>

namespace aqueduct::actors {

class state_fetch {
public:
  state_fetch(const group_id& group, raft::replica_id self, raft::snapshot_fetch what)
      : group_(group), self_(self), what_(std::move(what)) {}

  [[nodiscard]] raft::replica_id from() const { return what_.from; }
  /// For the next piece.
  [[nodiscard]] buffer question() const;
  /// Takes the answer to the last question. True: the state is complete. An error: it is of no use,
  /// and nothing of it is to be asked for any more. `term` is the present one: a state of a later
  /// term would be of somebody whom this replica does not know yet.
  [[nodiscard]] result<bool> take(const buffer& answer, raft::term_id term);

  /// What the log begins after. Precondition: complete, as for the following.
  [[nodiscard]] const raft::snapshot_meta& meta() const { return meta_; }
  [[nodiscard]] storage::group_state& state() { return state_; }

private:
  group_id group_;
  raft::replica_id self_;
  raft::snapshot_fetch what_;
  std::uint64_t snapshot_ = 0;
  std::uint64_t position_ = 0;
  /// Of the rows so far. Invariant: at most `storage::group_state_bytes_max`.
  std::size_t bytes_ = 0;
  raft::snapshot_meta meta_;
  storage::group_state state_;
};

/// The bytes of a piece, for the replica that asked for it.
[[nodiscard]] buffer encode(const state_piece& piece);

} // namespace aqueduct::actors
