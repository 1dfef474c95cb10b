// Brokers that are drained and leave, replicas that move, and damaged ones that are replaced.
#include "actors/controller/controller_core.hpp"
#include "actors/controller/move_plan.hpp"

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

namespace aqueduct::actors {

namespace {

/// Replicas under repair at once: what they copy is shared with the clients' traffic.
constexpr std::size_t repairs_max = 8;

replay_outcome refused(errc code, std::string message) {
  replay_outcome outcome;
  outcome.refused = error{code, std::move(message)};
  return outcome;
}

error no_such_broker(std::int32_t node) {
  return {errc::not_found, "no broker " + std::to_string(node) + " is registered"};
}

/// The partitions of a plan by its numbers.
struct planned_partitions {
  struct name {
    uuid topic;
    std::int32_t partition = 0;
    std::vector<std::int32_t> from;
  };
  move_plan plan;
  std::vector<name> names;

  [[nodiscard]] std::vector<move_replicas_command>
  commands(std::vector<move_plan::move> moves) const {
    std::vector<move_replicas_command> all;
    for (auto& move : moves) {
      const auto& what = names[move.partition];
      all.push_back({what.topic, what.partition, what.from, std::move(move.to), true});
    }
    return all;
  }
};

planned_partitions plan_of(const std::map<std::int32_t, broker_record>& brokers,
                           const std::map<std::int32_t, disk_room>& disks,
                           const std::map<uuid, topic_record>& topics) {
  planned_partitions all;
  for (const auto& [node, broker] : brokers) {
    const auto disk = disks.find(node);
    all.plan.add({node, broker.rack, broker.takes(),
                  disk == disks.end() ? disk_room{} : disk->second, broker.fenced,
                  broker.draining});
  }
  for (const auto& [id, topic] : topics) {
    if (topic.phase != topic_phase::active)
      continue;
    for (std::size_t i = 0; i < topic.partitions.size(); ++i) {
      const auto& placed = topic.partitions[i];
      all.plan.add(placed.nodes, placed.is_moving(),
                   placed.repairs.empty() ? -1 : placed.repairs.front().node);
      all.names.push_back({id, static_cast<std::int32_t>(i), placed.nodes});
    }
  }
  return all;
}

} // namespace

// -- decide ---------------------------------------------------------------------------------------

result<const topic_record*> controller_core::check_partition(std::string_view name,
                                                             std::int32_t partition) const {
  const auto* topic = find(name);
  if (topic == nullptr)
    return unexpected(errc::unknown_topic, "there is no topic '" + std::string(name) + "'");
  if (partition < 0 || static_cast<std::size_t>(partition) >= topic->partitions.size())
    return unexpected(errc::unknown_partition,
                      "the topic has " + std::to_string(topic->partitions.size()) +
                          " partitions, from 0; there is no " + std::to_string(partition));
  return topic;
}

result<move_replicas_command>
controller_core::decide_move(std::string_view name, std::int32_t partition,
                             const std::vector<std::int32_t>& to) const {
  const auto topic = check_partition(name, partition);
  if (!topic)
    return topic.propagate();
  const auto& placed = (*topic)->partitions[static_cast<std::size_t>(partition)];
  if (placed.is_moving())
    return unexpected(errc::conflict, "the replicas of this partition are moving already");
  if (to.empty())
    return unexpected(errc::invalid_replication, "a partition has at least one replica");
  if (std::set<std::int32_t>(to.begin(), to.end()).size() != to.size())
    return unexpected(errc::invalid_replication, "a broker is named twice");
  for (const auto node : to) {
    const auto broker = brokers_.find(node);
    if (broker == brokers_.end())
      return unexpected(no_such_broker(node));
    if (broker->second.fenced && !placed.is_on(node))
      return unexpected(errc::invalid_replication,
                        "broker " + std::to_string(node) + " is not there now");
  }
  return move_replicas_command{(*topic)->id, partition, placed.nodes, to, true};
}

bool controller_core::goes_back(std::string_view name, std::int32_t partition) const {
  const auto topic = check_partition(name, partition);
  return topic && (*topic)->partitions[static_cast<std::size_t>(partition)].is_cancelled;
}

bool controller_core::is_gone(std::int32_t node) const {
  const auto broker = brokers_.find(node);
  return broker == brokers_.end() || broker->second.fenced;
}

bool controller_core::waits_for_gone(const replica_set& placed) const {
  return std::ranges::any_of(placed.adding(), [this](std::int32_t node) { return is_gone(node); });
}

/// Whoever turns a move round by itself must not send it to where it waits as well, nor to and fro.
bool controller_core::may_go_back(const replica_set& placed) const {
  const auto back = placed.way_back();
  return !placed.origin.empty() && !placed.is_cancelled &&
         std::ranges::none_of(back, [this](std::int32_t node) { return is_gone(node); });
}

std::vector<cancel_move_command> controller_core::moves_to_gone() const {
  std::vector<cancel_move_command> waiting;
  for (const auto& [id, topic] : topics_) {
    if (topic.phase != topic_phase::active)
      continue;
    for (std::size_t i = 0; i < topic.partitions.size(); ++i) {
      const auto& placed = topic.partitions[i];
      if (may_go_back(placed) && waits_for_gone(placed))
        waiting.push_back({id, static_cast<std::int32_t>(i), placed.changes});
    }
  }
  return waiting;
}

std::optional<cancel_move_command>
controller_core::decide_give_up(const repair_replica_command& wish) const {
  const auto* placed = placed_of({wish.id, wish.partition});
  const auto broker = brokers_.find(wish.node);
  if (placed == nullptr || broker == brokers_.end() ||
      broker->second.incarnation != wish.incarnation || !may_go_back(*placed))
    return std::nullopt;
  const auto added = placed->adding();
  if (std::ranges::find(added, wish.node) == added.end())
    return std::nullopt;
  return cancel_move_command{wish.id, wish.partition, placed->changes};
}

result<cancel_move_command> controller_core::decide_cancel(std::string_view name,
                                                           std::int32_t partition,
                                                           bool of_cancelled) const {
  const auto topic = check_partition(name, partition);
  if (!topic)
    return topic.propagate();
  const auto& placed = (*topic)->partitions[static_cast<std::size_t>(partition)];
  if (!placed.is_moving())
    return unexpected(errc::not_found, "the replicas of this partition are not moving");
  if (placed.is_cancelled && (!of_cancelled || !waits_for_gone(placed)))
    return unexpected(errc::not_found, "the replicas of this partition are on their way back");
  if (of_cancelled && !placed.is_cancelled)
    return unexpected(errc::not_found, "the replicas of this partition are on their way again to "
                                       "where they were to move");
  if (placed.origin.empty())
    return unexpected(errc::conflict,
                      "this move was begun by a release that did not remember where "
                      "the replicas were; move them back when it is done");
  return cancel_move_command{(*topic)->id, partition, placed.changes};
}

result<remove_broker_command> controller_core::decide_remove(std::int32_t node) const {
  const auto broker = brokers_.find(node);
  if (broker == brokers_.end())
    return unexpected(no_such_broker(node));
  for (const auto& [id, topic] : topics_)
    for (const auto& placed : topic.partitions)
      if (placed.is_on(node))
        return unexpected(errc::conflict, "broker " + std::to_string(node) +
                                              " holds replicas, of topic '" + topic.name +
                                              "' for one; evacuate it first");
  if (!broker->second.fenced)
    return unexpected(errc::conflict,
                      "broker " + std::to_string(node) +
                          " is there; stop it first, or it would come back at once");
  return remove_broker_command{node};
}

result<drain_broker_command> controller_core::decide_drain(const drain_broker_command& wish) const {
  if (!brokers_.contains(wish.node))
    return unexpected(no_such_broker(wish.node));
  if (wish.evacuating)
    if (auto possible = plan_evacuation(wish.node, wish.shrinking); !possible)
      return possible.propagate();
  return drain_broker_command{wish.node, wish.draining || wish.evacuating, wish.evacuating,
                              wish.evacuating && wish.shrinking};
}

std::size_t controller_core::moves_under_way() const {
  std::size_t count = 0;
  for (const auto& [id, topic] : topics_)
    if (topic.phase == topic_phase::active)
      count += static_cast<std::size_t>(std::ranges::count_if(
          topic.partitions, [](const replica_set& placed) { return placed.is_moving(); }));
  return count;
}

result<std::vector<move_replicas_command>> controller_core::plan_evacuation(std::int32_t node,
                                                                            bool shrink) const {
  if (!brokers_.contains(node))
    return unexpected(no_such_broker(node));
  auto all = plan_of(brokers_, disks_, topics_);
  auto moves = all.plan.evacuate(node, shrink);
  if (!moves)
    return moves.propagate();
  return all.commands(std::move(*moves));
}

std::vector<move_replicas_command> controller_core::plan_rebalance() const {
  auto all = plan_of(brokers_, disks_, topics_);
  return all.commands(all.plan.rebalance());
}

// -- replay ---------------------------------------------------------------------------------------

const replica_set* controller_core::placed_of(const group_id& group) const {
  const auto topic = topics_.find(group.topic);
  if (topic == topics_.end() || topic->second.phase != topic_phase::active || group.partition < 0 ||
      static_cast<std::size_t>(group.partition) >= topic->second.partitions.size())
    return nullptr;
  return &topic->second.partitions[static_cast<std::size_t>(group.partition)];
}

replica_set* controller_core::find_placed(const uuid& id, std::int32_t partition) {
  return const_cast<replica_set*>(placed_of({id, partition}));
}

replay_outcome controller_core::apply(const drain_broker_command& command) {
  const auto it = brokers_.find(command.node);
  if (it == brokers_.end())
    return refused(errc::not_found, no_such_broker(command.node).message);
  it->second.draining = command.draining;
  it->second.evacuating = command.evacuating;
  it->second.shrinking = command.shrinking;
  replay_outcome outcome;
  outcome.change = broker_changed{it->second};
  outcome.writes.push_back(broker_write(it->second));
  return outcome;
}

replay_outcome controller_core::apply(const remove_broker_command& command) {
  // A replica may have been placed there since it was decided.
  if (const auto valid = decide_remove(command.node); !valid)
    return refused(valid.error().code, valid.error().message);
  replay_outcome outcome;
  outcome.change = broker_removed{command.node};
  outcome.writes.push_back({broker_write(brokers_.at(command.node)).key, std::nullopt});
  brokers_.erase(command.node);
  return outcome;
}

replay_outcome controller_core::apply(const move_replicas_command& command) {
  auto* placed = find_placed(command.id, command.partition);
  if (placed == nullptr)
    return refused(errc::unknown_topic, "the topic was deleted");
  if (placed->nodes != command.from || placed->is_moving())
    return refused(errc::conflict, "the replicas have moved since this was decided");
  for (const auto node : command.to)
    if (!brokers_.contains(node))
      return refused(errc::not_found, no_such_broker(node).message);
  // A group of before there were several nodes began with its only replica.
  if (placed->founders.empty())
    placed->founders = lives_of(*placed);
  auto& topic = topics_.at(command.id);
  // Another order of the same nodes is no move.
  if (command.keeps_origin && !std::ranges::is_permutation(command.to, placed->nodes))
    placed->origin = placed->nodes;
  send_replicas(*placed, command.to);
  replay_outcome outcome;
  outcome.change = replicas_changed{topic, command.partition};
  outcome.writes.push_back(write_of(topic));
  return outcome;
}

void controller_core::send_replicas(replica_set& placed, const std::vector<std::int32_t>& to) {
  const auto goes = [&](std::int32_t node) { return std::ranges::find(to, node) == to.end(); };
  count_replicas({&placed, 1}, -1);
  placed.leaving.clear();
  std::ranges::copy_if(placed.nodes, std::back_inserter(placed.leaving), goes);
  placed.nodes = to;
  // Who is to give it up need not be repaired.
  std::erase_if(placed.repairs, [&](const replica_repair& each) { return goes(each.node); });
  count_replicas({&placed, 1}, 1);
  ++placed.changes;
}

/// A move back, or on again. Whoever was leaving has its files yet: they go when the move is done,
/// not before.
replay_outcome controller_core::apply(const cancel_move_command& command) {
  auto* placed = find_placed(command.id, command.partition);
  if (placed == nullptr)
    return refused(errc::unknown_topic, "the topic was deleted");
  if (placed->changes != command.changes || placed->origin.empty())
    return refused(errc::not_found, "the move has ended, or something else was decided, since");
  const auto back = std::exchange(placed->origin, placed->nodes);
  placed->is_cancelled = !placed->is_cancelled;
  send_replicas(*placed, back);
  auto& topic = topics_.at(command.id);
  replay_outcome outcome;
  outcome.change = replicas_changed{topic, command.partition};
  outcome.writes.push_back(write_of(topic));
  return outcome;
}

replay_outcome controller_core::apply(const replicas_moved_command& command) {
  auto* placed = find_placed(command.id, command.partition);
  // Before decisions had numbers nothing was repaired.
  const bool names_another =
      placed != nullptr &&
      (command.changes < 0 ? !placed->repairs.empty() : command.changes != placed->changes);
  if (placed == nullptr || names_another || placed->nodes != command.nodes ||
      !placed->is_changing())
    return refused(errc::conflict, "the replicas are not moving there");
  // Who gives up its replica forgets what it promised: should it get one again, it must not found
  // the group anew with others that forgot as well, but wait to be told by those who know.
  for (auto& founder : placed->founders)
    if (std::ranges::find(placed->leaving, founder.node) != placed->leaving.end() ||
        placed->repair_of(founder.node) == repair_stage::leaving)
      founder.incarnation = 0;
  placed->leaving.clear();
  placed->origin.clear();
  placed->is_cancelled = false;
  std::erase_if(placed->repairs,
                [](const replica_repair& each) { return each.stage == repair_stage::returning; });
  for (auto& each : placed->repairs)
    each.stage = repair_stage::left;
  ++placed->changes;
  auto& topic = topics_.at(command.id);
  replay_outcome outcome;
  outcome.change = replicas_changed{topic, command.partition};
  outcome.writes.push_back(write_of(topic));
  return outcome;
}

// -- repair ---------------------------------------------------------------------------------------

std::size_t controller_core::repairs_under_way() const {
  std::size_t count = 0;
  for (const auto& [id, topic] : topics_)
    if (topic.phase == topic_phase::active)
      for (const auto& placed : topic.partitions)
        count += placed.repairs.size();
  return count;
}

result<void> controller_core::check_repair(const repair_replica_command& wish) const {
  const auto* placed = placed_of({wish.id, wish.partition});
  if (placed == nullptr)
    return unexpected(errc::unknown_topic, "the topic was deleted");
  const auto broker = brokers_.find(wish.node);
  if (std::ranges::find(placed->nodes, wish.node) == placed->nodes.end() ||
      broker == brokers_.end() || broker->second.incarnation != wish.incarnation)
    return unexpected(errc::not_found, "broker " + std::to_string(wish.node) +
                                           " is to have no replica of the partition, or has "
                                           "another disk by now");
  if (placed->nodes.size() == 1)
    return unexpected(errc::conflict, "the partition has no other replica to be repaired from");
  for (const auto& each : placed->repairs)
    if (each.node != wish.node || each.stage != repair_stage::returning)
      return unexpected(errc::conflict, "the replica on broker " + std::to_string(each.node) +
                                            " is under repair already");
  return {};
}

result<void> controller_core::decide_repair(const repair_replica_command& wish) const {
  auto valid = check_repair(wish);
  if (valid && repairs_under_way() >= repairs_max)
    return unexpected(errc::overloaded,
                      std::to_string(repairs_max) + " replicas are under repair; others wait");
  return valid;
}

replay_outcome controller_core::apply(const repair_replica_command& command) {
  if (const auto valid = check_repair(command); !valid)
    return refused(valid.error().code, valid.error().message);
  auto* placed = find_placed(command.id, command.partition);
  // A group of before there were several nodes began with its only replica.
  if (placed->founders.empty())
    placed->founders = lives_of(*placed);
  placed->repairs = {{command.node, repair_stage::leaving}};
  ++placed->changes;
  auto& topic = topics_.at(command.id);
  replay_outcome outcome;
  outcome.change = replicas_changed{topic, command.partition};
  outcome.writes.push_back(write_of(topic));
  return outcome;
}

replay_outcome controller_core::apply(const release_replica_command& command) {
  const auto* placed = placed_of({command.id, command.partition});
  if (placed == nullptr)
    return refused(errc::unknown_topic, "the topic was deleted");
  if (placed->changes != command.changes)
    return refused(errc::conflict, "something else was decided about the replicas since");
  return {};
}

replay_outcome controller_core::apply(const replica_set_aside_command& command) {
  auto* placed = find_placed(command.id, command.partition);
  if (placed == nullptr || placed->changes != command.changes ||
      placed->repair_of(command.node) != repair_stage::left)
    return refused(errc::conflict, "no replica there is to be set aside");
  placed->repairs = {{command.node, repair_stage::returning}};
  ++placed->changes;
  auto& topic = topics_.at(command.id);
  replay_outcome outcome;
  outcome.change = replicas_changed{topic, command.partition};
  outcome.writes.push_back(write_of(topic));
  return outcome;
}

} // namespace aqueduct::actors
