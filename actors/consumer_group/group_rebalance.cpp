// Joining, assigning and leaving: the part of `group_coordinator` that changes generations.
#include "actors/consumer_group/group_coordinator.hpp"

#include <algorithm>
#include <functional>
#include <numeric>
#include <utility>

namespace aqueduct::actors {

namespace {

template <class Answer>
Answer refusal(group_answer why) {
  Answer answer;
  static_cast<group_answer&>(answer) = std::move(why);
  return answer;
}

group_answer rebalancing() {
  return {errc::rebalance_in_progress, "the group is being rebalanced; join again", -1};
}

const member_protocol* find_protocol(const member_record& member, std::string_view name) {
  const auto found = std::ranges::find(member.protocols, name, &member_protocol::name);
  return found == member.protocols.end() ? nullptr : &*found;
}

/// Whether two members ask for the same topics, whatever they hold.
bool want_the_same(const member_record& a, const member_record& b, std::string_view name) {
  const auto* left = find_protocol(a, name);
  const auto* right = find_protocol(b, name);
  if (left == nullptr || right == nullptr)
    return false;
  const auto first = protocol::decode_subscription(left->metadata);
  const auto second = protocol::decode_subscription(right->metadata);
  return left->metadata == right->metadata || (first && second && first->topics == second->topics &&
                                               first->user_data == second->user_data);
}

member_record to_record(join_call& call, std::string id) {
  member_record record;
  record.id = std::move(id);
  record.instance = std::move(call.instance);
  record.client_id = std::move(call.client_id);
  record.client_host = std::move(call.client_host);
  record.kind = call.kind;
  record.session_timeout_ms = call.session_timeout_ms;
  record.rebalance_timeout_ms =
      call.rebalance_timeout_ms > 0 ? call.rebalance_timeout_ms : call.session_timeout_ms;
  record.protocols = std::move(call.protocols);
  return record;
}

} // namespace

// -- join -----------------------------------------------------------------------------------------

group_answer group_coordinator::check_join(const join_call& call) const {
  const auto& bounds = options_.bounds;
  if (call.group.empty())
    return {errc::invalid_group, "a group id has at least one character", -1};
  if (call.session_timeout_ms < bounds.session_ms_min ||
      call.session_timeout_ms > bounds.session_ms_max)
    return {errc::invalid_session_timeout,
            "a session timeout is " + std::to_string(bounds.session_ms_min) + " to " +
                std::to_string(bounds.session_ms_max) + " ms, not " +
                std::to_string(call.session_timeout_ms),
            -1};
  if (call.protocols.empty() || call.protocol_type.empty())
    return {errc::inconsistent_protocol, "a member names at least one way to assign", -1};
  for (const auto& each : call.protocols)
    if (call.kind == member_kind::coordinator_assigned && !is_assignor(each.name))
      return {errc::inconsistent_protocol,
              "the coordinator does not know the assignor '" + each.name +
                  "'; it knows range, roundrobin, sticky and cooperative-sticky",
              -1};
  if (auto refuse = check_said(call); refuse.error != errc::none)
    return refuse;
  const auto found = live_.find(call.group);
  if (found == live_.end())
    return {};
  const auto& group = found->second;
  const auto& self = joining_as(group, call);
  std::size_t others = 0;
  for (const auto& [id, member] : group.members)
    others += id == self ? 0 : 1;
  if (others == group.members.size() && others >= bounds.members_max)
    return {errc::group_full,
            "the group has " + std::to_string(bounds.members_max) + " members already", -1};
  if (others == 0)
    return {};
  if (call.protocol_type != group.protocol_type)
    return {errc::inconsistent_protocol, "the group is of the type '" + group.protocol_type + "'",
            -1};
  const bool has_common = std::ranges::any_of(call.protocols, [&](const member_protocol& each) {
    return std::ranges::all_of(group.members, [&](const auto& member) {
      return member.first == self || find_protocol(member.second.record, each.name) != nullptr;
    });
  });
  if (!has_common)
    return {errc::inconsistent_protocol,
            "no way to assign is known to this member and to all others of the group", -1};
  return {};
}

void group_coordinator::act(join_call call, group_time now) {
  auto refuse = refuse_unless_leading();
  if (refuse.error == errc::none)
    refuse = check_join(call);
  const auto answer_refusal = [&](group_answer why, std::string member) {
    auto answer = refusal<join_answer>(std::move(why));
    answer.member = std::move(member);
    call.done(std::move(answer));
  };
  if (refuse.error != errc::none) {
    answer_refusal(std::move(refuse), call.member);
    return;
  }
  auto& group = open(call.group);
  const auto instance =
      call.instance.empty() ? group.instances.end() : group.instances.find(call.instance);
  if (call.member.empty()) {
    if (instance != group.instances.end()) {
      replace_static(group, std::move(call), now);
    } else if (call.instance.empty() && call.needs_member_id) {
      if (group.promised.size() >= options_.bounds.members_max) {
        answer_refusal({errc::group_full, "too many members are about to join", -1}, "");
        return;
      }
      auto id = options_.new_member_id(call.client_id);
      group.promised[id] = now.steady_ms + call.session_timeout_ms;
      answer_refusal({errc::member_id_required, "join again with this member id", -1}, id);
    } else {
      call.member = options_.new_member_id(call.instance.empty() ? call.client_id : call.instance);
      admit(group, std::move(call), now);
    }
    return;
  }
  if (instance != group.instances.end() && instance->second != call.member && !call.brings_id) {
    answer_refusal(
        {errc::fenced_member, "another process is instance " + call.instance + " now", -1},
        call.member);
    return;
  }
  if (const auto member = group.members.find(call.member); member != group.members.end()) {
    rejoin(group, member->second, std::move(call), now);
  } else if (instance != group.instances.end()) {
    replace_static(group, std::move(call), now);
  } else if (call.brings_id || group.promised.erase(call.member) > 0) {
    admit(group, std::move(call), now);
  } else {
    answer_refusal({errc::unknown_member, "the group has no such member (any more); join anew", -1},
                   call.member);
    drop_if_idle(call.group);
  }
}

void group_coordinator::admit(live_group& group, join_call call, group_time now) {
  if (group.members.empty())
    group.protocol_type = call.protocol_type;
  auto& member = group.members[call.member];
  member.join = std::move(call.done);
  member.knows_skipping = call.knows_skipping;
  const auto id = call.member;
  member.record = to_record(call, id);
  if (!member.record.instance.empty())
    group.instances[member.record.instance] = id;
  extend(member, now);
  if (group.phase == group_phase::empty) {
    prepare_first(group, now);
  } else if (group.phase != group_phase::preparing) {
    prepare(group, now);
  } else if (group.delay_until_ms > 0) {
    group.delay_until_ms =
        std::min(group.delay_until_ms_max, now.steady_ms + options_.bounds.initial_delay_ms);
  }
  complete_if_ready(group, now);
}

void group_coordinator::rejoin(live_group& group, live_member& member, join_call call,
                               group_time now) {
  // Whether the members know of the generation, asked before this one's earlier join goes: who
  // waits alone for the log would be told of what it may never have.
  const bool is_announced =
      group.phase == group_phase::completing
          ? std::ranges::none_of(group.members,
                                 [](const auto& each) { return bool(each.second.join); })
          : group.phase == group_phase::stable;
  if (member.join) {
    auto answer = refusal<join_answer>(rebalancing());
    answer.member = call.member;
    std::exchange(member.join, nullptr)(std::move(answer));
  }
  const auto done = std::move(call.done);
  const bool leads = group.leader == call.member;
  auto record = to_record(call, call.member);
  record.assignment = member.record.assignment;
  record.instance = member.record.instance;
  const bool is_same = record.protocols == member.record.protocols;
  const bool asks_anew =
      group.phase == group_phase::stable && leads && record.kind == member_kind::client_assigned;
  member.record = std::move(record);
  member.knows_skipping = call.knows_skipping;
  member.join = done;
  extend(member, now);
  if (group.phase == group_phase::preparing) {
    complete_if_ready(group, now);
    return;
  }
  if (!is_same || asks_anew) {
    prepare(group, now);
    complete_if_ready(group, now);
    return;
  }
  if (!is_announced)
    return;
  member.owes_sync = group.phase == group_phase::completing;
  answer_join(group, member);
}

void group_coordinator::replace_static(live_group& group, join_call call, group_time now) {
  const auto old_id = group.instances.at(call.instance);
  auto node = group.members.extract(old_id);
  auto& old = node.mapped();
  const group_answer fenced{errc::fenced_member,
                            "another process is instance " + call.instance + " now", -1};
  if (old.join)
    old.join(refusal<join_answer>(fenced));
  if (old.sync)
    old.sync(refusal<sync_answer>(fenced));
  old.listing.withdraw();
  const auto id = call.member.empty() ? options_.new_member_id(call.instance) : call.member;
  auto& member = group.members[id];
  const auto done = std::move(call.done);
  member.knows_skipping = call.knows_skipping;
  member.record = to_record(call, id);
  member.record.assignment = old.record.assignment;
  group.instances[member.record.instance] = id;
  const bool led = group.leader == old_id;
  if (led)
    group.leader = id;
  extend(member, now);
  const bool stays = group.phase == group_phase::stable &&
                     choose_protocol(group) == group.protocol &&
                     want_the_same(old.record, member.record, group.protocol);
  if (!stays) {
    member.join = done;
    if (group.phase != group_phase::preparing)
      prepare(group, now);
    complete_if_ready(group, now);
    return;
  }
  // The new id is in the log before the member goes by it.
  put_group_command command{record_of(group, -1)};
  command.group.is_assigned = true;
  propose(std::move(command), [this, group_id = group.id, generation = group.generation, id, done,
                               old_id, led](const result<void>& outcome, group_time) {
    auto* live = find(group_id);
    const auto found = live == nullptr ? nullptr : &live->members;
    // A rebalance that began meanwhile gives the assignment away.
    const bool stands = found != nullptr && live->generation == generation &&
                        live->phase == group_phase::stable && found->contains(id);
    if (!outcome || !stands) {
      auto answer = refusal<join_answer>(
          outcome ? rebalancing()
                  : group_answer{outcome.error().code, outcome.error().message, -1});
      answer.member = id;
      done(std::move(answer));
      return;
    }
    auto& joined = found->at(id);
    join_answer answer;
    answer.member = id;
    answer.generation = live->generation;
    answer.protocol_type = live->protocol_type;
    answer.protocol = live->protocol;
    answer.leader = led && !joined.knows_skipping ? old_id : live->leader;
    answer.assignment = joined.record.assignment;
    if (led && joined.knows_skipping) {
      answer.skips_assignment = true;
      for (const auto& [name, each] : *found)
        if (const auto* chosen = find_protocol(each.record, live->protocol))
          answer.members.push_back({name, each.record.instance, chosen->metadata});
    }
    done(std::move(answer));
  });
}

// -- rebalance ------------------------------------------------------------------------------------

void group_coordinator::prepare(live_group& group, group_time now) {
  leave_board(group);
  group.phase = group_phase::preparing;
  group.delay_until_ms = 0;
  group.settle_deadline_ms = 0;
  group.is_assigning = false;
  std::int32_t wait_ms = 0;
  for (auto& [id, member] : group.members) {
    member.owes_sync = false;
    wait_ms = std::max(wait_ms, member.record.rebalance_timeout_ms);
    if (member.sync)
      std::exchange(member.sync, nullptr)(refusal<sync_answer>(rebalancing()));
  }
  group.phase_deadline_ms = now.steady_ms + wait_ms;
}

void group_coordinator::prepare_first(live_group& group, group_time now) {
  prepare(group, now);
  if (options_.bounds.initial_delay_ms <= 0)
    return;
  group.delay_until_ms = now.steady_ms + options_.bounds.initial_delay_ms;
  group.delay_until_ms_max = std::max(group.phase_deadline_ms, group.delay_until_ms);
}

void group_coordinator::complete_if_ready(live_group& group, group_time now) {
  if (group.phase != group_phase::preparing || group.delay_until_ms > now.steady_ms ||
      !group.promised.empty())
    return;
  if (std::ranges::all_of(group.members, [](const auto& each) { return bool(each.second.join); }))
    complete_join(group, now);
}

/// Goes on with those who have joined.
void group_coordinator::complete_join(live_group& group, group_time now) {
  std::vector<std::string> missing;
  bool has_joined = false;
  for (const auto& [id, member] : group.members) {
    has_joined = has_joined || member.join;
    if (!member.join && member.record.instance.empty())
      missing.push_back(id);
  }
  for (const auto& id : missing)
    remove_member(group, id, errc::unknown_member);
  if (group.members.empty()) {
    become_empty(group, now);
    return;
  }
  if (!has_joined) {
    // Static members that are away keep what they have until their sessions end.
    prepare(group, now);
    return;
  }
  ++group.generation;
  group.phase = group_phase::completing;
  group.protocol = choose_protocol(group);
  choose_leader(group);
  const bool assigns = is_coordinator_assigned(group);
  std::size_t bytes = 0;
  if (assigns)
    assign_group(group, now);
  for (auto& [id, member] : group.members) {
    if (!assigns)
      member.record.assignment = {};
    bytes += member.record.assignment.size();
  }
  if (const auto refuse = check_assigned(bytes); refuse.error != errc::none) {
    announce(group.id, group.generation, unexpected(refuse.error, refuse.message), now);
    return;
  }
  put_group_command command{record_of(group, -1)};
  command.group.is_assigned = assigns;
  propose(std::move(command), [this, id = group.id, generation = group.generation](
                                  const result<void>& outcome, group_time at) {
    announce(id, generation, outcome, at);
  });
}

void group_coordinator::become_empty(live_group& group, group_time now) {
  ++group.generation;
  group.phase = group_phase::empty;
  group.protocol.clear();
  group.leader.clear();
  record_empty(group, now);
}

void group_coordinator::record_empty(live_group& group, group_time now) {
  ++group.empties_under_way;
  propose(put_group_command{record_of(group, now.wall_ms)},
          [this, id = group.id](const result<void>&, group_time) {
            if (auto* live = find(id); live != nullptr && live->empties_under_way > 0)
              --live->empties_under_way;
            drop_if_idle(id);
          });
}

/// The generation is in the log: its members may hear of it.
void group_coordinator::announce(const std::string& id, std::int32_t generation,
                                 const result<void>& outcome, group_time now) {
  auto* group = find(id);
  if (group == nullptr || group->generation != generation ||
      group->phase != group_phase::completing)
    return;
  const bool assigns = is_coordinator_assigned(*group);
  if (!outcome) {
    for (auto& [name, member] : group->members)
      if (member.join) {
        auto answer = refusal<join_answer>({outcome.error().code, outcome.error().message, -1});
        answer.member = name;
        std::exchange(member.join, nullptr)(std::move(answer));
      }
    prepare(*group, now);
    return;
  }
  std::int32_t wait_ms = 0;
  for (auto& [name, member] : group->members) {
    wait_ms = std::max(wait_ms, member.record.rebalance_timeout_ms);
    if (!member.join)
      continue;
    extend(member, now);
    // Members of the coordinator's kind have their assignment with the answer.
    member.owes_sync = member.record.kind == member_kind::client_assigned;
    answer_join(*group, member);
  }
  group->phase_deadline_ms = now.steady_ms + wait_ms;
  if (!assigns)
    return;
  group->phase = group_phase::stable;
  for (auto& [name, member] : group->members)
    if (member.sync)
      answer_sync(*group, member);
}

bool group_coordinator::is_coordinator_assigned(const live_group& group) {
  return std::ranges::any_of(group.members, [](const auto& each) {
    return each.second.record.kind == member_kind::coordinator_assigned;
  });
}

/// Every member votes for the best it knows of those that all know.
std::string group_coordinator::choose_protocol(const live_group& group) {
  std::map<std::string_view, std::size_t> votes;
  const auto is_common = [&](const member_protocol& each) {
    return std::ranges::all_of(group.members, [&](const auto& member) {
      return find_protocol(member.second.record, each.name) != nullptr;
    });
  };
  for (const auto& [id, member] : group.members) {
    const auto vote = std::ranges::find_if(member.record.protocols, is_common);
    if (vote != member.record.protocols.end())
      ++votes[vote->name];
  }
  const auto best =
      std::ranges::max_element(votes, {}, [](const auto& each) { return each.second; });
  return best == votes.end() ? std::string() : std::string(best->first);
}

void group_coordinator::choose_leader(live_group& group) const {
  const bool assigns = is_coordinator_assigned(group);
  const auto may_lead = [&](const live_member& member) {
    return member.join && (!assigns || member.record.kind == member_kind::coordinator_assigned);
  };
  const auto present = group.members.find(group.leader);
  if (present != group.members.end() && may_lead(present->second))
    return;
  for (const auto& [id, member] : group.members)
    if (may_lead(member)) {
      group.leader = id;
      return;
    }
  group.leader = group.members.begin()->first;
}

topic_sizes group_coordinator::sizes_for(const live_group& group) const {
  topic_sizes sizes;
  for (const auto& [id, member] : group.members) {
    const auto* chosen = find_protocol(member.record, group.protocol);
    const auto wish =
        chosen == nullptr
            ? result<protocol::consumer_subscription>(unexpected(errc::invalid_request, ""))
            : protocol::decode_subscription(chosen->metadata);
    if (!wish)
      continue;
    for (const auto& topic : wish->topics)
      if (!sizes.contains(topic))
        if (const auto count = options_.topic_size(topic))
          sizes[topic] = *count;
  }
  return sizes;
}

void group_coordinator::assign_group(live_group& group, group_time now) {
  group.topics = sizes_for(group);
  std::vector<assignable_member> members;
  std::int32_t wait_ms = 0;
  for (const auto& [id, member] : group.members) {
    assignable_member each;
    each.id = id;
    each.instance = member.record.instance;
    wait_ms = std::max(wait_ms, member.record.rebalance_timeout_ms);
    const auto* chosen = find_protocol(member.record, group.protocol);
    if (chosen != nullptr)
      if (auto wish = protocol::decode_subscription(chosen->metadata)) {
        each.topics = std::move(wish->topics);
        // Who is away holds what it was given, and has said nothing new.
        if (member.join)
          each.owned = std::move(wish->owned);
      }
    if (auto before = protocol::decode_assignment(member.record.assignment))
      each.assigned = std::move(before->partitions);
    if (!member.join && group.protocol == cooperative_assignor)
      each.owned = each.assigned;
    members.push_back(std::move(each));
  }
  for (const auto& [id, topics] : assign(group.protocol, members, group.topics))
    group.members.at(id).record.assignment = protocol::encode_assignment({topics, {}});
  group.settle_deadline_ms = is_all_given(group) ? 0 : now.steady_ms + wait_ms;
}

bool group_coordinator::is_all_given(const live_group& group) {
  std::size_t given = 0;
  for (const auto& [id, member] : group.members)
    if (const auto assignment = protocol::decode_assignment(member.record.assignment))
      for (const auto& topic : assignment->partitions)
        given += topic.partitions.size();
  std::size_t total = 0;
  for (const auto& [topic, count] : group.topics)
    total += static_cast<std::size_t>(count);
  return given >= total;
}

void group_coordinator::answer_join(live_group& group, live_member& member) const {
  join_answer answer;
  answer.member = member.record.id;
  answer.generation = group.generation;
  answer.protocol_type = group.protocol_type;
  answer.protocol = group.protocol;
  answer.leader = group.leader;
  answer.assignment = member.record.assignment;
  if (member.record.id == group.leader && !is_coordinator_assigned(group))
    for (const auto& [id, each] : group.members)
      if (const auto* chosen = find_protocol(each.record, group.protocol))
        answer.members.push_back({id, each.record.instance, chosen->metadata});
  std::exchange(member.join, nullptr)(std::move(answer));
}

// -- sync -----------------------------------------------------------------------------------------

void group_coordinator::answer_sync(live_group& group, live_member& member) const {
  sync_answer answer;
  answer.protocol_type = group.protocol_type;
  answer.protocol = group.protocol;
  answer.assignment = member.record.assignment;
  std::exchange(member.sync, nullptr)(std::move(answer));
}

void group_coordinator::act(sync_call call, group_time now) {
  auto refuse = refuse_unless_leading();
  auto* group = find(call.group);
  if (refuse.error == errc::none && group == nullptr)
    refuse = {errc::unknown_member, "the group has no such member (any more); join again", -1};
  if (refuse.error == errc::none)
    refuse = check_member(*group, call.who, true);
  if (refuse.error == errc::none &&
      ((!call.protocol_type.empty() && call.protocol_type != group->protocol_type) ||
       (!call.protocol.empty() && call.protocol != group->protocol)))
    refuse = {errc::inconsistent_protocol, "the group chose '" + group->protocol + "'", -1};
  if (refuse.error == errc::none && group->phase == group_phase::preparing)
    refuse = rebalancing();
  if (refuse.error != errc::none) {
    call.done(refusal<sync_answer>(std::move(refuse)));
    return;
  }
  auto& member = group->members.at(call.who.member);
  if (member.sync)
    std::exchange(member.sync, nullptr)(refusal<sync_answer>(rebalancing()));
  member.owes_sync = false;
  member.sync = std::move(call.done);
  extend(member, now);
  if (group->phase == group_phase::stable) {
    answer_sync(*group, member);
    return;
  }
  if (call.who.member != group->leader || is_coordinator_assigned(*group) ||
      std::exchange(group->is_assigning, true))
    return;
  const auto bytes = std::transform_reduce(call.assignments.begin(), call.assignments.end(),
                                           std::size_t{0}, std::plus<>(), [&](const auto& each) {
                                             return group->members.contains(each.member)
                                                        ? each.assignment.size()
                                                        : 0;
                                           });
  // The others wait for the same: they hear of it too, and all begin anew.
  if (refuse = check_assigned(bytes); refuse.error != errc::none) {
    finish_sync(group->id, group->generation, unexpected(refuse.error, refuse.message), now);
    return;
  }
  for (auto& each : call.assignments)
    if (const auto found = group->members.find(each.member); found != group->members.end())
      found->second.record.assignment = std::move(each.assignment);
  put_group_command command{record_of(*group, -1)};
  command.group.is_assigned = true;
  propose(std::move(command), [this, id = group->id, generation = group->generation](
                                  const result<void>& outcome, group_time at) {
    finish_sync(id, generation, outcome, at);
  });
}

void group_coordinator::finish_sync(const std::string& id, std::int32_t generation,
                                    const result<void>& outcome, group_time now) {
  auto* group = find(id);
  if (group == nullptr || group->generation != generation ||
      group->phase != group_phase::completing)
    return;
  group->is_assigning = false;
  if (!outcome) {
    for (auto& [name, member] : group->members)
      if (member.sync)
        std::exchange(member.sync, nullptr)(
            refusal<sync_answer>({outcome.error().code, outcome.error().message, -1}));
    prepare(*group, now);
    return;
  }
  group->phase = group_phase::stable;
  for (auto& [name, member] : group->members)
    if (member.sync) {
      extend(member, now);
      answer_sync(*group, member);
    }
}

// -- staying and leaving --------------------------------------------------------------------------

void group_coordinator::act(heartbeat_call call, group_time now) {
  heartbeat_answer answer;
  static_cast<group_answer&>(answer) = refuse_unless_leading();
  auto* group = find(call.group);
  if (answer.error == errc::none && group == nullptr)
    static_cast<group_answer&>(answer) = {errc::unknown_member, "the group has no members", -1};
  if (answer.error == errc::none)
    static_cast<group_answer&>(answer) = check_member(*group, call.who, true);
  if (answer.error == errc::none) {
    auto& member = group->members.at(call.who.member);
    extend(member, now);
    if (group->phase == group_phase::preparing)
      static_cast<group_answer&>(answer) = rebalancing();
    else
      list(*group, member);
  }
  call.done(std::move(answer));
}

void group_coordinator::act(leave_call call, group_time now) {
  leave_answer answer;
  static_cast<group_answer&>(answer) = refuse_unless_leading();
  if (answer.error != errc::none) {
    call.done(std::move(answer));
    return;
  }
  auto* group = find(call.group);
  bool is_changed = false;
  for (const auto& each : call.members) {
    auto who = each;
    errc outcome = errc::unknown_member;
    if (group != nullptr && who.member.empty() && !who.instance.empty()) {
      const auto known = group->instances.find(who.instance);
      who.member = known == group->instances.end() ? "" : known->second;
    }
    if (group != nullptr && group->promised.erase(who.member) > 0) {
      outcome = errc::none;
      is_changed = true;
    } else if (group != nullptr) {
      outcome = check_member(*group, who, false).error;
      if (outcome == errc::none) {
        remove_member(*group, who.member, errc::unknown_member);
        is_changed = true;
      }
    }
    answer.members.push_back(outcome);
  }
  if (is_changed)
    after_removal(*group, now);
  call.done(std::move(answer));
}

void group_coordinator::remove_member(live_group& group, const std::string& id, errc why) {
  auto node = group.members.extract(id);
  if (node.empty())
    return;
  auto& member = node.mapped();
  member.listing.withdraw();
  if (!member.record.instance.empty())
    group.instances.erase(member.record.instance);
  const group_answer gone{why, "the member is not in the group any more", -1};
  if (member.join)
    member.join(refusal<join_answer>(gone));
  if (member.sync)
    member.sync(refusal<sync_answer>(gone));
}

void group_coordinator::after_removal(live_group& group, group_time now) {
  if (group.phase == group_phase::empty) {
    drop_if_idle(group.id);
    return;
  }
  if (group.phase != group_phase::preparing)
    prepare(group, now);
  complete_if_ready(group, now);
}

void group_coordinator::extend(live_member& member, group_time now) {
  member.session_deadline_ms = now.steady_ms + member.record.session_timeout_ms;
}

void group_coordinator::list(live_group& group, live_member& member) const {
  const auto& record = member.record;
  if (options_.board && group.phase == group_phase::stable && !member.listing)
    member.listing = options_.board->list(group.id, {record.id, record.instance, group.generation});
}

void group_coordinator::extend_as_heard(live_member& member, std::int64_t heard_ms) {
  if (heard_ms > 0)
    member.session_deadline_ms =
        std::max(member.session_deadline_ms, heard_ms + member.record.session_timeout_ms);
}

void group_coordinator::leave_board(live_group& group) {
  for (auto& [id, member] : group.members)
    extend_as_heard(member, member.listing.withdraw());
}

void group_coordinator::close_board() {
  options_.board = nullptr;
  for (auto& [id, group] : live_)
    leave_board(group);
}

void group_coordinator::extend_all(live_group& group, std::int64_t pause_ms, group_time now) {
  for (auto& [id, member] : group.members)
    member.session_deadline_ms = std::min(member.session_deadline_ms + pause_ms,
                                          now.steady_ms + member.record.session_timeout_ms);
  for (auto& [id, until_ms] : group.promised)
    until_ms += pause_ms;
  group.phase_deadline_ms += pause_ms;
  if (group.settle_deadline_ms > 0)
    group.settle_deadline_ms += pause_ms;
}

void group_coordinator::tick_group(live_group& group, group_time now) {
  for (auto& [id, member] : group.members)
    extend_as_heard(member, member.listing.heard_ms());
  std::erase_if(group.promised, [&](const auto& each) { return each.second <= now.steady_ms; });
  const bool is_late =
      group.phase != group_phase::preparing && group.phase_deadline_ms <= now.steady_ms;
  std::vector<std::string> gone;
  for (const auto& [id, member] : group.members) {
    const bool is_silent =
        !member.join && !member.sync && member.session_deadline_ms <= now.steady_ms;
    if (is_silent || (member.owes_sync && is_late))
      gone.push_back(id);
  }
  for (const auto& id : gone)
    remove_member(group, id, errc::unknown_member);
  if (!gone.empty() && group.phase != group_phase::preparing)
    prepare(group, now);
  if (group.phase == group_phase::preparing) {
    if (group.delay_until_ms > 0 && group.delay_until_ms <= now.steady_ms)
      group.delay_until_ms = 0;
    if (group.delay_until_ms == 0 && group.phase_deadline_ms <= now.steady_ms)
      complete_join(group, now);
    else
      complete_if_ready(group, now);
  } else if (group.phase == group_phase::stable && group.settle_deadline_ms > 0 &&
             group.settle_deadline_ms <= now.steady_ms) {
    prepare(group, now);
  } else if (group.phase == group_phase::empty && group.members.empty() &&
             group.empties_under_way == 0) {
    const auto* known = table_.find(group.id);
    if (known != nullptr && !known->record.members.empty())
      record_empty(group, now);
  }
}

} // namespace aqueduct::actors
