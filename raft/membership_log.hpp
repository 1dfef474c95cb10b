// The memberships that stand in a log, so that the one in force is known at once after an append, a
// truncation or a compaction. The last one in the log is in force, committed or not (thesis 4.1).
#pragma once

#include "raft/membership.hpp"
#include "raft/types.hpp"

#include <vector>

namespace aqueduct::raft {

class membership_log {
public:
  /// `base` is in force at `base_index`; `entries` stand above it, ascending.
  membership_log(log_index base_index, membership base, std::vector<membership_entry> entries);

  /// In force.
  [[nodiscard]] const membership& latest() const { return entries_.back().membership; }
  /// Where `latest` stands: the compaction point if no entry above it changed anything.
  [[nodiscard]] log_index latest_index() const { return entries_.back().index; }
  /// In force at `index`, not below the compaction point.
  [[nodiscard]] const membership& at(log_index index) const;
  /// True if `who` is a voter, or a member, of the membership in force at `index` or of a later
  /// one.
  [[nodiscard]] bool has_voter_since(log_index index, replica_id who) const;
  [[nodiscard]] bool has_member_since(log_index index, replica_id who) const;

  /// Precondition: `index` is above `latest_index()`.
  void append(log_index index, membership m);
  /// True if the membership in force is another one now.
  bool truncate_from(log_index from);
  void compact(log_index upto);
  void reset(log_index index, membership m);

private:
  [[nodiscard]] std::vector<membership_entry>::const_iterator entry_at(log_index index) const;

  /// Ascending; the first is the one in force at the compaction point. Never empty.
  std::vector<membership_entry> entries_;
};

} // namespace aqueduct::raft
