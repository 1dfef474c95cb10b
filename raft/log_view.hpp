// The log as the core sees it: where it begins and ends, the term of every entry, and the payloads
// of the last few. Never reads: what is not in memory is somebody else's to load.
#pragma once

#include "raft/types.hpp"

#include <cstddef>
#include <deque>
#include <optional>
#include <span>
#include <vector>

namespace aqueduct::raft {

class log_view {
public:
  /// A log that begins after `base` and ends at `last`, all of it on disk and none in memory.
  /// Precondition: `terms` describes exactly (base, last].
  log_view(entry_id base, std::vector<term_run> terms, log_index last);

  /// The entry before the first; {0, 0} for a log that was never compacted.
  [[nodiscard]] entry_id base() const { return base_; }
  /// The last entry, or `base` of an empty log.
  [[nodiscard]] entry_id last() const { return last_; }
  /// The term of an entry from `base` to `last`; nothing outside.
  [[nodiscard]] std::optional<term_id> term_at(log_index index) const;
  /// True if the log has this very entry, or has compacted exactly up to it.
  [[nodiscard]] bool has(entry_id id) const { return term_at(id.index) == id.term; }
  /// The last entry with an index and a term of at most those of `id`. Where two logs agree, they
  /// agree on an entry that is not above it (paper 5.3, last paragraph but one). {0, 0} when the
  /// answer lies below `base`.
  [[nodiscard]] entry_id last_common_candidate(entry_id id) const;
  [[nodiscard]] const std::deque<term_run>& terms() const { return runs_; }

  /// The first entry whose payload is in memory: `last` + 1 when there is none. The entries in
  /// memory are always the end of the log.
  [[nodiscard]] log_index tail_begin() const { return last_.index.next() - tail_.size(); }
  /// Precondition: tail_begin() <= index <= last().index.
  [[nodiscard]] const entry& at(log_index index) const;
  /// Copies of [begin, end), which must be in memory, as many as fit in `bytes_max` of charge but
  /// at least one.
  [[nodiscard]] std::vector<entry> copy(log_index begin, log_index end,
                                        std::size_t bytes_max) const;
  /// Charge of all entries in memory.
  [[nodiscard]] std::size_t tail_bytes() const { return tail_bytes_; }
  /// Charge of the entries in memory that are not applied.
  [[nodiscard]] std::size_t bytes_above_applied() const { return bytes_above_applied_; }

  /// Precondition: index follows the last one's, term is not below it.
  void append(entry e);
  /// Removes the entries from `from` on. Precondition: base < from.
  void truncate_from(log_index from);
  /// Removes the entries up to `upto`. Precondition: in [base, last].
  void compact(log_index upto);
  /// Removes every entry; the log continues after `base`.
  void reset(entry_id base);
  /// Entries up to here count as applied. Never goes back.
  void applied(log_index upto);
  /// Forgets payloads from the front up to `upto`, until at most `bytes_max` are in memory.
  void forget(log_index upto, std::size_t bytes_max);

private:
  void forget_first();

  entry_id base_;
  entry_id last_;
  /// Of (base, last]. Invariant: ascending in term and index; empty exactly when the log is.
  std::deque<term_run> runs_;
  /// The end of the log.
  std::deque<entry> tail_;
  std::size_t tail_bytes_ = 0;
  log_index applied_;
  /// Invariant: charge of the entries of `tail_` above `applied_`.
  std::size_t bytes_above_applied_ = 0;
};

} // namespace aqueduct::raft
