#include "actors/consumer_group/group_partition.hpp"

#include "actors/consumer_group/consumer_group.hpp"
#include "actors/consumer_group/coordinator_searches.hpp"
#include "actors/defects.hpp"
#include "actors/partition/election_host.hpp"
#include "actors/partition/partition_membership.hpp"
#include "actors/reply_scope.hpp"
#include "protocol/crc32c.hpp"
#include "protocol/invariant.hpp"
#include "storage/kv.hpp"

#include <caf/actor_system.hpp>
#include <caf/send.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <optional>
#include <set>
#include <utility>

namespace aqueduct::actors {

namespace {

constexpr std::int64_t restless_tick_ms = 100;
constexpr std::int64_t quiet_tick_ms = 5000;
/// Between two writes of the state: a partition whose offset is committed again and again is
/// written once for many commits. The log has what is not written.
constexpr std::int64_t save_interval_ms = restless_tick_ms;
/// Rows that wait at most.
constexpr std::size_t unsaved_rows_max = 10'000;
/// How long a stop waits until another replica leads.
constexpr std::int64_t hand_over_ms = 500;
/// A topic that is not known here for so long is gone: what this node knows may be old.
constexpr std::int64_t gone_after_ms = 600'000;

/// Topics that offsets name and the cluster has not.
class gone_topics {
public:
  [[nodiscard]] bool is_gone(const uuid& topic, const topic_directory& directory,
                             std::int64_t steady_ms) {
    if (looked_ms_ != steady_ms) {
      known_.clear();
      for (const auto& each : directory.all())
        known_.insert(each->record.id);
      looked_ms_ = steady_ms;
    }
    if (known_.contains(topic)) {
      missing_.erase(topic);
      return false;
    }
    return steady_ms - missing_.emplace(topic, steady_ms).first->second >= gone_after_ms;
  }

private:
  std::int64_t looked_ms_ = -1;
  std::set<uuid> known_;
  /// Since when.
  std::map<uuid, std::int64_t> missing_;
};

struct group_partition_state : election_host<group_partition_state> {
  group_partition_state() = default;

  using election_host::handle;

  void begin(group_partition_actor::pointer actor, group_partition_config given) {
    self = actor;
    bounds = given.bounds;
    directory = std::move(given.directory);
    entries_kept = given.entries_kept;
    config = std::move(given.partition);
    is_alone = config.members.wanted.size() <= 1;
    membership = {services().replica, std::exchange(config.members, {})};
    if (services().registry)
      services().registry->add(config.group, [] {});
    open();
    schedule_tick();
  }

  [[nodiscard]] const partition_services& services() const { return *config.services; }
  [[nodiscard]] group_time now() const {
    return {services().env->steady_ms(), services().env->now_ms()};
  }

  /// Storage keeps rows of its own next to them.
  [[nodiscard]] std::string row_prefix() const {
    return storage::group_prefix(config.group) + "groups/";
  }

  void open() {
    replica_config group;
    group.group = config.group;
    group.core = core_options_of(services());
    group.storage = services().storage_of(config.group);
    group.reader = services().reader_of(config.group);
    group.state_machine = state_machine_actor(self);
    group.env = services().env;
    group.log = services().raft_log;
    group.state_family = storage::family::partition_state;
    group.state_prefix = row_prefix();
    group.segment_bytes = config.topic.segment_bytes;
    group.segment_age_ms = -1;
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
    group_coordinator::options options;
    options.node = services().node;
    options.bounds = bounds;
    options.board = config.route->board;
    options.is_gone = [this](const uuid& topic) {
      return gone.is_gone(topic, *directory, services().env->steady_ms());
    };
    core.emplace(table, std::move(options));
    // Clients are sent by the route: who comes before the group's log is open finds it loading.
    core->follow(config.route->leader);
  }

  // -- groups ------------------------------------------------------------------------------------

  void handle(group_opening& opening) {
    const auto life = opening.life;
    consumer_group_config made;
    made.opening = std::move(opening);
    made.options.bounds = bounds;
    made.options.topic_size =
        [known = directory](std::string_view name) -> std::optional<std::int32_t> {
      const auto topic = known->find(name);
      return topic ? std::optional(static_cast<std::int32_t>(topic->partitions.size()))
                   : std::nullopt;
    };
    made.options.new_member_id = [env = services().env](std::string_view client) {
      return std::string(client) + "-" + to_string(random_uuid(*env));
    };
    made.coordinator = group_partition_actor(self);
    made.log = services().log;
    groups[life] = spawn_consumer_group(self->system(), std::move(made));
  }

  void handle(group_dispatch& dispatch) {
    const auto to = groups.find(dispatch.life);
    const bool is_last = std::holds_alternative<group_end>(dispatch.order.what);
    self->send(to->second, std::move(dispatch.order));
    if (is_last)
      groups.erase(to);
  }

  /// Last in everything that the actor does, so that no order waits for the next event.
  void direct_groups() {
    if (!core)
      return;
    for (auto& each : core->take_orders())
      std::visit([this](auto& what) { handle(what); }, each);
  }

  void heard(group_report& report) {
    core->heard(std::move(report), now());
    flush();
  }

  // -- the Raft group ----------------------------------------------------------------------------

  [[nodiscard]] bool restore(const std::vector<storage::kv_pair>& rows) {
    table = group_table();
    unsaved.clear();
    saved_index = applied_index;
    for (const auto& [key, value] : rows)
      if (auto restored = table.restore(key, buffer::copy_of(value)); !restored) {
        fail(restored.error());
        return false;
      }
    return true;
  }

  void handle(group_opened& opened) {
    applied_index = opened.applied;
    generation = opened.generation;
    if (!restore(opened.state))
      return;
    is_open = true;
    if (services().registry)
      services().registry->opened(config.group, replica);
    // An answer to a question of an earlier life may still be on its way.
    read_life = services().env->random();
    for (auto& call : std::exchange(waiting, {}))
      ask(call);
  }

  void handle(group_installed& news) {
    applied_index = news.applied;
    generation = news.generation;
    (void)restore(news.state);
  }

  void handle(group_proposed& news) { core->proposed(news.first, news.term, news.count); }

  void handle(group_refused& news) {
    // Of a log that failed this replica hears in a moment.
    const bool is_elsewhere =
        news.why == errc::not_leader || (news.why == errc::storage_failed && !is_alone);
    const auto code = is_elsewhere ? errc::not_coordinator : news.why;
    if (core->refused(news.count, {code, "the group's log does not take it now"}, now()))
      ++proposal_round;
    flush();
  }

  void handle(group_committed& news) {
    if (failed)
      return;
    const auto known = applied_index;
    for (const auto& entry : news.entries) {
      // The state came with it.
      if (entry.index.value <= known)
        continue;
      applied_index = entry.index.value;
      if (entry.kind == raft::entry_kind::command)
        apply(entry);
      core->applied(entry.index.value, entry.term.value, now());
      if (membership.leads() && !core->leads() && entry.term.value == term)
        core->lead(now());
    }
    save_when_due();
    const auto& last = news.entries.back();
    if (news.confirm)
      self->send(replica, replica_request{replica_applied{last.index.value}});
    compact(last.index.value);
    answer_reads();
    if (membership.applied(last.index.value, last.term.value))
      tend_members();
    flush();
  }

  void apply(const raft::entry& entry) {
    const auto command = decode_group_command(buffer(entry.body.data, entry.body.size));
    AQUEDUCT_INVARIANT(command.has_value(), "entry " + std::to_string(entry.index.value));
    if (has_defect(defect::offsets_forgotten_at_failover) && !membership.leads() &&
        std::holds_alternative<commit_offsets_command>(*command))
      return;
    for (auto& change : table.replay(*command))
      unsaved.insert_or_assign(std::move(change.key), std::move(change.value));
  }

  void save_when_due() {
    if (services().env->steady_ms() - saved_ms >= save_interval_ms ||
        unsaved.size() >= unsaved_rows_max)
      save();
  }

  /// Writes what was applied since the last time.
  void save() {
    if (saved_index == applied_index || failed)
      return;
    saved_index = applied_index;
    saved_ms = services().env->steady_ms();
    storage_write_state write;
    write.group = config.group;
    write.generation = generation;
    const auto prefix = row_prefix();
    for (const auto& [key, value] : std::exchange(unsaved, {})) {
      if (value)
        write.batch.put(storage::family::partition_state, prefix + key, value->text());
      else
        write.batch.remove(storage::family::partition_state, prefix + key);
    }
    storage::put_applied_index(write.batch, config.group, applied_index);
    self->send(services().storage_of(config.group), storage_request{std::move(write)});
  }

  /// What the state stands for may go from the log, but for the last entries: a replica that was
  /// away for a moment catches up with them.
  void compact(std::uint64_t seen) {
    if (compacted == 0)
      compacted = seen;
    if (seen - compacted < entries_kept)
      return;
    save();
    self->send(replica, replica_request{replica_compact{compacted + 1}});
    compacted = seen;
  }

  void handle(group_leadership& news) {
    if (failed) {
      // Of its own office it is over; of another replica it is worth knowing.
      if (!news.here && news.leader >= 0)
        name_leader(news.leader, news.term);
      return;
    }
    // Who is alone leads, or is about to: nobody is to look elsewhere.
    const auto leader = is_alone && news.leader < 0 ? services().node : news.leader;
    name_leader(leader, news.term);
    const bool is_another_office = term != news.term || !news.here;
    // Who wins its own election has followed nobody in the same term.
    if (is_another_office || !core->leads())
      core->follow(leader);
    // Only now: while it leads, the coordinator would answer by what may be old.
    if (is_another_office)
      fail_reads();
    term = news.term;
    membership.took_office(news.term, news.here);
    note_leader(news.leader);
    tend_members();
    flush();
    if (!news.here)
      close_after_hand_over();
  }

  void name_leader(std::int32_t leader, std::uint64_t of_term) {
    config.route->leader = leader;
    config.route->leader_epoch = static_cast<std::int32_t>(of_term);
    if (leader >= 0)
      searches.answer(leader);
  }

  void handle(group_failed& news) { fail(std::move(news.why)); }
  void handle(group_space&) {}
  void handle(group_followers&) {}

  void handle(group_read_ready& news) {
    const auto found = reads.find(news.context - read_life);
    if (found == reads.end())
      return;
    if (news.index) {
      found->second.index = *news.index;
      answer_reads();
      return;
    }
    auto call = std::move(found->second.call);
    reads.erase(found);
    actors::refuse(
        call, {errc::coordinator_loading, "the coordinator could not prove that it is one", -1});
  }

  void handle(group_members& news) {
    membership.found(std::move(news.members), news.index);
    tend_members();
  }

  void handle(group_closed& news) {
    replica = nullptr;
    membership.resign();
    is_open = false;
    if (services().registry)
      services().registry->closed(config.group);
    if (!news.status && !failed)
      fail(news.status.error());
    finish_closing();
  }

  // -- members of the Raft group -----------------------------------------------------------------

  /// Begins the next change, and tries again at the next tick if the group refuses it.
  void tend_members() {
    if (!replica)
      return;
    if (const auto change = membership.next_change()) {
      self->send(replica, replica_request{replica_change{*change, [](auto&&) {}}});
      return;
    }
    if (membership.has_moved() && config.moved)
      config.moved(config.group, membership.changes());
    if (const auto to = membership.transfer_due(services().env->steady_ms()))
      self->send(replica, replica_request{replica_transfer{*to, true}});
  }

  void handle(partition_members& change) {
    const bool is_repaired = membership.is_under_repair() && !change.is_under_repair;
    is_alone = change.wanted.size() <= 1 && !change.is_moving;
    membership.want(std::move(change));
    if (is_repaired) {
      services().log->info("partition {}: the damaged replica is repaired",
                           to_string(config.group));
      self->send(services().storage_of(config.group),
                 storage_request{storage_discard{config.group}});
      if (config.repaired)
        config.repaired(config.group);
    }
    tend_members();
  }

  // -- control -----------------------------------------------------------------------------------

  void handle(partition_tick& due) {
    if (closing || due.schedule != tick_schedule)
      return;
    if (core->leads())
      core->tick(now());
    searches.expire(services().env->steady_ms());
    tend_members();
    flush();
    save_when_due();
    schedule_tick();
  }

  [[nodiscard]] bool needs_ticks() const {
    return core->is_restless() || membership.is_restless() || !searches.empty() ||
           (saved_index != applied_index && !failed);
  }

  void schedule_tick() {
    is_restless = needs_ticks();
    self->delayed_send(self,
                       std::chrono::milliseconds(is_restless ? restless_tick_ms : quiet_tick_ms),
                       partition_control{partition_tick{++tick_schedule}});
  }

  void handle(partition_configure& change) { config.topic = change.topic; }
  void handle(partition_wake&) {}

  void handle(partition_stop& request) {
    closing = std::move(request);
    core->close_board();
    // The others need not find out for themselves that the leader is gone.
    handing_over = !closing->remove && membership.leads() && replica && !failed &&
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
    if (is_open)
      save();
    core->follow(-1);
    refuse_all();
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
    self->quit();
  }

  void fail(error why) {
    if (failed)
      return;
    services().log->error("coordinator {} is out of service: {}", to_string(config.group),
                          to_string(why));
    if (why.code == errc::storage_damaged && config.damaged)
      std::exchange(config.damaged, nullptr)(config.group, why);
    if (replica)
      self->send(replica, replica_request{replica_fail{why}});
    failed = std::move(why);
    membership.resign();
    // No news comes any more of who leads: whoever is named here tells.
    config.route->leader = membership.another_node();
    elections.close();
    core->follow(-1);
    refuse_all();
  }

  /// Whoever waits, for it answers nothing any more.
  void refuse_all() {
    fail_reads();
    for (auto& call : std::exchange(waiting, {}))
      refuse(call, out_of_service());
    answer_searches();
  }

  /// Why it answers nothing. Another replica takes over from one that failed, and is to be looked
  /// for, unless there is none.
  [[nodiscard]] error out_of_service() const {
    if (!failed)
      return {errc::shutting_down, "the coordinator is closed"};
    return is_alone ? *failed : error{errc::not_coordinator, failed->message};
  }

  // -- questions ---------------------------------------------------------------------------------

  void ask(group_call& call) {
    if (failed || closing) {
      refuse(call, out_of_service());
    } else if (!is_open) {
      waiting.push_back(std::move(call));
    } else if (auto* fetch = std::get_if<fetch_offsets_call>(&call.what);
               fetch != nullptr && core->leads()) {
      const auto context = ++last_read;
      reads[context] = {std::move(*fetch), std::nullopt};
      self->send(replica, replica_request{replica_read{read_life + context}});
    } else {
      std::visit([this](auto& what) { core->handle(std::move(what), now()); }, call.what);
      flush();
    }
  }

  void ask(find_coordinator_call& search) {
    searches.add(std::move(search));
    if (config.route->leader >= 0 || failed || closing)
      answer_searches();
    else if (!is_restless)
      schedule_tick();
  }

  /// By whom the route names; without one there has to be a reason not to wait.
  void answer_searches() {
    if (const std::int32_t leader = config.route->leader; leader >= 0)
      searches.answer(leader);
    else
      searches.answer(unexpected(errc::coordinator_loading, out_of_service().message));
  }

  static void refuse(group_call& call, const error& why) {
    std::visit([&](auto& what) { actors::refuse(what, {why.code, why.message, -1}); }, call.what);
  }

  /// Those for which what is applied is fresh enough.
  void answer_reads() {
    for (auto at = reads.begin(); at != reads.end();) {
      if (!at->second.index || *at->second.index > applied_index) {
        ++at;
        continue;
      }
      core->handle(std::move(at->second.call), now());
      at = reads.erase(at);
    }
  }

  /// Precondition: the coordinator does not lead, so that it refuses them.
  void fail_reads() {
    for (auto& [context, read] : std::exchange(reads, {}))
      core->handle(std::move(read.call), now());
  }

  /// What was decided goes to the log.
  void flush() {
    auto commands = core->take_proposals();
    if (!commands.empty()) {
      std::vector<proposed_entry> entries;
      for (const auto& command : commands)
        entries.push_back({raft::entry_kind::command, encode(command)});
      self->send(replica,
                 replica_request{replica_propose{term, proposal_round, std::move(entries)}});
    }
    // The first member is there: its session is watched from now on.
    if (!is_restless && needs_ticks() && !closing)
      schedule_tick();
  }

  void refuse_records(produce_message& message) {
    for (auto& item : message.items) {
      produce_outcome outcome;
      outcome.error = errc::invalid_topic;
      outcome.message = no_records;
      item.sink->produced(item.slot, std::move(outcome));
    }
  }

  struct record_refusal {
    group_partition_state& state;

    template <class Outcome>
    [[nodiscard]] Outcome refused() const {
      Outcome outcome;
      outcome.error = errc::invalid_topic;
      outcome.message = no_records;
      return outcome;
    }
    void operator()(fetch_item& item) const {
      item.sink->fetched(item.slot, refused<fetch_outcome>());
    }
    void operator()(subscribe_item& item) const {
      item.sink->subscribed(item.slot, errc::invalid_topic, no_records, -1);
    }
    void operator()(offset_item& item) const {
      item.sink->found_offset(item.slot, refused<offset_outcome>());
    }
    void operator()(trim_item& item) const {
      item.sink->trimmed(item.slot, refused<trim_outcome>());
    }
    void operator()(describe_item& item) const {
      describe_outcome outcome;
      outcome.leader = state.config.route->leader;
      outcome.leader_epoch = state.config.route->leader_epoch;
      if (state.failed) {
        outcome.error = state.failed->code;
        outcome.message = state.failed->message;
      }
      outcome.log_start = outcome.high_watermark = outcome.last_stable = 0;
      item.sink->described(item.slot, std::move(outcome));
    }
    void operator()(producers_item& item) const {
      item.sink->listed(item.slot, refused<producers_outcome>());
    }
    void operator()(cancel_fetch&) const {}
    void operator()(cancel_subscription&) const {}
    void operator()(credit_subscription&) const {}
  };

  static constexpr const char* no_records =
      "the topic is the cluster's own and has no records; groups are looked at with LIST_GROUPS "
      "and DESCRIBE_GROUP";

  struct waiting_read {
    fetch_offsets_call call;
    std::optional<std::uint64_t> index;
  };

  group_partition_actor::pointer self = nullptr;
  partition_config config;
  group_limits bounds;
  std::shared_ptr<const topic_directory> directory;
  gone_topics gone;
  group_table table;
  std::optional<group_coordinator> core;
  /// Those that are active, by life.
  std::map<std::uint64_t, consumer_group_actor> groups;
  replica_actor replica;
  bool is_open = false;
  /// Of the state in storage.
  std::uint64_t generation = 0;
  std::uint64_t applied_index = 0;
  /// Rows that were changed by entries after saved_index, up to applied_index.
  std::map<std::string, std::optional<buffer>> unsaved;
  std::uint64_t saved_index = 0;
  std::int64_t saved_ms = 0;
  std::uint64_t entries_kept = 4096;
  /// Entries up to here are given up next; 0 before the first was seen.
  std::uint64_t compacted = 0;
  std::uint64_t term = 0;
  /// Goes up when proposals of the present office were refused: those that were sent meanwhile
  /// count on them.
  std::uint64_t proposal_round = 1;
  /// Added to the numbers of reads when they are asked for, which so are those of this life.
  std::uint64_t read_life = 0;
  std::uint64_t last_read = 0;
  std::map<std::uint64_t, waiting_read> reads;
  /// Questions that came before the group was open.
  std::vector<group_call> waiting;
  coordinator_searches searches;
  partition_membership membership;
  /// The group has, and is to have, no other replica.
  bool is_alone = false;
  std::uint64_t tick_schedule = 0;
  bool is_restless = false;
  std::optional<error> failed;
  std::optional<partition_stop> closing;
  /// A stop waits for another replica to lead.
  bool handing_over = false;
};

group_partition_actor::behavior_type
group_partition(group_partition_actor::stateful_pointer<group_partition_state> self,
                group_partition_config config) {
  self->state.begin(self, std::move(config));
  auto* state = &self->state;
  // A broken invariant takes the coordinator out of service; it never answers wrongly.
  const auto guarded = [state](auto work) {
    const reply_scope together;
    try {
      work();
    } catch (const std::logic_error& broken) {
      state->fail({errc::internal, broken.what()});
    }
    state->direct_groups();
  };
  return {
      [=](produce_message& message) { guarded([&] { state->refuse_records(message); }); },
      [=](partition_call& call) {
        guarded([&] { std::visit(group_partition_state::record_refusal{*state}, call.what); });
      },
      [=](log_answer&) {},
      [=](partition_control& control) {
        guarded([&] { std::visit([state](auto& what) { state->handle(what); }, control.what); });
      },
      [=](group_event& event) {
        guarded([&] { std::visit([state](auto& what) { state->handle(what); }, event.what); });
      },
      [=](group_call& call) { guarded([&] { state->ask(call); }); },
      [=](find_coordinator_call& search) { guarded([&] { state->ask(search); }); },
      [=](group_report& report) { guarded([&] { state->heard(report); }); },
  };
}

} // namespace

std::size_t group_partition_of(std::string_view group, std::size_t partitions) {
  return protocol::crc32c(std::as_bytes(std::span(group.data(), group.size()))) % partitions;
}

group_partition_actor spawn_group_partition(caf::actor_system& system,
                                            group_partition_config config) {
  return system.spawn(group_partition, std::move(config));
}

} // namespace aqueduct::actors
