// Writing: appending, syncing, rolling, marks. Recovery is in log_recovery.cpp, removing entries in
// log_truncation.cpp, the check of a whole log in log_verify.cpp.
#include "storage/segment_log.hpp"

#include "protocol/invariant.hpp"
#include "storage/defects.hpp"
#include "storage/log_recovery.hpp"
#include "storage/log_scan.hpp"
#include "storage/log_staging.hpp"

#include <algorithm>

namespace aqueduct::storage {

namespace {

/// Space is reserved in steps of at least this.
constexpr std::uint64_t reserve_bytes_min = 64 << 10;
/// Changes of the index that are kept until they are written together: three for each entry of the
/// index, so about 1 MiB of log that a reader may have to walk through.
constexpr std::size_t kept_changes_max = 48;

} // namespace

segment_log::segment_log(const log_environment& environment, std::string directory,
                         const group_id& group, const segment_options& options)
    : files_(environment.files),
      store_(environment.store),
      cache_(environment.cache),
      directory_(std::move(directory)),
      group_(group),
      seed_(entry_seed(group)),
      options_(options),
      index_(environment.store, group),
      publication_(std::make_shared<log_publication>()),
      staging_(std::make_unique<staging>()) {}

segment_log::~segment_log() = default;

result<std::unique_ptr<segment_log>> segment_log::open(const log_environment& environment,
                                                       std::string directory, const group_id& group,
                                                       const segment_options& options) {
  std::unique_ptr<segment_log> log(
      new segment_log(environment, std::move(directory), group, options));
  if (auto recovered = log_recovery(*log).run(); !recovered)
    return recovered.propagate();
  return log;
}

// -- checks ---------------------------------------------------------------------------------------

result<void> segment_log::check_usable() const {
  if (poison_)
    return unexpected(errc::storage_failed, "the log of " + to_string(group_) +
                                                " is out of service since: " + poison_->message);
  return {};
}

unexpected segment_log::poison(const error& cause) {
  if (!poison_)
    poison_ = cause;
  return unexpected(cause);
}

result<void> segment_log::check_entries(std::span<const log_entry> entries) const {
  log_end at = end_;
  const auto refuse = [&](errc code, const log_entry& entry, const std::string& why) {
    return unexpected(code, "entry " + std::to_string(entry.index) + " of " + to_string(group_) +
                                " cannot be appended: " + why);
  };
  for (const auto& entry : entries) {
    if (entry.index != at.index + 1)
      return refuse(errc::invalid_request, entry,
                    "the log ends with index " + std::to_string(at.index));
    if (entry.term == 0 || entry.term < at.term)
      return refuse(errc::invalid_request, entry,
                    "term " + std::to_string(entry.term) + " follows " + std::to_string(at.term));
    if (entry.kind > entry_kind::membership)
      return refuse(errc::invalid_request, entry, "its kind is unknown");
    if (entry.body.size() > entry_body_bytes_max)
      return refuse(errc::invalid_request, entry,
                    "its body has " + std::to_string(entry.body.size()) + " bytes");
    at.index = entry.index;
    at.term = entry.term;
    if (entry.kind != entry_kind::records)
      continue;
    const auto records = records_of(entry.body.bytes());
    if (!records)
      return refuse(errc::invalid_request, entry, "its body is not one record batch");
    if (records->base_offset < at.next_offset)
      return refuse(errc::offset_conflict, entry,
                    "it begins with offset " + std::to_string(records->base_offset.value) +
                        ", the next is " + std::to_string(at.next_offset.value));
    at.next_offset = records->next_offset;
  }
  return {};
}

// -- appending ------------------------------------------------------------------------------------

result<void> segment_log::append(std::span<const log_entry> entries, timestamp_ms now) {
  if (auto usable = check_usable(); !usable)
    return usable;
  if (auto fits = check_entries(entries); !fits)
    return fits;
  const auto before = end_.index;
  while (!entries.empty()) {
    auto ready = ensure_active(entries.front(), now);
    if (ready) {
      const auto count = fitting(entries);
      ready = append_run(entries.first(count));
      entries = entries.subspan(count);
    }
    if (ready)
      continue;
    if (ready.error().code != errc::storage_full)
      return poison(ready.error());
    // What went to earlier segments goes too: the caller is told that nothing was appended.
    if (end_.index > before)
      if (auto undone = truncate_from(before + 1); !undone)
        return poison(undone.error());
    return ready;
  }
  return {};
}

std::size_t segment_log::fitting(std::span<const log_entry> entries) const {
  const auto& active = segments_.back();
  std::uint64_t end = active.shared->end;
  std::size_t count = 0;
  for (const auto& entry : entries) {
    end += entry_header_bytes + entry.body.size();
    const bool is_first = count == 0 && active.is_empty();
    if (end > options_.segment_bytes && !is_first)
      break;
    ++count;
  }
  return count;
}

result<void> segment_log::ensure_active(const log_entry& next, timestamp_ms now) {
  if (segments_.empty())
    return begin_segment(now);
  const auto& active = segments_.back();
  const auto size = active.shared->end + entry_header_bytes + next.body.size();
  // A log that was closed for long did not get older with `roll`.
  const bool is_old = options_.segment_age_ms >= 0 &&
                      now.value - active.header.created.value >= options_.segment_age_ms;
  if (!active.is_empty() && (roll_pending_ || is_old || size > options_.segment_bytes)) {
    if (auto closed = close_file(); !closed)
      return closed;
    return begin_segment(now);
  }
  return active_file_ ? result<void>() : open_active();
}

result<void> segment_log::begin_segment(timestamp_ms now) {
  segment_header header;
  header.first_index = end_.index + 1;
  header.prev_term = end_.term;
  header.prev_crc = end_.crc;
  header.base_offset = end_.next_offset;
  header.created = now;
  if (segments_.empty())
    if (auto made = files_.make_directories(directory_); !made)
      return made;
  const auto path = directory_ + "/" + segment_name(header.first_index);
  auto opened = files_.open(path, open_mode::create);
  if (!opened)
    return opened.propagate();
  // An attempt that found the disk full may have left a file.
  if (auto emptied = (*opened)->truncate(0); !emptied)
    return emptied;
  segments_.push_back(segment::make(cache_.new_id(), path, header));
  active_file_ = std::move(*opened);
  reserved_ = 0;
  name_synced_ = false;
  roll_pending_ = false;
  publication_->publish_file(segments_.back().shared->id, active_file_);
  publish_view();
  return {};
}

result<void> segment_log::open_active() {
  const auto& shared = *segments_.back().shared;
  auto opened = files_.open(shared.path, open_mode::write);
  if (!opened)
    return opened.propagate();
  active_file_ = std::move(*opened);
  reserved_ = shared.end;
  publication_->publish_file(shared.id, active_file_);
  return {};
}

void segment_log::reserve(std::uint64_t end) {
  if (options_.preallocate_bytes == 0 || end <= reserved_)
    return;
  const auto step = std::max(reserve_bytes_min, std::min(end, options_.preallocate_bytes));
  const auto target = std::max(end, std::min(end + step, options_.segment_bytes));
  // Without the reservation the write makes the file longer itself; if that fails it says why.
  if (active_file_->allocate(reserved_, target - reserved_))
    reserved_ = target;
}

result<void> segment_log::append_run(std::span<const log_entry> entries) {
  auto& active = segments_.back();
  const bool with_header = active.is_empty();
  const std::uint64_t from = with_header ? 0 : active.shared->end.load();
  auto& stage = *staging_;
  stage.begin(entries, with_header);
  if (with_header)
    encode_segment_header(stage.add_scratch(segment_header_bytes), group_, active.header);
  entry_context context{seed_, end_.crc, durable_index_};
  for (const auto& entry : entries)
    context.prev_crc = stage.add(entry, context);

  reserve(from + stage.size());
  ++write_count_;
  if (auto written = active_file_->write_at(from, stage.parts()); !written) {
    if (written.error().code != errc::storage_full)
      return written;
    // Nothing of it may stay: a later, shorter write would leave its end behind it.
    reserved_ = from;
    if (auto cut = active_file_->truncate(from); !cut)
      return unexpected(errc::storage_failed, cut.error().message);
    return written;
  }
  reserved_ = std::max(reserved_, from + stage.size());
  note_appended(entries, stage.crcs());
  return {};
}

void segment_log::note_appended(std::span<const log_entry> entries,
                                std::span<const std::uint32_t> crcs) {
  auto& active = segments_.back();
  const auto memberships_before = memberships_.size();
  std::uint64_t position = active.shared->end;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const auto& entry = entries[i];
    entry_note note;
    note.index = entry.index;
    note.term = entry.term;
    note.crc = crcs[i];
    note.position = position;
    note.size_bytes = entry_header_bytes + entry.body.size();
    if (entry.kind == entry_kind::records)
      note.records = records_of(entry.body.bytes());
    else if (entry.kind == entry_kind::membership)
      note_membership(derived_, entry);
    note_entry(derived_, active, note);
    position += note.size_bytes;
  }
  active.publish_end(position, end_.index, end_.next_offset);
  if (derived_.operations().size() >= kept_changes_max || memberships_.size() > memberships_before)
    write_derived();
}

void segment_log::write_derived() {
  // Shortcuts only, but for a mark they must be in the store before it; it keeps the order.
  if (!derived_.empty())
    if (auto written = store_.write(derived_, durability::relaxed); !written)
      marks_valid_ = false;
  derived_.clear();
}

void segment_log::note_membership(write_batch& derived, const log_entry& entry) {
  // A copy, so that a small entry does not keep the large buffer alive that it arrived in.
  auto kept = entry;
  kept.body = buffer::copy_of(entry.body.bytes());
  derived.put(family::log_state, membership_key(group_, entry.index), encode_membership(kept));
  memberships_.push_back(std::move(kept));
}

void segment_log::note_entry(write_batch& derived, segment& s, const entry_note& note) {
  if (note.position >= s.indexed_position + options_.index_interval_bytes) {
    index_.add(derived, s.header.first_index, {note.index, note.position, end_.next_offset},
               timestamp_ms(s.shared->max_timestamp));
    s.indexed_position = note.position;
  }
  if (s.terms.empty() || s.terms.back().term != note.term)
    s.terms.push_back({note.index, note.term});
  s.last_position = note.position;
  s.last_crc = note.crc;
  end_.index = note.index;
  end_.term = note.term;
  end_.crc = note.crc;
  if (note.records) {
    end_.next_offset = note.records->next_offset;
    if (note.records->max_timestamp.value > s.shared->max_timestamp)
      s.shared->max_timestamp = note.records->max_timestamp.value;
  }
}

// -- making durable -------------------------------------------------------------------------------

result<void> segment_log::sync() {
  if (auto usable = check_usable(); !usable)
    return usable;
  if (!is_dirty())
    return {};
  if (auto synced = sync_active(); !synced)
    return synced;
  durable_index_ = end_.index;
  return {};
}

result<void> segment_log::sync_active() {
  AQUEDUCT_INVARIANT(active_file_ != nullptr, to_string(group_));
  ++sync_count_;
  auto synced = active_file_->sync();
  if (!synced && has_defect(defect::failed_sync_retried))
    synced = active_file_->sync();
  if (!synced)
    return poison(synced.error());
  if (!name_synced_ && !has_defect(defect::directory_not_synced)) {
    if (auto named = files_.sync_directory(directory_); !named)
      return poison(named.error());
    name_synced_ = true;
  }
  return {};
}

result<void> segment_log::roll() {
  if (auto usable = check_usable(); !usable)
    return usable;
  if (segments_.empty() || segments_.back().is_empty())
    return {};
  if (auto closed = close_file(); !closed)
    return closed;
  roll_pending_ = true;
  return {};
}

result<void> segment_log::close_file() {
  if (auto usable = check_usable(); !usable)
    return usable;
  if (!active_file_)
    return {};
  if (has_defect(defect::closed_without_sync))
    durable_index_ = end_.index;
  else if (auto synced = sync(); !synced)
    return synced;
  auto& active = segments_.back();
  const std::uint64_t end = active.is_empty() ? 0 : active.shared->end.load();
  if (reserved_ > end && !has_defect(defect::closed_without_sync)) {
    // A closed file ends with its last entry, so that an opening has nothing to look for.
    if (auto cut = active_file_->truncate(end); !cut)
      return poison(cut.error());
    ++sync_count_;
    if (auto synced = active_file_->sync(); !synced)
      return poison(synced.error());
    reserved_ = end;
  }
  if (auto marked = mark(); !marked)
    return marked;
  publication_->publish_file(0, nullptr);
  active_file_ = nullptr;
  return {};
}

result<void> segment_log::mark() {
  write_derived();
  if (segments_.empty() || is_dirty() || !marks_valid_ || poison_)
    return {};
  const auto& active = segments_.back();
  if (active.is_empty() || unmarked_bytes() == 0)
    return {};
  write_batch batch;
  add_mark(batch, active);
  if (auto written = store_.write(batch, durability::relaxed); !written)
    return written;
  marked_segment_ = active.shared->id;
  marked_end_ = active.shared->end;
  return {};
}

void segment_log::add_mark(write_batch& batch, const segment& s) const {
  segment_mark mark;
  mark.header = s.header;
  mark.end = s.shared->end;
  mark.last_index = s.shared->last_index;
  mark.last_position = s.last_position;
  mark.last_crc = s.last_crc;
  mark.next_offset = offset_t(s.shared->next_offset);
  mark.max_timestamp = timestamp_ms(s.shared->max_timestamp);
  mark.terms = s.terms;
  batch.put(family::log_state, mark_key(group_, s.header.first_index), encode_mark(mark));
}

void segment_log::abandon() {
  segments_.clear();
  derived_.clear();
  active_file_ = nullptr;
  publication_->publish_file(0, nullptr);
  auto view = std::make_shared<log_view>();
  view->is_removed = true;
  publication_->publish(std::move(view));
  if (!poison_)
    poison_ = error{errc::unknown_partition, "it is being removed"};
}

// -- state ----------------------------------------------------------------------------------------

segment_log::segment segment_log::segment::make(std::uint64_t id, const std::string& path,
                                                const segment_header& header) {
  segment s;
  s.shared = std::make_shared<log_segment>();
  s.shared->id = id;
  s.shared->path = path;
  s.shared->first_index = header.first_index;
  s.shared->base_offset = header.base_offset;
  s.shared->created = header.created;
  s.shared->last_index = header.first_index - 1;
  s.shared->next_offset = header.base_offset.value;
  s.header = header;
  s.last_crc = header.prev_crc;
  return s;
}

void segment_log::segment::publish_end(std::uint64_t end, std::uint64_t last_index,
                                       offset_t next_offset) {
  shared->last_index.store(last_index, std::memory_order_relaxed);
  shared->next_offset.store(next_offset.value, std::memory_order_relaxed);
  shared->end.store(end, std::memory_order_release);
}

void segment_log::publish_view() {
  auto view = std::make_shared<log_view>();
  view->segments.reserve(segments_.size());
  for (const auto& s : segments_)
    view->segments.push_back(s.shared);
  view->first_index = base_.index + 1;
  view->start_offset = base_.next_offset;
  view->generation = generation_;
  publication_->publish(std::move(view));
}

std::optional<std::uint64_t> segment_log::term_at(std::uint64_t index) const {
  if (index == base_.index)
    return base_.term;
  if (index < base_.index || index > end_.index)
    return std::nullopt;
  auto s = std::upper_bound(
      segments_.begin(), segments_.end(), index,
      [](std::uint64_t i, const segment& each) { return i < each.header.first_index; });
  --s;
  auto run =
      std::upper_bound(s->terms.begin(), s->terms.end(), index,
                       [](std::uint64_t i, const term_run& each) { return i < each.first_index; });
  --run;
  return run->term;
}

std::vector<term_run> segment_log::terms() const {
  std::vector<term_run> runs;
  for (const auto& s : segments_)
    for (const auto& run : s.terms) {
      const term_run clipped{std::max(run.first_index, first_index()), run.term};
      // A run that ends before the log begins is replaced by the one that goes on there.
      if (!runs.empty() && runs.back().first_index == clipped.first_index)
        runs.back() = clipped;
      else if (runs.empty() || runs.back().term != run.term)
        runs.push_back(clipped);
    }
  if (end_.index == base_.index)
    runs.clear();
  return runs;
}

std::uint64_t segment_log::size_bytes() const {
  std::uint64_t sum = 0;
  for (const auto& s : segments_)
    sum += s.is_empty() ? 0 : s.shared->end.load();
  return sum;
}

std::vector<segment_info> segment_log::segments() const {
  std::vector<segment_info> infos;
  infos.reserve(segments_.size());
  for (const auto& s : segments_) {
    if (s.is_empty())
      continue;
    segment_info info;
    info.first_index = s.header.first_index;
    info.last_index = s.shared->last_index;
    info.base_offset = s.header.base_offset;
    info.next_offset = offset_t(s.shared->next_offset);
    info.bytes = s.shared->end;
    info.max_timestamp = timestamp_ms(s.shared->max_timestamp);
    info.created = s.header.created;
    info.is_active = &s == &segments_.back() && !roll_pending_;
    infos.push_back(info);
  }
  return infos;
}

std::uint64_t segment_log::unmarked_bytes() const {
  if (segments_.empty() || segments_.back().is_empty())
    return 0;
  const auto& shared = *segments_.back().shared;
  return shared.id == marked_segment_ ? shared.end - marked_end_ : shared.end.load();
}

std::optional<timestamp_ms> segment_log::active_since() const {
  if (segments_.empty() || segments_.back().is_empty() || roll_pending_)
    return std::nullopt;
  return segments_.back().header.created;
}

} // namespace aqueduct::storage
