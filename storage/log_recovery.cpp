// See log_recovery.hpp.
#include "storage/log_recovery.hpp"

#include <algorithm>

namespace aqueduct::storage {

namespace {

constexpr std::size_t rewrite_bytes = std::size_t{1} << 20;

} // namespace

result<void> log_recovery::run() {
  auto meta = load_log_meta(log_.store_, log_.group_);
  if (!meta)
    return meta.propagate();
  meta_ = std::move(*meta);
  log_.base_ = meta_.base;
  log_.end_ = {meta_.base.index, meta_.base.term, 0, meta_.base.next_offset};
  chain_ = {meta_.base.index, meta_.base.term, 0, meta_.base.next_offset};
  log_.durable_index_ = meta_.base.index;
  if (auto listed = list_files(); !listed)
    return listed;
  if (meta_.is_being_reset)
    return finish_reset();
  if (auto deleted = delete_trimmed(); !deleted)
    return deleted;
  if (auto checked = check_marks(); !checked)
    return checked;
  for (std::size_t i = 0; i < found_.size(); ++i)
    if (auto read = read_segment(i); !read)
      return read;
  if (log_.end_.index < log_.base_.index)
    return damage(log_.directory_, 0, log_.end_.index + 1,
                  "the log ends here, but it was durable up to " +
                      std::to_string(log_.base_.index));
  log_.report_.segments = static_cast<std::uint32_t>(log_.segments_.size());
  return save();
}

// -- files ----------------------------------------------------------------------------------------

result<void> log_recovery::list_files() {
  const auto there = log_.files_.exists(log_.directory_);
  if (!there)
    return there.propagate();
  if (!*there)
    return {};
  const auto names = log_.files_.list(log_.directory_);
  if (!names)
    return names.propagate();
  for (const auto& name : *names)
    if (const auto first = parse_segment_name(name)) {
      found_segment found;
      found.first_index = *first;
      found.path = log_.directory_ + "/" + name;
      for (const auto& mark : meta_.marks)
        if (mark.header.first_index == *first)
          found.mark = mark;
      found_.push_back(std::move(found));
    }
  return {};
}

result<void> log_recovery::remove_file(const std::string& path) {
  if (auto removed = log_.files_.remove(path); !removed)
    return removed;
  return log_.files_.sync_directory(log_.directory_);
}

result<void> log_recovery::finish_reset() {
  for (const auto& found : found_)
    if (auto removed = remove_file(found.path); !removed)
      return removed;
  // What the reset removed before this process began may come back until then.
  const auto there = log_.files_.exists(log_.directory_);
  if (!there)
    return there.propagate();
  if (*there)
    if (auto synced = log_.files_.sync_directory(log_.directory_); !synced)
      return synced;
  write_batch batch;
  batch.remove(family::log_state, reset_key(log_.group_));
  if (auto written = log_.store_.write(batch, durability::synced); !written)
    return written;
  log_.publish_view();
  return {};
}

result<void> log_recovery::delete_trimmed() {
  // A trim deletes files only after its base was durable, and may have been cut short. What is left
  // of it need not be contiguous.
  while (found_.size() > 1 && found_[1].first_index <= log_.base_.index + 1) {
    if (auto removed = remove_file(found_.front().path); !removed)
      return removed;
    derived_.remove(family::log_state, mark_key(log_.group_, found_.front().first_index));
    found_.erase(found_.begin());
  }
  return {};
}

result<void> log_recovery::check_marks() const {
  for (const auto& mark : meta_.marks) {
    const bool trimmed = mark.last_index <= log_.base_.index;
    const auto same = [&](const found_segment& f) {
      return f.first_index == mark.header.first_index;
    };
    if (!trimmed && std::none_of(found_.begin(), found_.end(), same))
      return damage(log_.directory_ + "/" + segment_name(mark.header.first_index), 0,
                    mark.header.first_index, "the file is missing");
  }
  if (!found_.empty() && found_.front().first_index > log_.base_.index + 1)
    return damage(log_.directory_ + "/" + segment_name(log_.base_.index + 1), 0,
                  log_.base_.index + 1,
                  "the file is missing: the first one is " + found_.front().path);
  return {};
}

// -- one segment ----------------------------------------------------------------------------------

result<void> log_recovery::read_segment(std::size_t which) {
  auto& found = found_[which];
  const bool is_last = which + 1 == found_.size();
  auto opened = log_.files_.open(found.path, open_mode::read);
  if (!opened)
    return opened.propagate();
  found.source = std::move(*opened);
  const auto size = found.source->size();
  if (!size)
    return size.propagate();
  found.size = *size;
  const auto begun = begin(found, is_last);
  if (!begun)
    return begun.propagate();
  if (!*begun)
    return {};

  const auto next_first = is_last ? 0 : found_[which + 1].first_index;
  const auto from = log_.segments_.back().shared->end.load();
  if (!is_last && chain_.index + 1 == next_first)
    return {};
  if (is_last && from == found.size) {
    log_.durable_index_ = chain_.index;
    return {};
  }
  const auto end = scan(found, from);
  if (!end)
    return end.propagate();
  if (is_last)
    return settle_end(found, from, *end);
  if (chain_.index + 1 != next_first)
    return damage(found.path, *end, chain_.index + 1,
                  stopped_because_ + "; the next segment begins with " +
                      std::to_string(next_first));
  return {};
}

result<bool> log_recovery::begin(found_segment& found, bool is_last) {
  if (!found.mark)
    return begin_unmarked(found, is_last);
  if (auto begun = begin_marked(found); !begun)
    return begun.propagate();
  return true;
}

result<void> log_recovery::begin_marked(const found_segment& found) {
  const auto& mark = *found.mark;
  if (auto fits = check_header(found, mark.header); !fits)
    return fits;
  if (found.size < mark.end)
    return damage(found.path, found.size, chain_.index + 1,
                  "the file ends here, but it was durable up to byte " + std::to_string(mark.end));
  // One look at the last entry tells a file that was replaced from the one that was marked.
  std::vector<std::byte> bytes(entry_header_bytes);
  if (const auto read = found.source->read_at(mark.last_position, bytes); !read)
    return read.propagate();
  const auto header = decode_entry_header(bytes);
  if (!header || header->index != mark.last_index || header->crc != mark.last_crc ||
      mark.last_position + header->size_bytes() != mark.end)
    return damage(found.path, mark.last_position, mark.last_index,
                  "not the entry that was durable here");
  auto s = segment_log::segment::make(log_.cache_.new_id(), found.path, mark.header);
  s.terms = mark.terms;
  s.last_position = mark.last_position;
  s.last_crc = mark.last_crc;
  s.indexed_position = mark.end;
  s.shared->max_timestamp = mark.max_timestamp.value;
  s.publish_end(mark.end, mark.last_index, mark.next_offset);
  chain_ = {mark.last_index, header->term, mark.last_crc, mark.next_offset};
  log_.end_ = {chain_.index, chain_.term, chain_.crc, chain_.next_offset};
  for (const auto& entry : meta_.memberships)
    if (entry.index >= mark.header.first_index && entry.index <= mark.last_index &&
        entry.index > log_.base_.index)
      log_.memberships_.push_back(entry);
  log_.segments_.push_back(std::move(s));
  return {};
}

result<bool> log_recovery::begin_unmarked(found_segment& found, bool is_last) {
  std::vector<std::byte> bytes(segment_header_bytes);
  const auto read = found.source->read_at(0, bytes);
  if (!read)
    return read.propagate();
  const auto header = decode_segment_header(byte_span(bytes).first(*read), log_.group_);
  if (!header && header.error().code == errc::unsupported_version)
    return unexpected(errc::unsupported_version, found.path + ": " + header.error().message);
  if (!header && header.error().code == errc::conflict)
    return damage(found.path, 0, found.first_index, header.error().message);
  if (header) {
    if (auto fits = check_header(found, *header); !fits)
      return fits.propagate();
    log_.segments_.push_back(segment_log::segment::make(log_.cache_.new_id(), found.path, *header));
    if (log_.segments_.size() == 1) {
      chain_ = {header->first_index - 1, header->prev_term, header->prev_crc, header->base_offset};
      log_.end_ = {chain_.index, chain_.term, chain_.crc, chain_.next_offset};
    }
    return true;
  }
  // A header that never became durable belongs to a segment without durable entries.
  if (!is_last)
    return damage(found.path, 0, found.first_index, header.error().message);
  const auto proof = find_proof(*found.source, 0, found.size, found.first_index, log_.seed_);
  if (!proof)
    return proof.propagate();
  const bool continues = chain_.index + 1 == found.first_index;
  if (*proof || !continues)
    return damage(found.path, 0, found.first_index, header.error().message);
  log_.report_.cut_bytes += found.size;
  if (auto removed = remove_file(found.path); !removed)
    return removed.propagate();
  log_.durable_index_ = chain_.index;
  return false;
}

result<void> log_recovery::check_header(const found_segment& found,
                                        const segment_header& header) const {
  const auto wrong = [&](const std::string& why) {
    return damage(found.path, 0, found.first_index, "in its header, " + why);
  };
  if (header.first_index != found.first_index)
    return wrong("another first index: " + std::to_string(header.first_index));
  if (log_.segments_.empty()) {
    const auto& base = log_.base_;
    if (header.first_index == base.index + 1 &&
        (header.prev_term != base.term || header.base_offset != base.next_offset))
      return wrong("another beginning than that of the log");
    return {};
  }
  if (header.first_index != chain_.index + 1)
    return damage(found.path, 0, chain_.index + 1, "a segment is missing before it");
  if (header.prev_crc != chain_.crc || header.prev_term != chain_.term ||
      header.base_offset != chain_.next_offset)
    return wrong("another end of the segment before than it has");
  return {};
}

result<std::uint64_t> log_recovery::scan(const found_segment& found, std::uint64_t from) {
  auto& s = log_.segments_.back();
  entry_scanner scanner(*found.source, from, found.size);
  std::uint64_t end = from;
  while (true) {
    const auto next = scanner.next();
    if (!next)
      return next.propagate();
    if (!*next) {
      stopped_because_ = "no entry begins here";
      break;
    }
    const auto& entry = **next;
    if (auto wrong = check_next(entry, chain_, log_.seed_)) {
      stopped_because_ = std::move(*wrong);
      break;
    }
    segment_log::entry_note note;
    note.index = entry.header.index;
    note.term = entry.header.term;
    note.crc = entry.header.crc;
    note.position = entry.position;
    note.size_bytes = entry.bytes.size();
    note.records = advance(chain_, entry);
    if (entry.header.kind == entry_kind::membership && note.index > log_.base_.index)
      log_.note_membership(
          derived_, {note.index, note.term, entry_kind::membership, buffer::copy_of(entry.body())});
    log_.note_entry(derived_, s, note);
    end = entry.end();
    ++log_.report_.scanned_entries;
  }
  s.publish_end(end, chain_.index, chain_.next_offset);
  log_.report_.scanned_bytes += scanner.bytes_read();
  return end;
}

// -- the end of the log ---------------------------------------------------------------------------

result<void> log_recovery::settle_end(const found_segment& found, std::uint64_t scanned_from,
                                      std::uint64_t end) {
  const auto proof = find_proof(*found.source, end, found.size, chain_.index + 1, log_.seed_);
  if (!proof)
    return proof.propagate();
  if (*proof)
    return damage(found.path, end, chain_.index + 1,
                  stopped_because_ + "; entry " + std::to_string((*proof)->index) +
                      " behind it says that everything up to " +
                      std::to_string((*proof)->durable_index) + " was durable");
  auto target = log_.files_.open(found.path, open_mode::write);
  if (!target)
    return target.propagate();
  log_.report_.cut_bytes += found.size - end;
  auto& s = log_.segments_.back();
  log_.index_.truncate(derived_, s.header.first_index, chain_.index + 1, chain_.next_offset,
                       timestamp_ms(s.shared->max_timestamp));
  if (s.is_empty()) {
    // Begun and never used; the next append begins it again.
    log_.segments_.pop_back();
    if (auto removed = remove_file(found.path); !removed)
      return removed;
    log_.durable_index_ = chain_.index;
    return {};
  }
  if (auto cut = (*target)->truncate(end); !cut)
    return cut;
  if (auto rewritten = rewrite(**target, scanned_from, end); !rewritten)
    return rewritten;
  if (auto synced = (*target)->sync(); !synced)
    return synced;
  if (auto synced = log_.files_.sync_directory(log_.directory_); !synced)
    return synced;
  log_.durable_index_ = chain_.index;
  return {};
}

result<void> log_recovery::rewrite(file& target, std::uint64_t from, std::uint64_t end) {
  // What can be read need not be on the disk: after a failed sync Linux keeps showing pages that
  // will never be written (Rebello et al., ATC 2020). Written once more, they are dirty again, so
  // that the sync that follows speaks of them too.
  std::vector<std::byte> bytes;
  while (from < end) {
    bytes.resize(static_cast<std::size_t>(std::min<std::uint64_t>(rewrite_bytes, end - from)));
    const auto count = target.read_at(from, bytes);
    if (!count)
      return count.propagate();
    if (*count != bytes.size())
      return damage(target.path(), from + *count, 0, "the file became shorter");
    if (auto written = target.write_at(from, byte_span(bytes)); !written)
      return written;
    from += bytes.size();
  }
  return {};
}

result<void> log_recovery::save() {
  if (!log_.segments_.empty() && !log_.segments_.back().is_empty()) {
    const auto& last = log_.segments_.back();
    const bool as_marked =
        !found_.empty() && found_.back().mark && found_.back().mark->end == last.shared->end;
    if (!as_marked)
      for (const auto& s : log_.segments_)
        log_.add_mark(derived_, s);
    log_.marked_segment_ = last.shared->id;
    log_.marked_end_ = last.shared->end;
  }
  // A crash that tore the log may have left in the store what it knew of the torn part.
  for (const auto& entry : meta_.memberships)
    if (std::none_of(log_.memberships_.begin(), log_.memberships_.end(),
                     [&](const log_entry& e) { return e.index == entry.index; }))
      derived_.remove(family::log_state, membership_key(log_.group_, entry.index));
  if (!derived_.empty())
    if (auto written = log_.store_.write(derived_, durability::relaxed); !written)
      log_.marks_valid_ = false;
  log_.publish_view();
  return {};
}

} // namespace aqueduct::storage
