// Deadlines of one I/O thread's requests on one timer.
#pragma once

#include "actors/network/stream.hpp"

#include <chrono>
#include <map>
#include <memory>

namespace aqueduct::actors::network {

/// Somebody who is told when the time is over.
class expirable {
public:
  virtual ~expirable() = default;
  virtual void expire() = 0;
};

/// I/O thread only. Must outlive its io_context's handlers.
class deadline_queue {
public:
  using clock = std::chrono::steady_clock;

  explicit deadline_queue(asio::io_context& io) : timer_(io) {}

  /// Calls `who->expire()` at `when`, if it still lives.
  void add(clock::time_point when, std::weak_ptr<expirable> who) {
    const bool first = waiting_.empty() || when < waiting_.begin()->first;
    waiting_.emplace(when, std::move(who));
    if (first)
      arm();
  }

  void stop() {
    waiting_.clear();
    boost::system::error_code ignored;
    timer_.cancel(ignored);
  }

private:
  void arm() {
    timer_.expires_at(waiting_.begin()->first);
    timer_.async_wait([this](const boost::system::error_code& cancelled) {
      if (!cancelled)
        fire();
    });
  }

  void fire() {
    const auto now = clock::now();
    while (!waiting_.empty() && waiting_.begin()->first <= now) {
      const auto who = waiting_.begin()->second.lock();
      waiting_.erase(waiting_.begin());
      if (who)
        who->expire();
    }
    if (!waiting_.empty())
      arm();
  }

  asio::steady_timer timer_;
  std::multimap<clock::time_point, std::weak_ptr<expirable>> waiting_;
};

} // namespace aqueduct::actors::network
