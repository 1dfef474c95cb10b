// The groups of a node by id, for messages that arrive from other nodes. Whoever owns a group
// enters it with a way to wake it; its replica is there while the group is open.
#pragma once

#include "actors/messages.hpp"
#include "actors/peer/transport.hpp"

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <unordered_map>
#include <utility>

namespace aqueduct::actors {

/// Thread-safe.
class group_registry final : public raft_receiver {
public:
  /// `self`: messages that are meant for another life of this node are dropped.
  explicit group_registry(raft::replica_id self) : self_(self) {}

  /// The group belongs to this node. `wake` opens it; it is called from any thread, at most once
  /// until the group was opened and closed again, and must not block.
  void add(const group_id& group, std::function<void()> wake);
  void remove(const group_id& group);
  void opened(const group_id& group, replica_actor replica);
  void closed(const group_id& group);

  /// A message to a group that is not open wakes it and is lost: whoever sent it repeats what
  /// matters. One to a group that is not known is lost.
  void deliver(std::vector<raft_delivery> messages) override;
  /// The link to a node is lost: its groups look for another leader, and those that sleep because
  /// their leader told them to resume their ticks.
  void lost_contact(raft::node_id node);
  enum class presence : std::uint8_t { unknown, closed, open };
  /// The replica of a group, if it is open. One that is not is woken.
  [[nodiscard]] std::pair<presence, replica_actor> find_or_wake(const group_id& group);

  /// The replica of a group that is open; else nothing.
  [[nodiscard]] replica_actor find(const group_id& group) const;
  [[nodiscard]] std::size_t open_count() const;
  /// Messages that found no group here.
  [[nodiscard]] std::uint64_t unknown_count() const { return unknown_.load(); }

private:
  struct place {
    std::function<void()> wake;
    replica_actor replica;
    bool is_waking = false;
  };
  struct shard {
    mutable std::mutex mutex;
    std::unordered_map<group_id, place> groups;
  };

  [[nodiscard]] shard& shard_of(const group_id& group) {
    return shards_[std::hash<group_id>{}(group) % shards_.size()];
  }
  [[nodiscard]] const shard& shard_of(const group_id& group) const {
    return shards_[std::hash<group_id>{}(group) % shards_.size()];
  }
  void deliver_one(raft_delivery& message);

  raft::replica_id self_;
  std::array<shard, 16> shards_;
  std::atomic<std::uint64_t> unknown_{0};
};

} // namespace aqueduct::actors
