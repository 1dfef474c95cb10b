// The newest committed batches of a partition, as the buffers that were appended: consumers at the
// tail never touch the disk. Owned by one partition; the budget is shared by all of a node.
#pragma once

#include "protocol/buffer.hpp"

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>

namespace aqueduct::actors {

/// Bytes that all tail caches of a node may hold together. Thread-safe.
class cache_budget {
public:
  explicit cache_budget(std::size_t bytes_max) : bytes_max_(static_cast<std::int64_t>(bytes_max)) {}

  void add(std::int64_t bytes) { used_.fetch_add(bytes, std::memory_order_relaxed); }
  [[nodiscard]] std::int64_t used() const { return used_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::int64_t bytes_max() const { return bytes_max_; }
  [[nodiscard]] bool exceeded() const { return used() > bytes_max_; }

private:
  std::int64_t bytes_max_;
  std::atomic<std::int64_t> used_{0};
};

class tail_cache {
public:
  explicit tail_cache(std::shared_ptr<cache_budget> budget) : budget_(std::move(budget)) {}
  ~tail_cache() { clear(); }
  tail_cache(const tail_cache&) = delete;
  tail_cache& operator=(const tail_cache&) = delete;

  /// Adds the batch after the last one; drops the oldest while the node holds too much. A batch
  /// that does not follow the last one empties the cache first.
  void push(std::int64_t base_offset, std::int64_t next_offset, buffer batch);

  /// What `read` found.
  struct found {
    buffer_chain batches;
    /// Offset after the last batch.
    std::int64_t next_offset = 0;
  };
  /// Batches from the one that holds `offset` on, up to `bytes_max` but at least one; nothing if
  /// the cache does not reach back that far or `offset` is not below its end.
  [[nodiscard]] std::optional<found> read(std::int64_t offset, std::size_t bytes_max) const;

  /// Forgets everything before `offset`.
  void drop_before(std::int64_t offset);
  /// Halves what it holds: for partitions that were not written for a while.
  void shrink();
  void clear();

  [[nodiscard]] std::size_t bytes() const { return bytes_; }

private:
  struct cached {
    std::int64_t base_offset;
    std::int64_t next_offset;
    buffer batch;
  };

  /// What a cached batch costs beyond its bytes.
  static constexpr std::size_t overhead = sizeof(cached) + 64;

  void pop_front();

  std::shared_ptr<cache_budget> budget_;
  /// Invariant: ascending and contiguous.
  std::deque<cached> batches_;
  std::size_t bytes_ = 0;
};

} // namespace aqueduct::actors
