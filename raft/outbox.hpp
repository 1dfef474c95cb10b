// The writes that are under way and the messages that wait for them. This is where "never promise
// what is not on disk" is kept: a message goes in with what it depends on, and comes out when that
// is durable.
#pragma once

#include "raft/effects.hpp"
#include "raft/messages.hpp"
#include "raft/types.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

namespace aqueduct::raft {

class outbox {
public:
  /// What a message promises, and so what must be durable before it leaves.
  enum class after : std::uint8_t {
    /// Nothing that is not known to be durable: requests of a leader, pre-votes.
    nothing,
    /// The term and the vote.
    hard_state,
    /// The term, the vote and every entry appended so far.
    log,
  };

  /// `durable` is the end of the log on disk.
  outbox(std::uint64_t life, entry_id durable) : life_(life), durable_(durable) {}

  /// End of the durable log: the end of the last write that is durable together with all before it.
  [[nodiscard]] log_index durable_index() const { return durable_.index; }
  [[nodiscard]] entry_id durable() const { return durable_; }
  /// End of what was ever given to the disk.
  [[nodiscard]] log_index written_index() const { return written_.index; }
  /// The newest hard state is not yet durable.
  [[nodiscard]] bool hard_state_in_flight() const;
  /// Number of writes under way.
  [[nodiscard]] std::size_t in_flight() const { return writes_.size(); }
  /// Ticks since the oldest write under way was begun.
  [[nodiscard]] std::uint32_t oldest_write_ticks() const { return oldest_ticks_; }
  [[nodiscard]] std::size_t held_messages() const;

  /// Queues a message for the end of the call.
  void post(outgoing m, after when) { posted_.push_back({std::move(m), when}); }

  /// Begins a write after which the log on disk ends at `end`. `own_vote` is the term in which this
  /// write makes the replica's vote for itself durable.
  persist_ticket begin_write(entry_id end, bool with_hard_state, std::optional<term_id> own_vote);
  /// Entries from `from` on are replaced: no write that is under way counts for them any more, not
  /// even if the same entries come back (R4).
  void truncated(log_index from, entry_id new_end);
  /// The log was replaced and now ends at `end`; nothing of what is under way counts for it.
  void reset(entry_id end);

  /// Gives each posted message away, or to the write that it waits for.
  void deliver(std::vector<outgoing>& send);

  /// What became durable with a completion.
  struct completion {
    std::vector<outgoing> release;
    std::optional<term_id> own_vote;
    bool any = false;
  };
  /// Notes that a write is done. Releases what the done prefix of the writes carries.
  [[nodiscard]] completion completed(persist_ticket ticket);

  /// Nothing that waits will ever leave.
  void poison();
  void tick();

private:
  struct write {
    std::uint64_t number = 0;
    bool done = false;
    /// What the durable log ends at when this write is durable; never above a later truncation.
    entry_id end;
    bool counts = true;
    std::optional<term_id> own_vote;
    std::vector<outgoing> held;
  };
  struct posted {
    outgoing message;
    after when;
  };

  void hold(std::uint64_t number, outgoing m);

  std::uint64_t life_;
  std::uint64_t last_number_ = 0;
  /// The newest write with a hard state; 0 is none.
  std::uint64_t hard_state_number_ = 0;
  entry_id durable_;
  entry_id written_ = durable_;
  /// Under way, in order of their numbers, which have no holes.
  std::deque<write> writes_;
  std::vector<posted> posted_;
  std::uint32_t oldest_ticks_ = 0;
};

} // namespace aqueduct::raft
