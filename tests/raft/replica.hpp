// A replica for tests: a core with a disk that loses what was not synced, a state machine, and
// every invariant checked around every call. Nothing happens by itself: the test decides which
// write completes, which load is answered, and when it crashes.
#pragma once

#include "raft/core.hpp"
#include "raft/invariants.hpp"

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace aqueduct::raft::test {

[[nodiscard]] payload payload_of(std::string_view text);
[[nodiscard]] std::string text_of(const payload& p);
[[nodiscard]] replica_id id_of(int node, std::uint64_t life = 0);
[[nodiscard]] membership voters_of(std::initializer_list<int> nodes);

/// How often a random test runs: a tenth under a sanitizer, which is slower by more than that.
[[nodiscard]] constexpr std::uint64_t rounds(std::uint64_t count) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return count / 10;
#else
  return count;
#endif
}

/// What is on disk, and the writes on their way to it.
class disk {
public:
  explicit disk(snapshot_meta base) : base_(std::move(base)) {}

  void submit(persist_request request) { pending_.push_back(std::move(request)); }
  [[nodiscard]] const std::deque<persist_request>& pending() const { return pending_; }
  /// The oldest write becomes durable. Returns its ticket.
  persist_ticket complete_one();
  /// Keeps the first `writes` of those under way and the first `parts` of the next; loses the rest.
  void crash(std::size_t writes, std::size_t parts);
  /// The entries of [begin, end), the first of them in any case, up to `bytes_max` of payload.
  [[nodiscard]] std::vector<entry> read(log_index begin, log_index end,
                                        std::size_t bytes_max) const;
  [[nodiscard]] bool has(entry_id id) const;
  [[nodiscard]] restored_state restore(log_index applied) const;
  [[nodiscard]] const hard_state& hard() const { return hard_; }
  [[nodiscard]] const snapshot_meta& base() const { return base_; }
  [[nodiscard]] const std::deque<entry>& entries() const { return entries_; }
  /// A log as it was left by former terms.
  void preload(hard_state hard, std::deque<entry> entries) {
    hard_ = hard;
    entries_ = std::move(entries);
  }
  void replace(snapshot_meta base) {
    base_ = std::move(base);
    entries_.clear();
  }

private:
  void carry_out(const persist_request& request, std::size_t parts);

  hard_state hard_;
  snapshot_meta base_;
  std::deque<entry> entries_;
  std::deque<persist_request> pending_;
};

/// What was ever committed, by any replica, in any life. An index never changes.
class ledger {
public:
  void record(const entry& e);
  [[nodiscard]] const std::map<log_index, std::pair<term_id, std::string>>& entries() const {
    return entries_;
  }

private:
  std::map<log_index, std::pair<term_id, std::string>> entries_;
};

class replica {
public:
  replica(core_options options, membership founders, ledger& committed);

  /// Makes a call, checks the invariants, and takes the effects in.
  void call(const std::function<effects(core&)>& input);
  propose_outcome propose(std::vector<std::string> batch,
                          std::optional<term_id> only_in = std::nullopt);
  change_outcome change(const membership_change& c);

  /// The oldest write becomes durable and the core is told.
  void complete_write();
  /// The oldest write becomes durable; the core is told later, by `tell_completion`.
  void complete_silently();
  /// Tells the core of the n-th completion that it does not know of.
  void tell_completion(std::size_t n);
  /// All writes, and what follows from them.
  void settle_disk();
  void apply_all();
  /// The state machine is durable up to what it has applied.
  void flush_state() { durable_applied_ = applied_; }
  void answer_load();
  void answer_loads();
  /// Everything that this replica can do by itself.
  void settle();
  /// Loses memory and the end of the disk's work, and starts again.
  void crash(std::size_t writes = 0, std::size_t parts = 0);
  void restart();
  /// Starts again with entries of these terms on disk, at 1, 2, ..., and a hard state of `term`.
  void preload(std::uint64_t term, const std::vector<std::uint64_t>& terms);
  /// Comes back without its disk, as another incarnation.
  void wipe();

  [[nodiscard]] core& node() { return *core_; }
  [[nodiscard]] const core& node() const { return *core_; }
  [[nodiscard]] disk& storage() { return disk_; }
  [[nodiscard]] log_index applied() const { return applied_; }
  [[nodiscard]] log_index durable_applied() const { return durable_applied_; }
  [[nodiscard]] std::vector<persist_ticket>& untold() { return untold_; }
  [[nodiscard]] std::deque<load_request>& loads() { return loads_; }
  [[nodiscard]] std::deque<entry>& unapplied() { return unapplied_; }
  /// Answers to reads since the last call.
  [[nodiscard]] std::vector<read_state> take_reads() { return std::exchange(reads_, {}); }
  [[nodiscard]] std::optional<snapshot_fetch>& fetch() { return fetch_; }
  /// The term of every entry of the log, from 1 on.
  [[nodiscard]] std::vector<std::uint64_t> terms() const;
  /// Payloads of `records` that the state machine has applied, in order.
  [[nodiscard]] const std::vector<std::string>& state() const { return state_; }
  /// Installs the state of `from` as the answer to a fetch.
  void install(const replica& from);

  /// Messages that left, oldest first.
  std::vector<outgoing> sent;
  /// Everything that the calls since the last clearing led to, printed.
  std::string printed;
  /// Hash of everything ever printed.
  std::uint64_t trace = 14695981039346656037ULL;
  core_options options;

private:
  void perform(effects out, const observation& before);
  void print(const std::string& line);

  ledger& ledger_;
  membership founders_;
  disk disk_;
  std::optional<core> core_;
  log_index applied_;
  log_index durable_applied_;
  std::vector<std::string> state_;
  /// `state_` as it was when it was durable last, by how many records it had.
  std::map<log_index, std::size_t> records_at_;
  std::deque<entry> unapplied_;
  std::deque<load_request> loads_;
  std::vector<persist_ticket> untold_;
  std::vector<read_state> reads_;
  std::optional<snapshot_fetch> fetch_;
  std::optional<snapshot_meta> installed_;
  std::uint64_t life_ = 0;
};

/// The effects as lines, in the order of the fields.
[[nodiscard]] std::vector<std::string> lines_of(const effects& out);

} // namespace aqueduct::raft::test
