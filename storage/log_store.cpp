// Opening, appending and syncing. Maintenance, retention and removal are in log_store_upkeep.cpp.
#include "storage/log_store.hpp"

#include "protocol/bytes.hpp"
#include "storage/defects.hpp"
#include "storage/log_meta.hpp"

#include <algorithm>

namespace aqueduct::storage {

namespace {

constexpr std::string_view applied_name = "!applied";

result<void> not_open(const group_id& group) {
  return unexpected(errc::not_found, to_string(group) + " is not open");
}

/// The first part of a batch that changes the log other than by appending.
bool changes_end(const append_batch& batch) {
  return batch.reset || batch.truncate_from;
}

} // namespace

// -- keys of state machines -----------------------------------------------------------------------

std::string group_prefix(const group_id& group) {
  return group_key(group);
}

std::string group_directory(const std::string& data_directory, const group_id& group) {
  return data_directory + "/groups/" + to_string(group);
}

void put_applied_index(write_batch& batch, const group_id& group, std::uint64_t index) {
  std::byte bytes[8];
  store_be(bytes, index);
  batch.put(family::partition_state, group_prefix(group) + std::string(applied_name),
            {reinterpret_cast<const char*>(bytes), sizeof bytes});
}

result<std::uint64_t> read_applied_index(const kv& store, const group_id& group) {
  const auto value =
      store.get(family::partition_state, group_prefix(group) + std::string(applied_name));
  if (!value)
    return value.propagate();
  if (!*value)
    return std::uint64_t{0};
  if ((*value)->size() != 8)
    return unexpected(errc::storage_damaged,
                      "the applied index of " + to_string(group) + " is damaged");
  return load_be<std::uint64_t>(reinterpret_cast<const std::byte*>((*value)->data()));
}

// -- opening --------------------------------------------------------------------------------------

log_store::log_store(disk& disk, kv& store, store_options options)
    : disk_(disk),
      store_(store),
      options_(std::move(options)),
      cache_(std::make_shared<file_cache>(disk, options_.read_files_max, options_.release)) {
  refresh_space();
}

log_store::~log_store() {
  for (auto& [id, group] : groups_)
    if (!group->log->is_poisoned())
      // Nobody is left to tell; what is not synced now is as a crash would leave it.
      (void)group->log->close_file();
}

log_store::open_group* log_store::find(const group_id& group) {
  const auto found = groups_.find(group);
  return found == groups_.end() ? nullptr : found->second.get();
}

const log_store::open_group* log_store::find(const group_id& group) const {
  const auto found = groups_.find(group);
  return found == groups_.end() ? nullptr : found->second.get();
}

bool log_store::is_open(const group_id& group) const {
  return find(group) != nullptr;
}

result<bool> log_store::has_traces(const group_id& group) const {
  if (is_open(group))
    return true;
  const auto directory = disk_.exists(group_directory(options_.directory, group));
  if (!directory || *directory)
    return directory;
  const auto hard = load_hard_state(store_, group);
  if (!hard)
    return hard.propagate();
  if (*hard)
    return true;
  bool is_known = false;
  const auto prefix = group_key(group);
  const auto scanned = store_.scan(family::log_state, prefix, end_of_prefix(prefix),
                                   [&](std::string_view, std::string_view) {
                                     is_known = true;
                                     return false;
                                   });
  return scanned ? result<bool>(is_known) : result<bool>(scanned.propagate());
}

void log_store::configure(const group_id& group, const segment_options& options) {
  if (auto* open = find(group))
    open->log->configure(options);
}

result<opened_group> log_store::open(const group_id& group, const segment_options& options) {
  if (const auto* open = find(group))
    return describe(*open);
  const auto removal = store_.get(family::log_state, removal_key(group));
  if (!removal)
    return removal.propagate();
  if (*removal)
    if (auto removed = finish_removal(std::span(&group, 1)); !removed)
      return removed.propagate();

  auto hard = load_hard_state(store_, group);
  if (!hard)
    return hard.propagate();
  auto log = segment_log::open({disk_, store_, *cache_}, group_directory(options_.directory, group),
                               group, options);
  if (!log)
    return log.propagate();
  const auto term = *hard ? (*hard)->term : 0;
  if ((*log)->last_term() > term)
    return unexpected(errc::storage_damaged,
                      "the log of " + to_string(group) + " has entries of term " +
                          std::to_string((*log)->last_term()) + ", but its hard state is " +
                          (*hard ? "of term " + std::to_string(term) : "missing"));
  if (auto finished = finish_installation(**log, group, term); !finished)
    return finished.propagate();
  auto opened = std::make_unique<open_group>();
  opened->id = group;
  opened->log = std::move(*log);
  opened->hard = *hard;
  opened->used = now_;
  opened->reader =
      std::make_shared<log_reader>(opened->log->publication(), group, cache_, store_,
                                   std::max<std::size_t>(options.index_interval_bytes, 1));
  auto described = describe(*opened);
  if (described)
    groups_.emplace(group, std::move(opened));
  return described;
}

result<opened_group> log_store::describe(const open_group& group) const {
  const auto applied = read_applied_index(store_, group.id);
  if (!applied)
    return applied.propagate();
  const auto in_log = applied_in_log(*group.log, group.id, *applied);
  if (!in_log)
    return in_log.propagate();
  opened_group described;
  described.hard = group.hard;
  described.base = group.log->base();
  described.terms = group.log->terms();
  described.last_index = group.log->last_index();
  described.last_term = group.log->last_term();
  described.memberships = group.log->memberships();
  described.start_offset = group.log->start_offset();
  described.next_offset = group.log->next_offset();
  described.applied_index = *applied;
  described.applied_in_log = *in_log;
  described.reader = group.reader;
  described.recovery = group.log->recovery();
  return described;
}

result<void> log_store::close(const group_id& group) {
  auto* open = find(group);
  if (open == nullptr)
    return {};
  result<void> closed;
  if (!open->log->is_poisoned())
    closed = open->log->close_file();
  forget(group);
  return closed;
}

void log_store::forget(const group_id& group) {
  if (const auto* open = find(group)) {
    totals_.writes += open->log->write_count();
    totals_.syncs += open->log->sync_count();
  }
  groups_.erase(group);
}

// -- appending ------------------------------------------------------------------------------------

result<void> log_store::check_batch(const open_group& group, const append_batch& batch,
                                    const std::optional<hard_state>& hard) const {
  const auto refuse = [&](const std::string& why) {
    return unexpected(errc::invalid_request,
                      "a batch of " + to_string(group.id) + " cannot be written: " + why);
  };
  if (group.log->is_poisoned())
    return unexpected(errc::storage_failed,
                      to_string(group.id) + " is out of service until it is opened again");
  if (batch.hard && hard) {
    if (batch.hard->term < hard->term)
      return refuse("its term " + std::to_string(batch.hard->term) + " is below " +
                    std::to_string(hard->term));
    if (batch.hard->term == hard->term && hard->vote && batch.hard->vote != hard->vote)
      return refuse("it changes the vote of term " + std::to_string(hard->term));
  }
  const auto term = batch.hard ? batch.hard->term : hard ? hard->term : 0;
  const auto highest = std::max(batch.reset ? batch.reset->term : 0,
                                batch.entries.empty() ? 0 : batch.entries.back().term);
  if (highest > term)
    return refuse("it holds entries of term " + std::to_string(highest) +
                  ", but the hard state is of term " + std::to_string(term));
  return {};
}

std::vector<append_outcome> log_store::flush(std::span<const append_batch> batches) {
  std::vector<append_outcome> outcomes(batches.size());
  std::vector<group_work> work;
  std::unordered_map<group_id, std::size_t> work_of;
  for (std::size_t i = 0; i < batches.size(); ++i) {
    outcomes[i].group = batches[i].group;
    outcomes[i].ticket = batches[i].ticket;
    auto* open = find(batches[i].group);
    if (open == nullptr) {
      outcomes[i].status = not_open(batches[i].group);
      continue;
    }
    const auto [at, is_new] = work_of.try_emplace(batches[i].group, work.size());
    if (is_new)
      work.push_back({open, {}});
    work[at->second].batches.push_back(i);
  }

  write_hard_states(work, batches, outcomes);
  for (const auto& each : work)
    write_group(each, batches, outcomes);
  if (options_.flush != flush_mode::commit)
    return outcomes;
  for (const auto& each : work) {
    auto& log = *each.group->log;
    if (log.is_poisoned() || !log.is_dirty())
      continue;
    if (auto synced = log.sync(); !synced)
      for (const auto i : each.batches)
        if (outcomes[i].status)
          outcomes[i].status = synced;
  }
  return outcomes;
}

void log_store::write_hard_states(std::vector<group_work>& work,
                                  std::span<const append_batch> batches,
                                  std::vector<append_outcome>& outcomes) {
  write_batch changes;
  std::vector<std::pair<const group_work*, hard_state>> changed;
  for (auto& each : work) {
    auto hard = each.group->hard;
    result<void> status;
    for (const auto i : each.batches) {
      if (status)
        status = check_batch(*each.group, batches[i], hard);
      outcomes[i].status = status;
      if (status && batches[i].hard)
        hard = batches[i].hard;
    }
    if (hard && hard != each.group->hard) {
      put_hard_state(changes, each.group->id, *hard);
      changed.emplace_back(&each, *hard);
    } else {
      for (const auto i : each.batches)
        outcomes[i].hard_is_durable = outcomes[i].status.has_value();
    }
  }
  if (changed.empty())
    return;
  ++totals_.hard_state_syncs;
  const auto how =
      has_defect(defect::hard_state_not_synced) ? durability::relaxed : durability::synced;
  const auto written = store_.write(changes, how);
  for (const auto& [each, hard] : changed) {
    if (written) {
      each->group->hard = hard;
      for (const auto i : each->batches)
        outcomes[i].hard_is_durable = outcomes[i].status.has_value();
      continue;
    }
    // What the store will say after a restart is not known, so nothing may be promised until then.
    if (written.error().code != errc::storage_full)
      each->group->log->take_out_of_service(written.error());
    for (const auto i : each->batches)
      if (outcomes[i].status)
        outcomes[i].status = written;
  }
}

void log_store::write_group(const group_work& work, std::span<const append_batch> batches,
                            std::vector<append_outcome>& outcomes) {
  auto& group = *work.group;
  auto& log = *group.log;
  group.used = now_;
  result<void> status;
  for (std::size_t at = 0; at < work.batches.size();) {
    // A run of batches that only append becomes one write.
    std::size_t end = at + 1;
    while (end < work.batches.size() && outcomes[work.batches[end]].status &&
           !changes_end(batches[work.batches[end]]))
      ++end;
    const auto first = work.batches[at];
    auto run = std::span(work.batches).subspan(at, end - at);
    if (status && !outcomes[first].status)
      status = outcomes[first].status;
    if (status && batches[first].reset)
      status = log.reset(*batches[first].reset);
    if (status && batches[first].truncate_from)
      status = log.truncate_from(*batches[first].truncate_from);
    if (status && run.size() > 1) {
      status = write_entries(group, run, batches);
      // One of them does not fit the log: the ones before it still do.
      if (!status && !log.is_poisoned() && status.error().code != errc::storage_full) {
        status = {};
        run = run.first(1);
        end = at + 1;
      }
    }
    if (status && run.size() == 1)
      status = write_entries(group, run, batches);
    auto last_index = log.last_index();
    auto last_term = log.last_term();
    for (auto i = run.rbegin(); i != run.rend(); ++i) {
      auto& outcome = outcomes[*i];
      if (outcome.status)
        outcome.status = status;
      outcome.last_index = last_index;
      outcome.last_term = last_term;
      if (status && i + 1 != run.rend()) {
        last_index -= batches[*i].entries.size();
        last_term = log.term_at(last_index).value_or(0);
      }
    }
    at = end;
  }
  if (!status && status.error().code == errc::storage_full) {
    ++totals_.full_refusals;
    free_bytes_ = 0;
  }
}

result<void> log_store::write_entries(open_group& group, std::span<const std::size_t> run,
                                      std::span<const append_batch> batches) {
  std::uint64_t bytes = 0;
  std::size_t count = 0;
  for (const auto i : run)
    for (const auto& entry : batches[i].entries) {
      bytes += entry_header_bytes + entry.body.size();
      ++count;
    }
  if (count == 0)
    return {};
  result<void> written;
  if (run.size() == 1) {
    written = group.log->append(batches[run.front()].entries, now_);
  } else {
    std::vector<log_entry> entries;
    entries.reserve(count);
    for (const auto i : run)
      entries.insert(entries.end(), batches[i].entries.begin(), batches[i].entries.end());
    written = group.log->append(entries, now_);
  }
  if (!written)
    return written;
  totals_.appended_bytes += bytes;
  totals_.appended_entries += count;
  written_since_ += bytes;
  return {};
}

std::vector<append_outcome> log_store::sync_dirty() {
  std::vector<append_outcome> outcomes;
  for (auto& [id, group] : groups_) {
    if (group->log->is_poisoned() || !group->log->is_dirty())
      continue;
    append_outcome outcome;
    outcome.group = id;
    outcome.status = group->log->sync();
    outcome.last_index = group->log->last_index();
    outcome.last_term = group->log->last_term();
    outcomes.push_back(std::move(outcome));
  }
  return outcomes;
}

} // namespace aqueduct::storage
