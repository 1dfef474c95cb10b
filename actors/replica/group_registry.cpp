#include "actors/replica/group_registry.hpp"

#include <caf/send.hpp>

#include <utility>

namespace aqueduct::actors {

void group_registry::add(const group_id& group, std::function<void()> wake) {
  auto& in = shard_of(group);
  const std::lock_guard lock(in.mutex);
  in.groups[group].wake = std::move(wake);
}

void group_registry::remove(const group_id& group) {
  auto& in = shard_of(group);
  const std::lock_guard lock(in.mutex);
  in.groups.erase(group);
}

void group_registry::opened(const group_id& group, replica_actor replica) {
  auto& in = shard_of(group);
  const std::lock_guard lock(in.mutex);
  auto& entry = in.groups[group];
  entry.replica = std::move(replica);
  entry.is_waking = false;
}

void group_registry::closed(const group_id& group) {
  auto& in = shard_of(group);
  const std::lock_guard lock(in.mutex);
  if (const auto found = in.groups.find(group); found != in.groups.end())
    found->second.replica = nullptr;
}

void group_registry::deliver(std::vector<raft_delivery> messages) {
  for (auto& message : messages)
    if (message.to == self_)
      deliver_one(message);
}

void group_registry::deliver_one(raft_delivery& message) {
  auto& in = shard_of(message.group);
  std::function<void()> wake;
  {
    const std::lock_guard lock(in.mutex);
    const auto found = in.groups.find(message.group);
    if (found == in.groups.end()) {
      ++unknown_;
      return;
    }
    if (found->second.replica) {
      caf::anon_send(found->second.replica,
                     replica_request{replica_receive{message.from, std::move(message.body)}});
      return;
    }
    if (!std::exchange(found->second.is_waking, true))
      wake = found->second.wake;
  }
  if (wake)
    wake();
}

std::pair<group_registry::presence, replica_actor>
group_registry::find_or_wake(const group_id& group) {
  auto& in = shard_of(group);
  std::function<void()> wake;
  {
    const std::lock_guard lock(in.mutex);
    const auto found = in.groups.find(group);
    if (found == in.groups.end())
      return {presence::unknown, replica_actor{}};
    if (found->second.replica)
      return {presence::open, found->second.replica};
    if (!std::exchange(found->second.is_waking, true))
      wake = found->second.wake;
  }
  if (wake)
    wake();
  return {presence::closed, replica_actor{}};
}

void group_registry::lost_contact(raft::node_id node) {
  for (auto& each : shards_) {
    const std::lock_guard lock(each.mutex);
    for (const auto& [group, entry] : each.groups)
      if (entry.replica)
        caf::anon_send(entry.replica, replica_request{replica_lost_contact{node}});
  }
}

replica_actor group_registry::find(const group_id& group) const {
  const auto& in = shard_of(group);
  const std::lock_guard lock(in.mutex);
  const auto found = in.groups.find(group);
  return found == in.groups.end() ? replica_actor() : found->second.replica;
}

std::size_t group_registry::open_count() const {
  std::size_t count = 0;
  for (const auto& each : shards_) {
    const std::lock_guard lock(each.mutex);
    for (const auto& [group, entry] : each.groups)
      count += entry.replica ? 1 : 0;
  }
  return count;
}

} // namespace aqueduct::actors
