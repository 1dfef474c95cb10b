// One partition replica: offsets, acknowledgements, reads, waiters, subscriptions, trimming. Pure:
// it is given events and the time, and returns effects; answers go through the sinks that came with
// the questions. Owned by one `partition` actor.
//
// The life of a batch: `produce` judges it, stamps its offset in place and proposes it; `applied`
// gets it back when it is committed, answers its producer, keeps it in the tail cache and wakes the
// readers that wait for it.
#pragma once

#include "actors/calls.hpp"
#include "actors/partition/partition_command.hpp"
#include "actors/partition/producer_table.hpp"
#include "actors/partition/tail_cache.hpp"
#include "config/topic_config.hpp"
#include "raft/read_freshness.hpp"
#include "raft/types.hpp"
#include "storage/log_reader.hpp"

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <unordered_map>
#include <variant>
#include <vector>

namespace aqueduct::actors {

/// Something to be put into the log.
struct proposed_entry {
  raft::entry_kind kind = raft::entry_kind::records;
  buffer body;
};

/// A read of the log on disk; answered by `partition_core::read_done`.
struct read_request {
  std::uint64_t token = 0;
  std::int64_t offset = 0;
  /// Entries with a higher index are not committed yet.
  std::uint64_t commit_index = 0;
  std::size_t bytes_max = 0;
};
/// Answered by `partition_core::time_found`.
struct time_request {
  std::uint64_t token = 0;
  /// Or `protocol::newest_timestamp`.
  std::int64_t timestamp_ms = 0;
  std::uint64_t commit_index = 0;
  /// What is before it counts no more, though the log may still have it.
  std::int64_t log_start = 0;
  /// Set: no time is looked up, but where the entries of this term and those below it end; the
  /// answer is the offset with the largest of these terms.
  std::optional<std::uint64_t> term_end_of;
};
/// Answered by `partition_core::log_described`.
struct describe_request {
  std::uint64_t token = 0;
  std::uint64_t commit_index = 0;
  std::int64_t log_start = 0;
  /// The time of the record at `log_start`, where it is known already; -1 if there is none.
  std::optional<std::int64_t> oldest_ms;
};
/// What a look at the log brought.
struct log_description {
  std::uint64_t token = 0;
  /// As in the request.
  std::int64_t log_start = 0;
  storage::log_outline log;
  /// -1: there is no record, or it cannot be read.
  std::int64_t oldest_ms = -1;
};
/// Answered by `partition_core::retention_found`.
struct retention_request {
  std::int64_t now_ms = 0;
  std::optional<std::int64_t> retention_ms;
  std::optional<std::uint64_t> retention_bytes;
};
/// Write the changed state, then drop what the log no longer needs.
struct persist_state_request {
  partition_summary summary;
  std::map<std::int64_t, std::optional<producer_entry>> producers;
  /// Set when log files before this offset may go once the state is durable.
  std::optional<std::int64_t> trim_before;
};

/// What the actor has to do after an event.
struct partition_effects {
  std::vector<proposed_entry> propose;
  std::vector<read_request> reads;
  std::vector<time_request> times;
  std::vector<describe_request> describes;
  std::optional<retention_request> retention;
  std::optional<persist_state_request> persist;
  /// A read index is wanted of the group; answered by `partition_core::read_index_found`.
  std::optional<raft::read_freshness::round> read_index;
};

/// What a storage read brought.
struct read_answer {
  buffer_chain records;
  /// Offset after the last record of `records`.
  std::int64_t next_offset = 0;
};

class partition_core {
public:
  struct options {
    group_id group;
    std::int32_t node = 0;
    config::topic_config topic;
    std::shared_ptr<cache_budget> cache;
    /// Batches that may be proposed and not committed, in bytes; more are refused as overloaded.
    std::size_t pending_bytes_max = 64ULL << 20;
    /// How much log may have to be applied again after a crash, in bytes.
    std::uint64_t persist_bytes = 4ULL << 20;
    /// How often retention is looked at.
    std::int64_t retention_interval_ms = 30'000;
    /// Idempotent producers are forgotten after this much time without a batch.
    std::int64_t producer_expiry_ms = 24LL * 3600 * 1000;
    /// Milliseconds of idleness after which the tail cache begins to shrink.
    std::int64_t cache_idle_ms = 60'000;
    /// Whether fetches that allow it are answered without leading.
    bool follower_reads = true;
    /// Refusals that wait for a proof that this replica leads; more are refused as overloaded.
    std::size_t doubted_max = 1000;
  };

  /// What the key-value state and the log held at the start.
  struct restored_state {
    partition_summary summary;
    std::map<std::int64_t, producer_entry> producers;
    /// The log has the entries up to here, and they are those that were committed.
    std::uint64_t logged = 0;
  };

  partition_core(options opts, restored_state state);

  // -- questions of clients ----------------------------------------------------------------------

  /// What the log alone refuses (a sequence, an epoch, an expected offset) is answered when it is
  /// proven that this replica led when it judged: a leader that was cut off would say what is no
  /// longer so. Not proven: errc::not_leader.
  void produce(std::vector<produce_item> items, std::int64_t now_ms, std::int64_t steady_ms,
               partition_effects& out);
  /// `steady_ms`: when it arrived; of account only with a freshness other than `leader`.
  void fetch(fetch_item item, std::int64_t steady_ms, partition_effects& out);
  /// The request of `sink` was answered without this partition's help: forget its waiter.
  void cancel_fetch(const fetch_sink* sink);
  void subscribe(subscribe_item item, partition_effects& out);
  void unsubscribe(const push_sink* sink);
  /// The subscription of `sink` has credit again.
  void credited(const push_sink* sink, partition_effects& out);
  void find_offset(offset_item item, partition_effects& out);
  void describe(describe_item item, partition_effects& out);
  void trim(trim_item item, partition_effects& out);
  /// The leader alone answers.
  void list_producers(producers_item item);

  // -- answers of storage ------------------------------------------------------------------------

  void read_done(std::uint64_t token, result<read_answer> answer, partition_effects& out);
  void time_found(std::uint64_t token,
                  result<std::optional<std::pair<std::int64_t, std::int64_t>>> offset_and_time);
  void log_described(const log_description& found);
  /// A look at the log that answers no question; its token is 0.
  [[nodiscard]] describe_request look_at_log() const;
  /// Records before `offset` are past their retention.
  void retention_found(std::int64_t offset, partition_effects& out);

  // -- news of the Raft group --------------------------------------------------------------------

  /// The answer to `partition_effects::read_index`. Nothing: leadership could not be confirmed.
  void read_index_found(raft::read_freshness::round round, std::optional<std::uint64_t> index,
                        std::int64_t steady_ms, partition_effects& out);
  /// The oldest `count` proposals that had no answer got the indexes from `first` on.
  void proposed(std::uint64_t first, std::uint64_t term, std::size_t count);
  /// Goes with whatever is proposed. The group refuses what is of a round of which it refused
  /// something, as it counts on what was before it. A new one begins with every term in office and
  /// with every refusal of what that term proposed; not with one of an earlier office, as what is
  /// under way in this one would no longer be refused together.
  [[nodiscard]] std::uint64_t proposal_round() const { return proposal_round_; }
  /// The oldest `count` proposals that had no answer were refused.
  void proposal_refused(std::size_t count, errc why, std::int32_t leader);
  /// The state of another replica takes the place of this one's. What is proposed may or may not be
  /// stored. Precondition: this replica does not lead.
  void install(restored_state state);
  /// Entries are committed, in order. Those that the state was restored or installed with are
  /// skipped.
  void applied(const std::vector<raft::entry>& entries, std::int64_t now_ms,
               partition_effects& out);
  /// This replica leads in `term`; it accepts batches when an entry of its term is committed.
  void lead(std::uint64_t term);
  /// Another replica leads, or none (-1).
  void follow(std::uint64_t term, std::int32_t leader, partition_effects& out);
  /// The group is out of service for good on this node; every question is answered with `why`.
  void fail(error why);

  // -- time and settings -------------------------------------------------------------------------

  /// Call about once a second. `steady_ms` is the clock of deadlines, `now_ms` that of records.
  void tick(std::int64_t steady_ms, std::int64_t now_ms, partition_effects& out);
  void configure(const config::topic_config& topic) { options_.topic = topic; }
  /// Whether the disk has room for more batches.
  void accept_writes(bool accept) { accepts_writes_ = accept; }
  /// Everything that changed since the state was last written, whether or not it is much.
  void persist_now(partition_effects& out);
  /// Answers everyone who still waits with `why`.
  void close(errc why);

  // -- observers ---------------------------------------------------------------------------------

  [[nodiscard]] std::int64_t high_watermark() const { return high_watermark_; }
  [[nodiscard]] std::int64_t log_start() const { return log_start_; }
  [[nodiscard]] bool is_ready() const { return ready_; }
  /// Nothing waits for a tick but retention and other things that have time.
  [[nodiscard]] bool is_quiet() const {
    return pending_.empty() && unproven_.empty() && unproven_subscriptions_.empty() &&
           doubted_.empty() && parked_.empty() && !state_changed_ && !stalled_;
  }
  /// Nobody waits for anything, and nothing is under way: the group could be closed.
  [[nodiscard]] bool is_idle() const;
  [[nodiscard]] std::uint64_t applied_index() const { return applied_index_; }
  [[nodiscard]] std::int32_t epoch() const { return static_cast<std::int32_t>(term_); }
  [[nodiscard]] std::size_t pending() const { return pending_.size(); }
  /// Refusals that are held back.
  [[nodiscard]] std::size_t doubted() const { return doubted_.size(); }
  [[nodiscard]] std::size_t waiters() const { return waiters_.size(); }
  [[nodiscard]] std::size_t subscribers() const { return subscribers_.size(); }
  [[nodiscard]] std::size_t producers() const { return producers_.size(); }

private:
  /// Somebody who waits for a batch.
  struct produce_waiter {
    std::shared_ptr<produce_sink> sink;
    std::uint32_t slot = 0;
    std::int64_t deadline_ms = 0;
  };
  struct pending_batch {
    std::size_t size_bytes = 0;
    std::int64_t base_offset = 0;
    std::int64_t next_offset = 0;
    std::int64_t append_time_ms = -1;
    /// Empty when nobody waits (acks none), or no longer.
    std::vector<produce_waiter> waiters;
  };
  struct pending_trim {
    trim_item item;
  };
  struct pending_command {
    std::optional<pending_trim> trim;
  };
  struct pending_entry {
    /// 0 until the Raft replica said which index it got.
    std::uint64_t index = 0;
    std::uint64_t term = 0;
    std::variant<pending_batch, pending_command> what;
  };
  struct subscriber {
    subscribe_item item;
    std::int64_t next_offset = 0;
    /// A storage read is under way for it.
    bool reading = false;
  };
  struct disk_read {
    /// Exactly one of both.
    std::optional<fetch_item> fetch;
    const push_sink* push = nullptr;
    std::size_t reserved = 0;
  };
  /// A fetch that waits until the state is known to be fresh enough.
  struct unproven_fetch {
    raft::read_freshness::round needed = 0;
    fetch_item item;
  };
  /// A subscription that begins behind what this replica, which leads, knows to be there.
  struct unproven_subscription {
    raft::read_freshness::round needed = 0;
    subscribe_item item;
    /// Set at the first tick.
    std::optional<std::int64_t> deadline_ms{};
  };
  /// A refusal that is true if this replica leads.
  struct doubted_refusal {
    raft::read_freshness::round needed = 0;
    /// `proposals_` when it was judged: it counts on all of those.
    std::uint64_t proposals = 0;
    produce_waiter waiter;
    produce_outcome outcome;
  };
  using parked_event = std::variant<std::vector<produce_item>, fetch_item, subscribe_item,
                                    offset_item, describe_item, trim_item, producers_item>;
  struct parked_call {
    parked_event event;
    /// Set at the first tick; batches have their own.
    std::optional<std::int64_t> deadline_ms{};
  };
  /// A caller that is sent elsewhere may find who leads, or a node that knows.
  static constexpr std::int64_t parked_ms_max = 5000;

  // partition_core.cpp
  void adopt(restored_state state);
  void become_ready(std::int64_t now_ms, partition_effects& out);
  void apply_records(const raft::entry& entry, partition_effects& out);
  void apply_command(const raft::entry& entry, partition_effects& out);
  [[nodiscard]] std::optional<pending_entry> take_pending(const raft::entry& entry);
  /// Takes the oldest `count` proposals that have no index yet; fewer where some were given up.
  [[nodiscard]] std::vector<pending_entry> take_unanswered(std::size_t count);
  void fail_entry(pending_entry& entry, errc why, std::int32_t leader, const std::string& message);
  void fail_pending(errc why, std::int32_t leader, const std::string& message);
  void maybe_persist(partition_effects& out);
  void expire_waiters(std::int64_t steady_ms);

  // partition_parking.cpp
  /// Nobody can be answered yet: it is not known who leads, or what is committed.
  [[nodiscard]] bool undecided() const;
  /// Batches wait until their deadlines, as many bytes of them as may be pending.
  void park(std::vector<produce_item> items);
  void unpark(std::int64_t now_ms, partition_effects& out);
  void refuse_parked(parked_event& event) const;
  void expire_parked(std::int64_t steady_ms);

  // partition_produce.cpp
  void produce_one(produce_item item, std::int64_t now_ms, partition_effects& out);
  [[nodiscard]] std::optional<produce_outcome> refuse(const produce_item& item) const;
  [[nodiscard]] bool answer_duplicate(produce_item& item, partition_effects& out);
  void push_pending(std::variant<pending_batch, pending_command> what);
  [[nodiscard]] produce_outcome refusal(errc code, std::string message) const;
  void answer(const produce_waiter& waiter, produce_outcome outcome) const;

  // partition_doubt.cpp
  void doubt(produce_waiter waiter, produce_outcome outcome, partition_effects& out);
  void release_doubted();
  void answer_unproven(const produce_waiter& waiter) const;
  void drop_doubted(errc why, std::int32_t leader, const std::string& message);
  void expire_doubted(std::int64_t steady_ms);

  // partition_read.cpp
  [[nodiscard]] fetch_outcome fetch_state() const;
  [[nodiscard]] std::optional<fetch_outcome> fetch_error(std::int64_t offset,
                                                         std::int32_t epoch) const;
  [[nodiscard]] std::optional<fetch_outcome> fetch_error(const fetch_item& item) const;
  [[nodiscard]] std::string valid_range() const;
  void start_fetch(fetch_item item, partition_effects& out);
  void start_subscription(subscribe_item item, std::int64_t offset, partition_effects& out);
  /// Whether there is nothing at `offset` yet that a fetch could be answered with.
  [[nodiscard]] bool is_at_end(std::int64_t offset) const {
    return ready_ ? offset == high_watermark_ : offset >= high_watermark_;
  }
  /// All who wait, or only those that the leader has to answer, in order; none of them is left.
  [[nodiscard]] std::vector<fetch_item> take_waiters(bool only_leaders = false);

  // partition_freshness.cpp
  [[nodiscard]] bool may_answer(const fetch_item& item) const;
  void prove_fresh(fetch_item item, std::int64_t steady_ms, partition_effects& out);
  void begin_round(std::int64_t steady_ms, partition_effects& out);
  void release_proven(partition_effects& out);
  void refuse_unproven(const fetch_item& item, const std::string& why) const;
  void expire_unproven(std::int64_t steady_ms);
  /// This replica leads, and knows of nothing at `offset`: a successor that it has not heard of
  /// may.
  [[nodiscard]] bool is_doubtful(std::int64_t offset) const {
    return ready_ && !failed_ && offset > high_watermark_;
  }
  void prove_leading(subscribe_item item, partition_effects& out);
  void release_subscriptions(partition_effects& out);
  void refuse_unproven(const subscribe_item& item) const;
  [[nodiscard]] std::int64_t complete_at(const fetch_item& item) const;
  [[nodiscard]] bool wants_more(const fetch_item& item) const;
  void wake_readers(partition_effects& out);
  void push_to(subscriber& who, partition_effects& out);
  void end_subscription(const push_sink* sink, errc error, std::string message);
  void answer_offset(const offset_item& item, partition_effects& out);
  void answer_epoch_end(const offset_item& item, partition_effects& out);

  options options_;
  producer_table producers_;
  tail_cache tail_;

  std::uint64_t term_ = 0;
  std::int32_t leader_ = -1;
  bool leads_ = false;
  /// Leads, and an entry of its own term is committed. Invariant: implies leads_.
  bool ready_ = false;
  /// Something was refused while this replica led on: it is ready again when nothing is pending.
  bool stalled_ = false;
  bool accepts_writes_ = true;
  std::optional<error> failed_;

  std::uint64_t applied_index_ = 0;
  std::uint64_t applied_term_ = 0;
  /// Entries up to here were in the state when it came; the log may bring them once more.
  std::uint64_t known_index_ = 0;
  /// The log has the entries up to here, as they were committed. Below known_index_ what the log
  /// has beyond may be an overruled leader's: nothing is read.
  std::uint64_t logged_index_ = 0;
  std::int64_t log_start_ = 0;
  /// Offset after the last committed record. Invariant: log_start_ <= high_watermark_.
  std::int64_t high_watermark_ = 0;
  /// Offset of the next batch to be proposed. Invariant: >= high_watermark_ while ready_.
  std::int64_t next_offset_ = 0;

  /// Proposed and not committed, oldest first.
  std::deque<pending_entry> pending_;
  std::uint64_t proposal_round_ = 1;
  /// How many entries were ever put into pending_.
  std::uint64_t proposals_ = 0;
  /// How many of pending_, from the front, have their index.
  std::size_t pending_indexed_ = 0;
  /// Proposals that were given up here while the Raft replica's answer to them is still to come.
  /// They are older than everything in pending_ without an index.
  std::size_t abandoned_ = 0;
  /// Batches proposed and not committed.
  std::size_t pending_bytes_ = 0;
  /// Arrived before the group was ready.
  std::vector<parked_call> parked_;
  /// Of the batches among them.
  std::size_t parked_bytes_ = 0;

  /// Fetches at the end of the log by their number, in the order of their arrival.
  std::map<std::uint64_t, fetch_item> waiters_;
  /// The same by sink. Invariant: has the numbers of waiters_.
  std::set<std::pair<const fetch_sink*, std::uint64_t>> waiters_by_sink_;
  std::uint64_t next_waiter_ = 0;
  /// How fresh the state is known to be, and who waits to hear that it is.
  raft::read_freshness freshness_;
  std::vector<unproven_fetch> unproven_;
  std::vector<unproven_subscription> unproven_subscriptions_;
  /// In the order of their arrival. Invariant: judged in term_, and empty while not leads_.
  std::deque<doubted_refusal> doubted_;
  /// The latest steady time that was told.
  std::int64_t steady_ms_ = 0;
  std::vector<subscriber> subscribers_;
  std::unordered_map<std::uint64_t, disk_read> disk_reads_;
  std::unordered_map<std::uint64_t, offset_item> time_lookups_;
  std::unordered_map<std::uint64_t, describe_item> describe_lookups_;
  std::uint64_t next_token_ = 1;

  /// The time of the record at offset `oldest_of_`, which was the log start; -1: none is known.
  std::int64_t oldest_of_ = -1;
  std::int64_t oldest_ms_ = -1;

  std::uint64_t unpersisted_bytes_ = 0;
  bool state_changed_ = false;
  std::optional<std::int64_t> trim_before_;
  std::int64_t next_retention_ms_ = 0;
  std::int64_t next_look_ms_ = 0;
  std::int64_t last_append_ms_ = 0;
  std::int64_t last_shrink_ms_ = 0;
};

} // namespace aqueduct::actors
