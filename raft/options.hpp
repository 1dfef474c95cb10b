// What a core is made from: its settings, and what was found on disk.
#pragma once

#include "raft/membership.hpp"
#include "raft/types.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace aqueduct::raft {

/// Settings of a core. Fixed for its life.
struct core_options {
  /// Who this replica is, in this life of its disk.
  replica_id self;
  /// Different for every core that was ever made of this replica within a process: completions of
  /// another life's writes are ignored.
  std::uint64_t life = 0;
  /// The same for all replicas of a group and different between groups: where the turns begin in
  /// which they stand for election after they lost their leader (`core::lost_contact`), so that the
  /// groups of one node do not all go to the same other one.
  std::uint64_t turn = 0;
  /// Of the election timeouts. Different for every replica, or they time out together.
  std::uint64_t seed = 0;
  /// A follower that hears nothing campaigns after this many ticks and up to as many again. At
  /// least 2, and more than `heartbeat_ticks`.
  std::uint32_t election_timeout_ticks = 10;
  /// At least 1.
  std::uint32_t heartbeat_ticks = 1;
  /// A leader goes to sleep after so many ticks without work, and its followers with it, so that
  /// nobody needs to tick them. 0 is never.
  std::uint32_t hibernate_after_ticks = 0;
  /// Proposals are refused as overloaded that would bring those which are not yet applied above
  /// this many bytes, unless there are none. At least 1.
  std::size_t pending_bytes_max = std::size_t{16} << 20;
  /// What is durable and applied is kept in memory by a leader, up to this many bytes, as long as a
  /// member lacks it. What is not yet durable, or on a leader not yet applied, is in memory in any
  /// case.
  std::size_t tail_bytes_max = std::size_t{4} << 20;
  /// What is durable and not yet applied is kept in memory by a follower, up to this many bytes; it
  /// drops what is beyond and loads it again to apply it. Below what its leader may have pending, a
  /// follower that is faster than the majority reads from the disk what it has just written.
  std::size_t unapplied_bytes_max = std::size_t{16} << 20;
  /// Size of a load, and of what is loaded but not yet applied. At least 1.
  std::size_t load_bytes_max = std::size_t{1} << 20;
  /// Payload of one append request, unless one entry alone is larger. At least 1.
  std::size_t append_bytes_max = std::size_t{1} << 20;
  /// Append requests to one follower that are not yet acknowledged. At least 1.
  std::uint32_t inflight_requests_max = 64;
  /// Their payload. At least 1.
  std::size_t inflight_bytes_max = std::size_t{16} << 20;
};

/// What is wrong with the options, as a sentence. Nothing when they are fine.
[[nodiscard]] std::optional<std::string> validate(const core_options& options);

/// What is durable of a replica when a core is made. The log itself is not here: of an entry that
/// is already on disk only the term is needed, and its payload is asked for when it commits.
struct restored_state {
  hard_state hard;
  /// The last entry that is not in the log, and the membership in force there. A new group starts
  /// at index 0, term 0, with the membership that it is founded with; a replica that joins a group,
  /// or comes back without its disk, with an empty one.
  snapshot_meta base;
  /// The terms of the log from `base.last.index` + 1 on, ascending; the first run starts there.
  std::vector<term_run> terms;
  /// End of the log. `base.last.index` when it is empty.
  log_index last;
  /// The membership entries that stand in the log, ascending.
  std::vector<membership_entry> memberships;
  /// What is known to be committed, at most `last`. Only a hint: 0 costs time, not safety.
  log_index commit;
  /// What the state machine has applied durably: from `base.last.index` to `last`. The first entry
  /// that the core hands out is the one after it.
  log_index applied;
};

/// What is wrong with the state, as a sentence. Nothing when it can be that of a replica.
[[nodiscard]] std::optional<std::string> validate(const restored_state& state);

/// Why a core was not made: the options or the restored state contradict themselves. The latter
/// means that the disk lost or changed something: the replica must not take part until repaired.
struct invalid_state {
  std::string reason;
};

} // namespace aqueduct::raft
