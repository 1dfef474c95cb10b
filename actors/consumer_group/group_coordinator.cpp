#include "actors/consumer_group/group_coordinator.hpp"

#include <algorithm>
#include <span>
#include <utility>

namespace aqueduct::actors {

namespace {

constexpr std::int64_t topics_interval_ms = 1000;
constexpr std::int64_t expiry_interval_ms = 60'000;
/// Between two looks at members.
constexpr std::int64_t look_interval_ms = 100;
/// Between two looks or calls: then the node stood still.
constexpr std::int64_t pause_ms_min = 500;
/// Offsets that one entry of the log forgets.
constexpr std::size_t expired_keys_max = 1000;
/// Clients of Kafka say the end and the start of a log by -1 and -2; kafkajs resets offsets so.
/// What was committed is forgotten then.
constexpr std::int64_t forgotten_offset_min = -2;

template <class Answer>
Answer refusal(group_answer why) {
  Answer answer;
  static_cast<group_answer&>(answer) = std::move(why);
  return answer;
}

template <class Answer>
Answer failure(const error& why) {
  return refusal<Answer>({why.code, why.message, -1});
}

bool subscribes(const member_record& member, std::string_view protocol, std::string_view topic) {
  const auto chosen = std::ranges::find(member.protocols, protocol, &member_protocol::name);
  if (chosen == member.protocols.end())
    return false;
  const auto subscription = protocol::decode_subscription(chosen->metadata);
  return subscription &&
         std::ranges::find(subscription->topics, topic) != subscription->topics.end();
}

} // namespace

std::string_view to_string(group_phase phase) {
  switch (phase) {
  case group_phase::empty:
    return "Empty";
  case group_phase::preparing:
    return "PreparingRebalance";
  case group_phase::completing:
    return "CompletingRebalance";
  case group_phase::stable:
    return "Stable";
  case group_phase::dead:
    return "Dead";
  }
  return "Unknown";
}

// -- leading --------------------------------------------------------------------------------------

void group_coordinator::lead(group_time now) {
  leads_ = true;
  awake_ms_ = now.steady_ms;
  for (const auto& [id, entry] : table_.groups()) {
    const auto& record = entry.record;
    if (record.members.empty())
      continue;
    auto& group = open(id);
    group.protocol = record.protocol;
    group.leader = record.leader;
    std::int32_t wait_ms = 0;
    for (const auto& member : record.members) {
      auto& live = group.members[member.id];
      live.record = member;
      extend(live, now);
      if (!member.instance.empty())
        group.instances[member.instance] = member.id;
      wait_ms = std::max(wait_ms, member.rebalance_timeout_ms);
    }
    group.phase = record.is_assigned ? group_phase::stable : group_phase::preparing;
    group.phase_deadline_ms = now.steady_ms + wait_ms;
    group.topics = sizes_for(group);
    // Partitions may have waited for their holders, and topics may have grown meanwhile.
    if (is_coordinator_assigned(group) && !is_all_given(group))
      group.settle_deadline_ms = now.steady_ms + wait_ms;
  }
}

void group_coordinator::follow(std::int32_t leader) {
  leader_ = leader;
  if (!std::exchange(leads_, false))
    return;
  for (auto& [id, group] : live_)
    leave_board(group);
  const error why{errc::not_coordinator, refuse_unless_leading().message};
  // Those that were given away are answered yet; the answers are not for what is proposed next.
  abandoned_ += pending_.size() - placed_ - outbox_.size();
  placed_ = 0;
  outbox_.clear();
  auto waiting = std::exchange(live_, {});
  auto commits = std::exchange(commits_, {});
  for (auto& proposal : std::exchange(pending_, {}))
    complete(std::move(proposal), unexpected(why), {});
  commits_under_way_ = 0;
  committing_.clear();
  for (auto& commit : commits)
    commit.done(refusal<commit_answer>(refuse_unless_leading()));
  for (auto& [id, group] : waiting)
    for (auto& [name, member] : group.members) {
      if (member.join) {
        auto answer = refusal<join_answer>(refuse_unless_leading());
        answer.member = name;
        member.join(std::move(answer));
      }
      if (member.sync)
        member.sync(refusal<sync_answer>(refuse_unless_leading()));
    }
}

group_answer group_coordinator::refuse_unless_leading() const {
  if (leads_)
    return {};
  if (leader_ == options_.node)
    return {errc::coordinator_loading, "the coordinator of the group is taking over", -1};
  return {errc::not_coordinator,
          leader_ < 0 ? "the group has no coordinator at the moment"
                      : "node " + std::to_string(leader_) + " coordinates the group",
          leader_};
}

group_coordinator::live_group* group_coordinator::find(std::string_view group) {
  const auto found = live_.find(group);
  return found == live_.end() ? nullptr : &found->second;
}

group_coordinator::live_group& group_coordinator::open(const std::string& group) {
  const auto [at, is_new] = live_.try_emplace(group);
  if (is_new) {
    at->second.id = group;
    if (const auto* known = table_.find(group)) {
      at->second.generation = known->record.generation;
      at->second.protocol_type = known->record.protocol_type;
    }
  }
  return at->second;
}

group_record group_coordinator::record_of(const live_group& group, std::int64_t emptied_ms) {
  group_record record;
  record.id = group.id;
  record.protocol_type = group.protocol_type;
  record.generation = group.generation;
  record.protocol = group.protocol;
  record.leader = group.leader;
  record.emptied_ms = emptied_ms;
  for (const auto& [id, member] : group.members)
    record.members.push_back(member.record);
  return record;
}

void group_coordinator::drop_if_idle(const std::string& group) {
  const auto found = live_.find(group);
  if (found == live_.end() || found->second.phase != group_phase::empty ||
      !found->second.members.empty() || !found->second.promised.empty() ||
      found->second.empties_under_way > 0)
    return;
  // Who leads next must not take members that are gone for members.
  const auto* known = table_.find(group);
  if (known == nullptr || known->record.members.empty())
    live_.erase(found);
}

// -- the log --------------------------------------------------------------------------------------

void group_coordinator::propose(group_command command, completion done) {
  // What was decided first comes first.
  if (!std::holds_alternative<commit_offsets_command>(command))
    while (!commits_.empty())
      flush_commits();
  outbox_.push_back(std::move(command));
  pending_.push_back({0, 0, std::move(done)});
}

std::vector<group_command> group_coordinator::take_proposals() {
  return std::exchange(outbox_, {});
}

std::size_t group_coordinator::skip_abandoned(std::size_t count) {
  const auto skipped = std::min(abandoned_, count);
  abandoned_ -= skipped;
  return skipped;
}

void group_coordinator::proposed(std::uint64_t first, std::uint64_t term, std::size_t count) {
  const auto skipped = skip_abandoned(count);
  first += skipped;
  count -= skipped;
  for (std::size_t i = 0; i < count && placed_ < pending_.size(); ++i) {
    auto& proposal = pending_[placed_++];
    proposal.index = first + i;
    proposal.term = term;
  }
}

bool group_coordinator::refused(std::size_t count, const error& why, group_time now) {
  count -= skip_abandoned(count);
  std::vector<pending_proposal> gone;
  for (std::size_t i = 0; i < count && placed_ < pending_.size(); ++i) {
    const auto at = pending_.begin() + static_cast<std::ptrdiff_t>(placed_);
    gone.push_back(std::move(*at));
    pending_.erase(at);
  }
  for (auto& proposal : gone)
    complete(std::move(proposal), unexpected(why), now);
  return !gone.empty();
}

void group_coordinator::applied(std::uint64_t index, std::uint64_t term, group_time now) {
  while (placed_ > 0 && pending_.front().index <= index) {
    auto proposal = std::move(pending_.front());
    pending_.pop_front();
    --placed_;
    if (proposal.index == index && proposal.term == term)
      complete(std::move(proposal), {}, now);
    else
      complete(std::move(proposal),
               unexpected(errc::not_coordinator, "another coordinator took over"), now);
  }
}

void group_coordinator::complete(pending_proposal proposal, const result<void>& outcome,
                                 group_time now) {
  if (proposal.done)
    proposal.done(outcome, now);
}

// -- offsets --------------------------------------------------------------------------------------

group_answer group_coordinator::check_member(live_group& group, const group_member_id& who,
                                             bool needs_generation) const {
  if (!who.instance.empty()) {
    const auto known = group.instances.find(who.instance);
    if (known == group.instances.end())
      return {errc::unknown_member, "the group has no member of instance " + who.instance, -1};
    if (known->second != who.member)
      return {errc::fenced_member, "another process is instance " + who.instance + " now", -1};
  }
  if (!group.members.contains(who.member))
    return {errc::unknown_member, "the group has no such member (any more); join again", -1};
  if (needs_generation && who.generation != group.generation)
    return {errc::generation_mismatch,
            "the group is at generation " + std::to_string(group.generation) + ", the member at " +
                std::to_string(who.generation),
            -1};
  return {};
}

void group_coordinator::act(commit_call call, group_time now) {
  auto refuse = refuse_unless_leading();
  if (refuse.error == errc::none && call.group.empty())
    refuse = {errc::invalid_group, "a group id has at least one character", -1};
  auto* group = find(call.group);
  const bool has_members = group != nullptr && !group->members.empty();
  const bool is_outsider = call.who.member.empty() && call.who.generation < 0;
  if (refuse.error == errc::none && is_outsider && has_members)
    refuse = {errc::unknown_member,
              "the group has members: only they commit offsets; stop them first", -1};
  if (refuse.error == errc::none && !is_outsider && !has_members)
    refuse = {errc::unknown_member, "the group has no such member (any more); join again", -1};
  if (refuse.error == errc::none && has_members) {
    const bool is_between = group->phase == group_phase::completing;
    refuse = check_member(*group, call.who, !is_between);
    if (refuse.error == errc::none && is_between)
      refuse = {errc::rebalance_in_progress, "the group is being rebalanced", -1};
  }
  if (refuse.error != errc::none) {
    call.done(refusal<commit_answer>(std::move(refuse)));
    return;
  }
  if (has_members)
    extend(group->members.at(call.who.member), now);
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
  if (refuse = check_offsets(commit.bytes); refuse.error != errc::none) {
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

void group_coordinator::act(fetch_offsets_call call, group_time) {
  fetch_offsets_answer answer;
  static_cast<group_answer&>(answer) = refuse_unless_leading();
  const auto* known = answer.error == errc::none ? table_.find(call.group) : nullptr;
  if (known != nullptr && !call.keys) {
    for (const auto& [key, offset] : known->offsets)
      answer.rows.push_back({key, offset});
  } else if (known != nullptr) {
    const std::set<offset_key> wanted(call.keys->begin(), call.keys->end());
    for (const auto& key : wanted)
      if (const auto found = known->offsets.find(key); found != known->offsets.end())
        answer.rows.push_back({key, found->second});
  }
  call.done(std::move(answer));
}

void group_coordinator::act(delete_offsets_call call, group_time) {
  auto refuse = refuse_unless_leading();
  const auto* known = table_.find(call.group);
  const auto* group = find(call.group);
  if (refuse.error == errc::none && known == nullptr)
    refuse = {errc::unknown_group, "there is no group " + call.group, -1};
  if (refuse.error == errc::none && group != nullptr && !group->members.empty() &&
      group->protocol_type != protocol::consumer_protocol_type)
    refuse = {errc::group_not_empty, "the group has members", -1};
  if (refuse.error != errc::none) {
    call.done(refusal<delete_offsets_answer>(std::move(refuse)));
    return;
  }
  delete_offsets_answer answer;
  remove_offsets_command command;
  command.group = call.group;
  std::set<offset_key> removed;
  for (const auto& row : call.rows) {
    const bool is_used = group != nullptr && std::ranges::any_of(group->members, [&](auto& each) {
                           return subscribes(each.second.record, group->protocol, row.topic);
                         });
    answer.rows.push_back(is_used ? errc::group_subscribed : errc::none);
    if (!is_used)
      removed.insert(row.key);
  }
  if (removed.empty()) {
    call.done(std::move(answer));
    return;
  }
  command.offsets.assign(removed.begin(), removed.end());
  if (refuse = check_offsets(bytes_of(command)); refuse.error != errc::none) {
    call.done(refusal<delete_offsets_answer>(std::move(refuse)));
    return;
  }
  propose(std::move(command), [answer = std::move(answer), done = std::move(call.done)](
                                  const result<void>& outcome, group_time) {
    done(outcome ? answer : failure<delete_offsets_answer>(outcome.error()));
  });
}

void group_coordinator::expire_offsets(group_time now) {
  for (const auto& [id, entry] : table_.groups()) {
    // What is committed just now comes before the removal in the log, and is not old.
    const bool is_used =
        live_.contains(id) || !entry.record.members.empty() || committing_.contains(id);
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

// -- looking at groups ----------------------------------------------------------------------------

void group_coordinator::act(list_groups_call call, group_time) {
  list_groups_answer answer;
  static_cast<group_answer&>(answer) = refuse_unless_leading();
  if (answer.error == errc::none) {
    for (const auto& [id, entry] : table_.groups())
      if (!live_.contains(id))
        answer.groups.push_back({id, entry.record.protocol_type, group_phase::empty, 0});
    for (const auto& [id, group] : live_)
      answer.groups.push_back(
          {id, group.protocol_type, group.phase, static_cast<std::int32_t>(group.members.size())});
    std::ranges::sort(answer.groups, {}, &group_summary::id);
  }
  call.done(std::move(answer));
}

void group_coordinator::act(describe_group_call call, group_time) {
  describe_group_answer answer;
  static_cast<group_answer&>(answer) = refuse_unless_leading();
  if (answer.error == errc::none) {
    const auto* known = table_.find(call.group);
    if (const auto* group = find(call.group)) {
      answer.phase = group->phase;
      answer.group = record_of(*group, -1);
    } else if (known != nullptr) {
      answer.phase = group_phase::empty;
      answer.group = known->record;
    } else {
      answer.error = errc::unknown_group;
      answer.message = "there is no group " + call.group;
      answer.group.id = call.group;
    }
  }
  call.done(std::move(answer));
}

void group_coordinator::act(delete_group_call call, group_time) {
  auto refuse = refuse_unless_leading();
  const auto* group = find(call.group);
  const auto* known = table_.find(call.group);
  if (refuse.error == errc::none && known == nullptr && group == nullptr)
    refuse = {errc::unknown_group, "there is no group " + call.group, -1};
  if (refuse.error == errc::none && group != nullptr &&
      !(group->members.empty() && group->promised.empty()))
    refuse = {errc::group_not_empty, "the group has members; stop them first", -1};
  if (refuse.error != errc::none) {
    call.done(refusal<delete_group_answer>(std::move(refuse)));
    return;
  }
  propose(delete_group_command{call.group}, [this, id = call.group, done = std::move(call.done)](
                                                const result<void>& outcome, group_time) {
    if (outcome)
      drop_if_idle(id);
    done(outcome ? delete_group_answer() : failure<delete_group_answer>(outcome.error()));
  });
}

// -- time -----------------------------------------------------------------------------------------

void group_coordinator::note_pause(group_time now) {
  const auto since_ms = now.steady_ms - std::exchange(awake_ms_, now.steady_ms);
  // The interval between looks passes in any case: were it given back too, and looks are late as a
  // rule, nothing would ever end.
  if (since_ms >= pause_ms_min)
    for (auto& [id, group] : live_)
      extend_all(group, since_ms - look_interval_ms, now);
}

void group_coordinator::tick(group_time now) {
  if (!leads_)
    return;
  note_pause(now);
  std::vector<std::string> ids;
  for (const auto& [id, group] : live_)
    ids.push_back(id);
  const bool looks_at_topics = now.steady_ms >= next_topics_ms_;
  if (looks_at_topics)
    next_topics_ms_ = now.steady_ms + topics_interval_ms;
  for (const auto& id : ids) {
    auto* group = find(id);
    if (group == nullptr)
      continue;
    tick_group(*group, now);
    if (looks_at_topics && group->phase == group_phase::stable && is_coordinator_assigned(*group) &&
        sizes_for(*group) != group->topics)
      prepare(*group, now);
    drop_if_idle(id);
  }
  if (now.steady_ms >= next_expiry_ms_) {
    // Not at once after taking over: the first round only sets the time.
    if (next_expiry_ms_ > 0)
      expire_offsets(now);
    next_expiry_ms_ = now.steady_ms + expiry_interval_ms;
  }
}

} // namespace aqueduct::actors
