// The check of a whole log, from the files alone.
#include "protocol/record_batch.hpp"
#include "storage/log_scan.hpp"
#include "storage/segment_log.hpp"

#include <algorithm>

namespace aqueduct::storage {

namespace {

constexpr std::uint64_t progress_bytes = std::uint64_t{4} << 20;

struct segment_file {
  std::uint64_t first_index = 0;
  std::string path;
  std::uint64_t size = 0;
};

class verification {
public:
  verification(disk& files, const group_id& group, const verify_visitor& visit)
      : files_(files), group_(group), seed_(entry_seed(group)), visit_(visit) {}

  result<verify_progress> run(const std::string& directory, bool only_closed) {
    if (auto listed = list(directory, only_closed); !listed)
      return listed.propagate();
    for (std::size_t i = 0; i < segments_.size(); ++i)
      if (auto checked = check_segment(i, !only_closed && i + 1 == segments_.size()); !checked)
        return checked.propagate();
    if (!report())
      return cancelled();
    return progress_;
  }

private:
  result<void> list(const std::string& directory, bool only_closed) {
    const auto there = files_.exists(directory);
    if (!there)
      return there.propagate();
    if (!*there)
      return {};
    const auto names = files_.list(directory);
    if (!names)
      return names.propagate();
    for (const auto& name : *names)
      if (const auto first = parse_segment_name(name))
        segments_.push_back({*first, directory + "/" + name, 0});
    if (only_closed && !segments_.empty())
      segments_.pop_back();
    for (auto& s : segments_) {
      const auto opened = files_.open(s.path, open_mode::read);
      if (!opened)
        return opened.propagate();
      const auto size = (*opened)->size();
      if (!size)
        return size.propagate();
      s.size = *size;
      progress_.bytes_total += s.size;
    }
    return {};
  }

  result<void> check_segment(std::size_t which, bool may_have_torn_end) {
    const auto& s = segments_[which];
    const auto opened = files_.open(s.path, open_mode::read);
    if (!opened)
      return opened.propagate();
    if (auto begun = begin(**opened, s, which == 0, may_have_torn_end); !begun || !*begun)
      return begun ? result<void>() : result<void>(begun.propagate());
    entry_scanner scanner(**opened, segment_header_bytes, s.size);
    const auto before = progress_.bytes;
    auto reported = before;
    while (true) {
      const auto next = scanner.next();
      if (!next)
        return next.propagate();
      progress_.bytes = before + scanner.position();
      if (progress_.bytes - reported >= progress_bytes) {
        reported = progress_.bytes;
        if (!report())
          return cancelled();
      }
      if (!*next)
        return check_end(**opened, s, scanner.position(), may_have_torn_end,
                         "no entry begins here");
      if (const auto wrong = check_next(**next, chain_, seed_))
        return check_end(**opened, s, (*next)->position, may_have_torn_end, *wrong);
      if ((*next)->header.kind == entry_kind::records) {
        // The checksum of the entry was put together from that of the batch, so it vouches for the
        // bytes; what it does not know is whether they are a batch that makes sense.
        const protocol::batch_limits limits{entry_body_bytes_max, protocol::batch_origin::log};
        if (const auto batch = protocol::validate_batch((*next)->body(), limits); !batch)
          return damage(s.path, (*next)->position, (*next)->header.index, batch.error().message);
        ++progress_.batches;
      }
      ++progress_.entries;
      advance(chain_, **next);
    }
  }

  result<bool> begin(const file& source, const segment_file& s, bool is_first, bool may_be_torn) {
    std::vector<std::byte> bytes(segment_header_bytes);
    const auto read = source.read_at(0, bytes);
    if (!read)
      return read.propagate();
    const auto header = decode_segment_header(byte_span(bytes).first(*read), group_);
    if (!header) {
      const auto proof = find_proof(source, 0, s.size, s.first_index, seed_);
      if (proof && !*proof && may_be_torn)
        return false;
      return damage(s.path, 0, s.first_index, header.error().message);
    }
    if (header->first_index != s.first_index)
      return damage(s.path, 0, s.first_index, "the header names another first index");
    if (is_first)
      chain_ = {header->first_index - 1, header->prev_term, header->prev_crc, header->base_offset};
    else if (header->first_index != chain_.index + 1)
      return damage(s.path, 0, chain_.index + 1, "a segment is missing before it");
    else if (header->prev_crc != chain_.crc || header->prev_term != chain_.term ||
             header->base_offset != chain_.next_offset)
      return damage(s.path, 0, s.first_index, "it does not continue the segment before");
    return true;
  }

  /// What stands behind the last entry: nothing, reserved space, or a torn end that recovery cuts.
  result<void> check_end(const file& source, const segment_file& s, std::uint64_t position,
                         bool may_be_torn, const std::string& why) {
    progress_.bytes += s.size - position;
    if (position == s.size)
      return {};
    const auto lost = chain_.index + 1;
    const auto proof = find_proof(source, position, s.size, lost, seed_);
    if (!proof)
      return proof.propagate();
    if (*proof || !may_be_torn)
      return damage(s.path, position, lost, why);
    return {};
  }

  [[nodiscard]] bool report() const { return !visit_ || visit_(progress_); }
  [[nodiscard]] unexpected cancelled() const {
    return unexpected(errc::cancelled, "the check was stopped");
  }

  disk& files_;
  group_id group_;
  std::uint32_t seed_;
  const verify_visitor& visit_;
  std::vector<segment_file> segments_;
  log_chain chain_;
  verify_progress progress_;
};

} // namespace

result<verify_progress> verify_log(disk& files, const std::string& directory, const group_id& group,
                                   bool only_closed, const verify_visitor& visit) {
  return verification(files, group, visit).run(directory, only_closed);
}

} // namespace aqueduct::storage
