// Flushes that callers share: however many threads ask at once, one flush runs and the next serves
// all who asked meanwhile.
#pragma once

#include "protocol/result.hpp"

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>

namespace aqueduct::storage {

/// Thread-safe.
class shared_flush {
public:
  /// Returns when a call of `flush` that began after this call has ended, with what it returned:
  /// so it speaks of everything that was written before. Never two of them run at once. The
  /// `flush` of all callers must do the same.
  [[nodiscard]] result<void> run(const std::function<result<void>()>& flush);

private:
  std::mutex mutex_;
  std::condition_variable ended_changed_;
  /// Flushes are numbered from 1. Invariant: `begun_` is `ended_` or, while one runs, one more.
  std::uint64_t begun_ = 0;
  std::uint64_t ended_ = 0;
  /// Of the flush that ended last.
  result<void> outcome_;
};

} // namespace aqueduct::storage
