// Who the replicas of a partition are, who they are to be, and what its leader has to do about it:
// pure. Changes go one at a time (`next_member_change`); then leadership goes to the preferred one.
#pragma once

#include "protocol/result.hpp"
#include "raft/membership.hpp"

#include <cstdint>
#include <optional>
#include <vector>

namespace aqueduct::actors {

/// Who the replicas are to be; the leader sees to it.
struct partition_members {
  /// In order of preference: the first is to lead.
  std::vector<raft::replica_id> wanted;
  /// The cluster waits to hear that they are.
  bool is_moving = false;
  /// Which decision this is (`replica_set::changes`).
  std::int32_t changes = 0;
  /// This replica takes the place of a damaged one, whose files stay until it has.
  bool is_under_repair = false;
};

class partition_membership {
public:
  partition_membership() = default;
  partition_membership(raft::replica_id self, partition_members wanted);

  // -- what is heard -----------------------------------------------------------------------------

  void want(partition_members wanted) { wanted_ = std::move(wanted); }
  /// The members of the group, in force from the entry `index` on.
  void found(raft::membership members, std::uint64_t index);
  /// This replica leads in that term, or somebody else or nobody does.
  void took_office(std::uint64_t term, bool leads);
  void resign() { leads_ = false; }
  /// Everything up to that entry was handed out. True if the members are settled by it.
  [[nodiscard]] bool applied(std::uint64_t index, std::uint64_t term);

  // -- what is known -----------------------------------------------------------------------------

  [[nodiscard]] bool leads() const { return leads_; }
  [[nodiscard]] bool is_under_repair() const { return wanted_.is_under_repair; }
  [[nodiscard]] std::int32_t changes() const { return wanted_.changes; }
  /// This replica is the one that is to lead.
  [[nodiscard]] bool is_preferred() const {
    return !wanted_.wanted.empty() && wanted_.wanted.front() == self_;
  }
  /// Others have a replica, or are to have one, or had one.
  [[nodiscard]] bool has_company() const { return wanted_.wanted.size() > 1 || wanted_.is_moving; }
  /// Nobody would miss the voice of this replica if it slept.
  [[nodiscard]] bool is_alone() const {
    return !has_company() && members_ == raft::membership{{self_}, {}};
  }
  /// A node of which another replica of the group is known, or one is to be. -1: there is none.
  [[nodiscard]] std::int32_t another_node() const;
  /// Others can take over.
  [[nodiscard]] bool has_other_voters() const { return members_.voters.size() > 1; }
  /// The members are those that are wanted, by what is committed: whoever leads next knows it too.
  [[nodiscard]] bool is_settled() const;

  // -- what the leader has to do -----------------------------------------------------------------

  /// There is something to do about who belongs to the group or leads it.
  [[nodiscard]] bool is_restless() const;
  /// The group refuses it while another one is under way.
  [[nodiscard]] std::optional<raft::membership_change> next_change() const;
  /// The members came to be those that the cluster waits to hear of.
  [[nodiscard]] bool has_moved() const;
  /// The replica on `node`, if it may be handed leadership. Errors: conflict: another one is
  /// preferred; topic_not_ready: it has no vote yet.
  [[nodiscard]] result<raft::replica_id> heir(std::int32_t node) const;
  /// Leadership is being handed over for a reason of its own: `transfer_due` waits.
  void note_transfer(std::int64_t steady_ms);
  /// Whom to hand leadership to now, at most every five seconds: a try that fails costs an election
  /// timeout. The others are as wanted but perhaps for this replica itself, which leaves when
  /// another one leads.
  [[nodiscard]] std::optional<raft::replica_id> transfer_due(std::int64_t steady_ms);

private:
  [[nodiscard]] bool prefers_another() const;

  raft::replica_id self_;
  partition_members wanted_;
  raft::membership members_;
  /// The entry that they are in force from.
  std::uint64_t members_index_ = 0;
  /// The last entry that was handed out.
  std::uint64_t applied_index_ = 0;
  std::uint64_t term_ = 0;
  bool leads_ = false;
  /// Leads, and an entry of its own term was handed out: so all before it are committed.
  bool is_established_ = false;
  std::int64_t next_transfer_ms_ = 0;
};

} // namespace aqueduct::actors
