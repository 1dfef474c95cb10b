#include "actors/controller/topic_host.hpp"

#include "actors/defects.hpp"

#include <caf/actor_system.hpp>
#include <caf/send.hpp>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

namespace aqueduct::actors {

namespace {

raft::replica_id to_replica(const node_life& life) {
  return {raft::node_id(life.node), raft::incarnation(life.incarnation)};
}

/// The first members of a group, as far as this replica knows them from the metadata: one that came
/// later learns who belongs to the group from its leader. The founder of a group of before there
/// were several nodes is this one.
raft::membership founders_of(const replica_set& placed, raft::replica_id self) {
  raft::membership members;
  for (const auto& life : placed.founders)
    members.voters.push_back(to_replica(life));
  std::ranges::sort(members.voters);
  if (members.voters.empty())
    members.voters = {self};
  if (!members.is_voter(self) && has_defect(defect::founded_anew))
    members.voters = {self};
  if (!members.is_voter(self))
    members.voters.clear();
  return members;
}

} // namespace

config::topic_config topic_host::config_of(const topic_record& topic) const {
  auto settings = config::in_effect(options_.topic_defaults, overrides_of(topic));
  for (const auto& note : settings.notes)
    options_.services->log->warn("topic {}: {}", topic.name, note);
  return settings.values;
}

std::vector<raft::replica_id> topic_host::wanted_of(const replica_set& placed) const {
  std::vector<raft::replica_id> wanted;
  for (const auto& life : options_.lives(placed))
    wanted.push_back(to_replica(life));
  return wanted;
}

partition_members topic_host::members_of(const replica_set& placed) const {
  return {wanted_of(placed), placed.is_changing(), placed.changes,
          placed.repair_of(options_.services->node).has_value()};
}

bool topic_host::is_to_be_set_aside(const replica_set& placed) const {
  return placed.repair_of(options_.services->node) == repair_stage::left;
}

void topic_host::change_lives(std::int32_t node) {
  for (const auto& [id, topic] : topics_)
    for (std::size_t i = 0; i < topic->partitions.size(); ++i) {
      const auto& placed = topic->record.partitions[i];
      if (topic->partitions[i]->handle && placed.is_on(node))
        caf::anon_send(topic->partitions[i]->handle, partition_control{members_of(placed)});
    }
}

std::shared_ptr<partition_route> topic_host::open_partition(const topic_route& route,
                                                            std::size_t number) {
  const auto& placed = route.record.partitions[number];
  auto partition = std::make_shared<partition_route>();
  const group_id group{route.record.id, static_cast<std::int32_t>(number)};
  const auto self = options_.services->node;
  // What is left of an earlier replica goes first: it would be taken for this one's.
  const bool is_here =
      placed.is_on(self) && !removals_.contains(group) && !is_to_be_set_aside(placed);
  // A group of one has its leader before it wakes, and who has no replica of a group can only
  // guess: whoever it names tells who leads.
  const auto other = std::ranges::find_if(
      placed.nodes, [&](std::int32_t node) { return is_here || node != self; });
  if ((placed.nodes.size() == 1 || !is_here) && other != placed.nodes.end())
    partition->leader = *other;
  if (!is_here)
    return partition;
  partition_config config;
  config.group = group;
  config.topic = route.config;
  config.route = partition;
  config.services = options_.services;
  config.founders = founders_of(placed, options_.services->replica);
  config.members = members_of(placed);
  config.moved = options_.moved;
  config.damaged = options_.damaged;
  config.repaired = options_.repaired;
  set_aside_.erase(group);
  if (route.record.name == group_topic_name) {
    group_partition_config coordinator;
    coordinator.partition = std::move(config);
    coordinator.directory = options_.directory;
    coordinator.bounds = options_.groups;
    partition->board = std::make_shared<heartbeat_board>();
    partition->coordinator = spawn_group_partition(system_, std::move(coordinator));
    partition->handle = partition->coordinator;
  } else {
    partition->handle = spawn_partition(system_, std::move(config));
  }
  ++partition_count_;
  return partition;
}

void topic_host::add_partitions(topic_route& route) {
  for (auto i = route.partitions.size(); i < route.record.partitions.size(); ++i)
    route.partitions.push_back(open_partition(route, i));
}

void topic_host::change_replicas(const topic_record& topic, std::int32_t partition) {
  const auto it = topics_.find(topic.id);
  if (it == topics_.end())
    return;
  const auto number = static_cast<std::size_t>(partition);
  auto route = std::make_shared<topic_route>(*it->second);
  route->record = topic;
  auto& slot = route->partitions[number];
  const auto& placed = topic.partitions[number];
  const group_id group{topic.id, partition};
  const bool goes = is_to_be_set_aside(placed) || !placed.is_on(options_.services->node);
  drop_outdated_removal(group, placed);
  if (slot->handle && !goes) {
    caf::anon_send(slot->handle, partition_control{members_of(placed)});
  } else {
    if (is_to_be_set_aside(placed))
      set_aside(group, placed, slot->handle);
    else if (slot->handle || (goes && set_aside_.erase(group) > 0))
      begin_removal(group, slot->handle, storage::removal_kind::delete_files, placed.changes);
    slot = open_partition(*route, number);
  }
  it->second = route;
  options_.directory->put(std::move(route));
}

// -- topics ---------------------------------------------------------------------------------------

void topic_host::add(const topic_record& topic) {
  auto route = std::make_shared<topic_route>();
  route->record = topic;
  route->config = config_of(topic);
  for (std::size_t i = 0; i < topic.partitions.size(); ++i)
    set_aside({topic.id, static_cast<std::int32_t>(i)}, topic.partitions[i], partition_actor());
  add_partitions(*route);
  topics_[topic.id] = route;
  options_.directory->put(std::move(route));
}

std::size_t topic_host::alter(const topic_record& topic) {
  const auto it = topics_.find(topic.id);
  if (it == topics_.end())
    return 0;
  auto route = std::make_shared<topic_route>(*it->second);
  route->record = topic;
  route->config = config_of(topic);
  const auto before = route->partitions.size();
  for (const auto& partition : route->partitions)
    if (partition->handle)
      caf::anon_send(partition->handle, partition_control{partition_configure{route->config}});
  add_partitions(*route);
  it->second = route;
  options_.directory->put(std::move(route));
  return before;
}

void topic_host::change_defaults(const config::topic_config& defaults) {
  options_.topic_defaults = defaults;
  std::vector<topic_record> records;
  for (const auto& [id, topic] : topics_)
    records.push_back(topic->record);
  for (const auto& record : records)
    alter(record);
}

std::vector<group_id> topic_host::plan_wake(const std::vector<group_id>& groups) {
  std::vector<group_id> unknown;
  for (const auto& group : groups) {
    if (group == controller_group)
      continue;
    const auto it = topics_.find(group.topic);
    const auto number = static_cast<std::size_t>(group.partition);
    const bool is_known = it != topics_.end() && number < it->second->partitions.size();
    if (!is_known || (!it->second->partitions[number]->handle && !removals_.contains(group) &&
                      !set_aside_.contains(group)))
      unknown.push_back(group);
    else if (it->second->partitions[number]->handle)
      to_wake_.push_back(it->second->partitions[number]->handle);
  }
  return unknown;
}

void topic_host::wake_some(std::size_t count) {
  for (; count > 0 && !to_wake_.empty(); --count) {
    caf::anon_send(to_wake_.front(), partition_control{partition_wake{}});
    to_wake_.pop_front();
  }
}

std::size_t topic_host::stop(const uuid& topic, std::size_t first,
                             const std::function<void(group_id)>& stopped) {
  std::size_t count = 0;
  const auto& partitions = topics_.at(topic)->partitions;
  for (auto i = first; i < partitions.size(); ++i) {
    if (!partitions[i]->handle)
      continue;
    const group_id group{topic, static_cast<std::int32_t>(i)};
    caf::anon_send(partitions[i]->handle,
                   partition_control{partition_stop{
                       false, [stopped, group](const result<void>&) { stopped(group); }}});
    ++count;
  }
  return count;
}

std::size_t topic_host::stop_all(const std::function<void(group_id)>& stopped) {
  is_stopping_ = true;
  std::size_t count = 0;
  for (const auto& [id, topic] : topics_)
    count += stop(id, 0, stopped);
  to_wake_.clear();
  return count;
}

} // namespace aqueduct::actors
