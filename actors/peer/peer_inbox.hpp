// What is on its way from the parts of this node to a peer actor: messages of replicas, calls, and
// answers to the other node's calls. Bounded in bytes, which a mailbox is not, and with one wake-up
// for all that come before the actor looks.
#pragma once

#include "actors/peer/node_calls.hpp"
#include "actors/peer/peer_core.hpp"

#include <cstdint>
#include <functional>
#include <mutex>
#include <utility>
#include <vector>

namespace aqueduct::actors {

/// A call of this node to the other one.
struct outgoing_call {
  call_kind what = call_kind::controller;
  buffer question;
  std::int64_t deadline_ms = 0;
  std::function<void(result<buffer>)> answered;
};

/// An answer of this node to a call of the other one.
struct outgoing_answer {
  asked_call to;
  result<buffer> answer;
};

struct peer_mail {
  std::vector<raft_parcel> parcels;
  std::vector<outgoing_call> calls;
  std::vector<outgoing_answer> answers;

  [[nodiscard]] bool empty() const { return parcels.empty() && calls.empty() && answers.empty(); }
};

/// Thread-safe. Calls nobody: what it does not take its caller has to answer.
class peer_inbox {
public:
  /// So many bytes of messages, as many of calls and answers, and so many calls.
  peer_inbox(std::size_t bytes_max, std::size_t calls_max)
      : bytes_max_(bytes_max), calls_max_(calls_max) {}

  /// Takes what fits and drops the rest. True: the actor must be woken.
  [[nodiscard]] bool push(std::vector<raft_parcel> parcels) {
    const std::lock_guard lock(mutex_);
    if (closed_)
      return false;
    const bool was_empty = mail_.empty();
    for (auto& parcel : parcels) {
      const auto size = wire_size(parcel.body);
      if (bytes_ + size > bytes_max_ && bytes_ > 0) {
        ++dropped_;
        continue;
      }
      bytes_ += size;
      mail_.parcels.push_back(std::move(parcel));
    }
    return was_empty && !mail_.empty();
  }

  enum class outcome : std::uint8_t { taken, taken_wake, full, closed };

  /// Moves from `call` only if it is taken.
  [[nodiscard]] outcome push(outgoing_call& call) {
    const std::lock_guard lock(mutex_);
    if (closed_)
      return outcome::closed;
    const auto size = call.question.size();
    if (mail_.calls.size() >= calls_max_ || (call_bytes_ + size > bytes_max_ && call_bytes_ > 0))
      return outcome::full;
    const bool was_empty = mail_.empty();
    call_bytes_ += size;
    mail_.calls.push_back(std::move(call));
    return was_empty ? outcome::taken_wake : outcome::taken;
  }

  /// An answer that does not fit gives way to an error. True: the actor must be woken. The other
  /// node has bounded the number of answers.
  [[nodiscard]] bool push(outgoing_answer answer) {
    const std::lock_guard lock(mutex_);
    if (closed_)
      return false;
    const auto size = answer.answer ? answer.answer->size() : 0;
    if (call_bytes_ + size > bytes_max_ && call_bytes_ > 0)
      answer.answer = unexpected(errc::overloaded, "the way back for answers is full");
    else
      call_bytes_ += size;
    const bool was_empty = mail_.empty();
    mail_.answers.push_back(std::move(answer));
    return was_empty;
  }

  [[nodiscard]] peer_mail take() {
    const std::lock_guard lock(mutex_);
    bytes_ = 0;
    call_bytes_ = 0;
    return std::exchange(mail_, {});
  }

  /// Takes nothing any more.
  [[nodiscard]] peer_mail close() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    return std::exchange(mail_, {});
  }

  [[nodiscard]] std::uint64_t dropped() const {
    const std::lock_guard lock(mutex_);
    return dropped_;
  }

private:
  std::size_t bytes_max_;
  std::size_t calls_max_;
  mutable std::mutex mutex_;
  peer_mail mail_;
  std::size_t bytes_ = 0;
  std::size_t call_bytes_ = 0;
  std::uint64_t dropped_ = 0;
  bool closed_ = false;
};

} // namespace aqueduct::actors
