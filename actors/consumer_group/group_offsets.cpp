// Commits and removals: the part of `group_coordinator` that changes offsets.
#include "actors/consumer_group/group_coordinator.hpp"

#include <algorithm>
#include <set>
#include <span>
#include <utility>

namespace aqueduct::actors {

namespace {

/// Offsets that one entry of the log forgets.
constexpr std::size_t expired_keys_max = 1000;
/// Clients of Kafka say the end and the start of a log by -1 and -2; kafkajs resets offsets so.
/// What was committed is forgotten then.
constexpr std::int64_t forgotten_offset_min = -2;

} // namespace

group_answer group_coordinator::no_such_member() {
  return {errc::unknown_member, "the group has no such member (any more); join again", -1};
}

group_answer group_coordinator::no_such_group(const std::string& group) {
  return {errc::unknown_group, "there is no group " + group, -1};
}

void group_coordinator::commit(commit_call call, group_time now) {
  queued_commit commit;
  commit.offsets.group = std::move(call.group);
  // Of a partition that is named twice the last row counts.
  std::map<offset_key, std::size_t> places;
  auto& taken = commit.offsets.offsets;
  for (auto& row : call.rows) {
    if (row.metadata.size() > options_.bounds.offset_metadata_bytes_max) {
      commit.rows.push_back(errc::metadata_too_large);
    } else if (row.offset < forgotten_offset_min) {
      commit.rows.push_back(errc::invalid_request);
    } else {
      commit.rows.push_back(errc::none);
      const auto [place, is_new] = places.try_emplace(row.key, taken.size());
      if (is_new)
        taken.emplace_back();
      taken[place->second] = {row.key,
                              {row.offset, row.leader_epoch, std::move(row.metadata), now.wall_ms}};
    }
  }
  commit.bytes = bytes_of(commit.offsets);
  if (auto refuse = check_offsets(options_.bounds, commit.bytes); refuse.error != errc::none) {
    call.done(refusal<commit_answer>(std::move(refuse)));
    return;
  }
  commit.done = std::move(call.done);
  if (taken.empty()) {
    commit_answer answer;
    answer.rows = std::move(commit.rows);
    commit.done(std::move(answer));
    return;
  }
  commit.group = commit.offsets.group;
  ++committing_[commit.group];
  commits_.push_back(std::move(commit));
  if (commits_under_way_ == 0)
    flush_commits();
}

void group_coordinator::flush_commits() {
  commit_offsets_command command;
  std::vector<queued_commit> batch;
  std::size_t bytes = 0;
  while (batch.size() < commits_.size()) {
    auto& commit = commits_[batch.size()];
    bytes += commit.bytes;
    if (!batch.empty() && bytes > options_.bounds.offsets_bytes_max)
      break;
    command.commits.push_back(std::move(commit.offsets));
    batch.push_back(std::move(commit));
  }
  commits_.erase(commits_.begin(), commits_.begin() + static_cast<std::ptrdiff_t>(batch.size()));
  ++commits_under_way_;
  auto shared = std::make_shared<std::vector<queued_commit>>(std::move(batch));
  propose(std::move(command), [this, shared](const result<void>& outcome, group_time) {
    for (auto& commit : *shared) {
      forget_commit(commit.group);
      commit_answer answer;
      if (outcome)
        answer.rows = std::move(commit.rows);
      else
        answer = failure<commit_answer>(outcome.error());
      commit.done(std::move(answer));
    }
    if (commits_under_way_ > 0)
      --commits_under_way_;
    if (leads_ && commits_under_way_ == 0 && !commits_.empty())
      flush_commits();
  });
}

void group_coordinator::forget_commit(const std::string& group) {
  const auto found = committing_.find(group);
  if (found != committing_.end() && --found->second == 0)
    committing_.erase(found);
}

void group_coordinator::remove_offsets(delete_offsets_call call, std::vector<errc> rows) {
  if (table_.find(call.group) == nullptr) {
    call.done(refusal<delete_offsets_answer>(no_such_group(call.group)));
    return;
  }
  std::set<offset_key> removed;
  for (std::size_t i = 0; i < rows.size(); ++i)
    if (rows[i] == errc::none)
      removed.insert(call.rows[i].key);
  delete_offsets_answer answer;
  answer.rows = std::move(rows);
  if (removed.empty()) {
    call.done(std::move(answer));
    return;
  }
  remove_offsets_command command{std::move(call.group), {removed.begin(), removed.end()}};
  if (auto refuse = check_offsets(options_.bounds, bytes_of(command)); refuse.error != errc::none) {
    call.done(refusal<delete_offsets_answer>(std::move(refuse)));
    return;
  }
  propose(std::move(command), [answer = std::move(answer), done = std::move(call.done)](
                                  const result<void>& outcome, group_time) {
    done(outcome ? answer : failure<delete_offsets_answer>(outcome.error()));
  });
}

void group_coordinator::remove_group(delete_group_call call) {
  propose(delete_group_command{std::move(call.group)},
          [done = std::move(call.done)](const result<void>& outcome, group_time) {
            done(outcome ? delete_group_answer() : failure<delete_group_answer>(outcome.error()));
          });
}

void group_coordinator::expire_offsets(group_time now) {
  for (const auto& [id, entry] : table_.groups()) {
    // What is committed just now comes before the removal in the log, and is not old.
    const bool is_used =
        active_.contains(id) || !entry.record.members.empty() || committing_.contains(id);
    std::vector<offset_key> expired;
    for (const auto& [key, offset] : entry.offsets) {
      const auto unused_since = std::max(entry.record.emptied_ms, offset.committed_ms);
      if ((!is_used && now.wall_ms - unused_since > options_.bounds.retention_ms) ||
          (options_.is_gone && options_.is_gone(key.topic)))
        expired.push_back(key);
    }
    const bool is_over = !is_used && expired.size() == entry.offsets.size() &&
                         now.wall_ms - entry.record.emptied_ms > options_.bounds.retention_ms;
    if (is_over) {
      propose(delete_group_command{id}, nullptr);
      continue;
    }
    const std::span<const offset_key> all(expired);
    for (std::size_t at = 0; at < all.size(); at += expired_keys_max) {
      const auto some = all.subspan(at, std::min(expired_keys_max, all.size() - at));
      propose(remove_offsets_command{id, {some.begin(), some.end()}}, nullptr);
    }
  }
}

} // namespace aqueduct::actors
