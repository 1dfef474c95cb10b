// Deadlines of one I/O thread's requests on one timer.
#pragma once

#include "actors/network/stream.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <utility>
#include <vector>

namespace aqueduct::actors::network {

/// Somebody who is told when the time is over.
class expirable {
public:
  virtual ~expirable() = default;
  virtual void expire() = 0;
};

/// Must outlive its io_context's handlers. What is cancelled takes no memory any more.
class deadline_queue {
public:
  using clock = std::chrono::steady_clock;
  /// Names a deadline; unique in its queue.
  using ticket = std::pair<clock::time_point, std::uint64_t>;

  explicit deadline_queue(asio::io_context& io) : timer_(io) {}

  /// Calls `who->expire()` at `when`, if it still lives. `owner` is only compared. I/O thread.
  ticket add(clock::time_point when, std::weak_ptr<expirable> who, const void* owner) {
    ticket added;
    {
      const std::lock_guard lock(mutex_);
      added = {when, next_number_++};
      waiting_.emplace(added, entry{std::move(who), owner});
      by_owner_.emplace(owner, added);
    }
    // Most are cancelled, and later ones come: the timer is left as it is, and looks when it rings.
    if (!armed_ || when < *armed_)
      arm(when);
    return added;
  }

  /// Forgets a deadline; one that is over or forgotten is no error. Any thread.
  void cancel(const ticket& which) {
    const std::lock_guard lock(mutex_);
    if (const auto found = waiting_.find(which); found != waiting_.end())
      remove(found);
  }

  /// Does not wait for the deadlines of `owner`: they are over now. I/O thread.
  void expire_all_of(const void* owner) {
    std::vector<std::weak_ptr<expirable>> over;
    {
      const std::lock_guard lock(mutex_);
      for (auto it = by_owner_.lower_bound({owner, ticket{clock::time_point::min(), 0}});
           it != by_owner_.end() && it->first == owner;) {
        const auto found = waiting_.find((it++)->second);
        over.push_back(std::move(found->second.who));
        remove(found);
      }
    }
    expire(over);
  }

  /// I/O thread.
  void stop() {
    {
      const std::lock_guard lock(mutex_);
      waiting_.clear();
      by_owner_.clear();
    }
    boost::system::error_code ignored;
    timer_.cancel(ignored);
  }

  /// Any thread.
  [[nodiscard]] std::size_t size() const {
    const std::lock_guard lock(mutex_);
    return waiting_.size();
  }

private:
  struct entry {
    std::weak_ptr<expirable> who;
    const void* owner;
  };
  using queue = std::map<ticket, entry>;

  /// Precondition: mutex_ is held.
  void remove(queue::iterator which) {
    by_owner_.erase({which->second.owner, which->first});
    waiting_.erase(which);
  }

  static void expire(const std::vector<std::weak_ptr<expirable>>& over) {
    for (const auto& one : over)
      if (const auto who = one.lock())
        who->expire();
  }

  void arm(clock::time_point when) {
    armed_ = when;
    timer_.expires_at(when);
    timer_.async_wait([this](const boost::system::error_code& cancelled) {
      if (!cancelled)
        fire();
    });
  }

  void fire() {
    armed_.reset();
    std::vector<std::weak_ptr<expirable>> over;
    const auto now = clock::now();
    {
      const std::lock_guard lock(mutex_);
      while (!waiting_.empty() && waiting_.begin()->first.first <= now) {
        over.push_back(std::move(waiting_.begin()->second.who));
        remove(waiting_.begin());
      }
      if (!waiting_.empty())
        arm(waiting_.begin()->first.first);
    }
    expire(over);
  }

  asio::steady_timer timer_;
  /// When it rings. I/O thread.
  std::optional<clock::time_point> armed_;
  mutable std::mutex mutex_;
  // Guarded by mutex_. Invariant: by_owner_ has the tickets of waiting_.
  queue waiting_;
  std::set<std::pair<const void*, ticket>> by_owner_;
  std::uint64_t next_number_ = 0;
};

} // namespace aqueduct::actors::network
