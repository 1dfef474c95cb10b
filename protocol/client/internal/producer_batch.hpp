// A batch on its way from the user's records to the broker's answer.
#pragma once

#include "protocol/batch_builder.hpp"
#include "protocol/client/internal/clock.hpp"
#include "protocol/client/producer.hpp"

#include <atomic>
#include <variant>
#include <vector>

namespace aqueduct::client {

using send_promise = std::promise<result<record_metadata>>;

/// Who wants to know what becomes of one record. Records whose sender does not ask have none.
struct completion {
  std::uint32_t index = 0;
  timestamp_ms timestamp;
  std::variant<send_callback, send_promise> told;

  void tell(const result<record_metadata>& outcome) {
    if (auto* callback = std::get_if<send_callback>(&told))
      (*callback)(outcome);
    else
      std::get<send_promise>(told).set_value(outcome);
  }
};

/// Owned by one party after the other: filled under the accumulator's lock, finished by the thread
/// that sealed it, then the I/O thread's.
struct producer_batch {
  std::vector<completion> completions;
  std::int32_t records = 0;
  /// Bytes that count against the producer's memory.
  std::size_t memory = 0;
  time_point delivery_deadline = never;
  /// When it is sent even if it is not full.
  time_point linger_deadline = never;
  /// Which flush waits for it.
  std::uint64_t generation = 0;
  std::unique_ptr<protocol::batch_builder> builder;
  /// Holds one record that no ordinary batch could hold.
  bool is_oversize = false;

  /// Set last by the thread that finished it: `wire` or `broken` is there.
  std::atomic<bool> is_finished = false;
  buffer wire;
  std::optional<error> broken;

  // -- the I/O thread -----------------------------------------------------------------------------
  int attempts = 0;
  /// How often its sequence number was replaced.
  int resequenced = 0;
  bool is_in_flight = false;
  /// Its users were told that the time is over; only its place in the sequence is waited for.
  bool is_abandoned = false;
  std::optional<std::int32_t> sequence;
  /// Counts the batches that were numbered with one identity.
  std::uint64_t ordinal = 0;
  /// One that follows it in the sequence was stored, so it was as well; its answer got lost.
  bool is_known_stored = false;
};

using batch_ptr = std::shared_ptr<producer_batch>;

} // namespace aqueduct::client
