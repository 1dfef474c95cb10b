// The coordinator of the groups of one partition, while it leads: it has the partition's log and
// table, opens a group (`group_core`) when somebody joins it and ends it when nobody is left,
// passes questions on to active groups and answers what needs no members, has what groups and
// members say put into the log, and forgets what is old. A state machine without clock or I/O: it
// is given questions, reports of groups, the time and what became of its proposals; it says what to
// propose and what groups are to be told.
#pragma once

#include "actors/consumer_group/group_bounds.hpp"
#include "actors/consumer_group/group_table.hpp"
#include "actors/consumer_group/group_traffic.hpp"
#include "actors/consumer_group/proposal_queue.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace aqueduct::actors {

/// An order for the group of that life.
struct group_dispatch {
  std::uint64_t life = 0;
  group_order order;
};

class group_coordinator {
public:
  struct options {
    std::int32_t node = 0;
    group_limits bounds;
    /// Whether the topic of that id was deleted for good.
    std::function<bool(const uuid&)> is_gone;
    /// Where members of stable groups are listed. Null: all heartbeats come here.
    std::shared_ptr<heartbeat_board> board;
  };

  /// `table` is that of the replica and outlives this.
  group_coordinator(const group_table& table, options opts)
      : table_(table), options_(std::move(opts)) {}

  // -- leading -----------------------------------------------------------------------------------

  /// This replica leads, and the table has everything that was committed before.
  void lead(group_time now);
  /// It does not, or not any more: everybody is told who does (-1: nobody knows).
  void follow(std::int32_t leader);
  [[nodiscard]] bool leads() const { return leads_; }
  /// From here on every heartbeat comes here, and none is answered by the board.
  void close_board();

  // -- requests ----------------------------------------------------------------------------------

  /// Any question of a `group_call`. Precondition of `fetch_offsets_call`: leading is proven, and
  /// the table has what was committed before the question.
  template <class Call>
  void handle(Call call, group_time now) {
    note_pause(now);
    act(std::move(call), now);
  }

  /// Ends what has taken too long. Due every 100 ms while the coordinator is restless, else once a
  /// minute.
  void tick(group_time now);
  /// Whether somebody has to be watched.
  [[nodiscard]] bool is_restless() const { return !active_.empty(); }

  // -- groups ------------------------------------------------------------------------------------

  /// Groups to be opened, and what those that are open are to be told; in order.
  [[nodiscard]] std::vector<std::variant<group_opening, group_dispatch>> take_orders();
  /// Reports of one group come in the order in which it made them. Of a group that was ended they
  /// may still come.
  void heard(group_report report, group_time now);

  // -- the log -----------------------------------------------------------------------------------

  /// What is to be proposed now, in order.
  [[nodiscard]] std::vector<group_command> take_proposals();
  /// The oldest `count` proposals without a place in the log got one.
  void proposed(std::uint64_t first, std::uint64_t term, std::size_t count);
  /// The oldest `count` proposals without a place will not get one. False if all of them were of an
  /// earlier time in office, so that it says nothing of what is under way now.
  bool refused(std::size_t count, const error& why, group_time now);
  /// The entry is in the table.
  void applied(std::uint64_t index, std::uint64_t term, group_time now);

private:
  struct active_group {
    std::uint64_t life = 0;
    group_standing standing;
    /// Orders that it was given.
    std::uint64_t orders = 0;
    /// It could not go on: whoever asks is told why, until another replica leads.
    std::optional<group_answer> broken;
  };
  using completion = std::function<void(const result<void>&, group_time)>;
  struct queued_commit {
    std::string group;
    group_offsets offsets;
    /// Of the log, about.
    std::size_t bytes = 0;
    std::vector<errc> rows;
    std::function<void(commit_answer)> done;
  };

  // group_coordinator.cpp
  template <class Call>
  void act(Call call, group_time now);
  void act(list_groups_call call, group_time now);
  void act(fetch_offsets_call call, group_time now);
  [[nodiscard]] group_answer refuse_unless_leading() const;
  [[nodiscard]] active_group* find(std::string_view group);
  active_group& open(const std::string& group, group_time now);
  template <class What>
  void tell(active_group& group, What what, group_time now);
  /// Called first whenever somebody is heard or looked at: what lies between two of these times, if
  /// it is long, is the coordinator's own pause.
  void note_pause(group_time now);
  void note(const group_report& from, group_proposal proposal, group_time now);
  void note(const group_report& from, fenced_commit commit, group_time now);
  void note(const group_report& from, judged_removal removal, group_time now);
  void note(const group_report& from, judged_deletion deletion, group_time now);
  void note(const group_report& from, group_standing standing, group_time now);
  void note(const group_report& from, group_broken broken, group_time now);

  // Questions about a group without members.
  void act_inactive(join_call call, group_time now);
  void act_inactive(sync_call call, group_time now);
  void act_inactive(heartbeat_call call, group_time now);
  void act_inactive(leave_call call, group_time now);
  void act_inactive(commit_call call, group_time now);
  void act_inactive(delete_offsets_call call, group_time now);
  void act_inactive(describe_group_call call, group_time now);
  void act_inactive(delete_group_call call, group_time now);

  // group_offsets.cpp
  [[nodiscard]] static group_answer no_such_member();
  [[nodiscard]] static group_answer no_such_group(const std::string& group);
  void commit(commit_call call, group_time now);
  void flush_commits();
  void remove_offsets(delete_offsets_call call, std::vector<errc> rows);
  void remove_group(delete_group_call call);
  /// A commit of the group is decided.
  void forget_commit(const std::string& group);
  void expire_offsets(group_time now);
  void propose(group_command command, completion done);

  const group_table& table_;
  options options_;
  bool leads_ = false;
  std::int32_t leader_ = -1;
  std::map<std::string, active_group, std::less<>> active_;
  std::uint64_t last_life_ = 0;
  std::vector<std::variant<group_opening, group_dispatch>> orders_;
  proposal_queue<completion> pending_;
  std::vector<group_command> outbox_;
  /// Commits that wait for the entry that is under way: then they go together.
  std::vector<queued_commit> commits_;
  std::size_t commits_under_way_ = 0;
  /// Commits of each group that are not yet in the table.
  std::map<std::string, std::size_t, std::less<>> committing_;
  /// When somebody was heard or looked at last.
  std::int64_t awake_ms_ = 0;
  std::int64_t next_expiry_ms_ = 0;
};

} // namespace aqueduct::actors
