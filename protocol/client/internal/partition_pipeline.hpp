// The batches of one partition that wait for an answer or for their turn, and the rules that keep
// them in order through retries. Pure: no I/O, no clock; belongs to the I/O thread.
//
// Up to `in_flight_max` batches are under way, always the first ones of the queue. When one of them
// fails with a passing error, nothing new is sent until all under way have their answer; then
// everything that is left goes again, first things first. Sequence numbers make repeats harmless
// (kafka-style idempotence, KIP-98): a batch that follows a refused one is refused too
// (OUT_OF_ORDER_SEQUENCE) and goes again after it.
//
// The broker remembers the last five batches of a producer. So no batch is sent while one is
// unsettled that lies five or more before it, or a repeat of that one would not be recognised.
//
// A batch at the head that is refused as out of order was not stored, nor was any after it: one
// before it was given up, or the broker lost what it had acknowledged. All of them get a new epoch
// and are numbered from 0 (KIP-360). The old epoch fences what may still linger. The exception is a
// batch of which a later one was stored: it was stored too, and only its offset is unknown.
#pragma once

#include "protocol/client/internal/backoff.hpp"
#include "protocol/client/internal/producer_batch.hpp"

#include <deque>

namespace aqueduct::client {

/// Identity of an idempotent producer.
struct producer_identity {
  producer_id id{-1};
  std::int16_t epoch = -1;

  friend bool operator==(const producer_identity&, const producer_identity&) = default;
};

/// Writes identity and sequence into a finished batch and corrects its checksum in constant time.
/// Precondition: nobody reads the batch.
void stamp_identity(std::span<std::byte> batch, const producer_identity& identity,
                    std::int32_t sequence);

class partition_pipeline {
public:
  struct settings {
    int in_flight_max = 5;
    milliseconds backoff_min{};
    milliseconds backoff_max{};
    std::size_t records_bytes_max = 0;
    std::uint64_t seed = 0;
    /// Nothing: not idempotent.
    std::optional<producer_identity> identity;
  };

  explicit partition_pipeline(const settings& how)
      : settings_(how),
        identity_(how.identity),
        backoff_(how.backoff_min, how.backoff_max, how.seed) {}

  void push(batch_ptr batch) { queue_.push_back(std::move(batch)); }
  [[nodiscard]] bool empty() const { return queue_.empty(); }
  [[nodiscard]] int in_flight() const { return in_flight_; }
  /// Waits for `adopt`.
  [[nodiscard]] bool needs_identity() const { return needs_identity_; }
  [[nodiscard]] const std::optional<producer_identity>& identity() const { return identity_; }

  /// The next batch to send to `leader`, stamped and counted as under way; nullptr if none may be
  /// sent now.
  [[nodiscard]] batch_ptr next(time_point now, node_id leader);

  /// The broker has it: it leaves the queue.
  void stored(const batch_ptr& batch);

  enum class verdict : std::uint8_t {
    /// It goes again.
    retry,
    /// It was split; the halves go again in its place.
    split,
    /// It goes again after `adopt`.
    needs_identity,
    /// It left the queue; its users are to be told.
    given_up,
    /// It left the queue; its users know already.
    dropped,
    /// It left the queue, because the broker has it, at an offset that nobody knows.
    stored,
  };
  struct attempt_failure {
    errc code = errc::internal;
    bool is_retriable = false;
    /// The answer named another leader: the first time in a row there is no pause.
    bool is_redirect = false;
  };
  /// The attempt failed.
  [[nodiscard]] verdict failed(const batch_ptr& batch, const attempt_failure& why, time_point now);

  /// A new identity: what is in the queue is numbered anew. Precondition: nothing under way.
  void adopt(const producer_identity& identity);

  /// Batches whose time is over: their users are to be told. Those under way stay in the queue.
  [[nodiscard]] std::vector<batch_ptr> expire(time_point now);
  /// Everything, and forgets it. Batches whose users were told already are left out.
  [[nodiscard]] std::vector<batch_ptr> take_all();

  /// When something is to be done without an answer having come.
  [[nodiscard]] time_point next_wake() const;

private:
  void remove(const batch_ptr& batch);
  void pause(time_point now, bool is_redirect);
  [[nodiscard]] bool split(const batch_ptr& batch);
  void stamp(producer_batch& batch);

  settings settings_;
  std::optional<producer_identity> identity_;
  backoff backoff_;
  std::deque<batch_ptr> queue_;
  /// Invariant: the first `in_flight_` batches of the queue are under way, unless `is_recovering_`.
  int in_flight_ = 0;
  std::int32_t next_sequence_ = 0;
  std::uint64_t next_ordinal_ = 0;
  node_id sent_to_{-1};
  bool is_recovering_ = false;
  bool needs_identity_ = false;
  /// A hint to another leader was followed, and nothing was stored since.
  bool is_redirected_ = false;
  /// Meaningful while recovering and `is_pause_set_`.
  time_point retry_at_{};
  bool is_pause_set_ = false;
};

} // namespace aqueduct::client
