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
  /// Books a read of at most `bytes`. Returns how many milliseconds from `now_ms` it has to wait.
  [[nodiscard]] std::int64_t reserve(std::int64_t now_ms, std::size_t bytes);
  /// What was booked as `reserved` bytes was `used`, which may be more: one entry is always read.
  void settle(std::size_t reserved, std::size_t used);
  /// Clients wrote so much to groups that this node leads: whoever is behind lacks that too, and
  /// may be sent as much more. So it comes nearer at the rate, however much is written.
  void written(std::size_t bytes);

private:
  [[nodiscard]] std::int64_t microseconds_for(std::size_t bytes) const;

  std::mutex mutex_;
  std::uint64_t rate_;
  /// When the next read may begin, on the caller's clock.
  std::int64_t free_us_ = 0;
};

} // namespace aqueduct::actors
