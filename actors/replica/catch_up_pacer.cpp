#include "actors/replica/catch_up_pacer.hpp"

#include <algorithm>

namespace aqueduct::actors {

namespace {

/// Reads.
constexpr std::size_t average_over = 8;

} // namespace

std::int64_t catch_up_pacer::microseconds_for(std::size_t bytes) const {
  return static_cast<std::int64_t>(static_cast<double>(bytes) * 1e6 / static_cast<double>(rate_));
}

void catch_up_pacer::set_rate(std::uint64_t bytes_per_second) {
  const std::lock_guard lock(mutex_);
  rate_ = bytes_per_second;
}

std::int64_t catch_up_pacer::book(std::int64_t now_ms, std::size_t bytes) {
  const auto begin = std::max(free_us_, now_ms * 1000);
  free_us_ = begin + microseconds_for(bytes);
  return begin / 1000 - now_ms;
}

catch_up_pacer::booking catch_up_pacer::reserve(std::int64_t now_ms, std::size_t most) {
  const std::lock_guard lock(mutex_);
  const auto bytes = std::min(most, usual_bytes_);
  return {book(now_ms, bytes), bytes};
}

void catch_up_pacer::settle(const booking& booked, std::size_t used) {
  const std::lock_guard lock(mutex_);
  free_us_ += microseconds_for(used) - microseconds_for(booked.bytes);
  usual_bytes_ = usual_bytes_ - usual_bytes_ / average_over + used / average_over;
}

std::int64_t catch_up_pacer::charge(std::int64_t now_ms, std::size_t bytes) {
  const std::lock_guard lock(mutex_);
  return book(now_ms, bytes);
}

void catch_up_pacer::written(std::size_t bytes) {
  const std::lock_guard lock(mutex_);
  free_us_ -= microseconds_for(bytes);
}

} // namespace aqueduct::actors
