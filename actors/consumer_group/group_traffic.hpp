// What a coordinator of consumer groups and the groups that are active there tell each other. The
// coordinator has the partition's log and hears every question first; a group has its members. All
// of it stays on the node.
#pragma once

#include "actors/consumer_group/group_calls.hpp"
#include "actors/consumer_group/heartbeat_board.hpp"

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace aqueduct::actors {

/// The two clocks, in milliseconds.
struct group_time {
  std::int64_t steady_ms = 0;
  std::int64_t wall_ms = 0;
};

// -- to a group -----------------------------------------------------------------------------------

/// A group is active from here on. If the log knows members of it, they are granted a session each.
struct group_opening {
  /// No other active group of this coordinator has it, nor ever had.
  std::uint64_t life = 0;
  std::string group;
  /// What the log knows of it.
  std::optional<group_record> known;
  /// Where members of a stable group are listed. Null: all heartbeats come to the group.
  std::shared_ptr<heartbeat_board> board;
  group_time at;
};

/// Time passed in which nobody could be heard: it does not count.
struct group_pause {
  std::int64_t ms = 0;
};
/// Ends what has taken too long.
struct group_look {};
/// What became of a `group_proposal`: it is in the log and applied, or why it never will be.
struct group_decided {
  std::uint64_t proposal = 0;
  result<void> outcome;
};
/// From here on every heartbeat comes to the group.
struct group_unlist {};
/// The last order that the group gets. Whoever waits is told why.
struct group_end {
  group_answer why;
};
/// In the order in which they were given; with the coordinator's time, which is all that a group
/// knows of clocks.
struct group_order {
  group_time at;
  std::variant<join_call, sync_call, heartbeat_call, leave_call, commit_call, delete_offsets_call,
               describe_group_call, delete_group_call, group_pause, group_look, group_decided,
               group_unlist, group_end>
      what;
};

// -- from a group ---------------------------------------------------------------------------------

/// The group is this from now on, if the log takes it. It comes behind all commits that the group
/// passed on before.
struct group_proposal {
  std::uint64_t number = 0;
  group_record group;
};
/// A commit that the group has nothing against.
struct fenced_commit {
  commit_call call;
};
/// A removal of offsets, and of each row whether the group lets it go.
struct judged_removal {
  delete_offsets_call call;
  std::vector<errc> rows;
};
/// Nobody is in the group, nor about to be.
struct judged_deletion {
  delete_group_call call;
};
/// How the group stands now.
struct group_standing {
  static constexpr auto never = std::numeric_limits<std::int64_t>::max();

  group_phase phase = group_phase::empty;
  std::string protocol_type;
  std::int32_t members = 0;
  /// When it wants to look, on the steady clock.
  std::int64_t next_look_ms = never;
  /// Nothing is left of it that the log does not know: it may end, if it got no more orders than
  /// these.
  bool is_over = false;
  std::uint64_t orders = 0;
};
/// The group cannot go on: an invariant of it does not hold.
struct group_broken {
  error why;
};
struct group_report {
  std::uint64_t life = 0;
  std::string group;
  std::variant<group_proposal, fenced_commit, judged_removal, judged_deletion, group_standing,
               group_broken>
      what;
};

} // namespace aqueduct::actors
