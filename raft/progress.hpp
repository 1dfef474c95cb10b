// What a leader knows about one other replica, and how much it may send it. The three modes and
// what leads from one to another (after etcd's design.md):
//
//   probe      one request at a time, to find where the logs part
//     | accepted                           ^ refused, or silent
//     v                                    |
//   replicate  a window of requests in flight, `next` runs ahead
//     | (either) what it needs is compacted
//     v
//   snapshot   nothing is sent until it says that it has a state; then replicate
#pragma once

#include "raft/types.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <utility>

namespace aqueduct::raft {

enum class progress_mode : std::uint8_t { probe, replicate, snapshot };

class progress {
public:
  /// A replica of which nothing is known: its log may end anywhere; `next` is tried first.
  progress(replica_id who, log_index next) : who_(who), next_(next) {}

  [[nodiscard]] replica_id who() const { return who_; }
  [[nodiscard]] progress_mode mode() const { return mode_; }
  /// Everything up to here is durable there and equal to the leader's log.
  [[nodiscard]] log_index match() const { return match_; }
  /// The entry to send next. Invariant: match < next.
  [[nodiscard]] log_index next() const { return next_; }
  [[nodiscard]] std::size_t inflight_requests() const { return inflight_.size(); }
  [[nodiscard]] std::size_t inflight_bytes() const { return inflight_bytes_; }

  /// Nothing may be sent: the window is full, a probe is out, entries are being loaded, or a state
  /// is being fetched.
  [[nodiscard]] bool is_paused(std::uint32_t requests_max, std::size_t bytes_max) const;

  /// A request with the entries [next, next + count) leaves.
  void sent(std::uint64_t count, std::size_t bytes);
  /// It has everything up to `index`. True if that is news.
  bool acknowledged(log_index index);
  /// It lacks `refused`, and shares nothing above `common` with the leader. False if that is an
  /// answer to something that was settled since.
  bool rejected(log_index refused, log_index common);
  /// It answered a heartbeat: a lost probe may be repeated. True if it has acknowledged nothing
  /// since the last such answer, so that what was sent may be lost.
  bool heard();
  /// What it needs is compacted.
  void becomes_snapshot(log_index offered);
  /// What was sent may be lost: starts again from `match`.
  void restart();

  /// The load that the next request waits for.
  std::optional<std::uint64_t> load;
  /// Said anything since the last check of the quorum. Invariant: false only for so long.
  bool recently_active = false;
  /// Ticks of the awake leader since it said anything.
  std::uint32_t silent_ticks = 0;
  /// It said something.
  void spoke() {
    recently_active = true;
    silent_ticks = 0;
  }
  /// The newest read round that it confirmed.
  std::uint64_t read_round = 0;
  /// Commit index that the last request named.
  log_index commit_sent;
  /// Ticks since the state was offered.
  std::uint32_t snapshot_ticks = 0;

private:
  struct request {
    log_index last;
    std::size_t bytes;
  };

  void clear_window();

  replica_id who_;
  progress_mode mode_ = progress_mode::probe;
  log_index match_;
  log_index next_;
  /// probe: a request is out.
  bool probing_ = false;
  /// replicate: requests that are not acknowledged, oldest first. Empty otherwise.
  std::deque<request> inflight_;
  std::size_t inflight_bytes_ = 0;
  /// Acknowledged something since it last answered a heartbeat.
  bool advanced_ = false;
  /// snapshot: index of the state that was offered.
  log_index offered_;
};

} // namespace aqueduct::raft
