// The consensus core of one replica of one group: Raft (Ongaro and Ousterhout 2014, and Ongaro's
// thesis) as a deterministic state machine. Inputs are calls, outputs are `effects`. It has no
// clock (ticks are calls), no thread, no I/O and no randomness but its own seeded generator: the
// same calls give the same effects, on every machine.
//
// It is a value, owned by one actor; nothing in it is shared but payload bytes. This header is the
// interface and the state; the rules are in files by concern, core.cpp only dispatches.
// raft/README.md has the driving loop.
#pragma once

#include "raft/effects.hpp"
#include "raft/generator.hpp"
#include "raft/log_view.hpp"
#include "raft/membership.hpp"
#include "raft/membership_log.hpp"
#include "raft/messages.hpp"
#include "raft/options.hpp"
#include "raft/outbox.hpp"
#include "raft/role.hpp"
#include "raft/types.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <variant>
#include <vector>

namespace aqueduct::raft {

/// What is to become an entry. `kind` is `records` or `command`.
struct proposal {
  entry_kind kind = entry_kind::records;
  payload body;
};

/// The proposals stand in the leader's log at `first`, `first` + 1, ... with `term`. They are
/// committed when `effects::committed` hands out those indexes *with that term*; an index that
/// comes with another term says that the proposal there is lost (R5).
struct proposal_accepted {
  log_index first;
  term_id term;
};
/// Nothing was appended: this replica does not lead, or not in the term that was asked for.
struct proposal_not_leader {
  /// The leader to try, if one is known. Never this replica itself.
  std::optional<replica_id> leader;
};
/// Nothing was appended: too much is pending (`core_options::pending_bytes_max`), or leadership is
/// being transferred. To be tried again.
struct proposal_overloaded {};

struct [[nodiscard]] propose_outcome {
  std::variant<proposal_accepted, proposal_not_leader, proposal_overloaded> answer;
  effects then;
};

/// Answer to `change_membership`.
struct [[nodiscard]] change_outcome {
  enum class answer_kind : std::uint8_t {
    /// Appended; in force at once, done when it commits.
    accepted,
    not_leader,
    /// Another change, or the first entry of this leader, is not yet committed (thesis 4.1 and the
    /// bug of 2015 in it), or the learner to be promoted has not caught up. To be tried again.
    not_ready,
    /// The change does not apply to the membership.
    invalid,
  };
  answer_kind answer = answer_kind::invalid;
  /// Accepted: where the change stands.
  entry_id at;
  effects then;
};

class core {
public:
  /// Builds a replica from what is on its disk, as a follower. Effects that follow from it at once
  /// (a first load) come with the first call.
  [[nodiscard]] static std::variant<core, invalid_state> create(const core_options& options,
                                                                restored_state state);

  // -- inputs -----------------------------------------------------------------------------------

  /// A message of another replica, addressed to this one. Malformed or stale ones are ignored.
  [[nodiscard]] effects step(replica_id from, message m);
  /// One unit of time has passed. Need not be called while `is_hibernating()`.
  [[nodiscard]] effects tick();
  /// Appends a batch, all or nothing. With `only_in`, only if this replica leads in that term: a
  /// batch that was prepared under one leadership never ends up under another.
  /// Precondition: no kind is `noop` or `membership`.
  propose_outcome propose(std::vector<proposal> batch, std::optional<term_id> only_in = {});
  /// The write is durable. Completions may arrive in any order and more than once; they count as
  /// a prefix of the tickets. A ticket of another life is ignored.
  [[nodiscard]] effects persisted(persist_ticket ticket);
  /// The write failed. What is on disk is unknown from now on, so the replica is poisoned: it
  /// never acknowledges, votes, commits or leads again. Rebuild it from the disk after
  /// verification.
  [[nodiscard]] effects persist_failed(persist_ticket ticket);
  /// The state machine has applied everything up to here (it need not be durable there).
  /// An index below that of an earlier call is ignored. Precondition: not above what was handed
  /// out.
  [[nodiscard]] effects applied(log_index upto);
  /// Starts an election now; leads as soon as its own vote is durable if it is the only voter.
  /// Nothing happens if it leads already, is no voter, or is poisoned. Wakes it up.
  [[nodiscard]] effects campaign();
  /// Hands leadership to a voter: stops taking proposals, waits until it has the whole log, and has
  /// it campaign. Given up, with an event, after an election timeout, or at once if it cannot be.
  [[nodiscard]] effects transfer_leadership(replica_id to);
  /// Appends a change of one replica.
  change_outcome change_membership(const membership_change& change);
  /// Asks for an index that makes a read linearizable. Answered exactly once, in this call's
  /// effects or a later one's, by a `read_state` with this context.
  [[nodiscard]] effects read_index(std::uint64_t context);
  /// Answers a `load_request` with entries from its `begin` on, in order.
  [[nodiscard]] effects loaded(std::uint64_t id, std::vector<entry> entries);
  /// The entries of a `load_request` cannot be read, now or for ever. A leader has that follower
  /// fetch a state instead if they are compacted; entries of its own that it needs to apply are
  /// asked for again with the next tick.
  [[nodiscard]] effects load_failed(std::uint64_t id);
  /// Gives up the entries up to `upto`: a durable state stands for them. Already given up: nothing.
  /// Precondition: `upto` is at most what `applied` was told.
  [[nodiscard]] effects compact(log_index upto);
  /// A state of `meta` has been installed durably, after a `snapshot_fetch`.
  [[nodiscard]] effects snapshot_installed(snapshot_meta meta);
  /// The fetch did not succeed. The leader will offer again.
  [[nodiscard]] effects snapshot_failed();
  /// Ticks resume, for the group may be needed or its leader's node may be gone.
  [[nodiscard]] effects wake();
  /// The driver lost its link to a node: ticks resume, and if the leader is there, this replica no
  /// longer vouches for it and stands for election before the silence is as long as a timeout.
  /// Those that remain take turns, so that they do not split the vote. A leader that others still
  /// hear is not disturbed: the pre-vote fails. A hint, like every timeout: safety does not depend
  /// on it.
  [[nodiscard]] effects lost_contact(node_id node);

  /// The driver cannot go on with this replica, which is poisoned from here on. If it led, who has
  /// most may start at once: the followers may sleep, and its node is not gone. Returns nothing but
  /// what is to be sent and told.
  [[nodiscard]] effects retire();

  // -- observers --------------------------------------------------------------------------------

  [[nodiscard]] const core_options& options() const { return options_; }
  [[nodiscard]] replica_id self() const { return options_.self; }
  [[nodiscard]] role_kind role() const { return static_cast<role_kind>(role_.index()); }
  [[nodiscard]] bool is_leader() const { return role() == role_kind::leader; }
  [[nodiscard]] term_id term() const { return hard_.term; }
  [[nodiscard]] const hard_state& hard() const { return hard_; }
  /// The leader of this term, if it is known; this replica itself if it leads.
  [[nodiscard]] std::optional<replica_id> leader() const;
  /// Everything up to here is decided. Monotone. May run ahead of what is durable here.
  [[nodiscard]] log_index commit_index() const { return commit_; }
  /// What `applied` was told last.
  [[nodiscard]] log_index applied_index() const { return applied_; }
  /// End of what was handed out in `effects::committed`. applied <= handed out <= commit.
  [[nodiscard]] log_index handed_out_index() const { return handed_out_; }
  /// End of the log in memory's view, durable or not.
  [[nodiscard]] log_index last_index() const { return log_.last().index; }
  /// The first entry that is still there: one above the compaction point.
  [[nodiscard]] log_index first_index() const { return log_.base().index.next(); }
  /// End of what is durable of the log.
  [[nodiscard]] log_index durable_index() const { return outbox_.durable_index(); }
  /// The log without payloads: terms, compaction point, tail.
  [[nodiscard]] const log_view& log() const { return log_; }
  /// In force: the last one in the log, committed or not (thesis 4.1).
  [[nodiscard]] const membership& members() const { return members_.latest(); }
  [[nodiscard]] const membership_log& member_log() const { return members_; }
  /// What a snapshot of a state that has applied up to `index` has to name.
  /// Precondition: first_index() - 1 <= index <= commit_index().
  [[nodiscard]] snapshot_meta meta_at(log_index index) const;
  /// How far each other member is, as far as a leader knows. Empty otherwise.
  [[nodiscard]] std::span<const progress> followers() const;
  [[nodiscard]] bool is_poisoned() const { return poisoned_; }
  /// Asleep: no tick is needed until any other input comes.
  [[nodiscard]] bool is_hibernating() const { return hibernating_; }
  /// Bytes of proposals and other entries that are in memory and not yet applied.
  [[nodiscard]] std::size_t pending_bytes() const { return log_.bytes_above_applied(); }
  [[nodiscard]] const outbox& writes() const { return outbox_; }

private:
  core(const core_options& options, restored_state state);

  // -- core.cpp: dispatch and what all rules share ----------------------------------------------
  [[nodiscard]] bool wakes(replica_id from, const message& m) const;
  bool adopt_term(replica_id from, const message& m);
  void answer_older_term(replica_id from, const message& m);
  void dispatch(replica_id from, message m);
  void refuse(replica_id who, term_id term, refusal why);
  void send(replica_id to, message m, outbox::after when);
  [[nodiscard]] persist_request& draft();
  void rouse();
  [[nodiscard]] effects finish();
  void begin_write();
  void note_leader();
  void compact_log(log_index upto);
  template <class Event>
  void emit(Event e) {
    out_.events.emplace_back(std::move(e));
  }
  template <class Visitor>
  void for_each_other_voter(Visitor visit) const {
    for (const auto& who : members().voters) {
      if (who != options_.self)
        visit(who);
    }
  }
  template <class Visitor>
  void for_each_other_member(Visitor visit) const {
    for_each_other_voter(visit);
    for (const auto& who : members().learners) {
      if (who != options_.self)
        visit(who);
    }
  }

  // -- applying.cpp -----------------------------------------------------------------------------
  void hand_out();
  [[nodiscard]] bool is_what_was_asked_for(log_index begin, log_index end,
                                           const std::vector<entry>& entries) const;
  void apply_loaded(std::vector<entry> entries);
  void trim_tail();

  // -- election.cpp -----------------------------------------------------------------------------
  template <class State>
  void enter(State next);
  void become_follower(term_id term, std::optional<replica_id> leader);
  void become_pre_candidate();
  void become_candidate();
  void become_leader();
  [[nodiscard]] std::uint32_t draw_timeout();
  [[nodiscard]] bool may_campaign() const;
  [[nodiscard]] bool may_vote() const;
  [[nodiscard]] bool protects_leader() const;
  void tick_election();
  [[nodiscard]] std::uint32_t turn_after(replica_id leader) const;
  void start_election(bool transfer);
  void run_election(bool transfer);
  void own_vote_durable(term_id term);
  void count_vote(replica_id from, bool granted);
  [[nodiscard]] std::optional<refusal> reason_to_refuse_vote(entry_id last) const;
  void on(replica_id from, const pre_vote_request& m);
  void on(replica_id from, const pre_vote_response& m);
  void on(replica_id from, const vote_request& m);
  void on(replica_id from, const vote_response& m);
  void on(replica_id from, const timeout_now& m);

  // -- replication.cpp: the leader's side -------------------------------------------------------
  [[nodiscard]] bool exceeds_pending_limit(const std::vector<proposal>& batch) const;
  void append_own(entry_kind kind, payload body);
  void append_first_own();
  void broadcast_append();
  void send_append(progress& to, bool even_if_empty);
  void send_entries(progress& to, std::vector<entry> entries);
  void request_peer_load(progress& to);
  void peer_loaded(progress& to, std::vector<entry> entries);
  void offer_snapshot(progress& to);
  void broadcast_heartbeat(bool hibernate);
  void advance_commit();
  [[nodiscard]] progress* peer_of(replica_id from);
  void on(replica_id from, const append_response& m);
  void on(replica_id from, const heartbeat_response& m);
  void on(replica_id from, const snapshot_response& m);

  // -- office.cpp -------------------------------------------------------------------------------
  void tick_leader();
  [[nodiscard]] bool keeps_office();
  void resign(resignation why);
  [[nodiscard]] bool is_idle() const;
  void fall_asleep();
  void continue_transfer();
  void abort_transfer();

  // -- follower.cpp: the follower's side --------------------------------------------------------
  [[nodiscard]] bool follow(replica_id from);
  void on(replica_id from, append_request&& m);
  void skip_committed(log_slice& slice);
  void take_entries(log_slice slice);
  void truncate_log(log_index from);
  void commit_to(log_index index);
  void on(replica_id from, const heartbeat_request& m);

  // -- snapshot.cpp -----------------------------------------------------------------------------
  void on(replica_id from, const snapshot_offer& m);
  void answer_installed(replica_id to);
  void replace_log(snapshot_meta meta);

  // -- reads.cpp --------------------------------------------------------------------------------
  void ask_read(std::uint64_t context, std::optional<replica_id> asker);
  void start_waiting_reads();
  [[nodiscard]] std::uint64_t confirmed_round();
  void release_reads();
  void answer_read(const pending_read& read, bool confirmed);
  void fail_reads();
  void expire_reads();
  void on(replica_id from, const read_index_request& m);
  void on(replica_id from, const read_index_response& m);

  // -- reconfiguration.cpp ----------------------------------------------------------------------
  [[nodiscard]] bool ready_for_change(const leader_state& l, const membership_change& change) const;
  void append_members(membership m);
  void adopt_members(log_index index, membership m);
  void update_peers();

  core_options options_;
  generator random_;
  /// Invariant: the term is at least that of the last entry.
  hard_state hard_;
  bool hard_dirty_ = false;
  log_view log_;
  membership_log members_;
  /// Invariant: applied_ <= handed_out_ <= commit_ <= log_.last().index, all monotone.
  log_index commit_;
  log_index applied_;
  log_index handed_out_;
  std::variant<follower_state, pre_candidate_state, candidate_state, leader_state> role_;
  outbox outbox_;
  /// The load that the next committed entries wait for.
  std::optional<load_request> apply_load_;
  bool apply_load_retry_ = false;
  std::uint64_t next_load_id_ = 1;
  /// A fetch is under way; its `from` gets the answer.
  std::optional<snapshot_fetch> fetching_;
  /// What the driver was told last.
  std::optional<replica_id> told_leader_;
  term_id told_term_;
  bool poisoned_ = false;
  bool hibernating_ = false;
  /// Effects of the call that is being carried out.
  effects out_;
};

} // namespace aqueduct::raft
