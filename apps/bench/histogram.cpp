#include "apps/bench/histogram.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace aqueduct::bench {

namespace {

constexpr unsigned exact_bits = std::bit_width(histogram::exact_below) - 1;
constexpr std::size_t half = histogram::exact_below / 2;

} // namespace

// Values below 256 have a bucket each. Every further power of two has 128 buckets: with
// `shift` low bits dropped a value is 128 to 255, so bucket `shift * 128 + (value >> shift)` goes
// on where the last power of two ended.
std::size_t histogram::index_of(std::uint64_t value) {
  if (value < exact_below)
    return static_cast<std::size_t>(value);
  const auto shift = static_cast<unsigned>(std::bit_width(value)) - exact_bits;
  return shift * half + static_cast<std::size_t>(value >> shift);
}

std::uint64_t histogram::upper_edge(std::size_t index) {
  if (index < exact_below)
    return index;
  const auto shift = index / half - 1;
  const std::uint64_t leading = index - shift * half;
  return ((leading + 1) << shift) - 1;
}

void histogram::record(std::uint64_t value, std::uint64_t count) {
  if (count == 0)
    return;
  const auto index = index_of(value);
  if (index >= counts_.size())
    counts_.resize(index + 1);
  counts_[index] += count;
  count_ += count;
  max_ = std::max(max_, value);
}

void histogram::add(const histogram& other) {
  if (other.counts_.size() > counts_.size())
    counts_.resize(other.counts_.size());
  for (std::size_t i = 0; i < other.counts_.size(); ++i)
    counts_[i] += other.counts_[i];
  count_ += other.count_;
  max_ = std::max(max_, other.max_);
}

std::uint64_t histogram::value_at(double quantile) const {
  const auto wanted = static_cast<std::uint64_t>(
      std::ceil(std::clamp(quantile, 0.0, 1.0) * static_cast<double>(count_)));
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    seen += counts_[i];
    if (seen > 0 && seen >= wanted)
      return std::min(upper_edge(i), max_);
  }
  return max_;
}

histogram histogram::corrected(std::uint64_t interval) const {
  histogram result = *this;
  if (interval == 0)
    return result;
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    if (counts_[i] == 0)
      continue;
    for (auto missed = std::min(upper_edge(i), max_); missed >= 2 * interval;) {
      missed -= interval;
      result.record(missed, counts_[i]);
    }
  }
  return result;
}

} // namespace aqueduct::bench
