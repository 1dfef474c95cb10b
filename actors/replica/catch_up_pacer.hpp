// How fast a node reads old entries for replicas that are behind, all groups together. What they
// take of disk, CPU and network is missing to clients. What is still in memory is not counted, so
// replication of what arrives is never held back.
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>

namespace aqueduct::actors {

/// Books one read after the other on a line of time. Thread-safe.
class catch_up_pacer {
public:
  /// Above 0.
  explicit catch_up_pacer(std::uint64_t bytes_per_second) : rate_(bytes_per_second) {}

  void set_rate(std::uint64_t bytes_per_second);

  struct booking {
    /// How long the read has to wait.
    std::int64_t wait_ms = 0;
    std::size_t bytes = 0;
  };
  /// Books a read of at most `most` bytes as one of the size that reads have had lately, so that
  /// many groups which lack little need not wait for what they do not read.
  [[nodiscard]] booking reserve(std::int64_t now_ms, std::size_t most);
  /// What was booked turned out to be `used`, which may be more than `most`: one entry is always
  /// read.
  void settle(const booking& booked, std::size_t used);
  /// Books bytes that have come. Returns how long what follows them has to wait, in milliseconds.
  [[nodiscard]] std::int64_t charge(std::int64_t now_ms, std::size_t bytes);
  /// Clients wrote so much to groups that this node leads: whoever is behind lacks that too, and
  /// may be sent as much more. So it comes nearer at the rate, however much is written.
  void written(std::size_t bytes);

private:
  [[nodiscard]] std::int64_t microseconds_for(std::size_t bytes) const;
  /// Returns when the booking begins, in milliseconds from `now_ms`.
  [[nodiscard]] std::int64_t book(std::int64_t now_ms, std::size_t bytes);

  std::mutex mutex_;
  std::uint64_t rate_;
  /// When the next read may begin, on the caller's clock.
  std::int64_t free_us_ = 0;
  /// Size of a read, as a moving average.
  std::size_t usual_bytes_ = std::size_t{64} << 10;
};

} // namespace aqueduct::actors
