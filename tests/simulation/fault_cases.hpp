// The catalogue of faults, case by case, and how often each really came up in lives of groups, of
// clusters and of consumer groups: not that a fault was injected, but that it struck where it
// hurts.
#pragma once

#include "storage/sim_disk.hpp"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace aqueduct::actors::test {

/// R1 to R20 are faults of consensus, S1 to S13 those of storage, B1 to B17 those of a broker.
enum class fault_case : std::uint8_t {
  // R1: a crash between a vote in memory and its sync.
  vote_lost_in_crash,
  // R2: all nodes lose power at once, right after something was acknowledged.
  power_lost_after_acknowledgement,
  // R3: who decides alone crashes with entries that are not yet synced.
  sole_voter_crashed_before_sync,
  // R4: the write of an entry ends after the entry was replaced at the same index.
  old_write_ended_after_rewrite,
  // R5: what a client waits for is replaced by another leader's entry.
  proposal_replaced,
  // R6: a leader has an entry of an older term on a majority, and none of its own.
  older_term_on_majority,
  // R7: the leader's commit index arrives where a part of the log is not its own.
  commit_over_foreign_suffix,
  // R8: a late or repeated request arrives; a refusal arrives after a later acceptance.
  stale_append,
  stale_rejection,
  // R8: what a link held back arrives at once.
  clog_let_go,
  // R9: synced entries of an earlier life are replaced.
  earlier_life_replaced,
  // R10: a leader is elected where one node alone connects the others.
  elected_across_bridge,
  // R10: the same in networks that are split in two, one way or both; that are a ring; in which one
  // node sees two sets that do not see each other.
  elected_in_halves,
  elected_in_one_way_halves,
  elected_in_ring,
  elected_between_halves,
  // R11: who was cut off and stood for election comes back with the term it had.
  returned_in_its_term,
  // R12: a leader that is heard but hears nobody gives up.
  resigned_by_one_way_cut,
  // R13: a leader is elected with a change of members that is not committed.
  elected_with_open_change,
  // R14: a change of members is cut off a log; a crash finds one open.
  change_truncated,
  crashed_with_open_change,
  // R15: a node that lost its disk is a voter again, in another life.
  lost_disk_rejoined,
  // R16: a state replaces a log with entries that nobody committed; a crash strikes meanwhile.
  state_over_open_entries,
  crashed_in_takeover,
  // R17: who led and was replaced, and does not know it, is asked.
  deposed_leader_asked,
  // R18: a wall clock jumps; timers and clocks run fast or slow.
  clock_jumped,
  elected_with_drift,
  // R19: a leader's disk stands still, and it hands over.
  resigned_by_stalled_disk,
  // R20: leadership is handed over under load; all nodes are killed under load.
  handed_over,
  all_killed_under_load,
  // S2, S13: bytes of a closed segment changed, or are another file's.
  segment_decayed,
  segment_misdirected,
  // S3: one copy of a hard state is damaged, or both.
  hard_state_copy_damaged,
  hard_state_damaged,
  // S1, S4, S5: what a crash left.
  write_torn,
  name_lost,
  hole_left,
  // S6, S7, S8: what the disk refused.
  sync_failed,
  disk_full,
  write_cut_short,
  // S9: after a crash the state is behind its log; or ahead of it.
  state_behind_log,
  state_ahead_of_log,
  // S11: the log is cut under what was derived from it.
  derived_state_cut,
  // S12: a reader asks for what is trimmed; a follower needs it.
  reader_behind_trim,
  follower_behind_trim,
  // B13: who is not in the present generation commits; another process comes as the same instance.
  old_commit_refused,
  static_member_replaced,
  // B14: the coordinator is lost while members are waited for, and while a generation is under way.
  coordinator_lost_preparing,
  coordinator_lost_completing,
  count_,
};

[[nodiscard]] std::string_view to_string(fault_case what);
/// Its number in the catalogue, as "R1".
[[nodiscard]] std::string_view id_of(fault_case what);

/// Which faults a life has, in the order in which they came. One that was kept has those of its
/// time, or it would be another.
enum class known_faults : std::uint8_t {
  /// Before disks stalled, clocks drifted and writes failed.
  first,
  /// Before one copy of a hard state could be damaged without the other.
  both_copies,
  /// Before networks were split in halves or were rings, and links held what they were given.
  few_shapes,
  all,
};

/// One life in so many is that of six or seven nodes.
inline constexpr std::uint64_t large_lives = 13;
[[nodiscard]] constexpr bool is_large_life(std::uint64_t seed, known_faults faults) {
  return faults != known_faults::first && seed % large_lives == 5;
}

enum class life_kind : std::uint8_t {
  /// A Raft group.
  group,
  cluster,
  /// A consumer group on a cluster.
  consumers,
};
/// Whether a batch of lives of that kind has to show it.
[[nodiscard]] bool is_expected(fault_case what, life_kind in);

class case_counts {
public:
  void note(fault_case what, std::uint64_t times = 1) {
    counts_[static_cast<std::size_t>(what)] += times;
  }
  void note(const storage::disk_faults& faults);
  void add(const case_counts& other);
  [[nodiscard]] std::uint64_t of(fault_case what) const {
    return counts_[static_cast<std::size_t>(what)];
  }
  /// Those that such a batch has to show and does not, as "R1 vote lost in a crash".
  [[nodiscard]] std::vector<std::string> missing(life_kind in) const;
  /// A line for each case that is expected there, or came up all the same.
  [[nodiscard]] std::string table(life_kind in) const;

private:
  std::array<std::uint64_t, static_cast<std::size_t>(fault_case::count_)> counts_{};
};

} // namespace aqueduct::actors::test
