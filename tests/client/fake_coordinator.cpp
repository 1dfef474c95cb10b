#include "tests/client/fake_coordinator.hpp"

namespace aqueduct::test {

using namespace protocol;

result<void> fake_coordinator::check(const std::string& member, std::int32_t of) const {
  if (!members.contains(member))
    return unexpected(errc::unknown_member, "the group has no such member");
  if (of != generation)
    return unexpected(errc::generation_mismatch, "the group is at another generation");
  return {};
}

fake_coordinator::join_outcome fake_coordinator::answer(join_group_request request) {
  joins.push_back(request);
  members.insert(request.member_id);
  is_rebalancing = false;
  join_group_response response;
  response.member_id = request.member_id;
  response.generation = ++generation;
  response.assignor = assignor;
  response.leader = request.member_id;
  if (!assignments.empty())
    response.assignment = assignments.front();
  if (assignments.size() > 1)
    assignments.pop_front();
  return response;
}

result<heartbeat_response> fake_coordinator::answer(const heartbeat_request& request) const {
  if (auto checked = check(request.member_id, request.generation); !checked)
    return checked.propagate();
  if (is_rebalancing)
    return unexpected(errc::rebalance_in_progress, "join again");
  return heartbeat_response{};
}

result<leave_group_response> fake_coordinator::answer(leave_group_request request) {
  leave_group_response response;
  for (const auto& each : request.members)
    response.results.push_back(members.erase(each.member_id) > 0 ? errc::none
                                                                 : errc::unknown_member);
  leaves.push_back(std::move(request));
  return response;
}

result<commit_offset_response> fake_coordinator::answer(commit_offset_request request) {
  if (auto checked = check(request.member_id, request.generation); !checked)
    return checked.propagate();
  std::size_t rows = 0;
  for (const auto& topic : request.topics)
    rows += topic.partitions.size();
  if (rows > commit_rows_max)
    return unexpected(errc::message_too_large, "the offsets of the request take too much");
  commit_offset_response response;
  for (const auto& topic : request.topics) {
    auto& told = response.topics.emplace_back();
    told.topic = topic.topic;
    for (const auto& row : topic.partitions) {
      const bool is_long = row.metadata.size() > 4096;
      told.partitions.push_back({row.partition, is_long ? errc::metadata_too_large : errc::none});
      if (!is_long)
        offsets[{topic.topic, row.partition}] = row.offset;
    }
  }
  commits.push_back(std::move(request));
  return response;
}

fake_coordinator::fetch_outcome
fake_coordinator::answer(const fetch_offset_request& request) const {
  fetch_offset_response response;
  for (const auto& topic : request.topics) {
    auto& told = response.topics.emplace_back();
    told.topic = topic.topic;
    for (const auto partition : topic.partitions) {
      auto& row = told.partitions.emplace_back();
      row.partition = partition;
      if (unknown.contains({topic.topic, partition}))
        row.error = errc::unknown_partition;
      else if (const auto found = offsets.find({topic.topic, partition}); found != offsets.end())
        row.offset = found->second;
    }
  }
  return response;
}

} // namespace aqueduct::test
