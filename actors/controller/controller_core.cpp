#include "actors/controller/controller_core.hpp"

#include "actors/controller/placement_plan.hpp"
#include "protocol/bytes.hpp"
#include "protocol/native/codec.hpp"

#include <algorithm>

namespace aqueduct::actors {

namespace {

constexpr std::string_view cluster_key = "cluster";
constexpr std::string_view producer_ids_key = "producer-ids";
constexpr std::string_view broker_prefix = "broker/";
constexpr std::string_view topic_prefix = "topic/";

constexpr std::size_t topic_name_max = 249;

buffer encode_number(std::int64_t number) {
  std::vector<std::byte> bytes(sizeof number);
  store_be(bytes.data(), number);
  return buffer::from(std::move(bytes));
}

config::topic_overrides to_overrides(const std::vector<protocol::topic_setting>& settings) {
  config::topic_overrides overrides;
  for (const auto& setting : settings)
    if (setting.value)
      overrides.emplace_back(setting.name, *setting.value);
  return overrides;
}

config::topic_changes to_changes(const std::vector<protocol::topic_setting>& settings) {
  config::topic_changes changes;
  for (const auto& setting : settings)
    changes.emplace_back(setting.name, setting.value);
  return changes;
}

template <class Pairs>
std::vector<protocol::topic_setting> to_settings(const Pairs& pairs) {
  std::vector<protocol::topic_setting> settings;
  for (const auto& [name, value] : pairs)
    settings.push_back({name, value});
  return settings;
}

replay_outcome refused(errc code, std::string message) {
  replay_outcome outcome;
  outcome.refused = error{code, std::move(message)};
  return outcome;
}

error fewer_partitions(std::int32_t present, std::int32_t wanted) {
  return {errc::invalid_partitions, "the topic has " + std::to_string(present) +
                                        " partitions; they can become more, not " +
                                        std::to_string(wanted)};
}

bool is_own(std::string_view name) {
  return name.starts_with("__");
}

error own_topic() {
  return {errc::invalid_topic, "topic names that begin with two underscores are the cluster's own"};
}

error no_such_topic(std::string_view name) {
  return {errc::unknown_topic, "there is no topic '" + std::string(name) + "'"};
}

} // namespace

result<void> check_topic_name(std::string_view name) {
  if (name.empty())
    return unexpected(errc::invalid_topic, "a topic name has at least one character");
  if (name.size() > topic_name_max)
    return unexpected(errc::invalid_topic,
                      "a topic name has at most 249 characters, this one has " +
                          std::to_string(name.size()));
  if (name == "." || name == "..")
    return unexpected(errc::invalid_topic, "'.' and '..' are not topic names");
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  };
  const auto bad = std::ranges::find_if_not(name, allowed);
  if (bad != name.end())
    return unexpected(errc::invalid_topic, "character " + std::to_string(bad - name.begin() + 1) +
                                               " of the topic name is not one of [a-zA-Z0-9._-]");
  return {};
}

const topic_record* controller_core::find(std::string_view name) const {
  const auto it = names_.find(name);
  return it == names_.end() ? nullptr : &topics_.at(it->second);
}

std::int32_t controller_core::replicas_on(std::int32_t node) const {
  const auto it = replicas_.find(node);
  return it == replicas_.end() ? 0 : it->second;
}

disk_room controller_core::disk_of(std::int32_t node) const {
  const auto known = disks_.find(node);
  return known == disks_.end() ? disk_room{} : known->second;
}

std::vector<node_life> controller_core::lives_of(const replica_set& placed) const {
  std::vector<node_life> lives;
  for (const bool may_lead : {true, false})
    for (const auto node : placed.nodes) {
      const auto broker = brokers_.find(node);
      const auto repair = placed.repair_of(node);
      // A damaged replica belongs to nobody until another one may take its place.
      if (repair && *repair != repair_stage::returning)
        continue;
      if (broker != brokers_.end() && may_lead == broker->second.takes())
        lives.push_back({node, broker->second.incarnation});
    }
  return lives;
}

// -- decide ---------------------------------------------------------------------------------------

result<std::vector<replica_set>> controller_core::place(std::int32_t partitions,
                                                        std::int16_t replication) const {
  placement_plan plan;
  std::int64_t room = 0;
  for (const auto& [node, broker] : brokers_) {
    if (!broker.takes())
      continue;
    const auto led = preferred_.find(node);
    plan.add({node, broker.rack, replicas_on(node), led == preferred_.end() ? 0 : led->second,
              disk_of(node)});
    room += std::max(0, limits_.partitions_per_node - replicas_on(node));
  }
  if (static_cast<std::size_t>(replication) > plan.size())
    return unexpected(errc::invalid_replication,
                      std::to_string(replication) +
                          " replicas need as many brokers, and there are " +
                          std::to_string(plan.size()));
  const auto no_room = [&] {
    return unexpected(errc::invalid_partitions, std::to_string(partitions) + " partitions with " +
                                                    std::to_string(replication) +
                                                    " replicas do not fit: the brokers have " +
                                                    "room for " + std::to_string(room) +
                                                    " more (limits.partitions per broker)");
  };
  if (std::int64_t{partitions} * replication > room)
    return no_room();
  std::vector<replica_set> placed(static_cast<std::size_t>(partitions));
  for (auto& partition : placed) {
    partition.nodes = plan.place(static_cast<std::size_t>(replication));
    partition.founders = lives_of(partition);
  }
  // Replicas of one partition are on distinct brokers: there may be room in sum and not there.
  if (lacks_room(placed, limits_.partitions_per_node))
    return no_room();
  return placed;
}

std::optional<error> controller_core::lacks_room(std::span<const replica_set> added,
                                                 std::int32_t node_partitions_max) const {
  if (node_partitions_max <= 0)
    return std::nullopt;
  std::map<std::int32_t, std::int32_t> more;
  for (const auto& partition : added)
    for (const auto node : partition.nodes)
      ++more[node];
  for (const auto& [node, count] : more)
    if (std::int64_t{replicas_on(node)} + count > node_partitions_max)
      return error{errc::invalid_partitions,
                   std::to_string(count) + " partitions more do not fit on broker " +
                       std::to_string(node) + ", which has " + std::to_string(replicas_on(node)) +
                       " of " + std::to_string(node_partitions_max) + " (limits.partitions)"};
  return std::nullopt;
}

void controller_core::count_replicas(std::span<const replica_set> partitions, std::int32_t change) {
  for (const auto& partition : partitions) {
    for (const auto node : partition.nodes)
      replicas_[node] += change;
    if (!partition.nodes.empty())
      preferred_[partition.nodes.front()] += change;
  }
}

result<create_topic_command>
controller_core::decide_create(const protocol::create_topic_request& request, const uuid& id,
                               std::int64_t now_ms) const {
  if (auto valid = check_topic_name(request.name); !valid)
    return valid.propagate();
  if (is_own(request.name))
    return unexpected(own_topic());
  return plan_topic(request, id, now_ms);
}

result<create_topic_command> controller_core::decide_create_own(const own_topic_question& request,
                                                                const uuid& id,
                                                                std::int64_t now_ms) const {
  const auto there =
      std::ranges::count_if(brokers_, [](const auto& broker) { return broker.second.takes(); });
  protocol::create_topic_request topic;
  topic.name = request.name;
  topic.partitions = request.partitions;
  topic.replication = static_cast<std::int16_t>(
      std::clamp<std::int64_t>(request.replication, 1, std::max<long>(there, 1)));
  return plan_topic(topic, id, now_ms);
}

result<create_topic_command>
controller_core::plan_topic(const protocol::create_topic_request& request, const uuid& id,
                            std::int64_t now_ms) const {
  if (names_.contains(request.name))
    return unexpected(errc::topic_exists, "a topic '" + request.name + "' exists");
  const auto partitions =
      request.partitions == -1 ? limits_.partitions_default : request.partitions;
  if (partitions < 1 || partitions > limits_.partitions_per_node)
    return unexpected(errc::invalid_partitions, "the number of partitions is 1 to " +
                                                    std::to_string(limits_.partitions_per_node) +
                                                    ", not " + std::to_string(partitions));
  const auto there =
      std::ranges::count_if(brokers_, [](const auto& broker) { return broker.second.takes(); });
  const auto replication = request.replication == -1
                               ? static_cast<std::int16_t>(std::clamp<std::int64_t>(
                                     limits_.replication_default, 1, std::max<long>(there, 1)))
                               : request.replication;
  if (replication < 1 || replication > there)
    return unexpected(errc::invalid_replication,
                      "the replication factor is 1 to " + std::to_string(there) +
                          " (the number of brokers), not " + std::to_string(replication));
  for (const auto& setting : request.settings)
    if (!setting.value)
      return unexpected(errc::invalid_config, "setting '" + setting.name + "' has no value");
  const auto overrides =
      config::canonical_overrides(limits_.topic_defaults, to_overrides(request.settings));
  if (!overrides)
    return overrides.propagate();
  if (auto whole = config::apply_overrides(limits_.topic_defaults, *overrides); !whole)
    return whole.propagate();
  auto placed = place(partitions, replication);
  if (!placed)
    return placed.propagate();
  create_topic_command command;
  command.topic.id = id;
  command.topic.name = request.name;
  command.topic.created_ms = now_ms;
  command.topic.partitions = std::move(*placed);
  command.topic.overrides = to_settings(*overrides);
  command.node_partitions_max = limits_.partitions_per_node;
  return command;
}

result<alter_topic_command>
controller_core::decide_alter(const protocol::alter_topic_request& request) const {
  const auto* topic = find(request.name);
  if (topic == nullptr)
    return unexpected(no_such_topic(request.name));
  if (is_own(request.name))
    return unexpected(own_topic());
  const auto changes = config::canonical_changes(limits_.topic_defaults, overrides_of(*topic),
                                                 to_changes(request.settings));
  if (!changes)
    return changes.propagate();
  alter_topic_command command;
  command.id = topic->id;
  command.settings = to_settings(*changes);
  command.keeps_others = true;
  if (request.partitions == -1)
    return command;
  const auto present = static_cast<std::int32_t>(topic->partitions.size());
  if (request.partitions < present)
    return unexpected(fewer_partitions(present, request.partitions));
  if (request.partitions > limits_.partitions_per_node)
    return unexpected(errc::invalid_partitions, "the number of partitions is at most " +
                                                    std::to_string(limits_.partitions_per_node) +
                                                    " (limits.partitions), not " +
                                                    std::to_string(request.partitions));
  auto placed = place(request.partitions - present, topic->replication());
  if (!placed)
    return placed.propagate();
  command.partitions = request.partitions;
  command.added = std::move(*placed);
  command.node_partitions_max = limits_.partitions_per_node;
  return command;
}

result<delete_topic_command>
controller_core::decide_delete(const protocol::delete_topic_request& request) const {
  const auto* topic = find(request.name);
  if (topic == nullptr)
    return unexpected(no_such_topic(request.name));
  if (is_own(request.name))
    return unexpected(own_topic());
  return delete_topic_command{topic->id};
}

// -- replay ---------------------------------------------------------------------------------------

replay_outcome controller_core::replay(const controller_command& command) {
  return std::visit([this](const auto& what) { return apply(what); }, command);
}

state_write controller_core::write_of(const topic_record& topic) const {
  return {std::string(topic_prefix) + to_string(topic.id), encode_row(topic)};
}

state_write controller_core::broker_write(const broker_record& broker) {
  return {std::string(broker_prefix) + std::to_string(broker.node), encode_row(broker)};
}

replay_outcome controller_core::apply(const create_cluster_command& command) {
  if (!cluster_id_.is_nil())
    return refused(errc::conflict, "the cluster has an id already");
  cluster_id_ = command.id;
  replay_outcome outcome;
  outcome.change = cluster_created{command.id};
  outcome.writes.push_back({std::string(cluster_key), buffer::copy_of(to_string(command.id))});
  return outcome;
}

replay_outcome controller_core::apply(const register_broker_command& command) {
  auto& broker = brokers_[command.broker.node];
  // What was decided about the broker holds until it is decided otherwise.
  const auto before = broker;
  broker = command.broker;
  broker.draining = before.draining;
  broker.evacuating = before.evacuating;
  broker.shrinking = before.shrinking;
  replay_outcome outcome;
  outcome.change = broker_registered{broker};
  outcome.writes.push_back(broker_write(broker));
  return outcome;
}

replay_outcome controller_core::apply(const fence_broker_command& command) {
  const auto it = brokers_.find(command.node);
  if (it == brokers_.end() || it->second.incarnation != command.incarnation)
    return refused(errc::not_found, "no broker " + std::to_string(command.node) + "." +
                                        std::to_string(command.incarnation) + " is registered");
  it->second.fenced = command.fenced;
  replay_outcome outcome;
  outcome.change = broker_changed{it->second};
  outcome.writes.push_back(broker_write(it->second));
  return outcome;
}

replay_outcome controller_core::apply(const create_topic_command& command) {
  const auto& topic = command.topic;
  if (names_.contains(topic.name))
    return refused(errc::topic_exists, "a topic '" + topic.name + "' exists");
  if (topics_.contains(topic.id))
    return refused(errc::conflict, "a topic has the id " + to_string(topic.id));
  if (auto full = lacks_room(topic.partitions, command.node_partitions_max))
    return refused(full->code, std::move(full->message));
  topics_.emplace(topic.id, topic);
  names_.emplace(topic.name, topic.id);
  count_replicas(topic.partitions, 1);
  replay_outcome outcome;
  outcome.change = topic_created{topic};
  outcome.writes.push_back(write_of(topic));
  return outcome;
}

replay_outcome controller_core::apply(const alter_topic_command& command) {
  const auto it = topics_.find(command.id);
  if (it == topics_.end() || it->second.phase != topic_phase::active)
    return refused(errc::unknown_topic, "the topic was deleted");
  auto& topic = it->second;
  const auto current = command.keeps_others ? overrides_of(topic) : config::topic_overrides();
  const auto overrides = config::merge_changes(current, to_changes(command.settings));
  if (const auto why = config::contradiction(overrides); why && command.keeps_others)
    return refused(errc::invalid_config, *why);
  // Others may have added partitions since this was decided; none has taken any away.
  const auto present = static_cast<std::int32_t>(topic.partitions.size());
  if (command.partitions != -1 && command.partitions < present)
    return refused(errc::invalid_partitions, fewer_partitions(present, command.partitions).message);
  const auto missing = static_cast<std::size_t>(std::max(command.partitions - present, 0));
  if (missing > command.added.size())
    return refused(errc::conflict, "the topic has fewer partitions than when this was decided");
  const auto added = std::span(command.added).last(missing);
  if (auto full = lacks_room(added, command.node_partitions_max))
    return refused(full->code, std::move(full->message));
  topic.overrides = to_settings(overrides);
  topic.partitions.insert(topic.partitions.end(), added.begin(), added.end());
  count_replicas(added, 1);
  replay_outcome outcome;
  outcome.change = topic_altered{topic};
  outcome.writes.push_back(write_of(topic));
  return outcome;
}

replay_outcome controller_core::apply(const delete_topic_command& command) {
  const auto it = topics_.find(command.id);
  if (it == topics_.end() || it->second.phase != topic_phase::active)
    return refused(errc::unknown_topic, "the topic was deleted");
  auto& topic = it->second;
  topic.phase = topic_phase::deleting;
  names_.erase(topic.name);
  for (const auto& partition : topic.partitions)
    for (const auto* nodes : {&partition.nodes, &partition.leaving})
      topic.unpurged.insert(topic.unpurged.end(), nodes->begin(), nodes->end());
  std::ranges::sort(topic.unpurged);
  const auto repeated = std::ranges::unique(topic.unpurged);
  topic.unpurged.erase(repeated.begin(), repeated.end());
  replay_outcome outcome;
  outcome.change = topic_deleted{topic};
  outcome.writes.push_back(write_of(topic));
  return outcome;
}

replay_outcome controller_core::apply(const topic_purged_command& command) {
  const auto it = topics_.find(command.id);
  if (it == topics_.end() || it->second.phase != topic_phase::deleting)
    return refused(errc::not_found, "no topic of that id is being deleted");
  auto& topic = it->second;
  std::erase(topic.unpurged, command.node);
  replay_outcome outcome;
  if (!topic.unpurged.empty()) {
    outcome.writes.push_back(write_of(topic));
    return outcome;
  }
  count_replicas(topic.partitions, -1);
  outcome.change = topic_forgotten{command.id};
  outcome.writes.push_back({std::string(topic_prefix) + to_string(command.id), std::nullopt});
  topics_.erase(it);
  return outcome;
}

replay_outcome controller_core::apply(const allocate_producer_ids_command& command) {
  if (command.count < 1)
    return refused(errc::invalid_request, "the number of producer ids is at least 1");
  replay_outcome outcome;
  outcome.change = producer_ids_allocated{command.node, next_producer_id_, command.count};
  next_producer_id_ += command.count;
  outcome.writes.push_back({std::string(producer_ids_key), encode_number(next_producer_id_)});
  return outcome;
}

result<void> controller_core::restore(std::string_view key, const buffer& value) {
  if (key == cluster_key) {
    if (!parse_uuid(value.text(), cluster_id_))
      return unexpected(errc::storage_damaged, "the stored cluster id is malformed");
  } else if (key == producer_ids_key) {
    if (value.size() != sizeof next_producer_id_)
      return unexpected(errc::storage_damaged, "the stored producer id counter is malformed");
    next_producer_id_ = load_be<std::int64_t>(value.data());
  } else if (key.starts_with(broker_prefix)) {
    auto broker = decode_broker(value);
    if (!broker)
      return unexpected(errc::storage_damaged, "stored broker: " + broker.error().message);
    brokers_[broker->node] = std::move(*broker);
  } else if (key.starts_with(topic_prefix)) {
    auto topic = decode_topic(value);
    if (!topic)
      return unexpected(errc::storage_damaged, "stored topic: " + topic.error().message);
    count_replicas(topic->partitions, 1);
    if (topic->phase == topic_phase::active)
      names_[topic->name] = topic->id;
    const auto id = topic->id;
    topics_[id] = std::move(*topic);
  } else {
    return unexpected(errc::storage_damaged, "the stored key '" + std::string(key) +
                                                 "' is unknown: written by a newer version?");
  }
  return {};
}

} // namespace aqueduct::actors
