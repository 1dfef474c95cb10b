#include "protocol/client/group_admin.hpp"

#include "protocol/client/admin.hpp"
#include "protocol/client/internal/group_caller.hpp"

#include <algorithm>
#include <map>

namespace aqueduct::client {

using namespace std::chrono_literals;

namespace {

time_point deadline_of(const cluster& on, std::optional<milliseconds> timeout) {
  return after(clock::now(), timeout.value_or(on.core()->config().request_timeout));
}

milliseconds left_until(time_point deadline) {
  return std::max(1ms, std::chrono::duration_cast<milliseconds>(deadline - clock::now()));
}

template <class Request>
result<response_of<Request>> ask_coordinator(const cluster& on, std::string_view group,
                                             const Request& request, time_point deadline) {
  if (on.core()->is_io_thread())
    return unexpected(errc::invalid_request,
                      "this function waits and cannot be called from a callback");
  return group_caller(on.core(), std::string(group)).ask(request, deadline);
}

std::vector<protocol::named_partitions> to_wire(std::span<const topic_partition> partitions) {
  std::vector<protocol::named_partitions> wire;
  for (const auto& tp : partitions)
    wire.push_back({tp.topic, {tp.partition.value}});
  return wire;
}

/// The first partition that was refused.
result<void> outcome_of(const std::vector<protocol::topic_status>& topics) {
  for (const auto& topic : topics)
    for (const auto& row : topic.partitions)
      if (row.error != errc::none)
        return unexpected(row.error, topic.topic + "/" + std::to_string(row.partition) + ": " +
                                         std::string(describe(row.error).meaning));
  return {};
}

group_member_description from_wire(protocol::described_member& row) {
  group_member_description member;
  member.member_id = std::move(row.member_id);
  member.instance_id = std::move(row.instance_id);
  member.client_id = std::move(row.client_id);
  member.client_host = std::move(row.client_host);
  member.session_timeout = milliseconds(row.session_timeout_ms);
  member.topics = std::move(row.subscription);
  member.user_data = row.user_data.text();
  for (const auto& topic : row.assignment)
    for (const auto partition : topic.partitions)
      member.assigned.push_back({topic.topic, partition_id(partition)});
  return member;
}

struct range {
  offset_t start;
  offset_t end;
};

/// The records that there are, by partition.
result<std::map<topic_partition, range>>
ranges_of(const cluster& on, std::span<const topic_partition> partitions, time_point deadline) {
  std::vector<offset_query> queries;
  for (const auto& tp : partitions)
    for (const auto at : {offset_query::kind::earliest, offset_query::kind::latest}) {
      auto& query = queries.emplace_back();
      query.partition = tp;
      query.at = at;
    }
  auto answers = admin(on).list_offsets(queries, left_until(deadline));
  if (!answers)
    return answers.propagate();
  std::map<topic_partition, range> ranges;
  for (std::size_t i = 0; i + 1 < answers->size(); i += 2) {
    const auto& first = (*answers)[i].offset;
    const auto& last = (*answers)[i + 1].offset;
    if (!first || !last)
      return unexpected(first ? last.error() : first.error());
    ranges[(*answers)[i].partition] = {first->value_or(offset_t(0)), last->value_or(offset_t(0))};
  }
  return ranges;
}

/// Reads the oldest record that waits in each partition, for its age.
void find_ages(const cluster& on, std::vector<group_lag>& rows, time_point deadline) {
  std::vector<assignment> unread;
  std::map<topic_partition, group_lag*> by_partition;
  for (auto& row : rows)
    if (row.records > 0) {
      const auto from = std::max(row.offset.value_or(row.log_start), row.log_start);
      unread.push_back({row.partition, start_position::at(from)});
      by_partition[row.partition] = &row;
    }
  consumer_config settings;
  settings.partition_bytes_max = 1 << 10;
  settings.fetch_wait_max = 100ms;
  auto reading = consumer::create(on, settings);
  if (unread.empty() || !reading || !reading->assign(std::move(unread)))
    return;
  const auto now =
      std::chrono::duration_cast<milliseconds>(std::chrono::system_clock::now().time_since_epoch());
  while (!by_partition.empty() && clock::now() < deadline) {
    const auto records = reading->poll(std::min(200ms, left_until(deadline)));
    if (!records)
      continue;
    for (const auto& record : *records) {
      const auto found = by_partition.find({std::string(record.topic), record.partition});
      if (found == by_partition.end())
        continue;
      found->second->time = std::max(0ms, now - milliseconds(record.timestamp.value));
      (void)reading->pause(found->first);
      by_partition.erase(found);
    }
  }
}

} // namespace

offset_t target_offset(const offset_target& target, std::optional<offset_t> committed,
                       offset_t log_start, offset_t end, std::optional<offset_t> found) {
  std::int64_t offset = log_start.value;
  switch (target.to) {
  case offset_target::kind::earliest:
    break;
  case offset_target::kind::latest:
    offset = end.value;
    break;
  case offset_target::kind::offset:
    offset = target.value;
    break;
  case offset_target::kind::timestamp:
    offset = found.value_or(end).value;
    break;
  case offset_target::kind::shift: {
    const auto from = std::clamp(committed.value_or(log_start), log_start, end).value;
    offset = target.value > end.value - from ? end.value : from + target.value;
    break;
  }
  }
  return offset_t(std::clamp(offset, log_start.value, end.value));
}

result<std::vector<group_listing>> group_admin::list(timeout_t timeout) {
  const auto deadline = deadline_of(cluster_, timeout);
  const auto layout = cluster_.describe(std::span<const std::string>(), timeout);
  if (!layout)
    return layout.propagate();
  std::map<std::string, group_listing> groups;
  std::optional<error> failed;
  bool is_answered = false;
  for (const auto& broker : layout->brokers) {
    auto reply = cluster_.core()->ask(broker.node, protocol::list_groups_request(), deadline);
    if (!reply) {
      failed = reply.fail.err;
      continue;
    }
    is_answered = true;
    for (auto& row : reply.value->groups)
      groups[row.group] = {row.group, std::move(row.protocol_type), std::move(row.state),
                           row.members};
  }
  if (!is_answered && failed)
    return unexpected(*failed);
  std::vector<group_listing> all;
  for (auto& [name, row] : groups)
    all.push_back(std::move(row));
  return all;
}

result<group_description> group_admin::describe(std::string_view group, timeout_t timeout) {
  protocol::describe_group_request request;
  request.group = group;
  auto reply = ask_coordinator(cluster_, group, request, deadline_of(cluster_, timeout));
  if (!reply)
    return reply.propagate();
  group_description description;
  description.group = std::move(reply->group);
  description.state = std::move(reply->state);
  description.protocol_type = std::move(reply->protocol_type);
  description.assignor = std::move(reply->assignor);
  description.generation = reply->generation;
  description.leader = std::move(reply->leader);
  for (auto& row : reply->members)
    description.members.push_back(from_wire(row));
  return description;
}

result<std::vector<group_offset>> group_admin::offsets(std::string_view group, timeout_t timeout) {
  protocol::fetch_offset_request request;
  request.group = group;
  request.all = true;
  auto reply = ask_coordinator(cluster_, group, request, deadline_of(cluster_, timeout));
  if (!reply)
    return reply.propagate();
  std::vector<group_offset> rows;
  for (auto& topic : reply->topics)
    for (auto& row : topic.partitions)
      rows.push_back({{topic.topic, partition_id(row.partition)},
                      offset_t(row.offset),
                      std::move(row.metadata),
                      timestamp_ms(row.committed_ms)});
  std::ranges::sort(rows, {}, &group_offset::partition);
  return rows;
}

result<std::vector<group_lag>> group_admin::lag(std::string_view group, timeout_t timeout) {
  const auto deadline = deadline_of(cluster_, timeout);
  const auto described = describe(group, timeout);
  if (!described)
    return described.propagate();
  const auto committed = offsets(group, left_until(deadline));
  if (!committed)
    return committed.propagate();
  std::map<topic_partition, group_lag> rows;
  for (const auto& each : *committed) {
    rows[each.partition].partition = each.partition;
    rows[each.partition].offset = each.offset;
  }
  for (const auto& member : described->members)
    for (const auto& tp : member.assigned) {
      rows[tp].partition = tp;
      rows[tp].member_id = member.member_id;
    }
  std::vector<topic_partition> partitions;
  for (const auto& [tp, row] : rows)
    partitions.push_back(tp);
  const auto ranges = ranges_of(cluster_, partitions, deadline);
  if (!ranges)
    return ranges.propagate();
  std::vector<group_lag> all;
  for (auto& [tp, row] : rows) {
    const auto& [start, end] = ranges->at(tp);
    row.log_start = start;
    row.end = end;
    row.records =
        std::max<std::int64_t>(0, end.value - std::max(row.offset.value_or(start), start).value);
    all.push_back(std::move(row));
  }
  find_ages(cluster_, all, std::min(deadline, after(clock::now(), 5s)));
  return all;
}

result<void> group_admin::set_offsets(std::string_view group,
                                      std::span<const offset_commit> offsets, timeout_t timeout) {
  protocol::commit_offset_request request;
  request.group = group;
  for (const auto& row : offsets)
    request.topics.push_back(
        {row.partition.topic,
         {{row.partition.partition.value, row.offset.value, -1, row.metadata}}});
  const auto reply = ask_coordinator(cluster_, group, request, deadline_of(cluster_, timeout));
  if (!reply)
    return reply.propagate();
  return outcome_of(reply->topics);
}

result<std::vector<offset_move>> group_admin::reset(std::string_view group,
                                                    std::span<const topic_partition> partitions,
                                                    const offset_target& target, bool dry_run,
                                                    timeout_t timeout) {
  const auto deadline = deadline_of(cluster_, timeout);
  const auto known = offsets(group, timeout);
  if (!known)
    return known.propagate();
  std::map<topic_partition, offset_t> committed;
  for (const auto& row : *known)
    committed[row.partition] = row.offset;
  const auto ranges = ranges_of(cluster_, partitions, deadline);
  if (!ranges)
    return ranges.propagate();
  std::map<topic_partition, std::optional<offset_t>> found;
  if (target.to == offset_target::kind::timestamp) {
    std::vector<offset_query> queries;
    for (const auto& tp : partitions) {
      auto& query = queries.emplace_back();
      query.partition = tp;
      query.at = offset_query::kind::timestamp;
      query.time = timestamp_ms(target.value);
    }
    auto answers = admin(cluster_).list_offsets(queries, left_until(deadline));
    if (!answers)
      return answers.propagate();
    for (const auto& answer : *answers) {
      if (!answer.offset)
        return unexpected(answer.offset.error());
      found[answer.partition] = *answer.offset;
    }
  }
  std::vector<offset_move> moves;
  std::vector<offset_commit> rows;
  for (const auto& tp : partitions) {
    const auto from = committed.find(tp);
    const auto& [start, end] = ranges->at(tp);
    const auto old = from == committed.end() ? std::nullopt : std::optional(from->second);
    const auto to = target_offset(target, old, start, end, found[tp]);
    moves.push_back({tp, old, to});
    rows.push_back({tp, to});
  }
  if (!dry_run)
    if (auto set = set_offsets(group, rows, left_until(deadline)); !set)
      return set.propagate();
  return moves;
}

result<void> group_admin::delete_offsets(std::string_view group,
                                         std::span<const topic_partition> partitions,
                                         timeout_t timeout) {
  protocol::delete_offsets_request request;
  request.group = group;
  request.topics = to_wire(partitions);
  const auto reply = ask_coordinator(cluster_, group, request, deadline_of(cluster_, timeout));
  if (!reply)
    return reply.propagate();
  return outcome_of(reply->topics);
}

result<void> group_admin::delete_group(std::string_view group, timeout_t timeout) {
  protocol::delete_group_request request;
  request.group = group;
  const auto reply = ask_coordinator(cluster_, group, request, deadline_of(cluster_, timeout));
  if (!reply)
    return reply.propagate();
  return {};
}

result<void> group_admin::remove_members(std::string_view group,
                                         std::span<const std::string> members, timeout_t timeout) {
  const auto described = describe(group, timeout);
  if (!described)
    return described.propagate();
  protocol::leave_group_request request;
  request.group = group;
  for (const auto& name : members) {
    const bool is_instance =
        std::ranges::any_of(described->members, [&](const group_member_description& member) {
          return !name.empty() && member.instance_id == name;
        });
    request.members.push_back(is_instance ? protocol::group_member{"", name}
                                          : protocol::group_member{name, ""});
  }
  const auto reply = ask_coordinator(cluster_, group, request, deadline_of(cluster_, timeout));
  if (!reply)
    return reply.propagate();
  for (std::size_t i = 0; i < reply->results.size() && i < members.size(); ++i)
    if (reply->results[i] != errc::none)
      return unexpected(reply->results[i], "the group has no member '" + members[i] + "'");
  return {};
}

} // namespace aqueduct::client
