// The four roles and what each of them knows. What belongs to a leader does not exist elsewhere.
#pragma once

#include "raft/progress.hpp"
#include "raft/types.hpp"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace aqueduct::raft {

/// A read that waits for its index.
struct pending_read {
  std::uint64_t context = 0;
  /// The follower that asked; nothing for the own driver.
  std::optional<replica_id> asker;
  /// The round of heartbeats that must be confirmed; it begins after the read arrived (R17). 0
  /// while the leader has not committed an entry of its own.
  std::uint64_t round = 0;
  /// Commit index when the round was given.
  log_index index;
  /// Since it was passed on to the leader.
  std::uint32_t waited_ticks = 0;
};

struct follower_state {
  /// Known leader of this term.
  std::optional<replica_id> leader;
  /// Ticks since anything was heard of the leader, or a vote was given.
  std::uint32_t elapsed_ticks = 0;
  /// Drawn anew for each wait.
  std::uint32_t timeout_ticks = 0;
  /// Reads that were passed on to the leader.
  std::vector<pending_read> reads;
};

/// Who has voted, and how.
struct ballot {
  std::vector<std::pair<replica_id, bool>> votes;

  /// Only the first vote of a replica counts.
  void add(replica_id who, bool granted) {
    const auto same = [who](const auto& vote) { return vote.first == who; };
    if (std::none_of(votes.begin(), votes.end(), same))
      votes.emplace_back(who, granted);
  }
};

struct pre_candidate_state {
  ballot pre_votes;
  std::uint32_t elapsed_ticks = 0;
  std::uint32_t timeout_ticks = 0;
};

struct candidate_state {
  /// Its own vote comes in like the others: when it is durable (R1).
  ballot votes;
  std::uint32_t elapsed_ticks = 0;
  std::uint32_t timeout_ticks = 0;
};

struct leadership_transfer {
  replica_id to;
  std::uint32_t elapsed_ticks = 0;
  /// The word to campaign has been given.
  bool handed_over = false;
};

struct leader_state {
  /// Its first entry. Invariant: nothing of an older term commits but together with it (5.4.2).
  log_index first_own;
  /// The other members, sorted by who.
  std::vector<progress> peers;
  std::uint32_t heartbeat_ticks = 0;
  std::uint32_t quorum_ticks = 0;
  std::uint32_t idle_ticks = 0;
  /// Newest round of heartbeats that reads wait for.
  std::uint64_t read_round = 0;
  std::vector<pending_read> reads;
  std::optional<leadership_transfer> transfer;

  [[nodiscard]] progress* find(replica_id who) {
    const auto at = std::find_if(peers.begin(), peers.end(),
                                 [who](const progress& p) { return p.who() == who; });
    return at == peers.end() ? nullptr : &*at;
  }
};

} // namespace aqueduct::raft
