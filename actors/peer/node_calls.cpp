#include "actors/peer/node_calls.hpp"

#include <atomic>
#include <memory>
#include <utility>

namespace aqueduct::actors {

namespace {

class pending_answer {
public:
  pending_answer(std::function<void(result<buffer>)> answer, error if_dropped)
      : answer_(std::move(answer)), if_dropped_(std::move(if_dropped)) {}
  ~pending_answer() { give(unexpected(std::move(if_dropped_))); }

  pending_answer(const pending_answer&) = delete;
  pending_answer& operator=(const pending_answer&) = delete;

  void give(result<buffer> what) {
    if (!given_.exchange(true))
      std::exchange(answer_, nullptr)(std::move(what));
  }

private:
  std::function<void(result<buffer>)> answer_;
  error if_dropped_;
  std::atomic<bool> given_{false};
};

} // namespace

std::function<void(result<buffer>)> answer_once(std::function<void(result<buffer>)> answer,
                                                error if_dropped) {
  return [pending = std::make_shared<pending_answer>(std::move(answer), std::move(if_dropped))](
             result<buffer> what) { pending->give(std::move(what)); };
}

} // namespace aqueduct::actors
