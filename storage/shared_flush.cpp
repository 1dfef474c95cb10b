// One at a time; who waits looks whether the one that ended began late enough.
#include "storage/shared_flush.hpp"

namespace aqueduct::storage {

result<void> shared_flush::run(const std::function<result<void>()>& flush) {
  std::unique_lock lock(mutex_);
  // The one that runs may have looked before the caller wrote.
  const auto wanted = begun_ + 1;
  ended_changed_.wait(lock, [&] { return ended_ >= wanted || begun_ == ended_; });
  if (ended_ >= wanted)
    return outcome_;
  ++begun_;
  lock.unlock();
  auto outcome = flush();
  lock.lock();
  ended_ = begun_;
  outcome_ = outcome;
  ended_changed_.notify_all();
  return outcome;
}

} // namespace aqueduct::storage
