// Taking over, time, commits and the log: what does not change generations.
#include "actors/consumer_group/group_core.hpp"

#include "actors/defects.hpp"

#include <algorithm>
#include <utility>

namespace aqueduct::actors {

namespace {

constexpr std::int64_t topics_interval_ms = 1000;

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

group_core::group_core(group_opening opening, options opts)
    : options_(std::move(opts)),
      board_(std::move(opening.board)),
      id_(std::move(opening.group)),
      life_(opening.life) {
  if (opening.known)
    take_over(*opening.known, opening.at);
  report_standing(true);
}

void group_core::take_over(const group_record& known, group_time now) {
  generation_ = known.generation;
  protocol_type_ = known.protocol_type;
  if (known.members.empty())
    return;
  is_known_with_members_ = true;
  protocol_ = known.protocol;
  leader_ = known.leader;
  std::int32_t wait_ms = 0;
  for (const auto& each : known.members) {
    auto& member = members_[each.id];
    member.record = each;
    extend(member, now);
    if (!each.instance.empty())
      instances_[each.instance] = each.id;
    wait_ms = std::max(wait_ms, each.rebalance_timeout_ms);
  }
  phase_ = known.is_assigned ? group_phase::stable : group_phase::preparing;
  phase_deadline_ms_ = now.steady_ms + wait_ms;
  topics_ = sizes();
  // Partitions may have waited for their holders, and topics may have grown meanwhile.
  if (is_coordinator_assigned() && !is_all_given())
    settle_deadline_ms_ = now.steady_ms + wait_ms;
}

// -- orders and reports ---------------------------------------------------------------------------

void group_core::handle(group_order order) {
  ++orders_;
  // A commit, a heartbeat or a look at the group at most puts off what is to be looked at.
  const bool is_quiet = std::holds_alternative<commit_call>(order.what) ||
                        std::holds_alternative<heartbeat_call>(order.what) ||
                        std::holds_alternative<describe_group_call>(order.what);
  const bool is_look = std::holds_alternative<group_look>(order.what);
  std::visit([&](auto& what) { act(std::move(what), order.at); }, order.what);
  if (!end_ && (!is_quiet || is_over()))
    report_standing(is_look);
}

std::vector<group_report> group_core::take_reports() {
  return std::exchange(reports_, {});
}

template <class What>
void group_core::report(What what) {
  reports_.push_back({life_, id_, std::move(what)});
}

/// Says how the group stands if that is news, or was asked for. Who is over says it again with
/// every order: the coordinator ends it when it knows of all.
void group_core::report_standing(bool is_asked) {
  auto now = standing();
  const bool is_same = told_ && told_->phase == now.phase && told_->members == now.members &&
                       told_->protocol_type == now.protocol_type &&
                       told_->next_look_ms == now.next_look_ms && told_->is_over == now.is_over;
  if (is_same && !is_asked && !now.is_over)
    return;
  told_ = now;
  report(std::move(now));
}

group_standing group_core::standing() const {
  group_standing now;
  now.phase = phase_;
  now.protocol_type = protocol_type_;
  now.members = static_cast<std::int32_t>(members_.size());
  now.next_look_ms = next_look_ms();
  now.is_over = is_over();
  now.orders = orders_;
  return now;
}

bool group_core::is_over() const {
  // Who leads next must not take members that are gone for members.
  return phase_ == group_phase::empty && members_.empty() && promised_.empty() &&
         proposals_.empty() && !is_known_with_members_;
}

void group_core::propose(group_record record, completion done) {
  const bool has_members = !record.members.empty();
  const auto number = ++last_proposal_;
  proposals_[number] = [this, has_members, done = std::move(done)](const result<void>& outcome,
                                                                   group_time now) {
    if (outcome)
      is_known_with_members_ = has_members;
    if (done)
      done(outcome, now);
  };
  report(group_proposal{number, std::move(record)});
}

group_record group_core::record(std::int64_t emptied_ms) const {
  group_record record;
  record.id = id_;
  record.protocol_type = protocol_type_;
  record.generation = generation_;
  record.protocol = protocol_;
  record.leader = leader_;
  record.emptied_ms = emptied_ms;
  for (const auto& [id, member] : members_)
    record.members.push_back(member.record);
  return record;
}

void group_core::act(group_decided decided, group_time now) {
  auto proposal = proposals_.extract(decided.proposal);
  if (!proposal.empty())
    proposal.mapped()(decided.outcome, now);
}

void group_core::act(group_end end, group_time now) {
  end_ = std::move(end.why);
  leave_board();
  auto members = std::exchange(members_, {});
  phase_ = group_phase::dead;
  const error why{end_->error, end_->message};
  for (auto& [number, done] : std::exchange(proposals_, {}))
    done(unexpected(why), now);
  for (auto& [id, member] : members) {
    if (member.join) {
      auto answer = refusal<join_answer>(*end_);
      answer.member = id;
      member.join(std::move(answer));
    }
    if (member.sync)
      member.sync(refusal<sync_answer>(*end_));
  }
}

// -- what does not change the group ---------------------------------------------------------------

group_answer group_core::check_member(const group_member_id& who, bool needs_generation) const {
  if (!who.instance.empty()) {
    const auto known = instances_.find(who.instance);
    if (known == instances_.end())
      return {errc::unknown_member, "the group has no member of instance " + who.instance, -1};
    if (known->second != who.member)
      return {errc::fenced_member, "another process is instance " + who.instance + " now", -1};
  }
  if (!members_.contains(who.member))
    return {errc::unknown_member, "the group has no such member (any more); join again", -1};
  if (needs_generation && who.generation != generation_)
    return {errc::generation_mismatch,
            "the group is at generation " + std::to_string(generation_) + ", the member at " +
                std::to_string(who.generation),
            -1};
  return {};
}

void group_core::act(commit_call call, group_time now) {
  const bool is_outsider = call.who.member.empty() && call.who.generation < 0;
  group_answer refuse;
  if (is_outsider && !members_.empty()) {
    refuse = {errc::unknown_member,
              "the group has members: only they commit offsets; stop them first", -1};
  } else if (!is_outsider) {
    const bool is_between = phase_ == group_phase::completing;
    refuse = check_member(call.who, !is_between);
    if (refuse.error == errc::none && is_between)
      refuse = {errc::rebalance_in_progress, "the group is being rebalanced", -1};
  }
  if (refuse.error != errc::none && !has_defect(defect::old_commits_taken)) {
    call.done(refusal<commit_answer>(std::move(refuse)));
    return;
  }
  if (const auto member = members_.find(call.who.member); member != members_.end())
    extend(member->second, now);
  report(fenced_commit{std::move(call)});
}

bool group_core::is_subscribed(std::string_view topic) const {
  return std::ranges::any_of(members_, [&](const auto& each) {
    const auto& protocols = each.second.record.protocols;
    const auto chosen = std::ranges::find(protocols, protocol_, &member_protocol::name);
    if (chosen == protocols.end())
      return false;
    const auto wish = protocol::decode_subscription(chosen->metadata);
    return wish && std::ranges::find(wish->topics, topic) != wish->topics.end();
  });
}

void group_core::act(delete_offsets_call call, group_time) {
  if (!members_.empty() && protocol_type_ != protocol::consumer_protocol_type) {
    call.done(refusal<delete_offsets_answer>({errc::group_not_empty, "the group has members", -1}));
    return;
  }
  std::vector<errc> rows;
  for (const auto& row : call.rows)
    rows.push_back(is_subscribed(row.topic) ? errc::group_subscribed : errc::none);
  report(judged_removal{std::move(call), std::move(rows)});
}

void group_core::act(describe_group_call call, group_time) {
  describe_group_answer answer;
  answer.phase = phase_;
  answer.group = record(-1);
  call.done(std::move(answer));
}

void group_core::act(delete_group_call call, group_time) {
  if (!members_.empty() || !promised_.empty())
    call.done(refusal<delete_group_answer>(
        {errc::group_not_empty, "the group has members; stop them first", -1}));
  else
    report(judged_deletion{std::move(call)});
}

// -- time -----------------------------------------------------------------------------------------

std::int64_t group_core::next_look_ms() const {
  auto next = group_standing::never;
  const auto look_at = [&](std::int64_t ms) { next = std::min(next, ms); };
  for (const auto& [id, member] : members_) {
    if (!member.join && !member.sync)
      look_at(member.session_deadline_ms);
    if (member.owes_sync && phase_ != group_phase::preparing)
      look_at(phase_deadline_ms_);
  }
  for (const auto& [id, until_ms] : promised_)
    look_at(until_ms);
  if (phase_ == group_phase::preparing)
    look_at(delay_until_ms_ > 0 ? delay_until_ms_ : phase_deadline_ms_);
  // Often enough for partitions that wait for their holders, too.
  if (phase_ == group_phase::stable && is_coordinator_assigned())
    look_at(next_topics_ms_);
  // What the log did not take is said again.
  if (phase_ == group_phase::empty && is_known_with_members_ && proposals_.empty())
    look_at(0);
  return next;
}

void group_core::act(group_look, group_time now) {
  for (auto& [id, member] : members_)
    extend_as_heard(member, member.listing.heard_ms());
  std::erase_if(promised_, [&](const auto& each) { return each.second <= now.steady_ms; });
  put_out_the_late(now);
  if (phase_ == group_phase::preparing) {
    if (delay_until_ms_ > 0 && delay_until_ms_ <= now.steady_ms)
      delay_until_ms_ = 0;
    if (delay_until_ms_ == 0 && phase_deadline_ms_ <= now.steady_ms)
      complete_join(now);
    else
      complete_if_ready(now);
  } else if (phase_ == group_phase::stable && settle_deadline_ms_ > 0 &&
             settle_deadline_ms_ <= now.steady_ms) {
    prepare(now);
  } else if (phase_ == group_phase::empty && members_.empty() && proposals_.empty() &&
             is_known_with_members_) {
    record_empty(now);
  }
  if (now.steady_ms < next_topics_ms_)
    return;
  next_topics_ms_ = now.steady_ms + topics_interval_ms;
  if (phase_ == group_phase::stable && is_coordinator_assigned() && sizes() != topics_)
    prepare(now);
}

void group_core::put_out_the_late(group_time now) {
  const bool is_late = phase_ != group_phase::preparing && phase_deadline_ms_ <= now.steady_ms;
  std::vector<std::string> gone;
  for (const auto& [id, member] : members_) {
    const bool is_silent = !member.join && !member.sync &&
                           member.session_deadline_ms <= now.steady_ms &&
                           !has_defect(defect::silent_members_stay);
    if (is_silent || (member.owes_sync && is_late))
      gone.push_back(id);
  }
  for (const auto& id : gone)
    remove_member(id);
  if (!gone.empty() && phase_ != group_phase::preparing)
    prepare(now);
}

void group_core::act(group_pause pause, group_time now) {
  for (auto& [id, member] : members_)
    member.session_deadline_ms = std::min(member.session_deadline_ms + pause.ms,
                                          now.steady_ms + member.record.session_timeout_ms);
  for (auto& [id, until_ms] : promised_)
    until_ms += pause.ms;
  phase_deadline_ms_ += pause.ms;
  if (settle_deadline_ms_ > 0)
    settle_deadline_ms_ += pause.ms;
}

void group_core::extend(live_member& who, group_time now) {
  who.session_deadline_ms = now.steady_ms + who.record.session_timeout_ms;
}

// -- the board ------------------------------------------------------------------------------------

void group_core::list(live_member& who) const {
  if (board_ && phase_ == group_phase::stable && !who.listing)
    who.listing = board_->list(id_, {who.record.id, who.record.instance, generation_});
}

void group_core::extend_as_heard(live_member& who, std::int64_t heard_ms) {
  if (heard_ms > 0)
    who.session_deadline_ms =
        std::max(who.session_deadline_ms, heard_ms + who.record.session_timeout_ms);
}

void group_core::leave_board() {
  for (auto& [id, member] : members_)
    extend_as_heard(member, member.listing.withdraw());
}

void group_core::act(group_unlist, group_time) {
  board_ = nullptr;
  leave_board();
}

} // namespace aqueduct::actors
