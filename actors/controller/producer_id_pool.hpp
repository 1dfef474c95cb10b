// The producer ids that a node set aside for itself, and who waits for one: pure.
#pragma once

#include "actors/calls.hpp"

#include <cstdint>
#include <deque>
#include <memory>

namespace aqueduct::actors {

class producer_id_pool {
public:
  void ask(std::shared_ptr<producer_id_sink> sink) {
    waiters_.push_back(std::move(sink));
    serve();
  }
  /// A block that was allocated to this node in this life: one of a life before was given out in
  /// part.
  void add(std::int64_t first, std::int64_t count) {
    next_ = first;
    end_ = first + count;
    serve();
  }
  /// Somebody waits, and there is none left.
  [[nodiscard]] bool needs_more() const { return !waiters_.empty(); }
  void fail(const error& why) {
    for (; !waiters_.empty(); waiters_.pop_front())
      waiters_.front()->allocated(unexpected(why));
  }

private:
  void serve() {
    for (; !waiters_.empty() && next_ < end_; waiters_.pop_front())
      waiters_.front()->allocated(next_++);
  }

  std::deque<std::shared_ptr<producer_id_sink>> waiters_;
  std::int64_t next_ = 0;
  std::int64_t end_ = 0;
};

} // namespace aqueduct::actors
