// The inside of a producer: takes batches from the accumulator, sends them to the leaders, and
// tells the users what became of their records. All but `accumulator_` belongs to the I/O thread.
#pragma once

#include "protocol/client/internal/accumulator.hpp"
#include "protocol/client/internal/cluster_core.hpp"

#include <atomic>

namespace aqueduct::client {

class conditional_appender;

class producer_core : public std::enable_shared_from_this<producer_core> {
public:
  [[nodiscard]] static result<std::shared_ptr<producer_core>>
  create(std::shared_ptr<cluster_core> on, producer_config config);
  ~producer_core();

  // -- any thread ---------------------------------------------------------------------------------

  [[nodiscard]] result<void> send(const record& rec, accumulator::told& done, bool at_once);
  [[nodiscard]] result<record_metadata> append_at(const topic_partition& to, offset_t expected,
                                                  std::span<const record> records,
                                                  offset_t* end_offset);
  [[nodiscard]] result<void> flush(std::optional<milliseconds> timeout);
  [[nodiscard]] result<void> close(std::optional<milliseconds> timeout);
  /// Gives everything up at once.
  void abandon();
  [[nodiscard]] producer_stats stats() const;
  [[nodiscard]] bool is_io_thread() const { return cluster_->is_io_thread(); }

private:
  /// A batch in a request.
  struct sent {
    partition_queue* queue;
    batch_ptr batch;
  };
  using cargo = std::vector<sent>;

  producer_core(std::shared_ptr<cluster_core> on, producer_config config);

  [[nodiscard]] bool is_idempotent() const;
  void wake();

  // -- the I/O thread -----------------------------------------------------------------------------

  void start();
  void drain();
  void take_batches(time_point now);
  void expire(time_point now);
  void send_ready(time_point now);
  /// Sends at most one batch of each active partition. False if there was none.
  [[nodiscard]] bool send_round(time_point now);
  /// One batch per request until the broker has said what it takes.
  [[nodiscard]] std::size_t request_bytes_max(node_id leader) const;
  void send_request(node_id leader, cargo batches);
  void answered(const cargo& batches, answer<protocol::produce_response> reply);
  void settle(const sent& one, const protocol::produce_partition_result& outcome,
              bool is_retriable);
  void failed(const sent& one, const failure& why);
  void tell_stored(producer_batch& batch, partition_id partition, offset_t base,
                   timestamp_ms append_time);
  void tell_failed(producer_batch& batch, const topic_partition& tp, const error& why);
  void open_pipeline(partition_queue& queue);
  void ask_identity();
  void identity_answered(answer<protocol::init_producer_id_response> reply);
  void adopt_identity();
  void metadata_changed();
  /// The producer is of no more use.
  void end(const error& why);
  void arm_timer(time_point now);

  const std::shared_ptr<cluster_core> cluster_;
  const producer_config config_;
  accumulator accumulator_;
  std::unique_ptr<conditional_appender> conditional_;
  std::atomic<bool> wake_pending_ = false;
  std::atomic<bool> is_closing_ = false;

  std::vector<partition_queue*> active_;
  std::optional<producer_identity> identity_;
  /// A new epoch was asked for.
  bool identity_asked_ = false;
  backoff identity_backoff_;
  time_point identity_not_before_{};
  std::optional<error> ended_;
  std::uint64_t listener_ = 0;
  std::unique_ptr<boost::asio::steady_timer> timer_;
  time_point armed_for_ = never;

  struct counters {
    /// Written by the senders; the rest by the I/O thread.
    alignas(64) std::atomic<std::uint64_t> sent{0};
    alignas(64) std::atomic<std::uint64_t> acked{0};
    std::atomic<std::uint64_t> failed{0};
    std::atomic<std::uint64_t> batches{0};
    std::atomic<std::uint64_t> retried{0};
    std::atomic<std::uint64_t> split{0};
    std::atomic<std::uint64_t> bytes{0};
  };
  counters counters_;
};

} // namespace aqueduct::client
