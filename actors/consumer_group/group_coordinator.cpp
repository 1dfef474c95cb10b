// Leading, and what goes between the coordinator, its groups and the log.
#include "actors/consumer_group/group_coordinator.hpp"

#include <algorithm>
#include <set>
#include <utility>

namespace aqueduct::actors {

namespace {

constexpr std::int64_t expiry_interval_ms = 60'000;
/// Between two looks at members.
constexpr std::int64_t look_interval_ms = 100;
/// Between two looks or calls: then the node stood still.
constexpr std::int64_t pause_ms_min = 500;

} // namespace

// -- leading --------------------------------------------------------------------------------------

void group_coordinator::lead(group_time now) {
  leads_ = true;
  awake_ms_ = now.steady_ms;
  for (const auto& [id, entry] : table_.groups())
    if (!entry.record.members.empty())
      (void)open(id, now);
}

void group_coordinator::follow(std::int32_t leader) {
  leader_ = leader;
  if (!std::exchange(leads_, false))
    return;
  const auto why = refuse_unless_leading();
  for (auto& [id, group] : std::exchange(active_, {}))
    if (!group.broken)
      tell(group, group_end{why}, {});
  const error lost{errc::not_coordinator, why.message};
  for (const auto& done : pending_.abandon(std::exchange(outbox_, {}).size()))
    if (done)
      done(unexpected(lost), {});
  commits_under_way_ = 0;
  committing_.clear();
  for (auto& commit : std::exchange(commits_, {}))
    commit.done(refusal<commit_answer>(why));
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

void group_coordinator::close_board() {
  options_.board = nullptr;
  for (auto& [id, group] : active_)
    if (!group.broken)
      tell(group, group_unlist{}, {});
}

// -- groups ---------------------------------------------------------------------------------------

group_coordinator::active_group* group_coordinator::find(std::string_view group) {
  const auto found = active_.find(group);
  return found == active_.end() ? nullptr : &found->second;
}

group_coordinator::active_group& group_coordinator::open(const std::string& group, group_time now) {
  auto& opened = active_[group];
  opened.life = ++last_life_;
  group_opening opening{opened.life, group, std::nullopt, options_.board, now};
  if (const auto* known = table_.find(group)) {
    opening.known = known->record;
    opened.standing.protocol_type = known->record.protocol_type;
    opened.standing.members = static_cast<std::int32_t>(known->record.members.size());
    if (opened.standing.members > 0)
      opened.standing.phase =
          known->record.is_assigned ? group_phase::stable : group_phase::preparing;
  }
  orders_.push_back(std::move(opening));
  return opened;
}

template <class What>
void group_coordinator::tell(active_group& group, What what, group_time now) {
  ++group.orders;
  orders_.push_back(group_dispatch{group.life, {now, std::move(what)}});
}

std::vector<std::variant<group_opening, group_dispatch>> group_coordinator::take_orders() {
  return std::exchange(orders_, {});
}

void group_coordinator::heard(group_report report, group_time now) {
  const auto* group = find(report.group);
  if (group != nullptr && group->life == report.life && !group->broken) {
    std::visit([&](auto& what) { note(report, std::move(what), now); }, report.what);
    return;
  }
  // From an earlier office, or an earlier life in this one.
  auto why = refuse_unless_leading();
  if (why.error == errc::none)
    why = {errc::coordinator_loading, "the coordinator of the group took over anew", -1};
  if (auto* commit = std::get_if<fenced_commit>(&report.what))
    refuse(commit->call, why);
  else if (auto* removal = std::get_if<judged_removal>(&report.what))
    refuse(removal->call, why);
  else if (auto* deletion = std::get_if<judged_deletion>(&report.what))
    refuse(deletion->call, why);
}

void group_coordinator::note(const group_report& from, group_proposal proposal, group_time) {
  propose(put_group_command{std::move(proposal.group)},
          [this, name = from.group, life = from.life,
           number = proposal.number](const result<void>& outcome, group_time at) {
            if (auto* group = find(name); group != nullptr && group->life == life && !group->broken)
              tell(*group, group_decided{number, outcome}, at);
          });
}

void group_coordinator::note(const group_report&, fenced_commit commit_of, group_time now) {
  commit(std::move(commit_of.call), now);
}

void group_coordinator::note(const group_report&, judged_removal removal, group_time) {
  remove_offsets(std::move(removal.call), std::move(removal.rows));
}

void group_coordinator::note(const group_report&, judged_deletion deletion, group_time) {
  remove_group(std::move(deletion.call));
}

void group_coordinator::note(const group_report& from, group_standing standing, group_time now) {
  const auto found = active_.find(from.group);
  auto& group = found->second;
  group.standing = std::move(standing);
  // It knows nothing yet of orders that it did not count.
  if (!group.standing.is_over || group.standing.orders != group.orders)
    return;
  tell(group, group_end{}, now);
  active_.erase(found);
}

void group_coordinator::note(const group_report& from, group_broken broken, group_time now) {
  auto& group = active_.find(from.group)->second;
  const group_answer why{broken.why.code, "the group is out of service: " + broken.why.message, -1};
  tell(group, group_end{why}, now);
  group.broken = why;
}

template <class Call>
void group_coordinator::act(Call call, group_time now) {
  auto* group = find(call.group);
  if (auto why = refuse_unless_leading(); why.error != errc::none)
    refuse(call, std::move(why));
  else if (group == nullptr)
    act_inactive(std::move(call), now);
  else if (group->broken)
    refuse(call, *group->broken);
  else
    tell(*group, std::move(call), now);
}
template void group_coordinator::act(join_call, group_time);
template void group_coordinator::act(sync_call, group_time);
template void group_coordinator::act(heartbeat_call, group_time);
template void group_coordinator::act(leave_call, group_time);
template void group_coordinator::act(commit_call, group_time);
template void group_coordinator::act(delete_offsets_call, group_time);
template void group_coordinator::act(describe_group_call, group_time);
template void group_coordinator::act(delete_group_call, group_time);

// -- groups without members -----------------------------------------------------------------------

void group_coordinator::act_inactive(join_call call, group_time now) {
  auto& group = open(call.group, now);
  tell(group, std::move(call), now);
}

void group_coordinator::act_inactive(sync_call call, group_time) {
  call.done(refusal<sync_answer>(no_such_member()));
}

void group_coordinator::act_inactive(heartbeat_call call, group_time) {
  call.done(refusal<heartbeat_answer>(no_such_member()));
}

void group_coordinator::act_inactive(leave_call call, group_time) {
  leave_answer answer;
  answer.members.assign(call.members.size(), errc::unknown_member);
  call.done(std::move(answer));
}

void group_coordinator::act_inactive(describe_group_call call, group_time) {
  describe_group_answer answer;
  if (const auto* known = table_.find(call.group)) {
    answer.phase = group_phase::empty;
    answer.group = known->record;
  } else {
    static_cast<group_answer&>(answer) = no_such_group(call.group);
    answer.group.id = call.group;
  }
  call.done(std::move(answer));
}

void group_coordinator::act_inactive(commit_call call, group_time now) {
  if (call.group.empty())
    call.done(
        refusal<commit_answer>({errc::invalid_group, "a group id has at least one character", -1}));
  else if (!call.who.member.empty() || call.who.generation >= 0)
    call.done(refusal<commit_answer>(no_such_member()));
  else
    commit(std::move(call), now);
}

void group_coordinator::act_inactive(delete_offsets_call call, group_time) {
  const auto rows = call.rows.size();
  remove_offsets(std::move(call), std::vector(rows, errc::none));
}

void group_coordinator::act_inactive(delete_group_call call, group_time) {
  if (table_.find(call.group) == nullptr)
    call.done(refusal<delete_group_answer>(no_such_group(call.group)));
  else
    remove_group(std::move(call));
}

void group_coordinator::act(list_groups_call call, group_time) {
  auto answer = refusal<list_groups_answer>(refuse_unless_leading());
  if (answer.error == errc::none) {
    for (const auto& [id, entry] : table_.groups())
      if (!active_.contains(id))
        answer.groups.push_back({id, entry.record.protocol_type, group_phase::empty, 0});
    for (const auto& [id, group] : active_)
      answer.groups.push_back(
          {id, group.standing.protocol_type, group.standing.phase, group.standing.members});
    std::ranges::sort(answer.groups, {}, &group_summary::id);
  }
  call.done(std::move(answer));
}

void group_coordinator::act(fetch_offsets_call call, group_time) {
  auto answer = refusal<fetch_offsets_answer>(refuse_unless_leading());
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

// -- the log --------------------------------------------------------------------------------------

void group_coordinator::propose(group_command command, completion done) {
  // What was decided first comes first.
  if (!std::holds_alternative<commit_offsets_command>(command))
    while (!commits_.empty())
      flush_commits();
  outbox_.push_back(std::move(command));
  pending_.push(std::move(done));
}

std::vector<group_command> group_coordinator::take_proposals() {
  return std::exchange(outbox_, {});
}

void group_coordinator::proposed(std::uint64_t first, std::uint64_t term, std::size_t count) {
  pending_.placed(first, term, count);
}

bool group_coordinator::refused(std::size_t count, const error& why, group_time now) {
  const auto gone = pending_.refused(count);
  for (const auto& done : gone)
    if (done)
      done(unexpected(why), now);
  return !gone.empty();
}

void group_coordinator::applied(std::uint64_t index, std::uint64_t term, group_time now) {
  for (const auto& each : pending_.applied(index, term))
    if (each.what)
      each.what(each.outcome, now);
}

// -- time -----------------------------------------------------------------------------------------

void group_coordinator::note_pause(group_time now) {
  const auto since_ms = now.steady_ms - std::exchange(awake_ms_, now.steady_ms);
  // The interval between looks passes in any case: were it given back too, and looks are late as a
  // rule, nothing would ever end.
  if (since_ms >= pause_ms_min)
    for (auto& [id, group] : active_)
      if (!group.broken)
        tell(group, group_pause{since_ms - look_interval_ms}, now);
}

void group_coordinator::tick(group_time now) {
  if (!leads_)
    return;
  note_pause(now);
  for (auto& [id, group] : active_)
    if (!group.broken && group.standing.next_look_ms <= now.steady_ms) {
      // Until it has looked, and says when it wants to next.
      group.standing.next_look_ms = group_standing::never;
      tell(group, group_look{}, now);
    }
  if (now.steady_ms >= next_expiry_ms_) {
    // Not at once after taking over: the first round only sets the time.
    if (next_expiry_ms_ > 0)
      expire_offsets(now);
    next_expiry_ms_ = now.steady_ms + expiry_interval_ms;
  }
}

} // namespace aqueduct::actors
