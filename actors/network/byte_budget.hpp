// Bytes of requests that a connection, and all connections together, have in memory: from the
// moment they are read until their answer is queued. Above the limit no further frame is begun.
#pragma once

#include <atomic>
#include <cstdint>

namespace aqueduct::actors::network {

/// Thread-safe.
class byte_budget {
public:
  explicit byte_budget(std::uint64_t bytes_max)
      : bytes_max_(static_cast<std::int64_t>(bytes_max)) {}

  void take(std::size_t bytes) {
    used_.fetch_add(static_cast<std::int64_t>(bytes), std::memory_order_relaxed);
  }
  void give_back(std::size_t bytes) {
    used_.fetch_sub(static_cast<std::int64_t>(bytes), std::memory_order_relaxed);
  }
  [[nodiscard]] bool is_full() const { return used() >= bytes_max_; }
  [[nodiscard]] std::int64_t used() const { return used_.load(std::memory_order_relaxed); }

private:
  std::int64_t bytes_max_;
  std::atomic<std::int64_t> used_{0};
};

} // namespace aqueduct::actors::network
