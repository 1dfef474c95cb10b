// What the core asks its driver to do. Effects are the only way out of the core, and they come in
// the order of the calls that made them. raft/README.md has the loop that carries them out.
//
// A message that would promise something that is not yet on disk is not in here: the core keeps it
// and hands it out from `core::persisted`, so that no driver can send it early.
#pragma once

#include "raft/membership.hpp"
#include "raft/messages.hpp"
#include "raft/types.hpp"

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace aqueduct::raft {

/// Names one write. Tickets of one core are numbered without holes; those of another life of the
/// replica, whose completion arrives late, are told apart by `life`.
struct persist_ticket {
  std::uint64_t life = 0;
  std::uint64_t number = 0;

  friend constexpr auto operator<=>(const persist_ticket&, const persist_ticket&) = default;
};

/// One write. Its parts are carried out in this order, and all of them are durable before the
/// driver calls `core::persisted(ticket)`. Several may be under way; they reach the disk in the
/// order of their tickets. After a crash in the middle of a write any prefix of its parts may be
/// there.
struct persist_request {
  persist_ticket ticket;
  /// Replaces the hard state.
  std::optional<hard_state> hard;
  /// Every entry goes, and the log continues after this one: a snapshot was installed.
  std::optional<snapshot_meta> reset;
  /// Entries from here on go. Never at or below the commit index.
  std::optional<log_index> truncate_from;
  /// Follow the end of the log, in order.
  std::vector<entry> append;
  /// Entries up to this one are no longer needed, and may go now or later. What is here is what
  /// `restored_state::base` must be once the entries are gone.
  std::optional<snapshot_meta> compact;
};

/// Entries that are not in the core's memory. Answered once, by `core::loaded` or
/// `core::load_failed`.
struct load_request {
  /// Names this request among all of the core.
  std::uint64_t id = 0;
  /// Half-open: [begin, end). All of them are durable.
  log_index begin;
  log_index end;
  /// The answer holds at least one entry, and stops before it would exceed this many bytes of
  /// payload.
  std::size_t bytes_max = 0;
  /// For a replica that is behind; else for the state machine of this one.
  bool for_peer = false;
};

/// Answer to `core::read_index`.
struct read_state {
  std::uint64_t context = 0;
  /// A state that has applied up to here is fresh enough to answer the read. Nothing: leadership
  /// could not be confirmed, the read must be asked again, maybe elsewhere.
  std::optional<log_index> index;
};

/// The leader has no log that reaches back far enough. The driver obtains a state that has applied
/// at least `meta.last` from `from`, installs it durably, and calls `core::snapshot_installed` with
/// what it got, or `core::snapshot_failed`.
struct snapshot_fetch {
  replica_id from;
  snapshot_meta meta;
};

/// The leader as this replica knows it. Given whenever either part changes.
struct leader_change {
  std::optional<replica_id> leader;
  term_id term;
};

// -- events: what an operator or a test wants to know; nothing depends on them ------------------

struct role_changed {
  role_kind from;
  role_kind to;
  term_id term;
};
struct election_started {
  term_id term;
  bool pre_vote = false;
};
enum class refusal : std::uint8_t {
  older_term,
  log_behind,
  voted_for_other,
  leader_alive,
  not_a_member,
  previous_missing,
  malformed,
  /// Entries that were loaded are not those that the log had, or what was acknowledged is not
  /// there: the disk lost or changed something.
  damaged,
};
/// A request of `who` was refused, or something that it sent was ignored.
struct refused {
  replica_id who;
  term_id term;
  refusal why;
};
/// Entries from `from` on were replaced by those of the leader of `term`.
struct log_truncated {
  log_index from;
  term_id term;
};
struct membership_changed {
  log_index index;
  raft::membership membership;
};
/// A follower is asked to fetch a state: its next entry is no longer in the log.
struct follower_behind {
  replica_id who;
  log_index next;
};
/// A snapshot took the place of the log up to here.
struct snapshot_restored {
  entry_id last;
};
struct log_compacted {
  entry_id last;
};
/// A write failed. The replica no longer acknowledges, votes or leads until it is rebuilt.
struct replica_poisoned {
  persist_ticket ticket;
};
/// The leader gave up its office.
enum class resignation : std::uint8_t { quorum_lost, disk_stalled, removed, poisoned };
struct leader_resigned {
  term_id term;
  resignation why;
};
struct transfer_started {
  replica_id to;
};
struct transfer_aborted {
  replica_id to;
};
struct hibernated {};
struct woke_up {};

using event =
    std::variant<role_changed, election_started, refused, log_truncated, membership_changed,
                 follower_behind, snapshot_restored, log_compacted, replica_poisoned,
                 leader_resigned, transfer_started, transfer_aborted, hibernated, woke_up>;

/// What one call of the core leads to. Each part may be carried out in parallel with the others.
struct effects {
  /// May leave now. Order within one receiver matters for speed, not for safety.
  std::vector<outgoing> send;
  /// At most one per call.
  std::optional<persist_request> persist;
  /// Committed and durable here: to be applied in this order. Over the life of a core every index
  /// is handed out exactly once, without holes, from `restored_state::applied` + 1 on; a snapshot
  /// that is installed skips what it stands for.
  std::vector<entry> committed;
  std::vector<read_state> reads;
  std::vector<load_request> loads;
  std::optional<snapshot_fetch> fetch;
  std::optional<leader_change> leader;
  std::vector<event> events;

  [[nodiscard]] bool empty() const {
    return send.empty() && !persist && committed.empty() && reads.empty() && loads.empty() &&
           !fetch && !leader && events.empty();
  }
};

/// One line, for logs and goldens.
[[nodiscard]] std::string to_string(const event& e);
[[nodiscard]] std::string_view to_string(refusal why);
[[nodiscard]] std::string_view to_string(resignation why);

} // namespace aqueduct::raft
