// What one storage actor drives: the logs of the groups that belong to it. A plain class without a
// thread or a clock of its own; everything is called by one thread but the readers it hands out.
//
// An append is durable in this order: hard states of all groups (one synced write), then per group
// the entries with one gathered write per segment, then one sync per file.
#pragma once

#include "storage/disk.hpp"
#include "storage/file_cache.hpp"
#include "storage/group_state.hpp"
#include "storage/hard_state.hpp"
#include "storage/kv.hpp"
#include "storage/log_entry.hpp"
#include "storage/log_reader.hpp"
#include "storage/segment_log.hpp"

#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

namespace aqueduct::storage {

/// When `flush` calls an append done.
enum class flush_mode : std::uint8_t {
  /// After the sync.
  commit,
  /// After the write; `sync_dirty` is called now and then. A power cut loses what came after.
  interval,
  /// After the write; the system writes back when it likes. Power cuts lose minutes.
  os,
};

struct store_options {
  /// The node's data directory; groups live in its folder "groups".
  std::string directory;
  flush_mode flush = flush_mode::commit;
  /// `accepts_writes` turns false when less than this is free.
  std::uint64_t reserve_bytes = std::uint64_t{256} << 20;
  /// Open files of closed segments.
  std::size_t read_files_max = 512;
  /// Files of groups without traffic for so long are closed by `maintain`.
  std::int64_t idle_close_ms = 60'000;
  /// `maintain` records how far a log is durable when it has grown by so much since the last time:
  /// what is read again after a crash.
  std::uint64_t mark_bytes = std::uint64_t{4} << 20;
  /// Where files go that a trim has deleted.
  file_release release;
};

/// What is known of a group when it is opened. Everything in it is durable.
struct opened_group {
  /// Nothing for a group that never wrote any.
  std::optional<hard_state> hard;
  /// The last entry that is not in the log, and what its owner left there (`log_base::data`).
  log_base base;
  /// Of the entries in the log, ascending; the first run begins with `base.index` + 1.
  std::vector<term_run> terms;
  /// `base.index` and `base.term` if the log is empty.
  std::uint64_t last_index = 0;
  std::uint64_t last_term = 0;
  /// The membership entries in the log, ascending.
  std::vector<log_entry> memberships;
  offset_t start_offset{};
  offset_t next_offset{};
  /// As `read_applied_index`. Above the end of the log when a state was installed whose entries
  /// have not come yet.
  std::uint64_t applied_index = 0;
  /// How much of the log is known to be in the state, and so to be committed: `applied_index`, but
  /// for a state that was installed and of whose last entry the log knows nothing yet.
  std::uint64_t applied_in_log = 0;
  std::shared_ptr<log_reader> reader;
  recovery_report recovery;
};

/// One write of one group. Its parts happen in the order of the fields.
struct append_batch {
  group_id group;
  /// Chosen by the caller, returned in the outcome.
  std::uint64_t ticket = 0;
  std::optional<hard_state> hard;
  /// The log becomes empty and continues after this entry: a snapshot was installed.
  std::optional<log_base> reset;
  /// Entries from here on go.
  std::optional<std::uint64_t> truncate_from;
  /// Follow the end of the log without a hole.
  std::vector<log_entry> entries;
};

struct append_outcome {
  group_id group;
  std::uint64_t ticket = 0;
  /// Success: everything in the batch is durable (mode `commit`) or written (other modes).
  /// storage_full: nothing of the entries is there, the batch can be tried again. offset_conflict
  /// or invalid_request: the batch does not fit the log, nothing was changed. Everything else: the
  /// group is poisoned and refuses all later batches until the node is restarted.
  result<void> status;
  /// Its hard state, or a later one of the group, is durable, whatever became of the entries. Who
  /// tries them again leaves it out.
  bool hard_is_durable = false;
  /// Of the log after this batch.
  std::uint64_t last_index = 0;
  std::uint64_t last_term = 0;
};

struct retention_limits {
  /// -1 is no limit.
  std::int64_t retention_ms = -1;
  std::int64_t retention_bytes = -1;
};

/// What retention would keep: all from the first entry of a segment on, or what is written next.
struct retention_point {
  std::uint64_t first_index = 0;
  offset_t first_offset{};
};

/// Counters since the store was made, and gauges.
struct store_statistics {
  std::uint64_t open_groups = 0;
  std::uint64_t poisoned_groups = 0;
  std::uint64_t open_write_files = 0;
  std::uint64_t open_read_files = 0;
  std::uint64_t log_bytes = 0;
  std::uint64_t segments = 0;
  std::uint64_t appended_entries = 0;
  std::uint64_t appended_bytes = 0;
  std::uint64_t writes = 0;
  std::uint64_t syncs = 0;
  std::uint64_t hard_state_syncs = 0;
  std::uint64_t full_refusals = 0;
  std::uint64_t free_bytes = 0;
};

/// What becomes of the files of a group that is removed.
enum class removal_kind : std::uint8_t {
  delete_files,
  /// The segments stay in the group's folder, under other names: nobody takes them for a log. Those
  /// that an earlier removal set aside go.
  set_aside,
};

/// What `maintain` did.
struct maintenance_report {
  std::uint32_t rolled = 0;
  std::uint32_t marked = 0;
  std::uint32_t closed = 0;
  bool accepts_writes = true;
};

class log_store {
public:
  /// `disk` and `store` must live as long as this and as every reader.
  log_store(disk& disk, kv& store, store_options options);
  /// Closes every group.
  ~log_store();
  log_store(const log_store&) = delete;
  log_store& operator=(const log_store&) = delete;

  /// Opens a group, making nothing on disk for one that was never written. A removal that was
  /// interrupted is finished first. Opening an open group tells its present state.
  /// Errors: storage_damaged: entries or hard state are damaged or missing although they were
  /// durable: the group must not vote until it is repaired. storage_full, storage_failed.
  [[nodiscard]] result<opened_group> open(const group_id& group, const segment_options& options);
  /// Changed settings of a group take effect at the next roll.
  void configure(const group_id& group, const segment_options& options);
  [[nodiscard]] bool is_open(const group_id& group) const;
  /// Whether a group is open or ever wrote anything that is still here: then only `open` can tell
  /// what it holds.
  [[nodiscard]] result<bool> has_traces(const group_id& group) const;

  /// Writes everything that arrived, and answers for each batch in the order given. Batches of one
  /// group follow each other in that order; when one fails, those after it fail with it. A group
  /// that is not open: error not_found. An entry whose term is above that of the hard state is
  /// refused (invalid_request): its hard state must come with it or before.
  /// The batches are as they were afterwards, so that one that found no room can be tried again.
  [[nodiscard]] std::vector<append_outcome> flush(std::span<const append_batch> batches);
  /// Makes durable what modes `interval` and `os` have written. Returns the groups that were made
  /// durable or, with their error, were poisoned by the attempt.
  std::vector<append_outcome> sync_dirty();

  /// The entries before `base.index` + 1 are no longer in the log; whole segments of them are
  /// deleted. `base.term` is filled in from the log. Error invalid_request when
  /// the state machine has not applied up to there (`put_applied_index`), storage_damaged or
  /// storage_failed. The key-value state is flushed first, so the log never begins after what is
  /// durably applied.
  result<void> trim_prefix(const group_id& group, log_base base);
  /// What another replica may take over in place of the entries that are gone from this log: the
  /// state of one moment. Errors: not_found: the group is not open; conflict: the log has lost no
  /// entries, or the state is ahead of it; message_too_large: beyond `group_state_bytes_max`.
  [[nodiscard]] result<group_state> read_state(const group_id& group,
                                               const state_place& place) const;
  /// Puts a state of another replica in the place of this one's, durably. The caller then resets
  /// the log to its base, unless it has that entry; an opening in between does it. Errors:
  /// not_found; invalid_request: it is not newer than the state that is there, or of a term that is
  /// not in the hard state, and nothing was changed; storage_failed: the group is out of service.
  result<void> install_state(const group_id& group, const state_place& place,
                             const group_state& state);
  /// A flush of the key-value state succeeded that began when the state machine had applied `index`
  /// already: `trim_prefix` up to there needs none of its own.
  void note_durable_state(const group_id& group, std::uint64_t index);
  /// Makes durable what is not, closes the files, drops the memory. The readers go on reading what
  /// was there. After an error the group must not be opened again before a restart.
  result<void> close(const group_id& group);
  /// Deletes groups for ever: files, indexes, hard state, and all keys of `partition_state` that
  /// begin with `group_prefix`. Idempotent; goes on after a crash when the group is opened or by
  /// `finish_removals`. Many at once cost little more than one.
  result<void> remove(std::span<const group_id> groups,
                      removal_kind kind = removal_kind::delete_files);
  result<void> remove(const group_id& group, removal_kind kind = removal_kind::delete_files) {
    return remove(std::span(&group, 1), kind);
  }
  /// Deletes what a removal has set aside.
  result<void> discard_set_aside(const group_id& group);
  /// Finishes the removals that a crash or an error interrupted, of every group for which `owned`
  /// holds: those that no other store opens. Returns how many.
  result<std::size_t> finish_removals(const std::function<bool(const group_id&)>& owned);

  /// Now and then, once a second: rolls segments by age, records durable marks, closes idle files,
  /// a bounded number of them, looks at the free space. `now` also becomes the time that new
  /// segments are stamped with.
  maintenance_report maintain(timestamp_ms now);
  /// What the limits allow to delete: where the log would begin then; nothing when there is nothing
  /// to delete. If it is all of the log, the active segment is closed, so that what is appended
  /// next stays.
  [[nodiscard]] std::optional<retention_point> retention(const group_id& group, timestamp_ms now,
                                                         const retention_limits& limits);
  /// The segments of a group, ascending; empty if it is not open.
  [[nodiscard]] std::vector<segment_info> segments(const group_id& group) const;
  [[nodiscard]] std::uint64_t size_bytes(const group_id& group) const;

  /// False when the disk is nearly full: appends of producers should be refused, while Raft's own
  /// entries, reads and deletions go on. As of the last `maintain`, minus what was written since.
  [[nodiscard]] bool accepts_writes() const;
  [[nodiscard]] store_statistics statistics() const;

private:
  struct open_group {
    group_id id;
    std::unique_ptr<segment_log> log;
    std::shared_ptr<log_reader> reader;
    std::optional<hard_state> hard;
    /// What the state machine has applied up to here is durable without the log.
    std::uint64_t durable_state = 0;
    /// Time of the last append.
    timestamp_ms used{};
  };
  /// The batches of one group within a flush.
  struct group_work {
    open_group* group = nullptr;
    /// Positions in the flush, ascending.
    std::vector<std::size_t> batches;
  };

  [[nodiscard]] open_group* find(const group_id& group);
  [[nodiscard]] const open_group* find(const group_id& group) const;
  void forget(const group_id& group);
  [[nodiscard]] result<opened_group> describe(const open_group& group) const;
  [[nodiscard]] result<void> finish_installation(segment_log& log, const group_id& group,
                                                 std::uint64_t hard_term) const;
  [[nodiscard]] result<std::uint64_t> applied_in_log(const segment_log& log, const group_id& group,
                                                     std::uint64_t applied) const;
  [[nodiscard]] result<void> check_batch(const open_group& group, const append_batch& batch,
                                         const std::optional<hard_state>& hard) const;
  void write_hard_states(std::vector<group_work>& work, std::span<const append_batch> batches,
                         std::vector<append_outcome>& outcomes);
  void write_group(const group_work& work, std::span<const append_batch> batches,
                   std::vector<append_outcome>& outcomes);
  [[nodiscard]] result<void> write_entries(open_group& group, std::span<const std::size_t> run,
                                           std::span<const append_batch> batches);
  [[nodiscard]] result<void> finish_removal(std::span<const group_id> groups);
  [[nodiscard]] result<void> remove_files(const group_id& group);
  [[nodiscard]] result<void> set_files_aside(const group_id& group);
  [[nodiscard]] result<bool> is_being_removed(const group_id& group) const;
  void refresh_space();

  disk& disk_;
  kv& store_;
  store_options options_;
  /// Shared with the readers, which may outlive the store.
  std::shared_ptr<file_cache> cache_;
  std::unordered_map<group_id, std::unique_ptr<open_group>> groups_;
  timestamp_ms now_{0};
  /// Free space at the last look, and what was written since.
  std::uint64_t free_bytes_ = std::numeric_limits<std::uint64_t>::max();
  std::uint64_t written_since_ = 0;
  store_statistics totals_;
};

// -- state machines -------------------------------------------------------------------------------

/// Adds to `batch` that the state machine of `group` has applied up to `index`. Belongs into the
/// batch with the effects, in `partition_state` or `cluster_state`: both are of one class.
void put_applied_index(write_batch& batch, const group_id& group, std::uint64_t index);
/// 0 if nothing was ever applied.
[[nodiscard]] result<std::uint64_t> read_applied_index(const kv& store, const group_id& group);
/// What all keys of a group's state in `partition_state` begin with.
[[nodiscard]] std::string group_prefix(const group_id& group);
/// Folder of a group's files below the data directory.
[[nodiscard]] std::string group_directory(const std::string& data_directory, const group_id& group);

} // namespace aqueduct::storage
