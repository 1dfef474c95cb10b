// What a store does besides appending: trimming, removing, retention, upkeep.
#include "storage/log_meta.hpp"
#include "storage/log_scan.hpp"
#include "storage/log_store.hpp"

#include <algorithm>

namespace aqueduct::storage {

namespace {

/// Files that one `maintain` closes: each may cost two syncs.
constexpr std::uint32_t maintained_files_max = 32;

/// Values of a tombstone.
constexpr std::string_view deleting = "1";
constexpr std::string_view setting_aside = "2";

/// What the name of a segment that was set aside ends with.
constexpr std::string_view aside_suffix = ".damaged";

/// Names of segments, or of those that were set aside.
result<std::vector<std::string>> names_in(disk& files, const std::string& directory,
                                          bool is_aside) {
  const auto there = files.exists(directory);
  if (!there)
    return there.propagate();
  std::vector<std::string> names;
  if (!*there)
    return names;
  const auto all = files.list(directory);
  if (!all)
    return all.propagate();
  for (const auto& name : *all)
    if (is_aside ? name.ends_with(aside_suffix) : parse_segment_name(name).has_value())
      names.push_back(name);
  return names;
}

} // namespace

// -- trimming and removing ------------------------------------------------------------------------

result<void> log_store::trim_prefix(const group_id& group, log_base base) {
  auto* open = find(group);
  if (open == nullptr)
    return unexpected(errc::not_found, to_string(group) + " is not open");
  const auto applied = read_applied_index(store_, group);
  if (!applied)
    return applied.propagate();
  if (base.index > *applied)
    return unexpected(errc::invalid_request, "cannot trim " + to_string(group) + " up to entry " +
                                                 std::to_string(base.index) +
                                                 ": its state machine has applied " +
                                                 std::to_string(*applied));
  // The entries are the write-ahead log of the state: it has to be durable without them (S9).
  if (base.index > open->log->base().index && base.index > open->durable_state)
    if (auto flushed = store_.flush(); !flushed)
      return flushed;
  return open->log->trim_prefix(std::move(base));
}

void log_store::note_durable_state(const group_id& group, std::uint64_t index) {
  if (auto* open = find(group))
    open->durable_state = std::max(open->durable_state, index);
}

result<bool> log_store::is_being_removed(const group_id& group) const {
  const auto tombstone = store_.get(family::log_state, removal_key(group));
  return tombstone ? result<bool>(tombstone->has_value()) : result<bool>(tombstone.propagate());
}

result<void> log_store::remove(std::span<const group_id> groups, removal_kind kind) {
  if (groups.empty())
    return {};
  write_batch tombstones;
  for (const auto& group : groups) {
    const auto begun = is_being_removed(group);
    if (!begun)
      return begun.propagate();
    if (kind == removal_kind::set_aside) {
      // One that was interrupted has put files there that are to stay.
      if (*begun)
        continue;
      const auto segments = names_in(disk_, group_directory(options_.directory, group), false);
      if (!segments)
        return segments.propagate();
      if (!segments->empty())
        if (auto discarded = discard_set_aside(group); !discarded)
          return discarded;
    }
    tombstones.put(family::log_state, removal_key(group),
                   kind == removal_kind::set_aside ? setting_aside : deleting);
  }
  if (auto written = store_.write(tombstones, durability::synced); !written)
    return written;
  for (const auto& group : groups) {
    if (auto* open = find(group))
      open->log->abandon();
    forget(group);
  }
  return finish_removal(groups);
}

result<void> log_store::finish_removal(std::span<const group_id> groups) {
  for (const auto& group : groups) {
    const auto tombstone = store_.get(family::log_state, removal_key(group));
    if (!tombstone)
      return tombstone.propagate();
    const bool is_kept = *tombstone && **tombstone == setting_aside;
    if (auto removed = is_kept ? set_files_aside(group) : remove_files(group); !removed)
      return removed;
  }
  // The state machine's keys first, durably: a replica that comes back must not find that it has
  // applied what its new log does not hold.
  write_batch state;
  for (const auto& group : groups) {
    const auto prefix = group_prefix(group);
    state.remove_range(family::partition_state, prefix, end_of_prefix(prefix));
  }
  if (auto written = store_.write(state, durability::synced); !written)
    return written;
  write_batch rest;
  for (const auto& group : groups) {
    const auto prefix = group_key(group);
    for (const auto each : {family::log_state, family::offset_index, family::time_index})
      rest.remove_range(each, prefix, end_of_prefix(prefix));
    remove_hard_state(rest, group);
  }
  return store_.write(rest, durability::synced);
}

result<void> log_store::set_files_aside(const group_id& group) {
  const auto directory = group_directory(options_.directory, group);
  const auto segments = names_in(disk_, directory, false);
  if (!segments || segments->empty())
    return segments ? result<void>() : result<void>(segments.propagate());
  for (const auto& name : *segments) {
    const auto path = directory + "/" + name;
    if (auto renamed = disk_.rename(path, path + std::string(aside_suffix)); !renamed)
      return renamed;
  }
  return disk_.sync_directory(directory);
}

result<void> log_store::discard_set_aside(const group_id& group) {
  const auto directory = group_directory(options_.directory, group);
  const auto names = names_in(disk_, directory, true);
  if (!names || names->empty())
    return names ? result<void>() : result<void>(names.propagate());
  for (const auto& name : *names)
    if (auto removed = disk_.remove(directory + "/" + name); !removed)
      return removed;
  return disk_.sync_directory(directory);
}

result<void> log_store::remove_files(const group_id& group) {
  const auto directory = group_directory(options_.directory, group);
  if (auto removed = disk_.remove_tree(directory); !removed)
    return removed;
  const auto above = parent_path(directory);
  const auto there = disk_.exists(above);
  if (!there)
    return there.propagate();
  if (!*there)
    return {};
  if (auto synced = disk_.sync_directory(above); !synced)
    return synced;
  // The topic's folder goes with its last partition.
  if (group == controller_group)
    return {};
  const auto left = disk_.list(above);
  if (!left || !left->empty())
    return left ? result<void>() : result<void>(left.propagate());
  if (auto removed = disk_.remove_tree(above); !removed)
    return removed;
  return disk_.sync_directory(parent_path(above));
}

result<std::size_t> log_store::finish_removals(const std::function<bool(const group_id&)>& owned) {
  std::vector<group_id> groups;
  const auto scanned =
      store_.scan(family::log_state, {}, {}, [&](std::string_view key, std::string_view) {
        if (const auto group = group_of_key(key);
            group && removal_key(*group) == key && owned(*group))
          groups.push_back(*group);
        return true;
      });
  if (!scanned)
    return scanned.propagate();
  if (!groups.empty())
    if (auto removed = finish_removal(groups); !removed)
      return removed.propagate();
  return groups.size();
}

// -- upkeep ---------------------------------------------------------------------------------------

maintenance_report log_store::maintain(timestamp_ms now) {
  now_ = std::max(now_, now);
  maintenance_report report;
  for (auto& [id, group] : groups_) {
    // Appends wait meanwhile. What is left is as good a moment later.
    if (report.rolled + report.closed >= maintained_files_max)
      break;
    auto& log = *group->log;
    if (log.is_poisoned())
      continue;
    const auto age = log.options().segment_age_ms;
    if (const auto since = log.active_since();
        age >= 0 && since && now_.value - since->value >= age)
      report.rolled += log.roll() ? 1 : 0;
    if (log.has_open_file() && now_.value - group->used.value >= options_.idle_close_ms)
      report.closed += log.close_file() ? 1 : 0;
    else if (!log.is_dirty() && log.unmarked_bytes() >= options_.mark_bytes)
      report.marked += log.mark() ? 1 : 0;
  }
  refresh_space();
  report.accepts_writes = accepts_writes();
  return report;
}

void log_store::refresh_space() {
  // Before the directory is there, or when it cannot be asked, writes tell.
  if (const auto space = disk_.space(options_.directory)) {
    free_bytes_ = space->free_bytes;
    written_since_ = 0;
  }
}

bool log_store::accepts_writes() const {
  return free_bytes_ > written_since_ && free_bytes_ - written_since_ > options_.reserve_bytes;
}

std::optional<retention_point> log_store::retention(const group_id& group, timestamp_ms now,
                                                    const retention_limits& limits) {
  auto* open = find(group);
  if (open == nullptr)
    return std::nullopt;
  auto& log = *open->log;
  const auto all = log.segments();
  const auto age = log.options().segment_age_ms;
  std::uint64_t bytes = 0;
  for (const auto& s : all)
    bytes += s.bytes;
  std::size_t gone = 0;
  // Always a prefix: a hole in the middle would not be a log.
  for (; gone < all.size(); ++gone) {
    const auto& s = all[gone];
    const bool is_last = gone + 1 == all.size();
    if (is_last && s.next_offset == s.base_offset)
      break;
    // No record is younger than the segment after its own, nor than the time at which that one
    // would have begun, whatever its producer's clock said.
    auto newest = s.max_timestamp.value < 0 ? s.created : s.max_timestamp;
    if (!is_last)
      newest = std::min(newest, all[gone + 1].created);
    else if (age >= 0)
      newest = std::min(newest, timestamp_ms(s.created.value + age));
    const bool too_old = limits.retention_ms >= 0 && now.value - newest.value > limits.retention_ms;
    const bool too_large = limits.retention_bytes >= 0 &&
                           bytes - s.bytes >= static_cast<std::uint64_t>(limits.retention_bytes);
    if (!too_old && !too_large)
      break;
    bytes -= s.bytes;
  }
  if (gone == 0)
    return std::nullopt;
  if (gone == all.size()) {
    // The order to delete it is not written into what it deletes.
    if (!log.roll())
      return std::nullopt;
    return retention_point{all.back().last_index + 1, all.back().next_offset};
  }
  if (all[gone].first_index <= log.first_index())
    return std::nullopt;
  return retention_point{all[gone].first_index, all[gone].base_offset};
}

std::vector<segment_info> log_store::segments(const group_id& group) const {
  const auto* open = find(group);
  return open == nullptr ? std::vector<segment_info>() : open->log->segments();
}

std::uint64_t log_store::size_bytes(const group_id& group) const {
  const auto* open = find(group);
  return open == nullptr ? 0 : open->log->size_bytes();
}

store_statistics log_store::statistics() const {
  auto all = totals_;
  all.open_groups = groups_.size();
  all.open_read_files = cache_->size();
  all.free_bytes = free_bytes_ > written_since_ ? free_bytes_ - written_since_ : 0;
  for (const auto& [id, group] : groups_) {
    const auto& log = *group->log;
    all.poisoned_groups += log.is_poisoned() ? 1 : 0;
    all.open_write_files += log.has_open_file() ? 1 : 0;
    all.log_bytes += log.size_bytes();
    all.segments += log.segment_count();
    all.writes += log.write_count();
    all.syncs += log.sync_count();
  }
  return all;
}

} // namespace aqueduct::storage
