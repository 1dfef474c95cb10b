// How fresh the state of one replica is known to be, whoever leads: the account of its rounds of
// `core::read_index`. Pure, owned by who drives the core; time is given as a number.
//
// A round that began at time t and was answered with index i proves, once the state has applied i,
// that the state holds everything that was committed anywhere before t: the leader took i as its
// commit index after t, and confirmed with a majority after that that it still led (thesis 6.4).
// So the state is at most as old as the time since t, on the clock of this replica alone; clocks of
// different nodes are never compared.
//
// Nothing else proves freshness. An append or a heartbeat may have been under way for any time, and
// may come from a leader that has been replaced; when it was sent is known only to a clock of
// another node. A group that sleeps sends none at all. Hence the age of a state is counted from the
// beginning of a round, and a read that needs a younger state begins another one.
#pragma once

#include "raft/types.hpp"

#include <cstdint>
#include <deque>
#include <optional>

namespace aqueduct::raft {

class read_freshness {
public:
  /// Rounds count from 1 and are the contexts for `core::read_index`. As what a read waits for:
  /// that it, or a later one, is proven. 0: nothing.
  using round = std::uint64_t;

  // -- what a read waits for ---------------------------------------------------------------------

  /// For everything that was committed before now: a round that begins after this call.
  [[nodiscard]] round need_latest();
  /// For everything that was committed more than `age_ms_max` before now: the last proof if it is
  /// young enough, a round that is under way if it will be, or the next one.
  [[nodiscard]] round need_within(std::int64_t now_ms, std::int64_t age_ms_max);
  [[nodiscard]] bool is_proven(round needed) const { return needed <= proven_.number; }
  /// It will not be proven: the round failed, and the read has to be asked again.
  [[nodiscard]] bool is_lost(round needed) const {
    return !is_proven(needed) && needed <= failed_ && needed > answered_;
  }

  // -- the rounds --------------------------------------------------------------------------------

  /// The round that is to be asked for now, if one is needed and none is under way: reads that come
  /// during a round share the next one.
  [[nodiscard]] std::optional<round> begin(std::int64_t now_ms);
  /// `core::read_index` answered; without index it could not be confirmed. Answers to anything but
  /// the round under way are ignored.
  void answered(round which, std::optional<log_index> index);
  /// The state has applied everything up to here. Monotone.
  void applied(log_index upto);

  // -- observers ---------------------------------------------------------------------------------

  /// When the last proven round began: the state holds everything that was committed before.
  [[nodiscard]] std::optional<std::int64_t> proven_since_ms() const;
  [[nodiscard]] bool is_round_under_way() const { return under_way_.has_value(); }

private:
  struct proof {
    round number = 0;
    std::int64_t begun_ms = 0;
    /// What the state has to have applied.
    log_index index;
  };

  /// Begun last.
  round last_ = 0;
  /// Invariant: last_ or last_ + 1.
  round wanted_ = 0;
  std::optional<proof> under_way_;
  /// Answered, and the state is not yet there; oldest first, by rising index.
  std::deque<proof> ahead_;
  /// The last one that the state has reached; number 0 before there was one.
  proof proven_;
  round answered_ = 0;
  round failed_ = 0;
  log_index applied_;
};

/// An upper bound on the time, in whole milliseconds, since a state was known to be complete.
/// Both clocks count whole milliseconds of the same steady clock, rounded down.
[[nodiscard]] constexpr std::int64_t age_ms(std::int64_t proven_since_ms, std::int64_t now_ms) {
  return now_ms - proven_since_ms + 1;
}

} // namespace aqueduct::raft
