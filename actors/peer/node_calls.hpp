// How a node asks another node something and gets an answer. Raft messages may be lost; a call is
// always answered, if only by an error. Who asks and who answers knows nothing but these two
// interfaces; behind them are the peer actors of a node, or the simulated network of a test.
#pragma once

#include "protocol/buffer.hpp"
#include "protocol/result.hpp"
#include "raft/types.hpp"

#include <cstdint>
#include <functional>

namespace aqueduct::actors {

/// What is asked. Numbers are for ever: they are on the wire.
enum class call_kind : std::uint16_t { controller = 1, fetch_state = 2, elect = 3 };

/// Longer waits count as this one.
inline constexpr std::int64_t call_timeout_ms_max = 3'600'000;

/// Asks other nodes. Thread-safe, never blocks.
class node_caller {
public:
  virtual ~node_caller() = default;
  /// `answered` is called exactly once, from any thread, perhaps before this returns; it must not
  /// block. It gets the other node's answer, or its error as it gave it, or an error of the way:
  /// broker_unavailable: there is no link to the node, nothing was sent;
  /// connection_lost: the link ended before the answer came; timed_out: no answer in time;
  /// overloaded: too much is under way to the node, nothing was sent;
  /// message_too_large: larger than what the link or the other node takes, nothing was sent;
  /// unsupported_version: the other node is of a release that knows no calls;
  /// shutting_down: this node closes the link.
  /// After connection_lost, timed_out and shutting_down the other node may have done what was
  /// asked.
  virtual void call(raft::node_id to, call_kind what, buffer question, std::int64_t timeout_ms,
                    std::function<void(result<buffer>)> answered) = 0;
};

/// Answers other nodes. Thread-safe, must not block.
class call_handler {
public:
  virtual ~call_handler() = default;
  /// `answer` is to be called once, from any thread; what comes after the first call is ignored.
  /// When it is dropped without a call the other node gets the error internal.
  virtual void asked(raft::node_id from, call_kind what, buffer question,
                     std::function<void(result<buffer>)> answer) = 0;
};

/// A function that answers, which does it exactly once: calls after the first are ignored, and when
/// the last copy goes without a call it answers with `if_dropped`.
[[nodiscard]] std::function<void(result<buffer>)>
answer_once(std::function<void(result<buffer>)> answer, error if_dropped);

} // namespace aqueduct::actors
