#include "actors/partition/partition.hpp"

#include "actors/partition/election_host.hpp"
#include "actors/partition/partition_rest.hpp"
#include "actors/partition/partition_rows.hpp"
#include "actors/reply_scope.hpp"
#include "actors/storage_pool/storage_worker.hpp"
#include "protocol/invariant.hpp"

#include <caf/actor_system.hpp>
#include <caf/send.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <optional>

namespace aqueduct::actors {

namespace {

/// A sleeping partition looks at the clock at least so often while retention is to come: clocks
/// are set.
constexpr std::int64_t nap_ms_max = std::int64_t{6} * 3600 * 1000;

/// How long a stop waits until another replica leads.
constexpr std::int64_t hand_over_ms = 500;

struct partition_state : election_host<partition_state> {
  partition_state() = default;

  using election_host::handle;

  void begin(partition_actor::pointer actor, partition_config given) {
    self = actor;
    config = std::move(given);
    membership = {services().replica, std::exchange(config.members, {})};
    if (services().registry)
      services().registry->add(config.group, [to = partition_actor(self)] {
        caf::anon_send(to, partition_control{partition_wake{}});
      });
    if (membership.has_company() || config.founders.voters.size() > 1)
      wake();
  }

  [[nodiscard]] const partition_services& services() const { return *config.services; }
  [[nodiscard]] std::int64_t now_ms() const { return services().env->now_ms(); }

  // -- life --------------------------------------------------------------------------------------

  void wake() {
    if (replica || failed || closing)
      return;
    rest.reset();
    ++tick_schedule;
    replica_config group;
    group.group = config.group;
    group.core = core_options_of(services());
    group.storage = services().storage_of(config.group);
    group.reader = services().reader_of(config.group);
    group.state_machine = state_machine_actor(self);
    group.env = services().env;
    group.log = services().raft_log;
    group.state_family = storage::family::partition_state;
    group.state_prefix = storage::group_prefix(config.group);
    group.segment_bytes = config.topic.segment_bytes;
    group.segment_age_ms = config.topic.segment_age.count();
    group.ticker = services().ticker;
    group.founders = config.founders;
    group.transport = services().transport;
    group.calls = services().calls;
    group.pacer = services().pacer;
    group.watch = services().watch;
    group.keeps_set_aside = membership.is_under_repair();
    group.prefers_to_lead = membership.is_preferred();
    replica = spawn_replica(self->system(), std::move(group));
    // It does not go on without whom it works for.
    self->link_to(replica);
  }

  /// Runs `work` with the core, now or when the group is open.
  template <class Work>
  void with_core(Work work) {
    if (core) {
      partition_effects effects;
      work(*core, effects);
      perform(std::move(effects));
      return;
    }
    waiting.push_back(
        [work = std::move(work)](partition_core& opened, partition_effects& effects) mutable {
          work(opened, effects);
        });
    if (failed)
      open_failed_core();
    else
      wake();
  }

  [[nodiscard]] partition_core::options core_options() const {
    partition_core::options options;
    options.group = config.group;
    options.node = services().node;
    options.topic = config.topic;
    options.cache = services().cache;
    options.follower_reads = services().follower_reads;
    return options;
  }

  /// A core that answers everything with the reason for which the group is out of service.
  void open_failed_core() {
    core.emplace(core_options(), partition_core::restored_state{});
    core->fail(*failed);
    run_waiting();
  }

  void run_waiting() {
    partition_effects effects;
    for (auto& work : std::exchange(waiting, {}))
      work(*core, effects);
    perform(std::move(effects));
  }

  /// Once a second while there is something to watch, seldom while there is not: ten thousand quiet
  /// partitions must cost nothing.
  void schedule_tick() {
    if (!core || closing)
      return;
    const bool quiet = core->is_quiet() && !membership.is_restless();
    if (tick == tick_pace::fast || (tick == tick_pace::slow && quiet))
      return;
    tick = quiet ? tick_pace::slow : tick_pace::fast;
    const auto wait = quiet ? services().quiet_tick_ms : services().tick_ms;
    self->delayed_send(self, std::chrono::milliseconds(wait),
                       partition_control{partition_tick{++tick_schedule}});
  }

  // -- sleep -------------------------------------------------------------------------------------

  [[nodiscard]] bool is_asleep() const { return !core && !replica && !failed && !closing; }

  void note_use() { used_ms = services().env->steady_ms(); }

  /// Only a group of one may close: others would miss its voice.
  [[nodiscard]] bool may_sleep() const {
    return services().idle_timeout_ms > 0 && membership.is_alone() && core && !failed && !closing &&
           core->is_idle() && services().env->steady_ms() - used_ms >= idle_for_ms;
  }

  /// The log tells what to remember of it; what it tells is the last thing before sleep.
  void think_of_sleep() {
    if (may_sleep())
      self->send(services().reader_of(config.group),
                 reader_request{reader_describe{log, core->look_at_log(), log_client_actor(self)}});
  }

  void fall_asleep(const log_description& found) {
    if (!may_sleep() || core->log_start() != found.log_start)
      return;
    partition_effects effects;
    core->persist_now(effects);
    if (effects.persist)
      persist(*effects.persist);
    rest = partition_rest{services().node,        core->epoch(),   core->log_start(),
                          core->high_watermark(), found.oldest_ms, found.log};
    core.reset();
    log.reset();
    tick = tick_pace::none;
    ++tick_schedule;
    self->send(replica, replica_request{replica_stop{}});
  }

  /// Somebody asked while the group was being closed, or retention is to come.
  void after_closing() {
    accepts_writes = true;
    if (!waiting.empty())
      wake();
    else
      plan_retention();
  }

  void plan_retention() {
    if (!is_asleep() || !rest)
      return;
    const auto due = rest->retention_due(config.topic);
    if (!due)
      return;
    // Those that become due together do not all wake at once.
    const auto spread = static_cast<std::int64_t>(
        services().env->random() % static_cast<std::uint64_t>(services().quiet_tick_ms + 1));
    const auto wait = std::clamp<std::int64_t>(*due - now_ms(), 0, nap_ms_max) + spread;
    self->delayed_send(self, std::chrono::milliseconds(wait),
                       partition_control{partition_tick{++tick_schedule}});
  }

  void look_at_retention() {
    if (!is_asleep() || !rest)
      return;
    const auto due = rest->retention_due(config.topic);
    if (due && *due <= now_ms())
      wake();
    else
      plan_retention();
  }

  /// Answers what needs no open group, also while it is being closed. True if nothing is left to
  /// do.
  [[nodiscard]] bool answer_asleep(partition_call& call) {
    if (core || failed || closing || !waiting.empty() || (replica && !rest))
      return false;
    auto* asked = std::get_if<describe_item>(&call.what);
    if (asked != nullptr && rest) {
      asked->sink->described(asked->slot, rest->describe());
      return true;
    }
    if (asked != nullptr) {
      probe(std::move(*asked));
      return true;
    }
    if (const auto* offset = std::get_if<offset_item>(&call.what);
        offset != nullptr && rest && !offset->epoch_end_of) {
      auto outcome = rest->find_offset(offset->timestamp_ms);
      if (outcome)
        offset->sink->found_offset(offset->slot, std::move(*outcome));
      return outcome.has_value();
    }
    // Nothing is there that could be given up.
    return std::holds_alternative<cancel_fetch>(call.what) ||
           std::holds_alternative<cancel_subscription>(call.what) ||
           std::holds_alternative<credit_subscription>(call.what);
  }

  /// A partition that never woke may never have written anything: then that is the answer.
  void probe(describe_item item) {
    probing.push_back(std::move(item));
    if (probing.size() == 1)
      self->send(services().storage_of(config.group),
                 storage_request{storage_probe{config.group, log_client_actor(self)}});
  }

  void handle(log_probed& found) {
    if (found.is_new && is_asleep() && config.founders.voters.size() == 1) {
      rest.emplace();
      rest->node = services().node;
    }
    for (auto& item : std::exchange(probing, {})) {
      partition_call call{std::move(item)};
      if (rest && answer_asleep(call))
        continue;
      with_core([asked = std::get<describe_item>(std::move(call.what))](
                    partition_core& opened, partition_effects& out) mutable {
        opened.describe(std::move(asked), out);
      });
    }
  }

  void ask(partition_call& call);

  // -- the Raft group ----------------------------------------------------------------------------

  void handle(group_opened& opened) {
    auto state = restore_rows(opened.state);
    if (!state) {
      fail(state.error());
      return;
    }
    state->logged = opened.logged;
    log = opened.log;
    generation = opened.generation;
    if (services().registry)
      services().registry->opened(config.group, replica);
    note_use();
    idle_for_ms =
        services().idle_timeout_ms +
        static_cast<std::int64_t>(services().env->random() %
                                  static_cast<std::uint64_t>(services().idle_timeout_ms / 4 + 1));
    core.emplace(core_options(), std::move(*state));
    core->accept_writes(accepts_writes);
    // An answer to a question of an earlier life may still be on its way.
    read_life = services().env->random();
    run_waiting();
  }

  void handle(group_installed& news) {
    generation = news.generation;
    auto state = restore_rows(news.state);
    if (!state) {
      fail(state.error());
      return;
    }
    state->logged = news.logged;
    if (core)
      core->install(std::move(*state));
  }

  void handle(group_proposed& news) {
    if (core)
      core->proposed(news.first, news.term, news.count);
  }

  void handle(group_refused& news) {
    if (core)
      core->proposal_refused(news.count, news.why, news.leader);
    schedule_tick();
  }

  void handle(group_committed& news) {
    if (!core || failed)
      return;
    partition_effects effects;
    core->applied(news.entries, now_ms(), effects);
    const auto& last = news.entries.back();
    if (membership.applied(last.index.value, last.term.value))
      tend_members();
    if (news.confirm)
      self->send(replica, replica_request{replica_applied{last.index.value}});
    perform(std::move(effects));
  }

  void handle(group_leadership& news) {
    if (failed)
      return;
    config.route->leader = news.leader;
    config.route->leader_epoch = static_cast<std::int32_t>(news.term);
    term = news.term;
    membership.took_office(news.term, news.here);
    note_leader(news.leader);
    if (!core)
      return;
    partition_effects effects;
    if (news.here)
      core->lead(news.term);
    else
      core->follow(news.term, news.leader, effects);
    tend_members();
    perform(std::move(effects));
    if (!news.here)
      close_after_hand_over();
  }

  void handle(group_followers& news) {
    config.route->in_sync =
        std::make_shared<const std::vector<std::int32_t>>(std::move(news.in_sync));
  }

  void handle(group_failed& news) { fail(std::move(news.why)); }

  void handle(group_read_ready& news) {
    if (!core)
      return;
    partition_effects effects;
    core->read_index_found(news.context - read_life, news.index, services().env->steady_ms(),
                           effects);
    perform(std::move(effects));
  }

  void handle(group_members& news) {
    membership.found(std::move(news.members), news.index);
    tend_members();
    schedule_tick();
  }

  void handle(group_space& news) {
    accepts_writes = news.accepts_writes;
    if (core)
      core->accept_writes(accepts_writes);
  }

  void handle(group_closed& news) {
    replica = nullptr;
    membership.resign();
    if (services().registry)
      services().registry->closed(config.group);
    if (!news.status && !failed)
      fail(news.status.error());
    if (closing)
      finish_closing();
    else if (!failed)
      after_closing();
  }

  // -- members -----------------------------------------------------------------------------------

  /// Begins the next change, and tries again at the next tick if the group refuses it.
  void tend_members() {
    if (!replica)
      return;
    if (const auto change = membership.next_change()) {
      const auto log_change = [log = services().log, group = config.group,
                               text =
                                   raft::to_string(*change)](const result<std::uint64_t>& index) {
        if (index)
          log->info("partition {}: {}", to_string(group), text);
      };
      self->send(replica, replica_request{replica_change{*change, log_change}});
      return;
    }
    if (membership.has_moved() && config.moved)
      config.moved(config.group, membership.changes());
    if (const auto to = membership.transfer_due(services().env->steady_ms()))
      self->send(replica, replica_request{replica_transfer{*to, true}});
  }

  void handle(partition_members& change) {
    const bool is_repaired = membership.is_under_repair() && !change.is_under_repair;
    membership.want(std::move(change));
    if (is_repaired)
      end_repair();
    if (membership.has_company())
      wake();
    tend_members();
    schedule_tick();
  }

  // -- damage ------------------------------------------------------------------------------------

  /// The others may have what is damaged here.
  void report_damage(const error& why) {
    if (why.code == errc::storage_damaged && config.damaged)
      std::exchange(config.damaged, nullptr)(config.group, why);
  }

  /// The group counts on this replica again: nobody needs what it took the place of.
  void end_repair() {
    services().log->info("partition {}: the damaged replica is repaired", to_string(config.group));
    self->send(services().storage_of(config.group), storage_request{storage_discard{config.group}});
    if (config.repaired)
      config.repaired(config.group);
  }

  // -- storage -----------------------------------------------------------------------------------

  void handle(log_read_done& done) {
    if (!done.answer)
      report_damage(done.answer.error());
    if (!core)
      return;
    partition_effects effects;
    core->read_done(done.token, std::move(done.answer), effects);
    perform(std::move(effects));
  }

  void handle(log_time_found& done) {
    if (!done.found)
      report_damage(done.found.error());
    if (core)
      core->time_found(done.token, std::move(done.found));
  }

  void handle(log_description& found) {
    if (!core)
      return;
    core->log_described(found);
    if (found.token == 0)
      fall_asleep(found);
  }

  void handle(log_retention_found& done) {
    if (!core)
      return;
    partition_effects effects;
    core->retention_found(done.offset, effects);
    perform(std::move(effects));
  }

  void handle(log_trimmed& done) {
    if (replica)
      self->send(replica, replica_request{replica_compact{done.first_index}});
  }

  // -- control -----------------------------------------------------------------------------------

  void handle(partition_tick& due) {
    if (closing || due.schedule != tick_schedule)
      return;
    if (!core) {
      look_at_retention();
      return;
    }
    tick = tick_pace::none;
    partition_effects effects;
    core->tick(services().env->steady_ms(), now_ms(), effects);
    perform(std::move(effects));
    tend_members();
    think_of_sleep();
  }

  void handle(partition_configure& change) {
    config.topic = change.topic;
    if (core)
      core->configure(change.topic);
    if (replica)
      self->send(services().storage_of(config.group),
                 storage_request{storage_configure{config.group, change.topic.segment_bytes,
                                                   change.topic.segment_age.count()}});
    plan_retention();
  }

  void handle(partition_wake&) { wake(); }

  void handle(partition_stop& request) {
    closing = std::move(request);
    // The others need not find out for themselves that the leader is gone.
    handing_over = !closing->remove && membership.leads() && core && replica && !failed &&
                   membership.has_other_voters();
    if (!handing_over) {
      close();
      return;
    }
    self->send(replica, replica_request{replica_hand_over{}});
    self->delayed_send(self, std::chrono::milliseconds(hand_over_ms),
                       partition_control{partition_close{}});
  }

  void handle(partition_close&) { close_after_hand_over(); }

  void close_after_hand_over() {
    if (std::exchange(handing_over, false))
      close();
  }

  void close() {
    elections.close();
    if (core) {
      core->close(closing->remove ? errc::unknown_topic : errc::shutting_down);
      partition_effects effects;
      if (!closing->remove && !failed)
        core->persist_now(effects);
      perform(std::move(effects));
    } else {
      failed = error{closing->remove ? errc::unknown_topic : errc::shutting_down,
                     "the partition is closed"};
      open_failed_core();
    }
    if (replica)
      self->send(replica, replica_request{replica_stop{}});
    else
      finish_closing();
  }

  void finish_closing() {
    if (!closing)
      return;
    if (services().registry)
      services().registry->remove(config.group);
    if (closing->remove)
      self->send(services().storage_of(config.group),
                 storage_request{storage_remove{config.group, closing->done, closing->kind}});
    else
      closing->done({});
    // Whoever still holds the handle gets no answer from here: sinks answer for themselves.
    self->quit();
  }

  // -- effects -----------------------------------------------------------------------------------

  void perform(partition_effects effects) {
    if (!effects.propose.empty())
      self->send(replica, replica_request{replica_propose{term, core->proposal_round(),
                                                          std::move(effects.propose)}});
    for (auto& read : effects.reads)
      self->send(services().reader_of(config.group),
                 reader_request{reader_read{log, read, log_client_actor(self)}});
    for (auto& lookup : effects.times)
      self->send(services().reader_of(config.group),
                 reader_request{reader_find_time{log, lookup, log_client_actor(self)}});
    for (auto& question : effects.describes)
      self->send(services().reader_of(config.group),
                 reader_request{reader_describe{log, question, log_client_actor(self)}});
    if (effects.retention)
      self->send(services().storage_of(config.group),
                 storage_request{
                     storage_retention{config.group, *effects.retention, log_client_actor(self)}});
    if (effects.persist)
      persist(*effects.persist);
    if (effects.read_index)
      self->send(replica, replica_request{replica_read{read_life + *effects.read_index}});
    schedule_tick();
  }

  void persist(const persist_state_request& request) {
    storage_write_state write;
    write.group = config.group;
    write.generation = generation;
    write.trim_before = request.trim_before;
    write.from = log_client_actor(self);
    const auto prefix = storage::group_prefix(config.group);
    constexpr auto family = storage::family::partition_state;
    write.batch.put(family, prefix + std::string(summary_key), encode(request.summary).text());
    for (const auto& [producer, entry] : request.producers) {
      const auto key = prefix + producer_key(producer);
      if (entry)
        write.batch.put(family, key, encode(*entry).text());
      else
        write.batch.remove(family, key);
    }
    storage::put_applied_index(write.batch, config.group, request.summary.applied_index);
    self->send(services().storage_of(config.group), storage_request{std::move(write)});
  }

  void fail(error why) {
    if (failed)
      return;
    services().log->error("partition {} is out of service: {}", to_string(config.group),
                          to_string(why));
    report_damage(why);
    membership.resign();
    // No news comes any more of who leads: whoever is named here tells.
    config.route->leader = membership.another_node();
    elections.close();
    failed = why;
    if (replica)
      self->send(replica, replica_request{replica_fail{why}});
    if (core)
      core->fail(std::move(why));
    else
      open_failed_core();
  }

  partition_actor::pointer self = nullptr;
  partition_config config;
  /// Nothing while asleep or opening.
  std::optional<partition_core> core;
  replica_actor replica;
  std::shared_ptr<storage::log_reader> log;
  /// Of the state in storage.
  std::uint64_t generation = 0;
  std::uint64_t term = 0;
  /// Added to the numbers of rounds when they are asked for, which so are those of this life.
  std::uint64_t read_life = 0;
  bool accepts_writes = true;
  enum class tick_pace : std::uint8_t { none, slow, fast };
  tick_pace tick = tick_pace::none;
  std::uint64_t tick_schedule = 0;
  std::optional<error> failed;
  std::optional<partition_stop> closing;
  /// What is known of it asleep, and while the group is being closed; nothing if it never woke.
  std::optional<partition_rest> rest;
  /// Descriptions that wait for `log_probed`.
  std::vector<describe_item> probing;
  /// Steady time at which somebody last used it; looking at it is no use.
  std::int64_t used_ms = 0;
  std::int64_t idle_for_ms = 0;
  partition_membership membership;
  /// A stop waits for another replica to lead.
  bool handing_over = false;
  /// Questions that came before the group was open.
  std::vector<std::function<void(partition_core&, partition_effects&)>> waiting;
};

/// Questions of clients, each to its function of the core.
struct call_dispatch {
  partition_core& core;
  partition_effects& out;
  std::int64_t steady_ms = 0;

  void operator()(fetch_item& item) const { core.fetch(std::move(item), steady_ms, out); }
  void operator()(cancel_fetch& item) const { core.cancel_fetch(item.sink.get()); }
  void operator()(subscribe_item& item) const { core.subscribe(std::move(item), out); }
  void operator()(cancel_subscription& item) const { core.unsubscribe(item.sink.get()); }
  void operator()(credit_subscription& item) const { core.credited(item.sink.get(), out); }
  void operator()(offset_item& item) const { core.find_offset(std::move(item), out); }
  void operator()(describe_item& item) const { core.describe(std::move(item), out); }
  void operator()(trim_item& item) const { core.trim(std::move(item), out); }
  void operator()(producers_item& item) const { core.list_producers(std::move(item)); }
};

/// Whether a question keeps a partition awake. Monitors describe all partitions again and again.
bool is_use(const partition_call& call) {
  return !std::holds_alternative<describe_item>(call.what) &&
         !std::holds_alternative<producers_item>(call.what) &&
         !std::holds_alternative<cancel_fetch>(call.what) &&
         !std::holds_alternative<cancel_subscription>(call.what);
}

void partition_state::ask(partition_call& call) {
  if (answer_asleep(call))
    return;
  if (is_use(call))
    note_use();
  with_core([what = std::move(call.what), env = services().env](partition_core& opened,
                                                                partition_effects& out) mutable {
    std::visit(call_dispatch{opened, out, env->steady_ms()}, what);
  });
}

partition_actor::behavior_type partition(partition_actor::stateful_pointer<partition_state> self,
                                         partition_config config) {
  self->state.begin(self, std::move(config));
  auto* state = &self->state;
  // A broken invariant takes the partition out of service; it never answers wrongly.
  const auto guarded = [state](auto work) {
    const reply_scope together;
    try {
      work();
    } catch (const std::logic_error& broken) {
      state->fail({errc::internal, broken.what()});
    }
  };
  return {
      [=](produce_message& message) {
        guarded([&] {
          state->note_use();
          state->with_core([state, items = std::move(message.items)](
                               partition_core& core, partition_effects& out) mutable {
            core.produce(std::move(items), state->now_ms(), state->services().env->steady_ms(),
                         out);
          });
        });
      },
      [=](partition_call& call) { guarded([&] { state->ask(call); }); },
      [=](log_answer& answer) {
        guarded([&] { std::visit([state](auto& what) { state->handle(what); }, answer.what); });
      },
      [=](partition_control& control) {
        guarded([&] { std::visit([state](auto& what) { state->handle(what); }, control.what); });
      },
      [=](group_event& event) {
        guarded([&] { std::visit([state](auto& what) { state->handle(what); }, event.what); });
      },
  };
}

} // namespace

const storage_actor& partition_services::storage_of(const group_id& group) const {
  return storage[share_of(group, storage.size())];
}

const reader_actor& partition_services::reader_of(const group_id& group) const {
  return readers[share_of(group, readers.size())];
}

raft::core_options core_options_of(const partition_services& services) {
  raft::core_options options;
  options.self = services.replica;
  options.life = services.env->random();
  options.seed = services.env->random();
  options.election_timeout_ticks = services.election_timeout_ticks;
  options.heartbeat_ticks = services.heartbeat_ticks;
  options.hibernate_after_ticks = 2;
  // The state machine refuses more than its own bound first, with a better answer.
  options.pending_bytes_max = std::size_t{1} << 30;
  return options;
}

partition_actor spawn_partition(caf::actor_system& system, partition_config config) {
  return system.spawn(partition, std::move(config));
}

} // namespace aqueduct::actors
