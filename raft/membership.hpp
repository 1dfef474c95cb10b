// Who belongs to a group, how that changes one replica at a time, and how it is written into the
// log. What a change means for an election or a leader is not here.
#pragma once

#include "raft/types.hpp"

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

namespace aqueduct::raft {

/// The replicas of a group. A node is in it at most once. Both lists are sorted.
struct membership {
  /// Those whose majority decides.
  std::vector<replica_id> voters;
  /// Those that receive the log and decide nothing.
  std::vector<replica_id> learners;

  [[nodiscard]] bool is_voter(replica_id id) const;
  [[nodiscard]] bool is_learner(replica_id id) const;
  [[nodiscard]] bool contains(replica_id id) const { return is_voter(id) || is_learner(id); }
  /// The replica of `node`, whichever incarnation.
  [[nodiscard]] std::optional<replica_id> find(node_id node) const;
  /// Sorted, and every node at most once. The empty membership is valid: that of a replica which
  /// has not yet heard from a leader.
  [[nodiscard]] bool valid() const;

  friend bool operator==(const membership&, const membership&) = default;
};

/// Adds `who` as a learner. If another incarnation of the node is a member, it takes its place:
/// that is how a replica comes back that lost its disk.
struct add_learner {
  replica_id who;
};
/// Makes a learner a voter.
struct promote_learner {
  replica_id who;
};
/// Takes a replica out.
struct remove_replica {
  replica_id who;
};
/// One step: every majority of the voters before shares a replica with every majority of the voters
/// after (Raft thesis 4.1), because the voters differ by at most one.
using membership_change = std::variant<add_learner, promote_learner, remove_replica>;

/// The membership after `change`, or nothing when the change does not apply: the learner is not
/// there, the replica is a member already, or no voter would be left.
[[nodiscard]] std::optional<membership> apply_change(const membership& now,
                                                     const membership_change& change);

/// Bytes: version u8 = 1, count u32 and replicas of the voters, then of the learners; a replica is
/// node i32, incarnation u64; all big-endian.
[[nodiscard]] std::vector<std::byte> encode(const membership& m);
/// Reads what `encode` writes. Nothing when the bytes are anything else, or not `valid()`.
[[nodiscard]] std::optional<membership> decode_membership(std::span<const std::byte> bytes);

/// The last entry that a compacted log or a snapshot stands for, and who was in force there.
struct snapshot_meta {
  entry_id last;
  raft::membership membership;

  friend bool operator==(const snapshot_meta&, const snapshot_meta&) = default;
};

/// A membership that stands in the log at `index`.
struct membership_entry {
  log_index index;
  raft::membership membership;

  friend bool operator==(const membership_entry&, const membership_entry&) = default;
};

/// "1 2 3 learners 4".
[[nodiscard]] std::string to_string(const membership& m);
[[nodiscard]] std::string to_string(const membership_change& change);

} // namespace aqueduct::raft
