// What replicas of a group say to each other, as plain structs. The group, the sender and the
// receiver are on the envelope that the transport makes; the bytes are made elsewhere. A transport
// may lose, repeat, delay and reorder messages, but must not alter them, and drops what is
// addressed to another incarnation of its node.
#pragma once

#include "raft/membership.hpp"
#include "raft/types.hpp"

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace aqueduct::raft {

/// "Would you vote for me?" Changes nothing at the receiver (Raft thesis 9.6).
struct pre_vote_request {
  /// The term that the sender would campaign in, one above its own.
  term_id term;
  /// End of the sender's log.
  entry_id last;
};

struct pre_vote_response {
  /// Granted: the term that was asked for. Refused: the term of the one who refuses.
  term_id term;
  bool granted = false;
};

/// Raft paper 5.2.
struct vote_request {
  term_id term;
  entry_id last;
  /// The leader itself asked for this election: it does not protect its leader (thesis 4.2.3).
  bool transfer = false;
};

struct vote_response {
  term_id term;
  bool granted = false;
};

/// Raft paper 5.3. Without entries: a probe whether `previous` is there.
struct append_request {
  term_id term;
  entry_id previous;
  /// Commit index of the leader.
  log_index commit;
  std::vector<entry> entries;
};

struct append_response {
  term_id term;
  /// `accepted`: the log of the sender equals the leader's up to `index`, durably. Otherwise:
  /// `index` is that of the `previous` which is not there.
  bool accepted = false;
  log_index index;
  /// Refused only: the last entry of the sender with a term and an index of at most those of the
  /// refused `previous`. Neither side has a common entry above it (fast back-off, paper 5.3).
  entry_id hint;
};

struct heartbeat_request {
  term_id term;
  /// At most what the receiver has acknowledged to this leader in this term (R7).
  log_index commit;
  /// Number of the newest round that reads wait for (thesis 6.4).
  std::uint64_t read_round = 0;
  /// Nothing more is coming: the receiver may sleep until it is woken.
  bool hibernate = false;
};

struct heartbeat_response {
  term_id term;
  std::uint64_t read_round = 0;
};

/// "What you lack is no longer in my log." The receiver fetches the state itself, over the way that
/// its driver has for bulk.
struct snapshot_offer {
  term_id term;
  /// The least that the receiver needs.
  snapshot_meta meta;
};

struct snapshot_response {
  term_id term;
  bool installed = false;
  /// Installed: index up to which the sender's state and log are now durable.
  log_index index;
};

/// "Campaign now, without a pre-vote" (thesis 3.10).
struct timeout_now {
  term_id term;
};

/// A follower asks its leader for a read index.
struct read_index_request {
  term_id term;
  std::uint64_t context = 0;
};

struct read_index_response {
  term_id term;
  std::uint64_t context = 0;
  /// False: could not be confirmed; `index` says nothing.
  bool confirmed = false;
  log_index index;
};

using message =
    std::variant<pre_vote_request, pre_vote_response, vote_request, vote_response, append_request,
                 append_response, heartbeat_request, heartbeat_response, snapshot_offer,
                 snapshot_response, timeout_now, read_index_request, read_index_response>;

/// A message and whom it is for.
struct outgoing {
  replica_id to;
  message body;
};

/// The term that a message names.
[[nodiscard]] term_id term_of(const message& m);
/// One line, for logs and goldens: "append-request term=2 previous=3@1 commit=3 entries=2".
[[nodiscard]] std::string to_string(const message& m);

} // namespace aqueduct::raft
