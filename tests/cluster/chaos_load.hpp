// Producers and a consumer that work on a cluster while it is ill-treated, and a ledger of what
// they were told: which number was acknowledged at which offset, and what was read where.
#pragma once

#include "protocol/client/cluster.hpp"
#include "protocol/client/producer.hpp"
#include "tests/support/child_process.hpp"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace aqueduct::test {

/// A value: the producer, and the number that it has among those that the producer sent to the
/// partition.
struct numbered {
  int producer = 0;
  int number = 0;

  friend bool operator==(const numbered&, const numbered&) = default;
};

[[nodiscard]] std::string to_string(const numbered& value);

/// Idempotent producers that send numbers to all partitions of a topic, each a few at a time, and
/// never give up; a consumer that follows. All are gone when this is. Thread-safe.
class chaos_load {
public:
  static constexpr int producers = 3;

  /// `pause`: that each producer makes after it has sent to all partitions that had room.
  chaos_load(const client::cluster& on, std::string topic, int partitions,
             std::chrono::milliseconds pause = {});
  ~chaos_load();
  chaos_load(const chaos_load&) = delete;
  chaos_load& operator=(const chaos_load&) = delete;

  /// Until each partition has so many more acknowledgements than now. False when the time was over.
  [[nodiscard]] bool progresses(int records, std::chrono::milliseconds within);
  /// Goes on working for so long, or until something is wrong.
  void work_for(std::chrono::milliseconds time);
  /// Stops the producers, waits for what they have under way and until the consumer has all of it,
  /// and compares what was acknowledged with what was read.
  void finish(std::chrono::milliseconds within);
  /// Reads everything again, and compares it with what the consumer saw. After `finish`.
  void read_again();

  void found_wrong(const std::string& what);
  /// What was found wrong so far.
  [[nodiscard]] std::vector<std::string> violations() const;

  [[nodiscard]] int partitions() const { return partitions_; }
  [[nodiscard]] std::int64_t acknowledged() const;
  /// Of each partition.
  [[nodiscard]] std::vector<std::int64_t> acknowledged_by_partition() const;
  /// The longest time in which a partition acknowledged nothing.
  [[nodiscard]] std::chrono::milliseconds longest_silence() const;
  /// The records of a partition by their offset, as the consumer saw them. After `finish`.
  [[nodiscard]] const std::vector<numbered>& log(int partition) const {
    return logs_.at(static_cast<std::size_t>(partition));
  }

private:
  using clock = test_clock;

  /// What one producer sent to one partition.
  struct lane {
    /// Acknowledgements may overtake each other.
    int answered = 0;
    /// Of all that was sent, by number: its offset, or `unanswered`.
    std::vector<std::int64_t> offsets;
  };

  void produce(int producer);
  void acknowledge(int producer, int partition, int number,
                   const result<client::record_metadata>& outcome);
  void follow();
  /// A record that was read; checks that it is the next one of its producer.
  void saw(int partition, std::int64_t offset, std::string_view text,
           std::vector<std::vector<int>>& next);
  void compare();
  void found_wrong_locked(std::string what);
  [[nodiscard]] lane& at(int producer, int partition);

  client::cluster on_;
  std::string topic_;
  int partitions_;
  std::chrono::milliseconds pause_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool is_over_ = false;
  bool is_closed_ = false;
  std::vector<lane> lanes_;
  std::vector<std::int64_t> acknowledged_;
  std::vector<clock::time_point> last_acknowledged_;
  std::chrono::milliseconds longest_silence_{0};
  std::vector<std::vector<numbered>> logs_;
  std::int64_t seen_ = 0;
  std::vector<std::string> violations_;
  std::vector<client::producer> senders_;
  std::vector<std::thread> threads_;
  std::thread reader_;
};

} // namespace aqueduct::test
