// A consumer group while it is active, which is while it has members or is about to have some, and
// its coordinator leads: who is there, rebalances, and whether a commit is a member's. A state
// machine without clock or I/O: it is given orders, and says what it wants of its coordinator.
// Questions are answered through what came with them, and only when what they say is committed.
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
#include "actors/consumer_group/group_bounds.hpp"
#include "actors/consumer_group/group_traffic.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace aqueduct::actors {

class group_core {
public:
  struct options {
    group_limits bounds;
    /// How many partitions a topic has; nothing if it is not there.
    std::function<std::optional<std::int32_t>(std::string_view)> topic_size;
    /// Makes a member's id from the client's name.
    std::function<std::string(std::string_view)> new_member_id;
  };

  group_core(group_opening opening, options opts);

  void handle(group_order order);
  /// What the coordinator is to be told, in order.
  [[nodiscard]] std::vector<group_report> take_reports();
  /// It got its last order.
  [[nodiscard]] bool has_ended() const { return end_.has_value(); }

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
  using completion = std::function<void(const result<void>&, group_time)>;

  // group_core.cpp
  void take_over(const group_record& known, group_time now);
  void act(commit_call call, group_time now);
  void act(delete_offsets_call call, group_time now);
  void act(describe_group_call call, group_time now);
  void act(delete_group_call call, group_time now);
  void act(group_pause pause, group_time now);
  void act(group_look look, group_time now);
  void act(group_decided decided, group_time now);
  void act(group_unlist unlist, group_time now);
  void act(group_end end, group_time now);
  template <class What>
  void report(What what);
  void report_standing(bool is_asked);
  [[nodiscard]] group_standing standing() const;
  [[nodiscard]] std::int64_t next_look_ms() const;
  [[nodiscard]] bool is_over() const;
  /// Asks for an entry in the log.
  void propose(group_record record, completion done);
  [[nodiscard]] group_record record(std::int64_t emptied_ms) const;
  [[nodiscard]] group_answer check_member(const group_member_id& who, bool needs_generation) const;
  [[nodiscard]] bool is_subscribed(std::string_view topic) const;
  void put_out_the_late(group_time now);
  static void extend(live_member& who, group_time now);
  /// Lets the board answer the member's next heartbeats.
  void list(live_member& who) const;
  /// The board alone heard the member at that time, on the steady clock; 0: it did not.
  static void extend_as_heard(live_member& who, std::int64_t heard_ms);
  void leave_board();

  // group_rebalance.cpp
  void act(join_call call, group_time now);
  void act(sync_call call, group_time now);
  void act(heartbeat_call call, group_time now);
  void act(leave_call call, group_time now);
  [[nodiscard]] group_answer check_join(const join_call& call) const;
  /// The member that joins again, or whose place is taken; one that is not there: a new one.
  [[nodiscard]] const std::string& joining_as(const join_call& call) const;
  void admit(join_call call, group_time now);
  void rejoin(live_member& who, join_call call, group_time now);
  void replace_static(join_call call, group_time now);
  void prepare(group_time now);
  void prepare_first(group_time now);
  void complete_if_ready(group_time now);
  void complete_join(group_time now);
  void become_empty(group_time now);
  void record_empty(group_time now);
  void announce(std::int32_t generation, const result<void>& outcome, group_time now);
  void finish_sync(std::int32_t generation, const result<void>& outcome, group_time now);
  void assign_all(group_time now);
  /// Whether every partition of the group's topics is some member's.
  [[nodiscard]] bool is_all_given() const;
  [[nodiscard]] topic_sizes sizes() const;
  [[nodiscard]] bool is_coordinator_assigned() const;
  [[nodiscard]] std::string choose_protocol() const;
  void choose_leader();
  void answer_join(live_member& who) const;
  void answer_sync(live_member& who) const;
  void remove_member(const std::string& id);
  /// Members are gone: the others share what they had.
  void after_removal(group_time now);

  options options_;
  std::shared_ptr<heartbeat_board> board_;
  std::string id_;
  std::uint64_t life_;
  group_phase phase_ = group_phase::empty;
  std::string protocol_type_;
  std::int32_t generation_ = 0;
  std::string protocol_;
  std::string leader_;
  std::map<std::string, live_member> members_;
  /// By instance id, the member.
  std::map<std::string, std::string> instances_;
  /// Ids that were given out and not yet used; until when.
  std::map<std::string, std::int64_t> promised_;
  /// In preparing: when to go on without who is missing. In completing: when to put out who has not
  /// asked for its assignment.
  std::int64_t phase_deadline_ms_ = 0;
  /// In a first rebalance: when it is over unless more members come; 0 in others.
  std::int64_t delay_until_ms_ = 0;
  /// The latest that it may be put off to.
  std::int64_t delay_until_ms_max_ = 0;
  /// What the topics were like when they were assigned.
  topic_sizes topics_;
  std::int64_t next_topics_ms_ = 0;
  /// The leader's assignments are on their way into the log.
  bool is_assigning_ = false;
  /// Partitions wait for members to let go of them: when to ask everybody again; 0: none does.
  std::int64_t settle_deadline_ms_ = 0;
  /// The log's last word on the group is that it has members.
  bool is_known_with_members_ = false;
  /// Proposals that are not decided, by number.
  std::map<std::uint64_t, completion> proposals_;
  std::uint64_t last_proposal_ = 0;
  std::uint64_t orders_ = 0;
  std::vector<group_report> reports_;
  std::optional<group_standing> told_;
  std::optional<group_answer> end_;
};

} // namespace aqueduct::actors
