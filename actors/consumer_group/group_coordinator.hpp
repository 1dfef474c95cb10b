// The coordinator of the groups of one partition, while it leads: who is there, rebalances, and
// what is to be proposed to the log. A state machine without clock or I/O: it is given requests,
// the time and what became of its proposals, and says what to propose. Requests are answered
// through what came with them, and only when what they say is committed.
//
//            join                    all joined, or too late             assigned
//   empty ---------> preparing -----------------------------> completing ----------> stable
//     ^                 ^ |  ^                                    |                     |
//     |                 | |  '------- join, leave, expired -------'---------------------'
//     '---- nobody is left
//
// A group of which a member is `coordinator_assigned` goes from preparing to stable in one entry of
// the log; else the member that leads assigns, as in Kafka's classic protocol. What a generation
// is, is in the log before any member hears of it: two leaders never give one generation twice.
// Members' sessions are the leader's own: who leads next grants every member a new one, and a
// rebalance that was under way begins anew.
#pragma once

#include "actors/consumer_group/assignors.hpp"
#include "actors/consumer_group/group_calls.hpp"
#include "actors/consumer_group/group_table.hpp"
#include "actors/consumer_group/heartbeat_board.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace aqueduct::actors {

/// The two clocks, in milliseconds.
struct group_time {
  std::int64_t steady_ms = 0;
  std::int64_t wall_ms = 0;
};

class group_coordinator {
public:
  struct limits {
    std::int32_t session_ms_min = 1000;
    std::int32_t session_ms_max = 1'800'000;
    /// How long the first rebalance of a group waits for more members.
    std::int32_t initial_delay_ms = 200;
    std::size_t members_max = 5000;
    /// Of one member: everything that it says about itself.
    std::size_t member_bytes_max = 256 * 1024;
    /// The same of all members of a group.
    std::size_t members_bytes_max = std::size_t{4} << 20;
    /// What the members of a group are assigned, all together.
    std::size_t assignments_bytes_max = std::size_t{4} << 20;
    std::size_t offset_metadata_bytes_max = 4096;
    /// How long an offset is kept after the group's last member left and after its commit.
    std::int64_t retention_ms = std::int64_t{7} * 24 * 3600 * 1000;
    /// Of the offsets in one entry of the log, and so in one commit, or one removal of offsets.
    std::size_t offsets_bytes_max = std::size_t{1} << 20;

    /// Keeps entries of the log to half of a frame between nodes.
    void fit_frames(std::uint64_t frame_bytes) {
      for (auto* bytes : {&members_bytes_max, &assignments_bytes_max, &offsets_bytes_max})
        *bytes = static_cast<std::size_t>(std::min<std::uint64_t>(*bytes, frame_bytes / 4));
    }
  };
  struct options {
    std::int32_t node = 0;
    limits bounds;
    /// How many partitions a topic has; nothing if it is not there.
    std::function<std::optional<std::int32_t>(std::string_view)> topic_size;
    /// Whether the topic of that id was deleted for good.
    std::function<bool(const uuid&)> is_gone;
    /// Makes a member's id from the client's name.
    std::function<std::string(std::string_view)> new_member_id;
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

  /// Ends what has taken too long.
  void tick(group_time now);
  /// Whether somebody has to be watched: then `tick` is due every 100 ms, else once a minute.
  [[nodiscard]] bool is_restless() const { return !live_.empty(); }

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
  struct live_member {
    member_record record;
    std::int64_t session_deadline_ms = 0;
    /// From its first heartbeat in a stable group until that is over.
    heartbeat_board::listing listing;
    std::function<void(join_answer)> join;
    bool knows_skipping = false;
    std::function<void(sync_answer)> sync;
    /// Has yet to ask for its assignment in this generation.
    bool owes_sync = false;
  };
  struct live_group {
    std::string id;
    group_phase phase = group_phase::empty;
    std::string protocol_type;
    std::int32_t generation = 0;
    std::string protocol;
    std::string leader;
    std::map<std::string, live_member> members;
    /// By instance id, the member.
    std::map<std::string, std::string> instances;
    /// Ids that were given out and not yet used; until when.
    std::map<std::string, std::int64_t> promised;
    /// In preparing: when to go on without who is missing. In completing: when to put out who has
    /// not asked for its assignment.
    std::int64_t phase_deadline_ms = 0;
    /// In a first rebalance: when it is over unless more members come; 0 in others.
    std::int64_t delay_until_ms = 0;
    /// The latest that it may be put off to.
    std::int64_t delay_until_ms_max = 0;
    /// What the topics were like when they were assigned.
    topic_sizes topics;
    /// The leader's assignments are on their way into the log.
    bool is_assigning = false;
    /// Entries on their way into the log which say that nobody is left.
    std::size_t empties_under_way = 0;
    /// Partitions wait for members to let go of them: when to ask everybody again; 0: none does.
    std::int64_t settle_deadline_ms = 0;
  };
  using completion = std::function<void(const result<void>&, group_time)>;
  struct pending_proposal {
    std::uint64_t index = 0;
    std::uint64_t term = 0;
    completion done;
  };
  struct queued_commit {
    std::string group;
    group_offsets offsets;
    /// Of the log, about.
    std::size_t bytes = 0;
    std::vector<errc> rows;
    std::function<void(commit_answer)> done;
  };

  // group_coordinator.cpp
  void act(commit_call call, group_time now);
  void act(fetch_offsets_call call, group_time now);
  void act(delete_offsets_call call, group_time now);
  void act(list_groups_call call, group_time now);
  void act(describe_group_call call, group_time now);
  void act(delete_group_call call, group_time now);
  [[nodiscard]] group_answer refuse_unless_leading() const;
  [[nodiscard]] live_group* find(std::string_view group);
  live_group& open(const std::string& group);
  [[nodiscard]] static group_record record_of(const live_group& group, std::int64_t emptied_ms);
  void propose(group_command command, completion done);
  void flush_commits();
  /// Of `count` answers to proposals: how many are to some that were given up.
  [[nodiscard]] std::size_t skip_abandoned(std::size_t count);
  void complete(pending_proposal proposal, const result<void>& outcome, group_time now);
  [[nodiscard]] group_answer check_member(live_group& group, const group_member_id& who,
                                          bool needs_generation) const;
  /// A commit of the group is decided.
  void forget_commit(const std::string& group);
  void expire_offsets(group_time now);
  /// Called first whenever somebody is heard or looked at: what lies between two of these times, if
  /// it is long, is the coordinator's own pause.
  void note_pause(group_time now);

  // group_bounds.cpp
  /// Bytes in an entry of the log, about.
  [[nodiscard]] static std::size_t bytes_of(const group_offsets& commit);
  [[nodiscard]] static std::size_t bytes_of(const remove_offsets_command& removal);
  [[nodiscard]] group_answer check_offsets(std::size_t bytes) const;
  [[nodiscard]] group_answer check_assigned(std::size_t bytes) const;
  /// Whether the member, and the group with it, may say so much.
  [[nodiscard]] group_answer check_said(const join_call& call) const;
  /// The member that joins again, or whose place is taken; one that is not there: a new one.
  [[nodiscard]] static const std::string& joining_as(const live_group& group,
                                                     const join_call& call);

  // group_rebalance.cpp
  void act(join_call call, group_time now);
  void act(sync_call call, group_time now);
  void act(heartbeat_call call, group_time now);
  void act(leave_call call, group_time now);
  [[nodiscard]] group_answer check_join(const join_call& call) const;
  void admit(live_group& group, join_call call, group_time now);
  void rejoin(live_group& group, live_member& member, join_call call, group_time now);
  void replace_static(live_group& group, join_call call, group_time now);
  void prepare(live_group& group, group_time now);
  void prepare_first(live_group& group, group_time now);
  void complete_if_ready(live_group& group, group_time now);
  void complete_join(live_group& group, group_time now);
  void become_empty(live_group& group, group_time now);
  void record_empty(live_group& group, group_time now);
  void announce(const std::string& group, std::int32_t generation, const result<void>& outcome,
                group_time now);
  void finish_sync(const std::string& group, std::int32_t generation, const result<void>& outcome,
                   group_time now);
  void assign_group(live_group& group, group_time now);
  /// Whether every partition of the group's topics is some member's.
  [[nodiscard]] static bool is_all_given(const live_group& group);
  [[nodiscard]] topic_sizes sizes_for(const live_group& group) const;
  [[nodiscard]] static bool is_coordinator_assigned(const live_group& group);
  [[nodiscard]] static std::string choose_protocol(const live_group& group);
  void choose_leader(live_group& group) const;
  void answer_join(live_group& group, live_member& member) const;
  void answer_sync(live_group& group, live_member& member) const;
  static void remove_member(live_group& group, const std::string& member, errc why);
  /// Members are gone: the others share what they had.
  void after_removal(live_group& group, group_time now);
  static void extend(live_member& member, group_time now);
  /// Lets the board answer the member's next heartbeats.
  void list(live_group& group, live_member& member) const;
  /// The board alone heard the member at that time, on the steady clock; 0: it did not.
  static void extend_as_heard(live_member& member, std::int64_t heard_ms);
  static void leave_board(live_group& group);
  /// Time passed in which nobody could be heard: it does not count.
  static void extend_all(live_group& group, std::int64_t pause_ms, group_time now);
  void tick_group(live_group& group, group_time now);
  void drop_if_idle(const std::string& group);

  const group_table& table_;
  options options_;
  bool leads_ = false;
  std::int32_t leader_ = -1;
  /// Groups with members, or about to have some.
  std::map<std::string, live_group, std::less<>> live_;
  /// Oldest first; the first `placed_` have their index.
  std::deque<pending_proposal> pending_;
  std::size_t placed_ = 0;
  /// Proposals that were given up before it was said whether they get a place; they are the oldest
  /// of those of which it is not.
  std::size_t abandoned_ = 0;
  std::vector<group_command> outbox_;
  /// Commits that wait for the entry that is under way: then they go together.
  std::vector<queued_commit> commits_;
  std::size_t commits_under_way_ = 0;
  /// Commits of each group that are not yet in the table.
  std::map<std::string, std::size_t, std::less<>> committing_;
  /// When somebody was heard or looked at last.
  std::int64_t awake_ms_ = 0;
  std::int64_t next_topics_ms_ = 0;
  std::int64_t next_expiry_ms_ = 0;
};

} // namespace aqueduct::actors
