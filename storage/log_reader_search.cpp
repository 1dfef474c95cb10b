// Finding places: by index, offset and time. Index hits are hints that are checked against the
// entries; what the index lacks is found by walking, and put into it on the way.
#include "protocol/record_reader.hpp"
#include "storage/log_reader.hpp"
#include "storage/log_reader_walk.hpp"
#include "storage/log_scan.hpp"

#include <algorithm>

namespace aqueduct::storage {

namespace {

/// Index entries that turn out wrong before the search begins at the start of the segment.
constexpr int wrong_hits_max = 4;
constexpr std::size_t search_read_bytes = 256 << 10;

} // namespace

const std::shared_ptr<const log_segment>& segment_of_index(const log_view& view,
                                                           std::uint64_t index) {
  auto s =
      std::upper_bound(view.segments.begin(), view.segments.end(), index,
                       [](std::uint64_t i, const auto& each) { return i < each->first_index; });
  return *(s == view.segments.begin() ? s : s - 1);
}

template <class Attempt>
auto log_reader::with_view(const Attempt& attempt) const {
  using outcome = decltype(attempt(log_view()));
  auto view = log_->view();
  while (true) {
    if (view->is_removed)
      return outcome(
          unexpected(errc::unknown_partition, to_string(group_) + " is no longer on this node"));
    auto done = attempt(*view);
    if (done || done.error().code == errc::offset_out_of_range)
      return done;
    // A segment may have gone while it was looked for: then the log says something new.
    auto present = log_->view();
    if (present == view)
      return done;
    view = std::move(present);
  }
}

result<records_read> log_reader::read_records(const records_request& request) const {
  return with_view([&](const log_view& view) { return try_read_records(view, request); });
}

result<std::vector<log_entry>> log_reader::read_entries(std::uint64_t from_index,
                                                        std::uint64_t end_index,
                                                        std::size_t bytes_max) const {
  return with_view([&](const log_view& view) {
    return try_read_entries(view, from_index, end_index, bytes_max);
  });
}

result<std::optional<time_found>>
log_reader::find_time(timestamp_ms timestamp, std::uint64_t end_index, offset_t start) const {
  return with_view(
      [&](const log_view& view) { return try_find_time(view, timestamp, end_index, start); });
}

result<std::optional<time_found>> log_reader::find_newest(std::uint64_t end_index,
                                                          offset_t start) const {
  return with_view([&](const log_view& view) { return try_find_newest(view, end_index, start); });
}

result<term_end> log_reader::find_term_end(std::uint64_t term, std::uint64_t end_index) const {
  return with_view([&](const log_view& view) { return try_find_term_end(view, term, end_index); });
}

result<offset_t> log_reader::offset_at(std::uint64_t index) const {
  return with_view([&](const log_view& view) { return try_offset_at(view, index); });
}

// -- a walk ---------------------------------------------------------------------------------------

log_reader::walk::walk(const log_reader& reader, const log_segment& segment, const file& source,
                       const place& start, std::uint64_t end_index)
    : reader_(reader),
      segment_(segment),
      source_(source),
      here_(start),
      end_index_(end_index),
      end_(segment.end.load(std::memory_order_acquire)),
      memory_from_(start.position),
      indexed_position_(start.position) {}

result<mutable_buffer> log_reader::walk::fill(std::size_t size) {
  const auto left = end_ - std::min(end_, here_.position);
  const auto wanted = std::min<std::uint64_t>(std::max(size, needed_bytes_), left);
  memory_ = mutable_buffer(static_cast<std::size_t>(wanted));
  memory_from_ = here_.position;
  const auto count = source_.read_at(here_.position, memory_.bytes());
  if (!count)
    return count.propagate();
  if (*count < wanted)
    return damage(segment_.path, here_.position + *count, here_.index, "the file ends here");
  return memory_;
}

result<std::optional<log_reader::walk::entry>> log_reader::walk::next() {
  const auto at = static_cast<std::size_t>(here_.position - memory_from_);
  if (here_.position >= end_ || here_.index >= end_index_) {
    is_done_ = true;
    return std::optional<entry>();
  }
  const auto rest = byte_span(memory_.bytes()).subspan(std::min(at, memory_.size()));
  if (rest.size() < entry_header_bytes) {
    needed_bytes_ = entry_header_bytes;
    return std::optional<entry>();
  }
  const auto header = decode_entry_header(rest);
  if (!header || header->index != here_.index || header->size_bytes() > end_ - here_.position)
    return damage(segment_.path, here_.position, here_.index, "no such entry begins here");
  if (rest.size() < header->size_bytes()) {
    needed_bytes_ = header->size_bytes();
    return std::optional<entry>();
  }
  needed_bytes_ = entry_header_bytes;
  if (!verify_entry(rest.first(header->size_bytes()), reader_.seed_))
    return damage(segment_.path, here_.position, here_.index, "the checksum is wrong");
  entry found;
  found.index = header->index;
  found.term = header->term;
  found.kind = header->kind;
  found.body_at = at + entry_header_bytes;
  found.body_bytes = header->body_bytes;
  found.at = here_;
  if (header->kind == entry_kind::records) {
    found.records = records_of(rest.subspan(entry_header_bytes, header->body_bytes));
    if (!found.records)
      return damage(segment_.path, here_.position, here_.index, "the body is not one batch");
    here_.offset = found.records->next_offset;
  }
  if (here_.position >= indexed_position_ + 2 * reader_.index_interval_bytes_) {
    reader_.index_.add(index_entries_, segment_.first_index,
                       {found.index, found.at.position, found.at.offset}, std::nullopt);
    indexed_position_ = here_.position;
  }
  here_.position += header->size_bytes();
  ++here_.index;
  return std::optional(found);
}

void log_reader::walk::step_back(const entry& e) {
  here_ = e.at;
}

void log_reader::walk::heal_index() {
  // A hint that is not stored is looked for again.
  if (!index_entries_.empty())
    (void)reader_.store_.write(index_entries_, durability::relaxed);
}

// -- places ---------------------------------------------------------------------------------------

result<std::shared_ptr<file>> log_reader::open_segment(const log_segment& segment) const {
  if (auto active = log_->open_file(segment.id))
    return active;
  return cache_->open(segment.id, segment.path);
}

template <class Wanted>
std::optional<log_reader::place>
log_reader::recall(const log_view& view, const log_segment& segment, const Wanted& wanted) const {
  const std::lock_guard lock(mutex_);
  for (const auto& each : hints_)
    if (each.segment == segment.id && each.generation == view.generation && wanted(each.at))
      return each.at;
  return std::nullopt;
}

void log_reader::remember(const log_view& view, const log_segment& segment, const place& at) const {
  const std::lock_guard lock(mutex_);
  hints_[next_hint_] = {segment.id, view.generation, at};
  next_hint_ = (next_hint_ + 1) % hints_.size();
}

bool log_reader::stands_at(const file& source, const log_segment& segment,
                           const index_hit& hit) const {
  const auto end = segment.end.load(std::memory_order_acquire);
  if (hit.position < segment_header_bytes || hit.position >= end)
    return false;
  entry_scanner scanner(source, hit.position, end, entry_header_bytes);
  const auto entry = scanner.next();
  return entry && *entry && (*entry)->header.index == hit.index &&
         verify_entry((*entry)->bytes, seed_);
}

template <class Wanted, class NextHit>
result<log_reader::place> log_reader::locate(const log_view& view, const log_segment& segment,
                                             const file& source, const Wanted& wanted,
                                             const NextHit& next_hit) const {
  if (const auto known = recall(view, segment, wanted))
    return *known;
  for (int i = 0; i < wrong_hits_max; ++i) {
    const auto hit = next_hit();
    if (!hit)
      return hit.propagate();
    if (!*hit)
      break;
    if (stands_at(source, segment, **hit))
      return place{(*hit)->position, (*hit)->index, (*hit)->offset};
  }
  return place{segment_header_bytes, segment.first_index, segment.base_offset};
}

result<log_reader::place> log_reader::locate_offset(const log_view& view,
                                                    const log_segment& segment, const file& source,
                                                    offset_t from) const {
  auto at_most = from;
  return locate(
      view, segment, source, [&](const place& at) { return at.offset == from; },
      [&] {
        auto hit = index_.find_offset(segment.first_index, at_most);
        if (hit && *hit)
          at_most = offset_t((*hit)->offset.value - 1);
        return hit;
      });
}

result<log_reader::place> log_reader::locate_index(const log_view& view, const log_segment& segment,
                                                   const file& source, std::uint64_t index) const {
  auto at_most = index;
  return locate(
      view, segment, source, [&](const place& at) { return at.index == index; },
      [&] {
        auto hit = index_.find_index(segment.first_index, at_most);
        if (hit && *hit)
          at_most = std::max<std::uint64_t>((*hit)->index, 1) - 1;
        return hit;
      });
}

result<offset_t> log_reader::try_offset_at(const log_view& view, std::uint64_t index) const {
  if (index <= view.first_index)
    return view.start_offset;
  if (view.segments.empty() || index > view.segments.back()->last_index)
    return end_offset(view);
  const auto& segment = *segment_of_index(view, index);
  const auto source = open_segment(segment);
  if (!source)
    return source.propagate();
  const auto start = locate_index(view, segment, **source, index);
  if (!start)
    return start.propagate();
  walk entries(*this, segment, **source, *start, index);
  while (!entries.is_done()) {
    if (auto memory = entries.fill(search_read_bytes); !memory)
      return memory.propagate();
    while (true) {
      const auto entry = entries.next();
      if (!entry)
        return entry.propagate();
      if (!*entry)
        break;
    }
  }
  entries.heal_index();
  return std::max(entries.here().offset, view.start_offset);
}

// -- time -----------------------------------------------------------------------------------------

result<std::optional<time_found>> log_reader::try_find_time(const log_view& view,
                                                            timestamp_ms timestamp,
                                                            std::uint64_t end_index,
                                                            offset_t start) const {
  start = std::max(start, view.start_offset);
  for (const auto& segment : view.segments) {
    if (segment->first_index >= end_index)
      break;
    if (segment->max_timestamp < timestamp.value || segment->last_index < view.first_index)
      continue;
    auto found = find_time_in(*segment, timestamp, end_index, start);
    if (!found || *found)
      return found;
  }
  return std::optional<time_found>();
}

namespace {

/// The first record of a batch from `start` on that is not older than `timestamp`.
result<std::optional<time_found>> first_since(byte_span body, timestamp_ms timestamp,
                                              offset_t start) {
  const protocol::batch_view batch(body);
  if (batch.is_control() || batch.max_timestamp() < timestamp || batch.next_offset() <= start)
    return std::optional<time_found>();
  protocol::record_reader records;
  records.open(batch);
  for (protocol::record_view record; records.next(record);)
    if (record.timestamp >= timestamp && record.offset >= start)
      return std::optional(time_found{record.offset, record.timestamp});
  if (auto read = records.status(); !read)
    return unexpected(read.error());
  return std::optional<time_found>();
}

} // namespace

result<std::optional<time_found>> log_reader::find_time_in(const log_segment& segment,
                                                           timestamp_ms timestamp,
                                                           std::uint64_t end_index,
                                                           offset_t start) const {
  const auto source = open_segment(segment);
  if (!source)
    return source.propagate();
  place from{segment_header_bytes, segment.first_index, segment.base_offset};
  const auto hit = index_.find_time(segment.first_index, timestamp);
  if (!hit)
    return hit.propagate();
  if (*hit && stands_at(**source, segment, **hit))
    from = {(*hit)->position, (*hit)->index, (*hit)->offset};
  // From the beginning of the segment on, what the time index should say is known.
  const bool rebuilds = from.position == segment_header_bytes;
  write_batch rebuilt;
  timestamp_ms max_timestamp{-1};
  std::uint64_t indexed_position = from.position;
  walk entries(*this, segment, **source, from, end_index);
  while (!entries.is_done()) {
    const auto memory = entries.fill(search_read_bytes);
    if (!memory)
      return memory.propagate();
    while (true) {
      const auto entry = entries.next();
      if (!entry)
        return entry.propagate();
      if (!*entry)
        break;
      const auto& e = **entry;
      if (rebuilds && e.at.position >= indexed_position + 2 * index_interval_bytes_) {
        index_.add(rebuilt, segment.first_index, {e.index, e.at.position, e.at.offset},
                   max_timestamp);
        indexed_position = e.at.position;
      }
      if (!e.records)
        continue;
      max_timestamp = std::max(max_timestamp, e.records->max_timestamp);
      auto found = first_since(byte_span(memory->bytes()).subspan(e.body_at, e.body_bytes),
                               timestamp, start);
      if (!found || *found) {
        (void)store_.write(rebuilt, durability::relaxed);
        return found;
      }
    }
  }
  entries.heal_index();
  (void)store_.write(rebuilt, durability::relaxed);
  return std::optional<time_found>();
}

} // namespace aqueduct::storage
