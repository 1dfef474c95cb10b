// Replicas that go from this node: moved away, damaged, or of a deleted topic.
#include "actors/controller/topic_host.hpp"

#include <caf/send.hpp>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

namespace aqueduct::actors {

namespace {

/// Between two tries of what failed.
constexpr std::int64_t removal_retry_ms = 5000;

} // namespace

std::function<void(result<void>)> topic_host::tell_stepped(const group_id& group) const {
  return [group, stepped = options_.stepped](result<void> status) {
    stepped(group, std::move(status));
  };
}

void topic_host::begin_removal(const group_id& group, const partition_actor& running,
                               storage::removal_kind kind, std::int32_t changes) {
  auto& entry = removals_[group];
  entry.kind = kind;
  entry.changes = changes;
  if (!running) {
    entry.at = removal::step::recording;
    take_step(group, entry);
    return;
  }
  --partition_count_;
  caf::anon_send(running, partition_control{partition_stop{false, tell_stepped(group)}});
}

topic_host::removal& topic_host::begin_final_removal(const group_id& group,
                                                     const partition_actor& running) {
  const auto [found, is_new] = removals_.try_emplace(group);
  auto& entry = found->second;
  entry.is_final = true;
  if (is_new && running) {
    --partition_count_;
    entry.at = removal::step::removing;
    caf::anon_send(running, partition_control{partition_stop{true, tell_stepped(group)}});
  } else if (is_new || !entry.is_under_way || entry.at == removal::step::asking) {
    entry.at = removal::step::removing;
    entry.kind = storage::removal_kind::delete_files;
    take_step(group, entry);
  }
  return entry;
}

void topic_host::take_step(const group_id& group, removal& entry) {
  entry.is_under_way = true;
  switch (entry.at) {
  case removal::step::stopping:
    break;
  case removal::step::recording:
    options_.record(tell_stepped(group));
    break;
  case removal::step::asking:
    options_.ask(group, entry.changes);
    break;
  case removal::step::removing:
    caf::anon_send(options_.services->storage_of(group),
                   storage_request{storage_remove{group, tell_stepped(group), entry.kind}});
    break;
  }
}

void topic_host::note_failure(const group_id& group, removal& entry, const error& why,
                              std::int64_t now_ms) {
  entry.retry_ms = now_ms + removal_retry_ms;
  const auto text = to_string(why);
  // It may go on for long: it is said once.
  if (std::exchange(entry.last_error, text) != text)
    options_.services->log->error("partition {}: the files of a replica that is to go could not be "
                                  "removed, and none is opened until they are: {}",
                                  to_string(group), text);
}

std::optional<std::int32_t>
topic_host::step_ended(const group_id& group, const result<void>& status, std::int64_t now_ms) {
  const auto found = removals_.find(group);
  if (found == removals_.end())
    return std::nullopt;
  auto& entry = found->second;
  entry.is_under_way = false;
  using step = removal::step;
  // Its topic was deleted meanwhile: what was set aside goes too.
  const bool is_to_go_on =
      entry.at != step::removing || entry.kind == storage::removal_kind::set_aside;
  if (entry.is_final && is_to_go_on) {
    entry.at = step::removing;
    entry.kind = storage::removal_kind::delete_files;
    take_step(group, entry);
  } else if (!status) {
    note_failure(group, entry, status.error(), now_ms);
  } else if (entry.at == step::removing) {
    return end_removal(group);
  } else if (!is_stopping_) {
    entry.at = entry.at == step::stopping ? step::recording : step::asking;
    take_step(group, entry);
  }
  return std::nullopt;
}

void topic_host::released(const group_id& group, std::int32_t changes, const result<void>& answer,
                          std::int64_t now_ms) {
  const auto found = removals_.find(group);
  if (found == removals_.end() || found->second.at != removal::step::asking ||
      found->second.changes != changes || !found->second.is_under_way)
    return;
  auto& entry = found->second;
  entry.is_under_way = false;
  if (!answer) {
    entry.retry_ms = now_ms + removal_retry_ms;
    options_.services->log->info("partition {}: the files of its replica stay: {}",
                                 to_string(group), to_string(answer.error()));
    follow(group);
  } else if (!is_stopping_) {
    entry.at = removal::step::removing;
    take_step(group, entry);
  }
}

std::optional<std::int32_t> topic_host::end_removal(const group_id& group) {
  const auto found = removals_.find(group);
  const auto entry = std::move(found->second);
  removals_.erase(found);
  for (const auto& told : entry.waiting)
    told();
  std::optional<std::int32_t> decision;
  if (entry.kind == storage::removal_kind::set_aside)
    decision = set_aside_[group] = entry.changes;
  follow(group);
  return decision;
}

void topic_host::follow(const group_id& group) {
  const auto topic = topics_.find(group.topic);
  if (topic == topics_.end() || is_stopping_)
    return;
  // A copy: the one that it is in is replaced.
  const auto record = topic->second->record;
  change_replicas(record, group.partition);
}

void topic_host::drop_outdated_removal(const group_id& group, const replica_set& placed) {
  const auto found = removals_.find(group);
  if (found == removals_.end() || found->second.is_under_way || found->second.is_final ||
      found->second.at == removal::step::removing || found->second.changes == placed.changes)
    return;
  removals_.erase(found);
}

/// Sets it aside, unless that was done by this decision, or an earlier replica is on its way out.
void topic_host::set_aside(const group_id& group, const replica_set& placed,
                           const partition_actor& running) {
  const auto done = set_aside_.find(group);
  const bool is_done = done != set_aside_.end() && done->second == placed.changes;
  if (is_to_be_set_aside(placed) && !is_done && !removals_.contains(group))
    begin_removal(group, running, storage::removal_kind::set_aside, placed.changes);
}

void topic_host::retry_removals(std::int64_t now_ms) {
  for (auto& [group, entry] : removals_)
    if (!entry.is_under_way && entry.retry_ms <= now_ms)
      take_step(group, entry);
}

std::size_t topic_host::removals_under_way() const {
  return static_cast<std::size_t>(std::ranges::count_if(removals_, [](const auto& each) {
    return each.second.is_under_way && each.second.at != removal::step::asking;
  }));
}

void topic_host::remove(const topic_record& topic, std::function<void()> purged) {
  options_.directory->remove(topic.name, topic.id);
  const auto known = topics_.find(topic.id);
  // What runs here goes, wherever it was to be since; so do files of what does not run.
  std::vector<partition_actor> running;
  if (known != topics_.end())
    for (const auto& partition : known->second->partitions)
      running.push_back(partition->handle);
  running.resize(std::max(running.size(), topic.partitions.size()));
  if (known != topics_.end())
    topics_.erase(known);
  std::vector<std::size_t> here;
  for (std::size_t i = 0; i < running.size(); ++i)
    if (running[i] || removals_.contains({topic.id, static_cast<std::int32_t>(i)}) ||
        (i < topic.partitions.size() && topic.partitions[i].is_on(options_.services->node)))
      here.push_back(i);
  if (here.empty())
    purged();
  const auto done = [left = std::make_shared<std::size_t>(here.size()),
                     purged = std::move(purged)] {
    if (--*left == 0)
      purged();
  };
  for (const auto i : here)
    begin_final_removal({topic.id, static_cast<std::int32_t>(i)}, running[i])
        .waiting.push_back(done);
}

} // namespace aqueduct::actors
