#include "actors/storage_pool/storage_worker.hpp"

#include "actors/storage_pool/unwritten_states.hpp"
#include "protocol/record_reader.hpp"

#include <caf/actor_system.hpp>
#include <caf/send.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <deque>
#include <limits>
#include <optional>
#include <unordered_map>

namespace aqueduct::actors {

namespace {

/// A group that ran out of space: its writes wait in order until there is some.
struct stuck_group {
  std::deque<storage_append> waiting;
};

struct group_owner {
  replica_actor replica;
  /// Of the state that is there: writes of an earlier one have no effect.
  std::uint64_t generation = 0;
};

/// The index at which a log begins when what is needed for offsets from `trimmed` on stays; nothing
/// if no file would go. Of files without records the last one stays: it costs nothing, and others
/// may lack its entries.
std::optional<std::uint64_t> first_kept(const std::vector<storage::segment_info>& segments,
                                        std::int64_t trimmed) {
  const auto first = std::ranges::find_if(
      segments, [&](const auto& segment) { return segment.next_offset.value > trimmed; });
  if (first == segments.begin())
    return std::nullopt;
  if (first != segments.end())
    return first->first_index;
  const auto& last = segments.back();
  if (last.next_offset != last.base_offset)
    return last.last_index + 1;
  return segments.size() > 1 ? std::optional(last.first_index) : std::nullopt;
}

struct storage_worker_state {
  storage_worker_state() = default;

  void begin(storage_actor::pointer actor, storage_worker_config given) {
    self = actor;
    config = std::move(given);
    states.emplace(config.states);
    unwritten.emplace(config.unwritten_bytes_max);
    config.store.release = [to = config.upkeep](std::shared_ptr<storage::file> deleted) {
      caf::anon_send(to, upkeep_request{upkeep_release{std::move(deleted)}});
    };
    store = std::make_unique<storage::log_store>(*config.disk, *config.state, config.store);
    finish_removals();
    (void)store->maintain(timestamp_ms(config.env->now_ms()));
    accepts = store->accepts_writes();
    schedule_tick();
    schedule_sync();
  }

  // -- requests ----------------------------------------------------------------------------------

  void handle(storage_open& request) {
    replica_opened opened;
    if (!request.keeps_set_aside)
      (void)store->discard_set_aside(request.group);
    opened.group =
        store->open(request.group, segment_options(request.segment_bytes, request.segment_age_ms));
    if (opened.group) {
      const auto& place = request.state;
      const auto scanned =
          config.state->scan(place.in, place.prefix, storage::end_of_prefix(place.prefix),
                             [&](std::string_view key, std::string_view value) {
                               opened.state.push_back({std::string(key.substr(place.prefix.size())),
                                                       std::string(value)});
                               return true;
                             });
      if (!scanned)
        opened.group = scanned.propagate();
    }
    forget_waiting(request.group);
    opened.generation = ++last_generation;
    owners[request.group] = {request.from, opened.generation};
    self->send(request.from, storage_event{std::move(opened)});
    if (!accepts)
      self->send(request.from, storage_event{group_space{false}});
  }

  void handle(storage_append& request) {
    if (const auto it = stuck.find(request.batch.group); it != stuck.end()) {
      it->second.waiting.push_back(std::move(request));
      return;
    }
    if (queue.empty())
      self->send(self, storage_flush{});
    queue.push_back(std::move(request));
  }

  void handle(storage_write_state& request) {
    const auto owner = owners.find(request.group);
    if (owner == owners.end() || owner->second.generation != request.generation)
      return;
    // What waits goes first. It is tried with each tick, not with each write: a full disk stays
    // full for longer than that.
    if (!unwritten->contains(request.group)) {
      const auto written = write_state(request);
      if (written)
        return;
      note_unwritten(request.group, written.error());
    }
    if (!unwritten->add(request))
      config.log->error("group {}: too much state waits to be written: it stays as it is on the "
                        "disk, and its log is kept, until the group is opened again",
                        to_string(request.group));
  }

  [[nodiscard]] result<void> write_state(const storage_write_state& request) {
    const auto written = config.state->write(request.batch, storage::durability::relaxed);
    if (!written || !request.trim_before)
      return written;
    if (const auto first = first_kept(store->segments(request.group), *request.trim_before))
      flush_state(request, log_trimmed{*first});
    return {};
  }

  /// Of a failure that lasts the first one is told.
  void note_unwritten(const group_id& group, const error& why) {
    if (unwritten->empty())
      config.log->error(
          "group {}: its state cannot be written: {}; this is tried again, and nothing "
          "more is said of such failures until all state is written",
          to_string(group), to_string(why));
  }

  /// Tries once more what was refused of a group. An error: it still is.
  result<void> retry_state(const group_id& group) {
    const auto waiting = unwritten->find(group);
    if (!waiting)
      return {};
    if (auto written = write_state(*waiting); !written)
      return written;
    unwritten->drop(group);
    if (unwritten->empty())
      config.log->info("all state is written again");
    return {};
  }

  /// All groups have one store: where it refuses one, it refuses the others.
  result<void> retry_states() {
    for (const auto& group : unwritten->groups())
      if (auto written = retry_state(group); !written)
        return written;
    return {};
  }

  /// The log goes when the state is durable without it. That takes long, and appends do not wait
  /// for it. If it fails the log stays until the next trim or opening.
  void flush_state(const storage_write_state& request, log_trimmed trimmed) {
    const auto applied = storage::read_applied_index(*config.state, request.group);
    if (!applied)
      return;
    storage_state_flushed news{request.group, request.generation, *applied, trimmed, request.from};
    self->send(config.upkeep,
               upkeep_request{upkeep_flush{
                   [to = storage_actor(self), news = std::move(news)](const result<void>& flushed) {
                     if (flushed)
                       caf::anon_send(to, storage_request{news});
                   }}});
  }

  void handle(storage_state_flushed& news) {
    const auto owner = owners.find(news.group);
    if (owner == owners.end() || owner->second.generation != news.generation)
      return;
    store->note_durable_state(news.group, news.applied_index);
    self->send(news.from, log_answer{news.trimmed});
  }

  void handle(storage_read_state& request) {
    const auto now_ms = config.env->steady_ms();
    states->expire(now_ms);
    if (request.snapshot != 0) {
      request.done(states->next(request.snapshot, request.position, now_ms));
      return;
    }
    // What the replica has given up by now is given up on the disk too. Its state is one of one
    // moment, even if a later one cannot be written.
    flush();
    (void)retry_state(request.group);
    auto state = store->read_state(request.group, request.place);
    if (state)
      request.done(states->begin(config.env->random() | 1, *std::move(state), now_ms));
    else
      request.done(state.propagate());
  }

  void handle(storage_install_state& request) {
    flush();
    (void)retry_state(request.group);
    replica_state_installed done;
    if (const auto waits = stuck.find(request.group); waits != stuck.end())
      done.status = unexpected(errc::storage_full, "the disk is full");
    else
      done.status = store->install_state(request.group, request.place, request.state);
    // After a failure either of the two may be there: what the old one wrote fits only itself.
    if (done.status || done.status.error().code == errc::storage_failed) {
      unwritten->drop(request.group);
      done.generation = owners[request.group].generation = ++last_generation;
    }
    done.state = std::move(request.state);
    self->send(request.from, storage_event{std::move(done)});
  }

  void handle(storage_retention& request) {
    storage::retention_limits limits;
    limits.retention_ms = request.request.retention_ms.value_or(-1);
    limits.retention_bytes =
        request.request.retention_bytes
            ? static_cast<std::int64_t>(std::min<std::uint64_t>(
                  *request.request.retention_bytes, std::numeric_limits<std::int64_t>::max()))
            : -1;
    const auto point =
        store->retention(request.group, timestamp_ms(request.request.now_ms), limits);
    if (point)
      self->send(request.from, log_answer{log_retention_found{point->first_offset.value}});
  }

  void handle(storage_probe& request) {
    const auto left = store->has_traces(request.group);
    // Who cannot be sure opens the group and sees.
    self->send(request.from, log_answer{log_probed{left && !*left}});
  }

  void handle(storage_configure& request) {
    store->configure(request.group, segment_options(request.segment_bytes, request.segment_age_ms));
  }

  void handle(storage_close& request) {
    flush();
    fail_stuck(request.group, {errc::shutting_down, "the group was closed"});
    // What still cannot be written is in the log, which is kept from the applied index on.
    (void)retry_state(request.group);
    forget_waiting(request.group);
    auto closed = store->close(request.group);
    owners.erase(request.group);
    self->send(request.from, storage_event{replica_closed{std::move(closed)}});
  }

  void handle(storage_discard& request) {
    // What is left goes when the group is opened next.
    (void)store->discard_set_aside(request.group);
  }

  void handle(storage_remove& request) {
    flush();
    fail_stuck(request.group, {errc::unknown_partition, "the group was removed"});
    forget_waiting(request.group);
    owners.erase(request.group);
    removals.push_back(std::move(request));
    if (removals.size() == 1)
      self->send(self, storage_flush{});
  }

  void handle(storage_keep_state& request) {
    (void)retry_state(request.group);
    const auto applied = storage::read_applied_index(*config.state, request.group);
    if (!applied)
      request.done(applied.propagate());
    else if (*applied < request.index)
      request.done(unexpected(errc::storage_failed, "the state of " + to_string(request.group) +
                                                        " could not be written"));
    else
      self->send(config.upkeep, upkeep_request{upkeep_flush{std::move(request.done)}});
  }

  void handle(storage_sync& request) {
    flush();
    result<void> outcome;
    for (const auto& synced : store->sync_dirty())
      if (!synced.status)
        outcome = synced.status;
    if (auto written = retry_states(); !written)
      outcome = written;
    if (auto flushed = config.state->flush(); !flushed)
      outcome = flushed;
    request.done(outcome);
  }

  void handle(storage_list& request) { request.done(list_groups()); }

  [[nodiscard]] result<std::vector<group_id>> list_groups() {
    std::vector<group_id> groups;
    const auto root = config.store.directory + "/groups";
    const auto present = config.disk->exists(root);
    if (!present)
      return present.propagate();
    if (!*present)
      return groups;
    const auto topics = config.disk->list(root);
    if (!topics)
      return topics.propagate();
    for (const auto& name : *topics) {
      uuid topic;
      if (!parse_uuid(name, topic))
        continue;
      const auto partitions = config.disk->list(root + "/" + name);
      if (!partitions)
        return partitions.propagate();
      for (const auto& number : *partitions) {
        std::int32_t partition = 0;
        const auto end = number.data() + number.size();
        if (std::from_chars(number.data(), end, partition).ptr == end)
          groups.push_back({topic, partition});
      }
    }
    return groups;
  }

  // -- writing -----------------------------------------------------------------------------------

  void flush() {
    if (!queue.empty())
      write(std::exchange(queue, {}));
    if (removals.empty())
      return;
    const auto due = std::exchange(removals, {});
    for (const auto kind : {storage::removal_kind::set_aside, storage::removal_kind::delete_files})
      remove(due, kind);
  }

  /// Many removals at once cost little more than one.
  void remove(const std::vector<storage_remove>& due, storage::removal_kind kind) {
    std::vector<group_id> groups;
    for (const auto& removal : due)
      if (removal.kind == kind)
        groups.push_back(removal.group);
    const auto removed = store->remove(groups, kind);
    for (const auto& removal : due)
      if (removal.kind == kind)
        removal.done(removed);
  }

  void write(std::vector<storage_append> requests) {
    std::vector<storage::append_batch> batches;
    batches.reserve(requests.size());
    for (auto& request : requests)
      batches.push_back(std::move(request.batch));
    const auto outcomes = store->flush(batches);
    for (std::size_t i = 0; i < requests.size(); ++i) {
      requests[i].batch = std::move(batches[i]);
      // What is durable is not written again: a later one may be by then.
      if (outcomes[i].hard_is_durable)
        requests[i].batch.hard.reset();
      answer(requests[i], outcomes[i].status);
    }
    note_space();
  }

  void answer(storage_append& request, result<void> status) {
    if (!status && status.error().code == errc::storage_full) {
      // Nothing was written and nothing was promised: it waits, and all that follows it.
      stuck[request.batch.group].waiting.push_back(std::move(request));
      return;
    }
    if (status && request.compact)
      status = trim(request.batch.group, std::move(*request.compact));
    self->send(request.from, storage_event{replica_appended{request.ticket, std::move(status)}});
  }

  /// Gives up the beginning of a log. That it fails says nothing of what was written, and a log
  /// that is longer than it need be harms nobody: it is tried again. An error: the log is damaged.
  result<void> trim(const group_id& group, storage::log_base base) {
    (void)retry_state(group);
    const auto trimmed = store->trim_prefix(group, base);
    if (trimmed) {
      untrimmed.erase(group);
      return {};
    }
    if (trimmed.error().code == errc::storage_damaged)
      return trimmed;
    const auto [waiting, is_news] = untrimmed.insert_or_assign(group, std::move(base));
    if (is_news)
      config.log->warn("group {}: its log cannot be trimmed now: {}; this is tried again",
                       to_string(group), to_string(trimmed.error()));
    return {};
  }

  void retry_trims() {
    for (auto it = untrimmed.begin(); it != untrimmed.end();) {
      const auto trimmed = store->trim_prefix(it->first, it->second);
      // All groups have one disk: where there is no room for one, there is none for others.
      if (!trimmed && trimmed.error().code == errc::storage_full)
        return;
      // Damage is told to the replica by the next compaction.
      if (trimmed || trimmed.error().code == errc::storage_damaged)
        it = untrimmed.erase(it);
      else
        ++it;
    }
  }

  /// The group is no longer what it was.
  void forget_waiting(const group_id& group) {
    unwritten->drop(group);
    untrimmed.erase(group);
  }

  void retry_stuck() {
    if (stuck.empty())
      return;
    for (auto& [group, waiting] : std::exchange(stuck, {})) {
      std::vector<storage_append> again(std::make_move_iterator(waiting.waiting.begin()),
                                        std::make_move_iterator(waiting.waiting.end()));
      write(std::move(again));
    }
  }

  void fail_stuck(const group_id& group, const error& why) {
    const auto it = stuck.find(group);
    if (it == stuck.end())
      return;
    for (auto& request : it->second.waiting)
      self->send(request.from, storage_event{replica_appended{request.ticket, unexpected(why)}});
    stuck.erase(it);
  }

  void note_space() {
    const bool now_accepts = store->accepts_writes() && stuck.empty();
    if (now_accepts == accepts)
      return;
    accepts = now_accepts;
    for (const auto& [group, owner] : owners)
      self->send(owner.replica, storage_event{group_space{accepts}});
  }

  /// Those of others may be opened again by now.
  void finish_removals() {
    (void)store->finish_removals([this](const group_id& group) {
      return share_of(group, config.pool_size) == config.number;
    });
  }

  void tick() {
    finish_removals();
    (void)store->maintain(timestamp_ms(config.env->now_ms()));
    retry_stuck();
    (void)retry_states();
    retry_trims();
    note_space();
    states->expire(config.env->steady_ms());
    schedule_tick();
  }

  /// A timer of its own: the interval may be far shorter, or longer, than a tick.
  void sync_tick() {
    (void)store->sync_dirty();
    schedule_sync();
  }

  void schedule_sync() {
    if (config.store.flush == storage::flush_mode::interval)
      self->delayed_send(self, std::chrono::milliseconds(config.sync_interval_ms),
                         storage_sync_tick{});
  }

  void schedule_tick() {
    self->delayed_send(self, std::chrono::milliseconds(config.tick_ms), storage_tick{});
  }

  [[nodiscard]] storage::segment_options segment_options(std::uint64_t bytes,
                                                         std::int64_t age_ms) const {
    storage::segment_options options;
    options.segment_bytes = bytes;
    options.segment_age_ms = age_ms;
    options.preallocate_bytes = config.preallocate_bytes;
    options.index_interval_bytes = config.index_interval_bytes;
    return options;
  }

  storage_actor::pointer self = nullptr;
  storage_worker_config config;
  std::unique_ptr<storage::log_store> store;
  std::vector<storage_append> queue;
  std::vector<storage_remove> removals;
  /// Invariant: each has at least one waiting write.
  std::unordered_map<group_id, stuck_group> stuck;
  std::unordered_map<group_id, group_owner> owners;
  /// Of any group's state. Rises with each opening and installation.
  std::uint64_t last_generation = 0;
  std::optional<kept_states> states;
  std::optional<unwritten_states> unwritten;
  /// Where logs are to begin that could not be trimmed.
  std::unordered_map<group_id, storage::log_base> untrimmed;
  bool accepts = true;
};

storage_actor::behavior_type
storage_worker(storage_actor::stateful_pointer<storage_worker_state> self,
               storage_worker_config config) {
  self->state.begin(self, std::move(config));
  auto* state = &self->state;
  return {
      [state](storage_request& request) {
        std::visit([state](auto& what) { state->handle(what); }, request.what);
      },
      [state](storage_flush) { state->flush(); },
      [state](storage_tick) { state->tick(); },
      [state](storage_sync_tick) { state->sync_tick(); },
  };
}

/// The time of the record at the log start; -1 if it cannot be read.
std::int64_t time_of_first(const storage::log_reader& log, const describe_request& request) {
  storage::records_request wanted;
  wanted.from = offset_t(request.log_start);
  wanted.end_index = request.commit_index + 1;
  wanted.bytes_max = 1;
  const auto read = log.read_records(wanted);
  if (!read || read->batches.empty())
    return -1;
  const auto whole = read->batches.flatten();
  protocol::record_reader records;
  records.open(protocol::batch_view(whole.bytes()));
  for (protocol::record_view record; records.next(record);)
    if (record.offset >= wanted.from)
      return record.timestamp.value;
  return -1;
}

reader_actor::behavior_type reader(reader_actor::pointer self, int) {
  struct answering {
    reader_actor::pointer self;

    void operator()(reader_read& what) const {
      storage::records_request request;
      request.from = offset_t(what.request.offset);
      request.end_index = what.request.commit_index + 1;
      request.bytes_max = what.request.bytes_max;
      auto read = what.log->read_records(request);
      log_read_done done;
      done.token = what.request.token;
      if (read)
        done.answer = read_answer{std::move(read->batches), read->next_offset.value};
      else
        done.answer = read.propagate();
      self->send(what.from, log_answer{std::move(done)});
    }

    static log_time_found end_of_term(const storage::log_reader& log, const time_request& asked) {
      const auto found = log.find_term_end(*asked.term_end_of, asked.commit_index + 1);
      log_time_found done;
      done.token = asked.token;
      if (found)
        done.found =
            std::optional(std::pair(found->offset.value, static_cast<std::int64_t>(found->term)));
      else
        done.found = found.propagate();
      return done;
    }

    void operator()(reader_find_time& what) const {
      const auto& asked = what.request;
      const auto end = asked.commit_index + 1;
      const offset_t start(asked.log_start);
      if (asked.term_end_of) {
        self->send(what.from, log_answer{end_of_term(*what.log, asked)});
        return;
      }
      auto found = asked.timestamp_ms == protocol::newest_timestamp
                       ? what.log->find_newest(end, start)
                       : what.log->find_time(timestamp_ms(asked.timestamp_ms), end, start);
      log_time_found done;
      done.token = what.request.token;
      using place = std::optional<std::pair<std::int64_t, std::int64_t>>;
      if (!found)
        done.found = found.propagate();
      else if (*found)
        done.found = place(std::pair((*found)->offset.value, (*found)->timestamp.value));
      else
        done.found = place();
      self->send(what.from, log_answer{std::move(done)});
    }

    void operator()(reader_describe& what) const {
      log_description done;
      done.token = what.request.token;
      done.log_start = what.request.log_start;
      done.log = what.log->outline();
      done.oldest_ms =
          what.request.oldest_ms ? *what.request.oldest_ms : time_of_first(*what.log, what.request);
      self->send(what.from, log_answer{done});
    }

    void operator()(reader_load& what) const {
      replica_loaded loaded;
      loaded.id = what.request.id;
      loaded.entries = what.log->read_entries(what.request.begin.value, what.request.end.value,
                                              what.request.bytes_max);
      self->send(what.from, storage_event{std::move(loaded)});
    }
  };
  return {[self](reader_request& request) { std::visit(answering{self}, request.what); }};
}

} // namespace

std::size_t share_of(const group_id& group, std::size_t count) {
  return (std::hash<uuid>{}(group.topic) + static_cast<std::size_t>(group.partition)) % count;
}

storage_actor spawn_storage_worker(caf::actor_system& system, storage_worker_config config) {
  if (config.detached)
    return system.spawn<caf::detached>(storage_worker, std::move(config));
  return system.spawn(storage_worker, std::move(config));
}

reader_actor spawn_reader(caf::actor_system& system, bool detached) {
  if (detached)
    return system.spawn<caf::detached>(reader, 0);
  return system.spawn(reader, 0);
}

} // namespace aqueduct::actors
