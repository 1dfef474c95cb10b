// Waiting on a user's thread for what happens on the I/O thread.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>

namespace aqueduct::client {

/// A value that one thread leaves and another waits for. Shared by both through a shared_ptr.
template <class T>
class sync_slot {
public:
  void put(T value) {
    {
      const std::lock_guard lock(mutex_);
      value_.emplace(std::move(value));
    }
    filled_.notify_one();
  }

  [[nodiscard]] T take() {
    std::unique_lock lock(mutex_);
    filled_.wait(lock, [this] { return value_.has_value(); });
    return std::move(*value_);
  }

private:
  std::mutex mutex_;
  std::condition_variable filled_;
  std::optional<T> value_;
};

} // namespace aqueduct::client
