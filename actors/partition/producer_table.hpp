// What a partition remembers of its idempotent producers: enough to tell a repeat from a new batch
// and to give the repeat its first offset. Pure; owned by one partition.
//
// The committed state is a function of the log. Batches that the leader has proposed and that are
// not committed yet stand in a speculative part, which is dropped when the leader steps down. The
// rules are those of Kafka's producer state (KIP-98); the five last batches survive restarts.
#pragma once

#include "actors/calls.hpp"
#include "protocol/buffer.hpp"
#include "protocol/error.hpp"
#include "protocol/ids.hpp"
#include "protocol/record_batch.hpp"
#include "protocol/result.hpp"

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace aqueduct::actors {

/// A batch that was appended.
struct remembered_batch {
  std::int32_t first_sequence = 0;
  std::int32_t last_sequence = 0;
  std::int64_t base_offset = 0;
  std::int64_t timestamp_ms = -1;

  friend bool operator==(const remembered_batch&, const remembered_batch&) = default;
};

/// One producer.
struct producer_entry {
  /// It wrote since the last look at the producers.
  static constexpr std::int64_t just_now = -1;

  std::int16_t epoch = 0;
  /// The first look at it after its last batch, in ms since 1970 by the clock of the leader that
  /// looked, or `just_now`. Timestamps of records say nothing: a producer may write old ones.
  std::int64_t seen_ms = just_now;
  /// Oldest first, at most `producer_table::batches_max`, never empty. All of `epoch`.
  std::deque<remembered_batch> batches;

  friend bool operator==(const producer_entry&, const producer_entry&) = default;
};

class producer_table {
public:
  /// As many requests as a producer may have in flight.
  static constexpr std::size_t batches_max = 5;

  /// What to do with a batch.
  struct verdict {
    enum class kind : std::uint8_t { append, duplicate, refuse } what = kind::append;
    /// duplicate: the first copy.
    std::int64_t base_offset = -1;
    std::int64_t timestamp_ms = -1;
    /// duplicate: the first copy is not committed yet.
    bool pending = false;
    /// refuse
    errc error = errc::none;
    std::string message;
  };

  /// Judges a batch of an idempotent producer against all batches appended so far, committed or
  /// not. Precondition: `header.is_idempotent()`.
  [[nodiscard]] verdict check(const protocol::batch_header& header) const;

  /// The leader proposes a batch that `check` let pass.
  void append(const protocol::batch_header& header, std::int64_t base_offset);
  /// A batch of the log is committed. `timestamp_ms` is its largest timestamp.
  void commit(const protocol::batch_header& header, std::int64_t base_offset);
  /// Nothing that was proposed and is not committed counts any more.
  void drop_speculative() { speculative_.clear(); }

  /// A committed look at the producers: those who wrote since the last one were seen at `now_ms`,
  /// those last seen before `before_ms` are forgotten. What is only proposed makes no difference,
  /// so that all replicas do the same.
  void look(std::int64_t now_ms, std::int64_t before_ms);
  /// Whether such a look would change anything.
  [[nodiscard]] bool has_to_look(std::int64_t before_ms) const;

  [[nodiscard]] std::size_t size() const { return committed_.size(); }
  /// What is committed of each, in order of their ids.
  [[nodiscard]] std::vector<active_producer> list() const;

  /// Producers whose committed state changed since the last call, with their state; nullopt where
  /// it expired. For writing them to the key-value state.
  [[nodiscard]] std::map<std::int64_t, std::optional<producer_entry>> take_changes();
  /// Puts a producer back that was read from the key-value state.
  void restore(std::int64_t producer, producer_entry entry);

private:
  [[nodiscard]] const producer_entry* newest(std::int64_t producer) const;
  static void remember(producer_entry& entry, const protocol::batch_header& header,
                       std::int64_t base_offset);

  struct speculation {
    producer_entry entry;
    /// Batches proposed and not yet committed.
    std::size_t in_flight = 0;
  };

  std::unordered_map<std::int64_t, producer_entry> committed_;
  /// Invariant: each entry has in_flight above 0 and includes what is committed of its producer, or
  /// was until it was forgotten.
  std::unordered_map<std::int64_t, speculation> speculative_;
  std::map<std::int64_t, bool> changed_;
};

/// The bytes of a producer in the key-value state.
[[nodiscard]] buffer encode(const producer_entry& entry);
[[nodiscard]] result<producer_entry> decode_producer(byte_span bytes);

} // namespace aqueduct::actors
