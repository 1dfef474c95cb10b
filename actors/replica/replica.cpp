#include "actors/replica/replica.hpp"

#include "actors/defects.hpp"
#include "actors/replica/state_fetch.hpp"
#include "protocol/cluster/state_messages.hpp"
#include "protocol/native/codec.hpp"
#include "raft/core.hpp"
#include "raft/invariant.hpp"

#include <caf/actor_system.hpp>
#include <caf/send.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <set>
#include <unordered_map>

namespace aqueduct::actors {

namespace {

/// How long another node may take to answer with a piece of a state.
constexpr std::int64_t piece_timeout_ms = 10'000;

std::size_t bytes_of(const std::vector<storage::log_entry>& entries) {
  std::size_t bytes = 0;
  for (const auto& entry : entries)
    bytes += entry.body.size();
  return bytes;
}

raft::payload to_payload(const buffer& bytes) {
  return {bytes.owner(), bytes.size()};
}

std::vector<storage::log_entry> to_storage(std::vector<raft::entry>&& entries) {
  std::vector<storage::log_entry> converted;
  converted.reserve(entries.size());
  for (auto& entry : entries)
    converted.push_back({entry.index.value, entry.term.value,
                         static_cast<storage::entry_kind>(entry.kind),
                         buffer(std::move(entry.body.data), entry.body.size)});
  return converted;
}

std::vector<raft::entry> to_raft(std::vector<storage::log_entry>&& entries) {
  std::vector<raft::entry> converted;
  converted.reserve(entries.size());
  for (auto& entry : entries)
    converted.push_back({raft::log_index(entry.index), raft::term_id(entry.term),
                         static_cast<raft::entry_kind>(entry.kind), to_payload(entry.body)});
  return converted;
}

storage::hard_state to_storage(const raft::hard_state& hard) {
  storage::hard_state converted;
  converted.term = hard.term.value;
  if (hard.voted_for)
    converted.vote = storage::voted_replica{node_id(hard.voted_for->node.value),
                                            hard.voted_for->incarnation.value};
  return converted;
}

storage::log_base to_storage(const raft::snapshot_meta& meta, std::int64_t next_offset = -1) {
  storage::log_base base;
  base.index = meta.last.index.value;
  base.term = meta.last.term.value;
  base.next_offset = offset_t(next_offset);
  base.data = buffer::from(raft::encode(meta.membership));
  return base;
}

/// What the disk holds, in the core's terms; an error if it contradicts itself.
result<raft::restored_state> restore(const storage::opened_group& group,
                                     const raft::membership& founders) {
  raft::restored_state state;
  if (group.hard) {
    state.hard.term = raft::term_id(group.hard->term);
    if (group.hard->vote)
      state.hard.voted_for = raft::replica_id{raft::node_id(group.hard->vote->node.value),
                                              raft::incarnation(group.hard->vote->incarnation)};
  }
  state.base.last = {raft::term_id(group.base.term), raft::log_index(group.base.index)};
  if (group.base.data.empty()) {
    state.base.membership = founders;
  } else {
    const auto membership = raft::decode_membership(group.base.data.bytes());
    if (!membership)
      return unexpected(errc::storage_damaged, "the membership at the log's base is malformed");
    state.base.membership = *membership;
  }
  for (const auto& run : group.terms)
    state.terms.push_back({raft::term_id(run.term), raft::log_index(run.first_index)});
  state.last = raft::log_index(group.last_index);
  for (const auto& entry : group.memberships) {
    const auto membership = raft::decode_membership(entry.body.bytes());
    if (!membership)
      return unexpected(errc::storage_damaged, "the membership entry at index " +
                                                   std::to_string(entry.index) + " is malformed");
    state.memberships.push_back({raft::log_index(entry.index), *membership});
  }
  state.applied = raft::log_index(std::max(group.applied_in_log, group.base.index));
  state.commit = has_defect(defect::log_committed_at_restart) ? state.last : state.applied;
  return state;
}

result<std::uint64_t> to_result(const raft::change_outcome& outcome) {
  using kind = raft::change_outcome::answer_kind;
  switch (outcome.answer) {
  case kind::accepted:
    return outcome.at.index.value;
  case kind::not_leader:
    return unexpected(errc::not_leader, "this replica does not lead the group");
  case kind::not_ready:
    return unexpected(errc::overloaded, "another change of members is under way, or the new member "
                                        "has not caught up; try again");
  case kind::invalid:
    break;
  }
  return unexpected(errc::invalid_request, "the change does not apply to the members of the group");
}

struct replica_state {
  replica_state() = default;

  void begin(replica_actor::pointer actor, replica_config given) {
    self = actor;
    config = std::move(given);
    config.core.turn = static_cast<std::uint64_t>(config.group.partition);
    storage_open open;
    open.group = config.group;
    open.from = self;
    open.state = state_place();
    open.segment_bytes = config.segment_bytes;
    open.segment_age_ms = config.segment_age_ms;
    open.keeps_set_aside = config.keeps_set_aside;
    self->send(config.storage, storage_request{std::move(open)});
  }

  // -- storage -----------------------------------------------------------------------------------

  void handle(replica_opened& opened) {
    if (!opened.group) {
      fail(opened.group.error());
      return;
    }
    auto restored = restore(*opened.group, config.founders);
    if (!restored) {
      fail(restored.error());
      return;
    }
    auto made = raft::core::create(config.core, std::move(*restored));
    if (auto* invalid = std::get_if<raft::invalid_state>(&made)) {
      fail({errc::storage_damaged, invalid->reason});
      return;
    }
    core.emplace(std::get<raft::core>(std::move(made)));
    log = opened.group->reader;
    state_applied = opened.group->applied_index;
    if (config.watch)
      config.watch->opened(config.group, *core, state_applied);
    notify(group_opened{std::move(opened.state), log, state_applied, opened.generation,
                        core->applied_index().value});
    notify(group_members{core->first_index().value - 1, core->members()});
    // Whoever decides alone need not wait for others to be silent.
    const auto& voters = core->members().voters;
    const bool alone = voters.size() == 1 && voters.front() == config.core.self;
    perform(alone || is_to_begin() ? core->campaign() : core->wake());
  }

  /// A group of which nobody has been elected yet is begun by the replica that prefers to lead it.
  /// Later elections take their time: who has no log and asks at every tick keeps those from
  /// winning who have one.
  [[nodiscard]] bool is_to_begin() const {
    return config.prefers_to_lead && core->term().value == 0 && core->last_index().value == 0 &&
           !core->leader() && core->members().is_voter(config.core.self);
  }

  void handle(replica_appended& done) {
    if (!core)
      return;
    if (config.watch)
      config.watch->written(config.group, *core, done.ticket, done.status.has_value());
    if (done.status || has_defect(defect::write_error_ignored)) {
      perform(core->persisted(done.ticket));
      return;
    }
    // The state machine hears why before it hears that nobody leads.
    auto last = core->persist_failed(done.ticket);
    fail(done.status.error());
    for (const auto& event : last.events)
      config.log->debug("group {}: {}", to_string(config.group), raft::to_string(event));
  }

  void handle(replica_loaded& loaded) {
    settle(loaded);
    if (!core)
      return;
    if (loaded.entries) {
      perform(core->loaded(loaded.id, to_raft(std::move(*loaded.entries))), true);
      return;
    }
    config.log->error("group {}: cannot read the log: {}", to_string(config.group),
                      to_string(loaded.entries.error()));
    perform(core->load_failed(loaded.id));
    if (loaded.entries.error().code == errc::storage_damaged)
      fail(loaded.entries.error());
  }

  void handle(replica_state_installed& done) {
    installing = false;
    if (!core)
      return;
    if (!done.status) {
      const auto& why = done.status.error();
      if (why.code == errc::invalid_request || why.code == errc::storage_full)
        give_up_fetch(why);
      else
        fail(why);
      return;
    }
    state_applied = done.state.mark.applied_index;
    config.log->info("group {}: took over the state at entry {} from node {}",
                     to_string(config.group), state_applied, fetching->from().node.value);
    notify(group_installed{std::move(done.state.rows), state_applied, done.generation,
                           fetching->meta().last.index.value});
    finish_fetch();
  }

  void handle(replica_closed& closed) {
    notify(group_closed{std::move(closed.status)});
    self->quit();
  }

  void handle(group_space& space) { notify(space); }

  // -- the state machine and others --------------------------------------------------------------

  void handle(replica_propose& request) {
    const auto count = request.entries.size();
    if (!core || stopping) {
      notify(group_refused{count, failed ? errc::storage_failed : errc::shutting_down, -1});
      return;
    }
    if (request.round && *request.round <= refused_round) {
      notify(group_refused{count, errc::overloaded, -1});
      return;
    }
    std::vector<raft::proposal> proposals;
    proposals.reserve(count);
    for (auto& entry : request.entries)
      proposals.push_back({entry.kind, to_payload(entry.body)});
    auto outcome = core->propose(std::move(proposals), raft::term_id(request.term));
    if (const auto* accepted = std::get_if<raft::proposal_accepted>(&outcome.answer)) {
      notify(group_proposed{accepted->first.value, accepted->term.value, count});
    } else if (const auto* elsewhere = std::get_if<raft::proposal_not_leader>(&outcome.answer)) {
      refused_round = request.round.value_or(refused_round);
      notify(group_refused{count, errc::not_leader,
                           elsewhere->leader ? elsewhere->leader->node.value : -1});
    } else {
      refused_round = request.round.value_or(refused_round);
      notify(group_refused{count, errc::overloaded, -1});
    }
    perform(std::move(outcome.then));
  }

  void handle(replica_applied& done) {
    if (core)
      tell_applied(raft::log_index(done.index));
  }

  void handle(replica_compact& request) {
    if (!core || request.first_kept <= 1)
      return;
    // A state that was taken over knows more than this replica has seen committed.
    const raft::log_index upto(request.first_kept - 1);
    perform(core->compact(std::min(upto, core->applied_index())));
  }

  void handle(replica_tick&) {
    tick_scheduled = false;
    in_tick = true;
    if (core && !installing)
      perform(core->tick());
    if (core)
      tell_in_sync();
    // The other nodes hear of a new group a moment later than the first: what was sent to them
    // before that is lost.
    if (core && !installing && is_to_begin())
      perform(core->campaign());
    else if (installing)
      schedule_tick();
    in_tick = false;
  }

  /// While a state is being installed nothing may commit that is not in it: what arrives is lost.
  void handle(replica_receive& arrived) {
    if (!core || installing)
      return;
    if (config.watch)
      config.watch->receiving(config.group, *core, arrived.from, arrived.body);
    out_of_contact.erase(arrived.from.node);
    const auto from = arrived.from.node.value;
    perform(core->step(arrived.from, std::move(arrived.body)));
    // Who falls behind is looked for at every tick, who comes up is told at once.
    if (core && core->is_leader() && !std::ranges::binary_search(in_sync, from))
      tell_in_sync();
  }

  void handle(replica_read& request) {
    if (core)
      perform(core->read_index(request.context));
    else
      notify(group_read_ready{request.context, std::nullopt});
  }

  void handle(replica_wake&) {
    if (core)
      perform(core->wake());
  }

  void handle(replica_lost_contact& news) {
    if (!core)
      return;
    out_of_contact.insert(news.node);
    perform(core->lost_contact(news.node));
    if (core)
      tell_in_sync();
  }

  void handle(replica_transfer& request) {
    if (core && (!request.if_caught_up || has_almost_everything(request.to)))
      perform(core->transfer_leadership(request.to));
    else
      notify(group_transfer_failed{request.to});
  }

  void handle(replica_hand_over&) {
    if (!core || !core->is_leader())
      return;
    std::optional<raft::progress> best;
    for (const auto& each : core->followers())
      if (core->members().is_voter(each.who()) && is_heard(each) &&
          (!best || each.match() > best->match()))
        best = each;
    if (best)
      perform(core->transfer_leadership(best->who()));
  }

  /// Which other replicas keep up, when that is not what it was.
  void tell_in_sync() {
    std::vector<std::int32_t> nodes;
    if (core->is_leader())
      for (const auto& each : core->followers())
        if (is_heard(each) && !out_of_contact.contains(each.who().node) &&
            each.match() + replica_lag_max >= core->commit_index())
          nodes.push_back(each.who().node.value);
    std::ranges::sort(nodes);
    if (nodes == in_sync)
      return;
    in_sync = nodes;
    notify(group_followers{std::move(nodes)});
  }

  /// It takes entries, and answered within an election timeout.
  [[nodiscard]] bool is_heard(const raft::progress& follower) const {
    return follower.mode() == raft::progress_mode::replicate &&
           follower.silent_ticks < config.core.election_timeout_ticks;
  }

  [[nodiscard]] bool has_almost_everything(raft::replica_id who) const {
    const auto followers = core->followers();
    const auto found = std::ranges::find(followers, who, &raft::progress::who);
    return found != followers.end() && is_heard(*found) &&
           found->match() + replica_lag_max >= core->last_index();
  }

  void handle(replica_describe& request) {
    if (!core) {
      request.done(unexpected(failed ? errc::storage_failed : errc::shutting_down,
                              to_string(config.group) + " is not open on this node"));
      return;
    }
    replica_report report;
    report.group = config.group;
    report.self = core->self();
    report.role = core->role();
    report.term = core->term().value;
    report.leader = core->leader();
    report.first = core->first_index().value;
    report.last = core->last_index().value;
    report.commit = core->commit_index().value;
    report.applied = core->applied_index().value;
    report.hibernating = core->is_hibernating();
    report.members = core->members();
    for (const auto& each : core->followers())
      report.followers.push_back(
          {each.who(), each.match().value, each.mode(), each.recently_active});
    request.done(std::move(report));
  }

  void handle(replica_change& request) {
    if (!core) {
      request.done(unexpected(failed ? errc::storage_failed : errc::shutting_down,
                              to_string(config.group) + " is not open on this node"));
      return;
    }
    auto outcome = core->change_membership(request.change);
    request.done(to_result(outcome));
    perform(std::move(outcome.then));
  }

  void handle(replica_share_state& asked) {
    const auto question = protocol::decode<protocol::cluster::state_question>(asked.question);
    if (!core || !question) {
      asked.answer(core ? question.propagate()
                        : unexpected(errc::topic_not_ready,
                                     to_string(config.group) + " is not open on this node"));
      return;
    }
    storage_read_state read;
    read.group = config.group;
    read.place = state_place();
    read.snapshot = question->snapshot;
    read.position = question->position;
    read.done = [answer = std::move(asked.answer)](const result<state_piece>& piece) {
      answer(piece ? result<buffer>(encode(*piece)) : result<buffer>(piece.propagate()));
    };
    self->send(config.storage, storage_request{std::move(read)});
  }

  void handle(replica_state_piece& piece) {
    if (!core || !fetching || installing || piece.number != last_question)
      return;
    if (!piece.answer) {
      give_up_fetch(piece.answer.error());
      return;
    }
    const auto size = piece.answer->size();
    const auto complete = fetching->take(*piece.answer, core->term());
    if (!complete)
      give_up_fetch(complete.error());
    else if (*complete)
      install();
    else
      await_next_piece(size);
  }

  void handle(replica_load& due) {
    if (core)
      load(due.what);
  }

  void handle(replica_next_piece& due) {
    if (core && fetching && !installing && due.number == last_question)
      ask_for_state();
  }

  void handle(replica_fail& request) { fail(std::move(request.why)); }

  void handle(replica_stop&) {
    if (std::exchange(stopping, true))
      return;
    core.reset();
    self->send(config.storage, storage_request{storage_close{config.group, self}});
  }

  // -- effects -----------------------------------------------------------------------------------

  void perform(raft::effects effects, bool loaded = false) {
    if (config.watch)
      config.watch->acted(config.group, *core, effects);
    if (effects.persist)
      persist(std::move(*effects.persist));
    if (effects.leader) {
      group_leadership news;
      news.term = effects.leader->term.value;
      if (effects.leader->leader) {
        news.leader = effects.leader->leader->node.value;
        news.here = *effects.leader->leader == config.core.self;
      }
      notify(news);
      tell_in_sync();
    }
    if (!effects.send.empty() && config.transport)
      config.transport->send(config.group, config.core.self, std::move(effects.send));
    for (const auto& read : effects.reads)
      notify(group_read_ready{read.context,
                              read.index ? std::optional(read.index->value) : std::nullopt});
    for (const auto& load : effects.loads)
      begin_load(load);
    const auto wanted = std::move(effects.fetch);
    const bool damaged = report(effects.events);
    schedule_tick();
    if (damaged)
      fail({errc::storage_damaged, "entries that were acknowledged are not on the disk"});
    if (wanted && core)
      fetch(*wanted);
    if (effects.committed.empty() || failed)
      return;
    const auto last = effects.committed.back().index;
    notify(group_committed{std::move(effects.committed), loaded});
    // What was read from the disk waits until it is applied, so that replaying a long log does not
    // pile it up in a mailbox. What is live is bounded by who proposed it.
    if (!loaded)
      tell_applied(last);
  }

  /// Logs what happened and tells the state machine of new members. True if the disk turns out to
  /// have lost or changed entries of this replica.
  [[nodiscard]] bool report(const std::vector<raft::event>& events) {
    bool damaged = false;
    for (const auto& event : events) {
      config.log->debug("group {}: {}", to_string(config.group), raft::to_string(event));
      if (const auto* changed = std::get_if<raft::membership_changed>(&event))
        notify(group_members{changed->index.value, changed->membership});
      if (const auto* aborted = std::get_if<raft::transfer_aborted>(&event))
        notify(group_transfer_failed{aborted->to});
      if (const auto* refused = std::get_if<raft::refused>(&event))
        damaged =
            damaged || (refused->who == config.core.self && refused->why == raft::refusal::damaged);
    }
    return damaged;
  }

  // -- what others lack ---------------------------------------------------------------------------

  void begin_load(const raft::load_request& what) {
    if (!what.for_peer || !config.pacer) {
      load(what);
      return;
    }
    const auto booked = config.pacer->reserve(config.env->steady_ms(), what.bytes_max);
    paced.emplace(what.id, booked);
    if (booked.wait_ms <= 0)
      load(what);
    else
      after(booked.wait_ms, replica_load{what});
  }

  void load(const raft::load_request& what) {
    self->send(config.reader, reader_request{reader_load{log, what, self}});
  }

  /// Books what was read in the place of what might have been.
  void settle(const replica_loaded& loaded) {
    const auto booked = paced.extract(loaded.id);
    if (!booked)
      return;
    config.pacer->settle(booked.mapped(), loaded.entries ? bytes_of(*loaded.entries) : 0);
  }

  template <class What>
  void after(std::int64_t wait_ms, What what) {
    self->delayed_send(self, std::chrono::milliseconds(wait_ms), replica_request{std::move(what)});
  }

  // -- the state of another replica --------------------------------------------------------------

  [[nodiscard]] storage::state_place state_place() const {
    return {config.state_family, config.state_prefix};
  }

  /// The leader's log no longer reaches back far enough.
  void fetch(const raft::snapshot_fetch& what) {
    fetching.emplace(config.group, config.core.self, what);
    if (config.calls)
      ask_for_state();
    else
      give_up_fetch({errc::broker_unavailable, "other nodes cannot be asked"});
  }

  void ask_for_state() {
    config.calls->call(
        fetching->from().node, call_kind::fetch_state, fetching->question(), piece_timeout_ms,
        [to = replica_actor(self), number = ++last_question](result<buffer> answer) {
          caf::anon_send(to, replica_request{replica_state_piece{number, std::move(answer)}});
        });
  }

  void await_next_piece(std::size_t bytes) {
    const auto wait_ms =
        config.pacer ? config.pacer->charge(config.env->steady_ms(), bytes) : std::int64_t{0};
    if (wait_ms <= 0)
      ask_for_state();
    else
      after(wait_ms, replica_next_piece{last_question});
  }

  void install() {
    if (core->is_leader()) {
      give_up_fetch({errc::conflict, "this replica leads by now"});
      return;
    }
    const auto base = fetching->meta().last.index;
    base_next_offset = fetching->state().mark.base.next_offset.value;
    // The log got there meanwhile, or the state was taken over before and its entries have not come
    // yet: the log alone is to be set to what the leader has.
    if (core->commit_index() >= base || state_applied >= base.value) {
      finish_fetch();
      return;
    }
    installing = true;
    self->send(config.storage,
               storage_request{storage_install_state{config.group, state_place(),
                                                     std::move(fetching->state()), self}});
  }

  void finish_fetch() {
    const auto meta = fetching->meta();
    fetching.reset();
    last_fetch_problem.clear();
    perform(core->snapshot_installed(meta));
  }

  /// The leader offers again.
  void give_up_fetch(const error& why) {
    // It may go on for long: it is said once.
    const bool is_news = std::exchange(last_fetch_problem, why.message) != why.message;
    config.log->log(is_news ? spdlog::level::warn : spdlog::level::debug,
                    "group {}: node {} has given up entries that are missing here, and its state "
                    "cannot be taken over: {}",
                    to_string(config.group), fetching->from().node.value, to_string(why));
    fetching.reset();
    perform(core->snapshot_failed());
  }

  void tell_applied(raft::log_index index) {
    if (index > core->applied_index())
      perform(core->applied(index));
  }

  void persist(raft::persist_request request) {
    storage_append append;
    append.ticket = request.ticket;
    append.from = self;
    append.batch.group = config.group;
    append.batch.ticket = request.ticket.number;
    if (request.hard)
      append.batch.hard = to_storage(*request.hard);
    if (request.reset)
      append.batch.reset = to_storage(*request.reset, base_next_offset);
    if (request.truncate_from)
      append.batch.truncate_from = request.truncate_from->value;
    append.batch.entries = to_storage(std::move(request.append));
    if (config.pacer && core->is_leader())
      config.pacer->written(bytes_of(append.batch.entries));
    if (request.compact)
      append.compact = to_storage(*request.compact);
    self->send(config.storage, storage_request{std::move(append)});
  }

  void schedule_tick() {
    if (tick_scheduled || !core || core->is_hibernating())
      return;
    tick_scheduled = true;
    self->send(config.ticker, tick_request{replica_actor(self), in_tick});
  }

  template <class Event>
  void notify(Event event) {
    self->send(config.state_machine, group_event{std::move(event)});
  }

  void fail(error why) {
    if (std::exchange(failed, true))
      return;
    config.log->error("group {} is out of service on this node until a restart: {}",
                      to_string(config.group), to_string(why));
    if (core)
      retire();
    notify(group_failed{std::move(why)});
  }

  void retire() {
    auto last = core->retire();
    if (config.watch)
      config.watch->acted(config.group, *core, last);
    (void)report(last.events);
    if (!last.send.empty() && config.transport)
      config.transport->send(config.group, config.core.self, std::move(last.send));
    core.reset();
  }

  replica_actor::pointer self = nullptr;
  replica_config config;
  /// Nothing before the group is open and after it failed.
  std::optional<raft::core> core;
  std::shared_ptr<storage::log_reader> log;
  /// What the state had applied when it was opened or taken over.
  std::uint64_t state_applied = 0;
  /// The state that is being taken over from another replica.
  std::optional<state_fetch> fetching;
  /// Answers to earlier questions are late.
  std::uint64_t last_question = 0;
  /// It is complete and on its way to the disk. Invariant: implies fetching.
  bool installing = false;
  /// Of the first record in a log that is reset.
  std::int64_t base_next_offset = -1;
  std::string last_fetch_problem;
  bool failed = false;
  bool stopping = false;
  bool tick_scheduled = false;
  bool in_tick = false;
  /// The last round of proposals of which some were refused.
  std::uint64_t refused_round = 0;
  /// What the state machine was told last of the replicas that keep up.
  std::vector<std::int32_t> in_sync;
  /// Nodes whose link was lost and that have not said anything since.
  std::set<raft::node_id> out_of_contact;
  /// What was booked for reads that are to come, by load.
  std::unordered_map<std::uint64_t, catch_up_pacer::booking> paced;
};

replica_actor::behavior_type replica(replica_actor::stateful_pointer<replica_state> self,
                                     replica_config config) {
  self->state.begin(self, std::move(config));
  auto* state = &self->state;
  const auto guarded = [state](auto& message) {
    try {
      std::visit([state](auto& what) { state->handle(what); }, message.what);
    } catch (const std::logic_error& broken) {
      state->fail({errc::internal, broken.what()});
    }
  };
  return {
      [guarded](replica_request& request) { guarded(request); },
      [guarded](storage_event& event) { guarded(event); },
  };
}

} // namespace

replica_actor spawn_replica(caf::actor_system& system, replica_config config) {
  return system.spawn(replica, std::move(config));
}

} // namespace aqueduct::actors
