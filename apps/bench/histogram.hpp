// A histogram of latencies: log-linear buckets as in HdrHistogram (hdrhistogram.org), so that one
// array of fixed size holds nanoseconds to hours with the same relative error.
//
// Not thread-safe.
#pragma once

#include <cstdint>
#include <vector>

namespace aqueduct::bench {

class histogram {
public:
  /// Values below this are exact; above it, a value is off by less than 1 in this many halves.
  static constexpr std::uint64_t exact_below = 256;

  void record(std::uint64_t value, std::uint64_t count = 1);
  void add(const histogram& other);

  [[nodiscard]] std::uint64_t count() const { return count_; }
  [[nodiscard]] bool empty() const { return count_ == 0; }
  /// The largest value, exactly; 0 when empty.
  [[nodiscard]] std::uint64_t max() const { return max_; }
  /// The smallest recorded value that at least `quantile` (0 to 1) of all values do not exceed,
  /// rounded up by less than 0.8 %. 0 when empty.
  [[nodiscard]] std::uint64_t value_at(double quantile) const;

  /// What would have been measured by requests sent every `interval`, when in truth the next one
  /// was only sent after the answer: a value above the interval stands for those, too, that should
  /// have been sent while it was waited for (coordinated omission: Gil Tene, "How NOT to Measure
  /// Latency"). An interval of 0 changes nothing.
  [[nodiscard]] histogram corrected(std::uint64_t interval) const;

private:
  [[nodiscard]] static std::size_t index_of(std::uint64_t value);
  /// The largest value of a bucket.
  [[nodiscard]] static std::uint64_t upper_edge(std::size_t index);

  std::vector<std::uint64_t> counts_;
  std::uint64_t count_ = 0;
  std::uint64_t max_ = 0;
};

} // namespace aqueduct::bench
