// Removing entries from either end of a log. The order of steps is what makes a crash harmless:
// first the store forgets what it said of the entries that go (durably), then the files shrink,
// from the far end inwards, each step durable before the next. So at every moment the files are a
// log, and nothing that is gone can come back under it.
#include "protocol/invariant.hpp"
#include "storage/log_scan.hpp"
#include "storage/segment_log.hpp"

#include <algorithm>
#include <limits>

namespace aqueduct::storage {

result<std::shared_ptr<file>> segment_log::file_of(const segment& s) const {
  if (active_file_ && &s == &segments_.back())
    return active_file_;
  return cache_.open(s.shared->id, s.shared->path);
}

result<segment_log::entry_place> segment_log::find_entry(std::uint64_t index) const {
  auto s = std::upper_bound(
      segments_.begin(), segments_.end(), index,
      [](std::uint64_t i, const segment& each) { return i < each.header.first_index; });
  --s;
  entry_place place;
  place.segment = static_cast<std::size_t>(s - segments_.begin());
  place.next_offset = s->header.base_offset;
  auto source = file_of(*s);
  if (!source)
    return source.propagate();
  std::uint64_t from = segment_header_bytes;
  // One before: the place has to say what stands before the entry.
  if (const auto hit = index_.find_index(s->header.first_index, index - 1); hit && *hit) {
    entry_scanner at_hit(**source, (*hit)->position, s->shared->end, entry_header_bytes);
    const auto entry = at_hit.next();
    if (entry && *entry && (*entry)->header.index == (*hit)->index &&
        verify_entry((*entry)->bytes, seed_)) {
      from = (*hit)->position;
      place.next_offset = (*hit)->offset;
    }
  }
  entry_scanner scanner(**source, from, s->shared->end);
  while (true) {
    const auto found = scanner.next();
    if (!found)
      return found.propagate();
    if (!*found || !verify_entry((*found)->bytes, seed_) || (*found)->header.index > index)
      return damage(s->shared->path, scanner.position(), index, "no valid entry stands here");
    const auto& entry = **found;
    if (entry.header.index == index) {
      place.position = entry.position;
      place.prev_crc = entry.header.prev_crc;
      return place;
    }
    place.prev_position = entry.position;
    if (entry.header.kind == entry_kind::records)
      if (const auto records = records_of(entry.body()))
        place.next_offset = records->next_offset;
  }
}

// -- the end --------------------------------------------------------------------------------------

result<void> segment_log::truncate_from(std::uint64_t index) {
  if (auto usable = check_usable(); !usable)
    return usable;
  if (index > end_.index)
    return {};
  if (index <= base_.index)
    return unexpected(errc::invalid_request,
                      "cannot remove entry " + std::to_string(index) + " of " + to_string(group_) +
                          ": the log begins after " + std::to_string(base_.index));
  const auto place = find_entry(index);
  if (!place)
    return poison(place.error());

  // Nothing of what the store says may name an entry that goes.
  write_derived();
  write_batch batch;
  for (std::size_t i = place->segment; i < segments_.size(); ++i) {
    batch.remove(family::log_state, mark_key(group_, segments_[i].header.first_index));
    // The largest time before the cut is not known, so all of the time index goes.
    index_.truncate(batch, segments_[i].header.first_index, index, place->next_offset,
                    timestamp_ms(std::numeric_limits<std::int64_t>::min()));
  }
  batch.remove_range(family::log_state, membership_key(group_, index),
                     end_of_prefix(membership_key(group_, 0).substr(0, 21)));
  if (auto written = store_.write(batch, durability::synced); !written)
    return written.error().code == errc::storage_full ? written : poison(written.error());
  marked_segment_ = 0;

  const bool whole = index == segments_[place->segment].header.first_index;
  const std::size_t kept = place->segment + (whole ? 0 : 1);
  ++generation_;
  while (segments_.size() > kept)
    if (auto dropped = drop_last_segment(); !dropped)
      return dropped;
  if (!whole)
    if (auto cut = cut_last_segment(*place, index); !cut)
      return cut;
  end_.index = index - 1;
  end_.term = index - 1 == base_.index ? base_.term : *term_at(index - 1);
  end_.crc = place->prev_crc;
  end_.next_offset = std::max(place->next_offset, base_.next_offset);
  durable_index_ = std::min(durable_index_, end_.index);
  forget_above(index - 1);
  publish_view();
  return mark();
}

result<void> segment_log::drop_last_segment() {
  const auto gone = segments_.back().shared;
  segments_.pop_back();
  active_file_ = nullptr;
  reserved_ = 0;
  roll_pending_ = false;
  publication_->publish_file(0, nullptr);
  publish_view();
  cache_.forget(gone->id);
  // A file that is not there was begun when the disk was full.
  if (auto removed = files_.remove(gone->path); !removed && removed.error().code != errc::not_found)
    return poison(removed.error());
  if (auto synced = files_.sync_directory(directory_); !synced)
    return poison(synced.error());
  // The one before it was closed, so its name has been durable for long.
  name_synced_ = true;
  return {};
}

result<void> segment_log::cut_last_segment(const entry_place& place, std::uint64_t index) {
  auto& s = segments_.back();
  // Readers first: what they see shrinks before the file does.
  s.publish_end(place.position, index - 1, place.next_offset);
  publish_view();
  std::erase_if(s.terms, [&](const term_run& run) { return run.first_index >= index; });
  s.last_position = place.prev_position;
  s.last_crc = place.prev_crc;
  s.indexed_position = std::min(s.indexed_position, place.position);
  AQUEDUCT_INVARIANT(s.last_position != 0, std::to_string(index));
  if (!active_file_)
    if (auto opened = open_active(); !opened)
      return poison(opened.error());
  if (auto cut = active_file_->truncate(place.position); !cut)
    return poison(cut.error());
  if (auto synced = sync_active(); !synced)
    return synced;
  reserved_ = place.position;
  // The sync covered everything that is left.
  durable_index_ = index - 1;
  return {};
}

void segment_log::forget_above(std::uint64_t index) {
  std::erase_if(memberships_, [&](const log_entry& entry) { return entry.index > index; });
}

// -- the beginning --------------------------------------------------------------------------------

result<void> segment_log::trim_prefix(log_base base) {
  if (auto usable = check_usable(); !usable)
    return usable;
  if (base.index <= base_.index)
    return remove_trimmed();
  if (base.index > end_.index)
    return unexpected(errc::invalid_request,
                      "cannot trim " + to_string(group_) + " up to " + std::to_string(base.index) +
                          ": the log ends with " + std::to_string(end_.index));
  // The base is durable knowledge: it must not name an entry that a crash can take.
  if (base.index > durable_index_)
    if (auto synced = sync(); !synced)
      return synced;
  base.term = *term_at(base.index);
  base.next_offset = end_.next_offset;
  if (base.index < end_.index) {
    const auto place = find_entry(base.index + 1);
    if (!place)
      return place.propagate();
    base.next_offset = std::max(place->next_offset, base_.next_offset);
  }

  std::size_t gone = 0;
  while (gone + 1 < segments_.size() && !segments_[gone + 1].is_empty() &&
         segments_[gone + 1].header.first_index <= base.index + 1)
    ++gone;
  if (base.index == end_.index)
    gone = segments_.size();
  write_derived();
  write_batch batch;
  batch.put(family::log_state, base_key(group_), encode_base(base));
  batch.remove_range(family::log_state, membership_key(group_, 0),
                     membership_key(group_, base.index + 1));
  for (std::size_t i = 0; i < gone; ++i) {
    batch.remove(family::log_state, mark_key(group_, segments_[i].header.first_index));
    index_.remove_segment(batch, segments_[i].header.first_index);
  }
  const auto how = gone > 0 ? durability::synced : durability::relaxed;
  if (auto written = store_.write(batch, how); !written)
    return written;

  for (std::size_t i = 0; i < gone; ++i)
    trimmed_.push_back(segments_[i].shared);
  segments_.erase(segments_.begin(), segments_.begin() + static_cast<std::ptrdiff_t>(gone));
  if (gone > 0 && segments_.empty()) {
    active_file_ = nullptr;
    reserved_ = 0;
    roll_pending_ = false;
    marked_segment_ = 0;
    publication_->publish_file(0, nullptr);
  }
  base_ = std::move(base);
  std::erase_if(memberships_, [&](const log_entry& e) { return e.index <= base_.index; });
  publish_view();
  return remove_trimmed();
}

/// What stays behind after a crash lies below the base: the next opening deletes it.
result<void> segment_log::remove_trimmed() {
  while (!trimmed_.empty()) {
    // The one with the last entry goes when no other can be left, nor one that went before: it
    // proves that none is missing.
    if (segments_.empty() && trimmed_.size() == 1)
      if (auto synced = files_.sync_directory(directory_); !synced)
        return synced;
    const auto& file = trimmed_.front();
    if (auto removed = cache_.remove(file->id, file->path);
        !removed && removed.error().code != errc::not_found)
      return removed;
    trimmed_.pop_front();
  }
  return {};
}

result<void> segment_log::reset(const log_base& base) {
  if (auto usable = check_usable(); !usable)
    return usable;
  derived_.clear();
  write_batch begin;
  const auto prefix = group_key(group_);
  begin.remove_range(family::log_state, prefix, end_of_prefix(prefix));
  begin.put(family::log_state, base_key(group_), encode_base(base));
  // Until it is gone, an opening deletes whatever files there are: they are those of before.
  begin.put(family::log_state, reset_key(group_), "1");
  index_.remove_all(begin);
  if (auto written = store_.write(begin, durability::synced); !written)
    return written.error().code == errc::storage_full ? written : poison(written.error());
  ++generation_;
  while (!segments_.empty())
    if (auto dropped = drop_last_segment(); !dropped)
      return dropped;
  if (auto removed = remove_trimmed(); !removed)
    return poison(removed.error());
  // Nor may files come back that went before.
  const auto there = files_.exists(directory_);
  if (!there)
    return poison(there.error());
  if (*there)
    if (auto synced = files_.sync_directory(directory_); !synced)
      return poison(synced.error());
  write_batch finish;
  finish.remove(family::log_state, reset_key(group_));
  if (auto written = store_.write(finish, durability::synced); !written)
    return poison(written.error());
  base_ = base;
  end_ = {base.index, base.term, 0, base.next_offset};
  durable_index_ = base.index;
  memberships_.clear();
  marked_segment_ = 0;
  publish_view();
  return {};
}

} // namespace aqueduct::storage
