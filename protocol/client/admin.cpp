#include "protocol/client/admin.hpp"

#include "protocol/client/internal/cluster_core.hpp"

#include <algorithm>
#include <map>

namespace aqueduct::client {

using namespace protocol;

namespace {

time_point deadline_of(const cluster& on, std::optional<milliseconds> timeout) {
  return after(clock::now(), timeout.value_or(on.core()->config().request_timeout));
}

std::int32_t milliseconds_until(time_point deadline) {
  const auto left = std::chrono::duration_cast<milliseconds>(deadline - clock::now()).count();
  return static_cast<std::int32_t>(std::clamp<std::int64_t>(left, 1, 0x7fffffff));
}

std::optional<node_id> node_or_none(std::int32_t node) {
  return node < 0 ? std::nullopt : std::optional(node_id(node));
}

std::vector<topic_setting> to_wire(std::span<const setting> settings) {
  std::vector<topic_setting> wire;
  wire.reserve(settings.size());
  for (const auto& each : settings)
    wire.push_back({each.name, each.value});
  return wire;
}

partition_description from_wire(const partition_info& info) {
  partition_description p;
  p.partition = partition_id(info.partition);
  p.error = info.error;
  p.leader = node_or_none(info.leader);
  p.epoch = leader_epoch(info.leader_epoch);
  for (const auto node : info.replicas)
    p.replicas.emplace_back(node);
  p.log_start = offset_t(info.log_start);
  p.high_watermark = offset_t(info.high_watermark);
  p.last_stable = offset_t(info.last_stable);
  p.size_bytes = info.size_bytes;
  p.oldest = timestamp_ms(info.oldest_ms);
  return p;
}

std::int64_t time_of(const offset_query& query) {
  switch (query.at) {
  case offset_query::kind::earliest:
    return earliest_timestamp;
  case offset_query::kind::latest:
    return latest_timestamp;
  case offset_query::kind::timestamp:
    break;
  }
  return std::max<std::int64_t>(query.time.value, 0);
}

unexpected failed(errc code, const std::string& message, const topic_partition& tp) {
  return unexpected(code, to_string(tp) + ": " +
                              (message.empty() ? std::string(describe(code).meaning) : message));
}

/// A broker knows nothing of the records of partitions that it does not hold: asks others for
/// those, their leaders first. What nobody tells stays as it is, with its error.
void fill_missing(cluster_core& core, get_topic_info_response& topic, time_point deadline) {
  std::map<std::int32_t, std::optional<get_topic_info_response>> told;
  const auto ask = [&](std::int32_t node) -> const std::optional<get_topic_info_response>& {
    const auto [found, is_new] = told.try_emplace(node);
    if (is_new) {
      get_topic_info_request request;
      request.name = topic.name;
      if (auto reply = core.ask(node_id(node), std::move(request), deadline))
        found->second = std::move(*reply.value);
    }
    return found->second;
  };
  for (auto& row : topic.partitions) {
    if (row.error != errc::not_leader)
      continue;
    std::vector<std::int32_t> candidates{row.leader};
    candidates.insert(candidates.end(), row.replicas.begin(), row.replicas.end());
    for (const auto node : candidates) {
      if (node < 0 || clock::now() >= deadline)
        continue;
      const auto& reply = ask(node);
      if (!reply || reply->id != topic.id)
        continue;
      const auto better =
          std::ranges::find(reply->partitions, row.partition, &partition_info::partition);
      if (better == reply->partitions.end() || better->error == errc::not_leader)
        continue;
      row = *better;
      break;
    }
  }
}

/// Work on partitions, done at their leaders: asks each leader for all that it leads, and those
/// that fail for a passing reason again, until the deadline.
class by_leader {
public:
  by_leader(cluster_core& core, time_point deadline)
      : core_(core),
        deadline_(deadline),
        wait_(core.config().backoff_min, core.config().backoff_max,
              static_cast<std::uint64_t>(deadline.time_since_epoch().count())) {}

  /// `ask(node, indexes)` returns those of the indexes that are to be tried again. `fail(index,
  /// error)` is told of those that found no leader in time.
  template <class Ask, class Fail>
  void run(std::span<const topic_partition> partitions, const Ask& ask, const Fail& fail) {
    std::vector<std::size_t> left(partitions.size());
    for (std::size_t i = 0; i < left.size(); ++i)
      left[i] = i;
    while (!left.empty()) {
      std::map<node_id, std::vector<std::size_t>> groups;
      std::vector<std::size_t> again;
      for (const auto i : left) {
        const auto node = find_leader(partitions[i]);
        if (node)
          groups[*node].push_back(i);
        else if (node.error().code == errc::broker_unavailable && !is_over())
          again.push_back(i);
        else
          fail(i, node.error());
      }
      for (const auto& [node, indexes] : groups)
        std::ranges::copy(ask(node, indexes), std::back_inserter(again));
      left = std::move(again);
      if (!left.empty() && !core_.pause(wait_.next()))
        return;
    }
  }

  [[nodiscard]] bool is_over() const { return clock::now() >= deadline_; }

  /// The answer of one partition: true if it is to be asked again.
  [[nodiscard]] bool is_for_later(const topic_partition& tp, errc code, std::int32_t leader) {
    if (!is_transient(code) || is_over())
      return false;
    failure why = failure::of(code, {});
    why.leader = node_or_none(leader);
    core_.post([core = core_.shared_from_this(), tp, why] { core->leader_failed(tp, why); });
    return true;
  }

private:
  [[nodiscard]] result<node_id> find_leader(const topic_partition& tp) {
    const auto topic = core_.wait_for_topic(tp.topic, deadline_, false);
    if (!topic)
      return topic.propagate();
    const auto& all = (*topic)->partitions;
    const auto found = std::ranges::find(all, tp.partition, &partition_layout::partition);
    if (found == all.end())
      return failed(errc::unknown_partition,
                    "the topic has " + std::to_string(all.size()) + " partitions, from 0", tp);
    if (found->leader)
      return *found->leader;
    core_.post([core = core_.shared_from_this()] { core->refresh(); });
    return failed(errc::broker_unavailable, "the partition has no leader", tp);
  }

  cluster_core& core_;
  time_point deadline_;
  backoff wait_;
};

} // namespace

result<created_topic> admin::create_topic(const new_topic& topic, timeout_t timeout) {
  const auto deadline = deadline_of(cluster_, timeout);
  create_topic_request request;
  request.name = topic.name;
  request.partitions = topic.partitions.value_or(-1);
  request.replication = topic.replication.value_or(-1);
  request.settings = to_wire(topic.settings);
  request.validate_only = topic.validate_only;
  request.timeout_ms = milliseconds_until(deadline);
  auto reply = cluster_.core()->ask_any(request, deadline, topic.validate_only);
  if (!reply)
    return reply.propagate();
  return created_topic{reply->id, reply->partitions, reply->replication};
}

result<uuid> admin::delete_topic(std::string_view name, timeout_t timeout) {
  const auto deadline = deadline_of(cluster_, timeout);
  delete_topic_request request;
  request.name = name;
  request.timeout_ms = milliseconds_until(deadline);
  auto reply = cluster_.core()->ask_any(request, deadline, false);
  if (!reply)
    return reply.propagate();
  return reply->id;
}

result<uuid> admin::alter_topic(std::string_view name, std::span<const setting> settings,
                                bool validate_only, timeout_t timeout) {
  topic_change change;
  change.settings.assign(settings.begin(), settings.end());
  change.validate_only = validate_only;
  return alter_topic(name, change, timeout);
}

result<uuid> admin::alter_topic(std::string_view name, const topic_change& change,
                                timeout_t timeout) {
  const auto deadline = deadline_of(cluster_, timeout);
  alter_topic_request request;
  request.name = name;
  request.settings = to_wire(change.settings);
  request.validate_only = change.validate_only;
  request.timeout_ms = milliseconds_until(deadline);
  request.partitions = change.partitions.value_or(-1);
  // Setting the same values twice is setting them once.
  auto reply = cluster_.core()->ask_any(request, deadline, true);
  if (!reply)
    return reply.propagate();
  return reply->id;
}

result<std::vector<topic_summary>> admin::list_topics(bool include_internal, timeout_t timeout) {
  list_topics_request request;
  request.include_internal = include_internal;
  auto reply = cluster_.core()->ask_any(request, deadline_of(cluster_, timeout), true);
  if (!reply)
    return reply.propagate();
  std::vector<topic_summary> topics;
  for (auto& t : reply->topics)
    topics.push_back(
        {std::move(t.name), t.id, t.partitions, t.replication, timestamp_ms(t.created_ms)});
  return topics;
}

result<topic_description> admin::describe_topic(std::string_view name, timeout_t timeout) {
  get_topic_info_request request;
  request.name = name;
  const auto deadline = deadline_of(cluster_, timeout);
  auto reply = cluster_.core()->ask_any(request, deadline, true);
  if (!reply)
    return reply.propagate();
  fill_missing(*cluster_.core(), *reply, deadline);
  topic_description topic;
  topic.name = std::move(reply->name);
  topic.id = reply->id;
  topic.replication = reply->replication;
  topic.created = timestamp_ms(reply->created_ms);
  for (auto& s : reply->settings)
    topic.settings.push_back({std::move(s.name), std::move(s.value), s.is_default});
  for (const auto& p : reply->partitions)
    topic.partitions.push_back(from_wire(p));
  return topic;
}

result<std::vector<offset_answer>> admin::list_offsets(std::span<const offset_query> queries,
                                                       timeout_t timeout) {
  const auto deadline = deadline_of(cluster_, timeout);
  auto& core = *cluster_.core();
  std::vector<topic_partition> partitions;
  std::vector<offset_answer> answers;
  const error unanswered{errc::cancelled, "the cluster object was closed"};
  for (const auto& query : queries) {
    partitions.push_back(query.partition);
    answers.push_back({query.partition, unexpected(unanswered)});
  }
  by_leader work(core, deadline);
  const auto ask = [&](node_id node, const std::vector<std::size_t>& indexes) {
    list_offsets_request request;
    // One topic entry per query keeps the answers in the order of the request.
    for (const auto i : indexes)
      request.topics.push_back(
          {partitions[i].topic, {{partitions[i].partition.value, time_of(queries[i])}}});
    auto reply = core.ask(node, std::move(request), deadline);
    std::vector<std::size_t> again;
    for (std::size_t n = 0; n < indexes.size(); ++n) {
      const auto i = indexes[n];
      list_offsets_partition_result got;
      if (!reply) {
        got.error = reply.fail.err.code;
        got.message = reply.fail.err.message;
      } else if (n < reply.value->topics.size() && !reply.value->topics[n].partitions.empty()) {
        got = reply.value->topics[n].partitions.front();
      } else {
        got.error = errc::internal;
        got.message = "the broker left the partition out of its answer";
      }
      if (work.is_for_later(partitions[i], got.error, got.leader)) {
        again.push_back(i);
      } else if (got.error != errc::none) {
        answers[i].offset = failed(got.error, got.message, partitions[i]);
      } else {
        answers[i].offset =
            got.offset < 0 ? std::optional<offset_t>() : std::optional(offset_t(got.offset));
        answers[i].timestamp = timestamp_ms(got.timestamp_ms);
        answers[i].epoch = leader_epoch(got.leader_epoch);
      }
    }
    return again;
  };
  work.run(partitions, ask,
           [&](std::size_t i, const error& why) { answers[i].offset = unexpected(why); });
  return answers;
}

result<std::vector<deletion_answer>>
admin::delete_records(std::string_view topic, std::span<const records_deletion> deletions,
                      timeout_t timeout) {
  const auto deadline = deadline_of(cluster_, timeout);
  auto& core = *cluster_.core();
  std::vector<topic_partition> partitions;
  std::vector<deletion_answer> answers;
  const error unanswered{errc::cancelled, "the cluster object was closed"};
  for (const auto& each : deletions) {
    partitions.push_back({std::string(topic), each.partition});
    answers.push_back({each.partition, unexpected(unanswered)});
  }
  by_leader work(core, deadline);
  const auto ask = [&](node_id node, const std::vector<std::size_t>& indexes) {
    delete_records_request request;
    request.topic = topic;
    request.timeout_ms = milliseconds_until(deadline);
    for (const auto i : indexes)
      request.partitions.push_back(
          {deletions[i].partition.value, deletions[i].before.value_or(offset_t(-1)).value});
    auto reply = core.ask(node, std::move(request), deadline);
    std::vector<std::size_t> again;
    for (std::size_t n = 0; n < indexes.size(); ++n) {
      const auto i = indexes[n];
      delete_records_partition_result got;
      if (!reply) {
        got.error = reply.fail.err.code;
        got.message = reply.fail.err.message;
      } else if (n < reply.value->partitions.size()) {
        got = reply.value->partitions[n];
      } else {
        got.error = errc::internal;
        got.message = "the broker left the partition out of its answer";
      }
      if (work.is_for_later(partitions[i], got.error, got.leader))
        again.push_back(i);
      else if (got.error != errc::none)
        answers[i].log_start = failed(got.error, got.message, partitions[i]);
      else
        answers[i].log_start = offset_t(got.log_start);
    }
    return again;
  };
  work.run(partitions, ask,
           [&](std::size_t i, const error& why) { answers[i].log_start = unexpected(why); });
  return answers;
}

result<broker_versions> admin::versions(timeout_t timeout) {
  auto core = cluster_.core();
  auto reply = core->ask_any(api_versions_request{}, deadline_of(cluster_, timeout), true);
  if (!reply)
    return reply.propagate();
  auto slot = std::make_shared<sync_slot<std::optional<hello_response>>>();
  const bool posted = core->post([core, slot] {
    const auto link = core->any_link();
    slot->put(link ? link->hello() : std::nullopt);
  });
  broker_versions versions;
  if (const auto hello = posted ? slot->take() : std::nullopt) {
    versions.node = node_id(hello->node);
    versions.software = hello->software;
    versions.cluster = hello->cluster;
    versions.frame_bytes_max = hello->frame_bytes_max;
  }
  for (const auto& api : reply->apis) {
    const auto* known = find_api(api.key);
    versions.apis.push_back({api.key, known ? std::string(known->name) : std::string(),
                             api.version_min, api.version_max});
  }
  return versions;
}

} // namespace aqueduct::client
