#include "actors/replica/catch_up_pacer.hpp"

#include <algorithm>

namespace aqueduct::actors {

std::int64_t catch_up_pacer::microseconds_for(std::size_t bytes) const {
  return static_cast<std::int64_t>(static_cast<double>(bytes) * 1e6 / static_cast<double>(rate_));
}

void catch_up_pacer::set_rate(std::uint64_t bytes_per_second) {
  const std::lock_guard lock(mutex_);
  rate_ = bytes_per_second;
}

std::int64_t catch_up_pacer::reserve(std::int64_t now_ms, std::size_t bytes) {
  const std::lock_guard lock(mutex_);
  const auto begin = std::max(free_us_, now_ms * 1000);
  free_us_ = begin + microseconds_for(bytes);
  return begin / 1000 - now_ms;
}

void catch_up_pacer::settle(std::size_t reserved, std::size_t used) {
  const std::lock_guard lock(mutex_);
  free_us_ += microseconds_for(used) - microseconds_for(reserved);
}

void catch_up_pacer::written(std::size_t bytes) {
  const std::lock_guard lock(mutex_);
  free_us_ -= microseconds_for(bytes);
}

} // namespace aqueduct::actors
