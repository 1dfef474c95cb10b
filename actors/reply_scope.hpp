// Replies of one event leave together. While an actor handles a message, replies are only queued;
// when it is done, each connection that got some is written to once. Without a scope a reply leaves
// at once.
#pragma once

#include <memory>
#include <utility>
#include <vector>

namespace aqueduct::actors {

/// Something with queued replies.
class reply_queue {
public:
  virtual ~reply_queue() = default;
  /// Sends what is queued. Any thread.
  virtual void flush_replies() = 0;
};

/// Lives on the stack of the thread that handles an event. Scopes nest; the outermost one sends.
class reply_scope {
public:
  reply_scope() : outer_(std::exchange(innermost(), this)) {}

  ~reply_scope() {
    innermost() = outer_;
    for (const auto& queue : touched_) {
      if (outer_ != nullptr)
        outer_->touched_.push_back(queue);
      else
        queue->flush_replies();
    }
  }

  reply_scope(const reply_scope&) = delete;
  reply_scope& operator=(const reply_scope&) = delete;

  /// Has `queue` flushed at the end of the present scope. False if there is none.
  [[nodiscard]] static bool defer(std::shared_ptr<reply_queue> queue) {
    auto* scope = innermost();
    if (scope == nullptr)
      return false;
    scope->touched_.push_back(std::move(queue));
    return true;
  }

private:
  static reply_scope*& innermost() {
    thread_local reply_scope* scope = nullptr;
    return scope;
  }

  reply_scope* outer_;
  std::vector<std::shared_ptr<reply_queue>> touched_;
};

} // namespace aqueduct::actors
