#include "storage/log_verify.hpp"

#include "protocol/record_batch.hpp"

#include <algorithm>

namespace aqueduct::storage {

namespace {

constexpr std::uint64_t progress_bytes = std::uint64_t{4} << 20;

} // namespace

log_verifier::log_verifier(disk& files, std::string directory, const group_id& group,
                           bool only_closed)
    : files_(files),
      directory_(std::move(directory)),
      group_(group),
      only_closed_(only_closed),
      seed_(entry_seed(group)) {}

result<std::vector<log_verifier::segment_file>> log_verifier::list() const {
  std::vector<segment_file> found;
  const auto there = files_.exists(directory_);
  if (!there)
    return there.propagate();
  if (!*there)
    return found;
  const auto names = files_.list(directory_);
  if (!names) {
    // Removed since.
    if (names.error().code == errc::not_found)
      return found;
    return names.propagate();
  }
  for (const auto& name : *names)
    if (const auto first = parse_segment_name(name))
      found.push_back({*first, directory_ + "/" + name, 0});
  if (only_closed_ && !found.empty())
    found.pop_back();
  return found;
}

result<void> log_verifier::begin() {
  auto found = list();
  if (!found)
    return found.propagate();
  for (auto& s : *found) {
    const auto opened = files_.open(s.path, open_mode::read);
    if (!opened && only_closed_ && opened.error().code == errc::not_found)
      continue;
    if (!opened)
      return opened.propagate();
    const auto size = (*opened)->size();
    if (!size)
      return size.propagate();
    s.size = *size;
    progress_.bytes_total += s.size;
    segments_.push_back(std::move(s));
  }
  return {};
}

result<bool> log_verifier::step(std::uint64_t bytes_max) {
  auto done = step_segment(bytes_max);
  if (done)
    return done;
  const auto damaged = segments_[which_];
  leave_segment();
  chain_.reset();
  // A log that is written may have lost its end, or all of it, while it was looked at.
  if (only_closed_ && !is_still_closed(damaged))
    return which_ == segments_.size();
  return done;
}

bool log_verifier::is_still_closed(const segment_file& s) const {
  const auto present = list();
  if (!present)
    return true;
  const auto same = std::ranges::find(*present, s.path, &segment_file::path);
  if (same == present->end())
    return false;
  const auto opened = files_.open(s.path, open_mode::read);
  if (!opened)
    return opened.error().code != errc::not_found;
  const auto size = (*opened)->size();
  return !size || *size == s.size;
}

void log_verifier::leave_segment() {
  open_.reset();
  bytes_before_ += segments_[which_].size;
  progress_.bytes = bytes_before_;
  ++which_;
}

bool log_verifier::may_have_torn_end() const {
  return !only_closed_ && which_ + 1 == segments_.size();
}

result<bool> log_verifier::step_segment(std::uint64_t bytes_max) {
  const auto stop = progress_.bytes + bytes_max;
  while (which_ < segments_.size()) {
    if (!open_) {
      if (auto opened = open_next(); !opened || !*opened) {
        if (!opened)
          return opened;
        leave_segment();
        continue;
      }
    }
    const auto& s = segments_[which_];
    const auto next = open_->entries->next();
    if (!next)
      return next.propagate();
    if (*next) {
      if (const auto wrong = check_next(**next, *chain_, seed_)) {
        if (auto ended = check_end(s, (*next)->position, *wrong); !ended)
          return ended.propagate();
        leave_segment();
        continue;
      }
      if (auto checked = check_entry(**next, s); !checked)
        return checked.propagate();
      progress_.bytes = bytes_before_ + open_->entries->position();
      if (progress_.bytes >= stop)
        return false;
      continue;
    }
    if (auto ended = check_end(s, open_->entries->position(), "no entry begins here"); !ended)
      return ended.propagate();
    leave_segment();
  }
  return true;
}

/// False: there is nothing in it to be checked.
result<bool> log_verifier::open_next() {
  const auto& s = segments_[which_];
  const auto opened = files_.open(s.path, open_mode::read);
  if (!opened) {
    if (!only_closed_ || opened.error().code != errc::not_found)
      return opened.propagate();
    // Trimmed away: what is left begins behind it.
    chain_.reset();
    return false;
  }
  const auto begun = check_header(**opened, s);
  if (!begun || !*begun)
    return begun;
  open_.emplace();
  open_->source = *opened;
  open_->entries.emplace(*open_->source, segment_header_bytes, s.size);
  return true;
}

result<bool> log_verifier::check_header(const file& source, const segment_file& s) {
  std::vector<std::byte> bytes(segment_header_bytes);
  const auto read = source.read_at(0, bytes);
  if (!read)
    return read.propagate();
  const auto header = decode_segment_header(byte_span(bytes).first(*read), group_);
  if (!header) {
    if (may_have_torn_end()) {
      const auto proof = find_proof(source, 0, s.size, s.first_index, seed_);
      if (proof && !*proof)
        return false;
    }
    return damage(s.path, 0, s.first_index, header.error().message);
  }
  if (header->first_index != s.first_index)
    return damage(s.path, 0, s.first_index, "the header names another first index");
  if (!chain_)
    chain_ = {header->first_index - 1, header->prev_term, header->prev_crc, header->base_offset};
  else if (header->first_index != chain_->index + 1)
    return damage(s.path, 0, chain_->index + 1, "a segment is missing before it");
  else if (header->prev_crc != chain_->crc || header->prev_term != chain_->term ||
           header->base_offset != chain_->next_offset)
    return damage(s.path, 0, s.first_index, "it does not continue the segment before");
  return true;
}

result<void> log_verifier::check_entry(const scanned_entry& entry, const segment_file& s) {
  if (entry.header.kind == entry_kind::records) {
    // The checksum of the entry was put together from that of the batch, so it vouches for the
    // bytes; what it does not know is whether they are a batch that makes sense.
    const protocol::batch_limits limits{entry_body_bytes_max, protocol::batch_origin::log};
    if (const auto batch = protocol::validate_batch(entry.body(), limits); !batch)
      return damage(s.path, entry.position, entry.header.index, batch.error().message);
    ++progress_.batches;
  }
  ++progress_.entries;
  advance(*chain_, entry);
  return {};
}

/// What stands behind the last entry: nothing, reserved space, or a torn end that recovery cuts.
result<void> log_verifier::check_end(const segment_file& s, std::uint64_t position,
                                     const std::string& why) const {
  if (position == s.size)
    return {};
  const auto lost = chain_->index + 1;
  if (!may_have_torn_end())
    return damage(s.path, position, lost, why);
  const auto proof = find_proof(*open_->source, position, s.size, lost, seed_);
  if (!proof)
    return proof.propagate();
  return *proof ? result<void>(damage(s.path, position, lost, why)) : result<void>();
}

result<verify_progress> verify_log(disk& files, const std::string& directory, const group_id& group,
                                   bool only_closed, const verify_visitor& visit) {
  log_verifier check(files, directory, group, only_closed);
  if (auto begun = check.begin(); !begun)
    return begun.propagate();
  while (true) {
    const auto done = check.step(progress_bytes);
    if (!done)
      return done.propagate();
    if (visit && !visit(check.progress()))
      return unexpected(errc::cancelled, "the check was stopped");
    if (*done)
      return check.progress();
  }
}

} // namespace aqueduct::storage
