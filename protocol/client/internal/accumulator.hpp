// Where the records of a producer collect: one batch per partition that is being filled, batches
// that are full, and the bound on the memory of all of them. Thread-safe; time comes from outside.
// It does not send: it wakes whoever does.
#pragma once

#include "protocol/client/internal/partition_pipeline.hpp"
#include "protocol/client/internal/producer_batch.hpp"

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

namespace aqueduct::client {

struct accumulator_topic;

/// Lives as long as the accumulator.
struct partition_queue {
  topic_partition partition;
  accumulator_topic* topic = nullptr;

  // Guarded by the accumulator's lock.
  batch_ptr filling;
  std::deque<batch_ptr> sealed;
  time_point last_seal{};
  bool is_lingering = false;
  bool has_sealed = false;

  // The I/O thread's.
  std::optional<partition_pipeline> pipeline;
  bool is_active = false;
  /// Why the last attempt has to be repeated, if nothing was stored since.
  std::optional<error> last_failure;
};

struct accumulator_topic {
  std::string name;
  std::vector<std::unique_ptr<partition_queue>> partitions;
  /// Partition that takes the records without a key.
  std::int32_t sticky = 0;
  std::uint32_t round_robin = 0;
};

class accumulator {
public:
  /// `wake` is called without the lock when there is something to take or a timer to set.
  accumulator(const producer_config& config, std::uint64_t seed, std::function<void()> wake);

  using told = std::variant<std::monostate, send_callback, send_promise>;
  struct append_options {
    /// Sends the batch without waiting for more.
    bool at_once = false;
    /// May wait for memory until then; the present: must not wait.
    time_point block_until{};
  };
  /// Copies the record into the batch of its partition. On an error `done` is as it was. Errors: as
  /// producer::send; unknown_topic if `learn` has not told of the topic yet.
  [[nodiscard]] result<void> append(const record& rec, told& done, const append_options& options);

  /// The topic has so many partitions. They never become fewer.
  void learn(const std::string& topic, std::size_t partitions);
  [[nodiscard]] std::vector<std::string> topics() const;

  struct taken {
    partition_queue* queue;
    batch_ptr batch;
  };
  /// Seals what has lingered long enough and gives out all finished batches, in order per
  /// partition.
  [[nodiscard]] std::vector<taken> take(time_point now);
  /// When `take` has something to seal.
  [[nodiscard]] time_point next_linger() const;

  /// A batch has its outcome: its memory is free, its users are about to be told.
  void release(const producer_batch& batch);
  /// And they were. `lost` is the error of records that nobody is told about.
  void settled(const producer_batch& batch, const error* lost);
  /// A batch of this generation became two.
  void split(std::uint64_t generation);

  /// Seals everything and waits until all that was appended before is settled. Errors: timed_out;
  /// the first `lost` since the last flush.
  [[nodiscard]] result<void> flush(time_point deadline);
  /// Appends fail from now on.
  void close(const error& why);
  /// Everything that was not taken.
  [[nodiscard]] std::vector<taken> take_all();
  [[nodiscard]] std::size_t memory_used() const;

private:
  [[nodiscard]] result<partition_queue*> choose(accumulator_topic& topic, const record& rec);
  [[nodiscard]] accumulator_topic* find_topic(std::string_view name);
  [[nodiscard]] result<void> wait_for_memory(std::unique_lock<std::mutex>& lock, std::size_t bytes,
                                             time_point until);
  /// The record has no partition of its own: it goes to the one whose turn it is.
  [[nodiscard]] bool goes_anywhere(const record& rec) const;
  void begin_batch(partition_queue& queue, const record& first);
  /// Moves the filling batch to the sealed ones; it is finished by the caller, without the lock.
  [[nodiscard]] batch_ptr seal(partition_queue& queue, time_point now);
  void finish(const batch_ptr& batch);
  void count(std::uint64_t generation, int change);
  [[nodiscard]] std::unique_ptr<protocol::batch_builder> take_builder();

  const producer_config config_;
  const std::function<void()> wake_;

  mutable std::mutex mutex_;
  std::condition_variable memory_freed_;
  std::condition_variable settled_;
  std::unordered_map<std::string, std::unique_ptr<accumulator_topic>> topics_;
  /// The topic of the last append: most programs send to one at a time.
  accumulator_topic* last_topic_ = nullptr;
  std::vector<partition_queue*> lingering_;
  std::vector<partition_queue*> with_sealed_;
  std::vector<std::unique_ptr<protocol::batch_builder>> builders_;
  jitter_source random_;
  std::size_t memory_ = 0;
  std::size_t memory_waiters_ = 0;
  std::optional<error> closed_;
  std::optional<error> lost_;
  /// Unsettled batches by flush generation; the first is that of `first_generation_`. Invariant:
  /// never empty; the last is the generation that new batches belong to.
  std::deque<std::size_t> unsettled_{0};
  std::uint64_t first_generation_ = 0;
  /// Earliest linger deadline that the waker was told of.
  time_point announced_ = never;
};

} // namespace aqueduct::client
