// Joining, assigning and leaving: the part of `group_core` that changes generations.
#include "actors/consumer_group/group_core.hpp"
#include "actors/defects.hpp"

#include <algorithm>
#include <functional>
#include <numeric>
#include <utility>

namespace aqueduct::actors {

namespace {

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

group_answer group_core::check_join(const join_call& call) const {
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
  const auto& self = joining_as(call);
  std::size_t others = 0;
  std::size_t others_bytes = 0;
  for (const auto& [id, member] : members_)
    if (id != self) {
      ++others;
      others_bytes += bytes_of(member.record);
    }
  if (auto refuse = check_said(bounds, call, others_bytes); refuse.error != errc::none)
    return refuse;
  if (others == members_.size() && others >= bounds.members_max)
    return {errc::group_full,
            "the group has " + std::to_string(bounds.members_max) + " members already", -1};
  if (others == 0)
    return {};
  if (call.protocol_type != protocol_type_)
    return {errc::inconsistent_protocol, "the group is of the type '" + protocol_type_ + "'", -1};
  const bool has_common = std::ranges::any_of(call.protocols, [&](const member_protocol& each) {
    return std::ranges::all_of(members_, [&](const auto& member) {
      return member.first == self || find_protocol(member.second.record, each.name) != nullptr;
    });
  });
  if (!has_common)
    return {errc::inconsistent_protocol,
            "no way to assign is known to this member and to all others of the group", -1};
  return {};
}

const std::string& group_core::joining_as(const join_call& call) const {
  const auto known = instances_.find(call.instance);
  return known == instances_.end() ? call.member : known->second;
}

void group_core::act(join_call call, group_time now) {
  const auto answer_refusal = [&](group_answer why, std::string member) {
    auto answer = refusal<join_answer>(std::move(why));
    answer.member = std::move(member);
    call.done(std::move(answer));
  };
  if (auto refuse = check_join(call); refuse.error != errc::none) {
    answer_refusal(std::move(refuse), call.member);
    return;
  }
  const auto instance = call.instance.empty() ? instances_.end() : instances_.find(call.instance);
  if (call.member.empty()) {
    if (instance != instances_.end()) {
      replace_static(std::move(call), now);
    } else if (call.instance.empty() && call.needs_member_id) {
      if (promised_.size() >= options_.bounds.members_max) {
        answer_refusal({errc::group_full, "too many members are about to join", -1}, "");
        return;
      }
      auto id = options_.new_member_id(call.client_id);
      promised_[id] = now.steady_ms + call.session_timeout_ms;
      answer_refusal({errc::member_id_required, "join again with this member id", -1}, id);
    } else {
      call.member = options_.new_member_id(call.instance.empty() ? call.client_id : call.instance);
      admit(std::move(call), now);
    }
    return;
  }
  if (instance != instances_.end() && instance->second != call.member && !call.brings_id) {
    answer_refusal(
        {errc::fenced_member, "another process is instance " + call.instance + " now", -1},
        call.member);
    return;
  }
  if (const auto member = members_.find(call.member); member != members_.end())
    rejoin(member->second, std::move(call), now);
  else if (instance != instances_.end())
    replace_static(std::move(call), now);
  else if (call.brings_id || promised_.erase(call.member) > 0)
    admit(std::move(call), now);
  else
    answer_refusal({errc::unknown_member, "the group has no such member (any more); join anew", -1},
                   call.member);
}

void group_core::admit(join_call call, group_time now) {
  if (members_.empty())
    protocol_type_ = call.protocol_type;
  auto& member = members_[call.member];
  member.join = std::move(call.done);
  member.knows_skipping = call.knows_skipping;
  const auto id = call.member;
  member.record = to_record(call, id);
  if (!member.record.instance.empty())
    instances_[member.record.instance] = id;
  extend(member, now);
  if (phase_ == group_phase::empty) {
    prepare_first(now);
  } else if (phase_ != group_phase::preparing) {
    prepare(now);
  } else if (delay_until_ms_ > 0) {
    delay_until_ms_ =
        std::min(delay_until_ms_max_, now.steady_ms + options_.bounds.initial_delay_ms);
  }
  complete_if_ready(now);
}

void group_core::rejoin(live_member& member, join_call call, group_time now) {
  // Whether the members know of the generation, asked before this one's earlier join goes: who
  // waits alone for the log would be told of what it may never have.
  const bool is_announced =
      phase_ == group_phase::completing
          ? std::ranges::none_of(members_, [](const auto& each) { return bool(each.second.join); })
          : phase_ == group_phase::stable;
  if (member.join) {
    auto answer = refusal<join_answer>(rebalancing());
    answer.member = call.member;
    std::exchange(member.join, nullptr)(std::move(answer));
  }
  const auto done = std::move(call.done);
  const bool leads = leader_ == call.member;
  auto record = to_record(call, call.member);
  record.assignment = member.record.assignment;
  record.instance = member.record.instance;
  const bool is_same = record.protocols == member.record.protocols;
  const bool asks_anew =
      phase_ == group_phase::stable && leads && record.kind == member_kind::client_assigned;
  member.record = std::move(record);
  member.knows_skipping = call.knows_skipping;
  member.join = done;
  extend(member, now);
  if (phase_ == group_phase::preparing) {
    complete_if_ready(now);
    return;
  }
  if (!is_same || asks_anew) {
    prepare(now);
    complete_if_ready(now);
    return;
  }
  if (!is_announced)
    return;
  member.owes_sync = phase_ == group_phase::completing;
  answer_join(member);
}

void group_core::replace_static(join_call call, group_time now) {
  const auto old_id = instances_.at(call.instance);
  auto node = members_.extract(old_id);
  auto& old = node.mapped();
  const group_answer fenced{errc::fenced_member,
                            "another process is instance " + call.instance + " now", -1};
  if (old.join)
    old.join(refusal<join_answer>(fenced));
  if (old.sync)
    old.sync(refusal<sync_answer>(fenced));
  old.listing.withdraw();
  const auto id = call.member.empty() ? options_.new_member_id(call.instance) : call.member;
  auto& member = members_[id];
  const auto done = std::move(call.done);
  member.knows_skipping = call.knows_skipping;
  member.record = to_record(call, id);
  member.record.assignment = old.record.assignment;
  instances_[member.record.instance] = id;
  const bool led = leader_ == old_id;
  if (led)
    leader_ = id;
  extend(member, now);
  const bool stays = phase_ == group_phase::stable && choose_protocol() == protocol_ &&
                     want_the_same(old.record, member.record, protocol_);
  if (!stays) {
    member.join = done;
    if (phase_ != group_phase::preparing)
      prepare(now);
    complete_if_ready(now);
    return;
  }
  // The new id is in the log before the member goes by it.
  auto next = record(-1);
  next.is_assigned = true;
  propose(std::move(next), [this, generation = generation_, id, done, old_id,
                            led](const result<void>& outcome, group_time) {
    // A rebalance that began meanwhile gives the assignment away.
    const auto found = members_.find(id);
    const bool stands =
        found != members_.end() && generation_ == generation && phase_ == group_phase::stable;
    if (!outcome || !stands) {
      auto answer =
          outcome ? refusal<join_answer>(rebalancing()) : failure<join_answer>(outcome.error());
      answer.member = id;
      done(std::move(answer));
      return;
    }
    auto& joined = found->second;
    join_answer answer;
    answer.member = id;
    answer.generation = generation_;
    answer.protocol_type = protocol_type_;
    answer.protocol = protocol_;
    answer.leader = led && !joined.knows_skipping ? old_id : leader_;
    answer.assignment = joined.record.assignment;
    if (led && joined.knows_skipping) {
      answer.skips_assignment = true;
      for (const auto& [name, each] : members_)
        if (const auto* chosen = find_protocol(each.record, protocol_))
          answer.members.push_back({name, each.record.instance, chosen->metadata});
    }
    done(std::move(answer));
  });
}

// -- rebalance ------------------------------------------------------------------------------------

void group_core::prepare(group_time now) {
  leave_board();
  phase_ = group_phase::preparing;
  delay_until_ms_ = 0;
  settle_deadline_ms_ = 0;
  is_assigning_ = false;
  std::int32_t wait_ms = 0;
  for (auto& [id, member] : members_) {
    member.owes_sync = false;
    wait_ms = std::max(wait_ms, member.record.rebalance_timeout_ms);
    if (member.sync)
      std::exchange(member.sync, nullptr)(refusal<sync_answer>(rebalancing()));
  }
  phase_deadline_ms_ = now.steady_ms + wait_ms;
}

void group_core::prepare_first(group_time now) {
  prepare(now);
  if (options_.bounds.initial_delay_ms <= 0)
    return;
  delay_until_ms_ = now.steady_ms + options_.bounds.initial_delay_ms;
  delay_until_ms_max_ = std::max(phase_deadline_ms_, delay_until_ms_);
}

void group_core::complete_if_ready(group_time now) {
  if (phase_ != group_phase::preparing || delay_until_ms_ > now.steady_ms || !promised_.empty())
    return;
  if (std::ranges::all_of(members_, [](const auto& each) { return bool(each.second.join); }))
    complete_join(now);
}

/// Goes on with those who have joined.
void group_core::complete_join(group_time now) {
  std::vector<std::string> missing;
  bool has_joined = false;
  for (const auto& [id, member] : members_) {
    has_joined = has_joined || member.join;
    if (!member.join && member.record.instance.empty())
      missing.push_back(id);
  }
  for (const auto& id : missing)
    remove_member(id);
  if (members_.empty()) {
    become_empty(now);
    return;
  }
  if (!has_joined) {
    // Static members that are away keep what they have until their sessions end.
    prepare(now);
    return;
  }
  ++generation_;
  phase_ = group_phase::completing;
  protocol_ = choose_protocol();
  choose_leader();
  const bool assigns = is_coordinator_assigned();
  std::size_t bytes = 0;
  if (assigns)
    assign_all(now);
  for (auto& [id, member] : members_) {
    if (!assigns)
      member.record.assignment = {};
    bytes += member.record.assignment.size();
  }
  if (const auto refuse = check_assigned(options_.bounds, bytes); refuse.error != errc::none) {
    announce(generation_, unexpected(refuse.error, refuse.message), now);
    return;
  }
  auto next = record(-1);
  next.is_assigned = assigns;
  propose(std::move(next),
          [this, generation = generation_](const result<void>& outcome, group_time at) {
            announce(generation, outcome, at);
          });
}

void group_core::become_empty(group_time now) {
  ++generation_;
  phase_ = group_phase::empty;
  protocol_.clear();
  leader_.clear();
  record_empty(now);
}

void group_core::record_empty(group_time now) {
  propose(record(now.wall_ms), nullptr);
}

/// The generation is in the log: its members may hear of it.
void group_core::announce(std::int32_t generation, const result<void>& outcome, group_time now) {
  if (generation_ != generation || phase_ != group_phase::completing)
    return;
  const bool assigns = is_coordinator_assigned();
  if (!outcome) {
    for (auto& [name, member] : members_)
      if (member.join) {
        auto answer = failure<join_answer>(outcome.error());
        answer.member = name;
        std::exchange(member.join, nullptr)(std::move(answer));
      }
    prepare(now);
    return;
  }
  std::int32_t wait_ms = 0;
  for (auto& [name, member] : members_) {
    wait_ms = std::max(wait_ms, member.record.rebalance_timeout_ms);
    if (!member.join)
      continue;
    extend(member, now);
    // Members of the coordinator's kind have their assignment with the answer.
    member.owes_sync = member.record.kind == member_kind::client_assigned;
    answer_join(member);
  }
  phase_deadline_ms_ = now.steady_ms + wait_ms;
  if (!assigns)
    return;
  phase_ = group_phase::stable;
  for (auto& [name, member] : members_)
    if (member.sync)
      answer_sync(member);
}

bool group_core::is_coordinator_assigned() const {
  return std::ranges::any_of(members_, [](const auto& each) {
    return each.second.record.kind == member_kind::coordinator_assigned;
  });
}

/// Every member votes for the best it knows of those that all know.
std::string group_core::choose_protocol() const {
  std::map<std::string_view, std::size_t> votes;
  const auto is_common = [&](const member_protocol& each) {
    return std::ranges::all_of(members_, [&](const auto& member) {
      return find_protocol(member.second.record, each.name) != nullptr;
    });
  };
  for (const auto& [id, member] : members_) {
    const auto vote = std::ranges::find_if(member.record.protocols, is_common);
    if (vote != member.record.protocols.end())
      ++votes[vote->name];
  }
  const auto best =
      std::ranges::max_element(votes, {}, [](const auto& each) { return each.second; });
  return best == votes.end() ? std::string() : std::string(best->first);
}

void group_core::choose_leader() {
  const bool assigns = is_coordinator_assigned();
  const auto may_lead = [&](const live_member& member) {
    return member.join && (!assigns || member.record.kind == member_kind::coordinator_assigned);
  };
  const auto present = members_.find(leader_);
  if (present != members_.end() && may_lead(present->second))
    return;
  for (const auto& [id, member] : members_)
    if (may_lead(member)) {
      leader_ = id;
      return;
    }
  leader_ = members_.begin()->first;
}

topic_sizes group_core::sizes() const {
  topic_sizes sizes;
  for (const auto& [id, member] : members_) {
    const auto* chosen = find_protocol(member.record, protocol_);
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

void group_core::assign_all(group_time now) {
  topics_ = sizes();
  std::vector<assignable_member> members;
  std::int32_t wait_ms = 0;
  for (const auto& [id, member] : members_) {
    assignable_member each;
    each.id = id;
    each.instance = member.record.instance;
    wait_ms = std::max(wait_ms, member.record.rebalance_timeout_ms);
    const auto* chosen = find_protocol(member.record, protocol_);
    if (chosen != nullptr)
      if (auto wish = protocol::decode_subscription(chosen->metadata)) {
        each.topics = std::move(wish->topics);
        // Who is away holds what it was given, and has said nothing new.
        if (member.join)
          each.owned = std::move(wish->owned);
      }
    if (auto before = protocol::decode_assignment(member.record.assignment))
      each.assigned = std::move(before->partitions);
    if (!member.join && protocol_ == cooperative_assignor)
      each.owned = each.assigned;
    members.push_back(std::move(each));
  }
  for (const auto& [id, topics] : assign(protocol_, members, topics_))
    members_.at(id).record.assignment = protocol::encode_assignment({topics, {}});
  if (has_defect(defect::partition_given_twice))
    members_.rbegin()->second.record.assignment = members_.begin()->second.record.assignment;
  settle_deadline_ms_ = is_all_given() ? 0 : now.steady_ms + wait_ms;
}

bool group_core::is_all_given() const {
  std::size_t given = 0;
  for (const auto& [id, member] : members_)
    if (const auto assignment = protocol::decode_assignment(member.record.assignment))
      for (const auto& topic : assignment->partitions)
        given += topic.partitions.size();
  std::size_t total = 0;
  for (const auto& [topic, count] : topics_)
    total += static_cast<std::size_t>(count);
  return given >= total;
}

void group_core::answer_join(live_member& member) const {
  join_answer answer;
  answer.member = member.record.id;
  answer.generation = generation_;
  answer.protocol_type = protocol_type_;
  answer.protocol = protocol_;
  answer.leader = leader_;
  answer.assignment = member.record.assignment;
  if (member.record.id == leader_ && !is_coordinator_assigned())
    for (const auto& [id, each] : members_)
      if (const auto* chosen = find_protocol(each.record, protocol_))
        answer.members.push_back({id, each.record.instance, chosen->metadata});
  std::exchange(member.join, nullptr)(std::move(answer));
}

// -- sync -----------------------------------------------------------------------------------------

void group_core::answer_sync(live_member& member) const {
  sync_answer answer;
  answer.protocol_type = protocol_type_;
  answer.protocol = protocol_;
  answer.assignment = member.record.assignment;
  std::exchange(member.sync, nullptr)(std::move(answer));
}

void group_core::act(sync_call call, group_time now) {
  auto refuse = check_member(call.who, true);
  if (refuse.error == errc::none &&
      ((!call.protocol_type.empty() && call.protocol_type != protocol_type_) ||
       (!call.protocol.empty() && call.protocol != protocol_)))
    refuse = {errc::inconsistent_protocol, "the group chose '" + protocol_ + "'", -1};
  if (refuse.error == errc::none && phase_ == group_phase::preparing)
    refuse = rebalancing();
  if (refuse.error != errc::none) {
    call.done(refusal<sync_answer>(std::move(refuse)));
    return;
  }
  auto& member = members_.at(call.who.member);
  if (member.sync)
    std::exchange(member.sync, nullptr)(refusal<sync_answer>(rebalancing()));
  member.owes_sync = false;
  member.sync = std::move(call.done);
  extend(member, now);
  if (phase_ == group_phase::stable) {
    answer_sync(member);
    return;
  }
  if (call.who.member != leader_ || is_coordinator_assigned() || std::exchange(is_assigning_, true))
    return;
  const auto bytes =
      std::transform_reduce(call.assignments.begin(), call.assignments.end(), std::size_t{0},
                            std::plus<>(), [&](const auto& each) {
                              return members_.contains(each.member) ? each.assignment.size() : 0;
                            });
  // The others wait for the same: they hear of it too, and all begin anew.
  if (refuse = check_assigned(options_.bounds, bytes); refuse.error != errc::none) {
    finish_sync(generation_, unexpected(refuse.error, refuse.message), now);
    return;
  }
  for (auto& each : call.assignments)
    if (const auto found = members_.find(each.member); found != members_.end())
      found->second.record.assignment = std::move(each.assignment);
  auto next = record(-1);
  next.is_assigned = true;
  propose(std::move(next),
          [this, generation = generation_](const result<void>& outcome, group_time at) {
            finish_sync(generation, outcome, at);
          });
}

void group_core::finish_sync(std::int32_t generation, const result<void>& outcome, group_time now) {
  if (generation_ != generation || phase_ != group_phase::completing)
    return;
  is_assigning_ = false;
  if (!outcome) {
    for (auto& [name, member] : members_)
      if (member.sync)
        std::exchange(member.sync, nullptr)(failure<sync_answer>(outcome.error()));
    prepare(now);
    return;
  }
  phase_ = group_phase::stable;
  for (auto& [name, member] : members_)
    if (member.sync) {
      extend(member, now);
      answer_sync(member);
    }
}

// -- staying and leaving --------------------------------------------------------------------------

void group_core::act(heartbeat_call call, group_time now) {
  auto answer = refusal<heartbeat_answer>(check_member(call.who, true));
  if (answer.error == errc::none) {
    auto& member = members_.at(call.who.member);
    extend(member, now);
    if (phase_ == group_phase::preparing)
      answer = refusal<heartbeat_answer>(rebalancing());
    else
      list(member);
  }
  call.done(std::move(answer));
}

void group_core::act(leave_call call, group_time now) {
  leave_answer answer;
  bool is_changed = false;
  for (const auto& each : call.members) {
    auto who = each;
    if (who.member.empty() && !who.instance.empty()) {
      const auto known = instances_.find(who.instance);
      who.member = known == instances_.end() ? "" : known->second;
    }
    auto outcome = errc::none;
    if (promised_.erase(who.member) == 0) {
      outcome = check_member(who, false).error;
      if (outcome == errc::none)
        remove_member(who.member);
    }
    is_changed = is_changed || outcome == errc::none;
    answer.members.push_back(outcome);
  }
  if (is_changed)
    after_removal(now);
  call.done(std::move(answer));
}

void group_core::remove_member(const std::string& id) {
  auto node = members_.extract(id);
  if (node.empty())
    return;
  auto& member = node.mapped();
  member.listing.withdraw();
  if (!member.record.instance.empty())
    instances_.erase(member.record.instance);
  const group_answer gone{errc::unknown_member, "the member is not in the group any more", -1};
  if (member.join)
    member.join(refusal<join_answer>(gone));
  if (member.sync)
    member.sync(refusal<sync_answer>(gone));
}

void group_core::after_removal(group_time now) {
  if (phase_ == group_phase::empty)
    return;
  if (phase_ != group_phase::preparing)
    prepare(now);
  complete_if_ready(now);
}

} // namespace aqueduct::actors
