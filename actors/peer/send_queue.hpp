// What waits to be sent on one connection: in order, bounded in bytes, without what is superseded.
// A newer vote, heartbeat or answer to one takes the place of an older one of the same kind between
// the same replicas: the older one would say nothing that the newer one does not. Calls and answers
// wait in a line of their own, in the same bytes.
#pragma once

#include "actors/peer/raft_wire.hpp"

#include <cstdint>
#include <deque>
#include <optional>
#include <unordered_map>
#include <variant>
#include <vector>

namespace aqueduct::actors {

/// A call or an answer on its way to another node.
struct call_parcel {
  std::uint32_t correlation = 0;
  std::variant<protocol::cluster::call, protocol::cluster::call_answer> what;

  /// About what it takes in a frame and in memory.
  [[nodiscard]] std::size_t bytes() const;
};

class send_queue {
public:
  /// Appends are taken while less than three quarters of the window are used, so that they leave
  /// room for what keeps a leader in office.
  explicit send_queue(std::size_t window_bytes) : window_bytes_(window_bytes) {}

  enum class outcome : std::uint8_t { queued, superseded, dropped };

  /// Whether a newer message takes the place of one like this. There are few of them, so they may
  /// wait for a connection.
  [[nodiscard]] static bool supersedes(const raft::message& message);

  /// Queues a message at the end, or in the place of the one that it supersedes, or drops it when
  /// the window is full.
  outcome push(raft_parcel parcel);
  /// Takes messages from the front, at least one, as long as they stay within `bytes_max` together.
  /// They count against the window until `sent`. Precondition: not empty.
  [[nodiscard]] std::vector<raft_parcel> take(std::size_t bytes_max);
  /// Queues a call behind the earlier ones. False: the window is full.
  [[nodiscard]] bool push_call(call_parcel parcel);
  /// Takes the first call. It counts against the window until `sent`. Nothing when there is none.
  [[nodiscard]] std::optional<call_parcel> take_call();

  /// What was taken has left.
  void sent() { taken_bytes_ = 0; }
  /// The connection is lost and with it what was taken. Drops the calls and the appends that wait,
  /// and tells how many appends; what has been superseding others stays.
  std::size_t lose();

  /// No Raft message waits.
  [[nodiscard]] bool empty() const { return waiting_.empty(); }
  [[nodiscard]] bool has_calls() const { return !calls_.empty(); }
  [[nodiscard]] std::size_t size() const { return waiting_.size(); }
  /// Nothing waits but heartbeats and answers to them, which are in no hurry.
  [[nodiscard]] bool is_patient() const { return patient_ == waiting_.size() && calls_.empty(); }
  /// Waiting and taken.
  [[nodiscard]] std::size_t bytes() const { return waiting_bytes_ + taken_bytes_; }
  [[nodiscard]] std::size_t window_bytes() const { return window_bytes_; }
  /// Room for appends.
  [[nodiscard]] bool has_room_for(std::size_t bytes) const;

private:
  struct key {
    group_id group;
    raft::replica_id from;
    raft::replica_id to;
    std::size_t kind = 0;

    friend bool operator==(const key&, const key&) = default;
  };
  struct key_hash {
    std::size_t operator()(const key& k) const noexcept {
      return std::hash<group_id>{}(k.group) * 31 + k.kind;
    }
  };
  struct waiting {
    raft_parcel parcel;
    std::size_t bytes = 0;
  };

  [[nodiscard]] static key key_of(const raft_parcel& parcel);
  void append(raft_parcel parcel, std::size_t bytes);

  std::size_t window_bytes_;
  std::deque<call_parcel> calls_;
  std::deque<waiting> waiting_;
  /// Number of the first in waiting_, from the beginning of time.
  std::uint64_t first_ = 0;
  /// The superseding messages in waiting_, by number.
  std::unordered_map<key, std::uint64_t, key_hash> newest_;
  std::size_t patient_ = 0;
  std::size_t waiting_bytes_ = 0;
  std::size_t taken_bytes_ = 0;
};

} // namespace aqueduct::actors
