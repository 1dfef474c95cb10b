// The scanner keeps a window of the file in memory and moves it forward.
#include "storage/log_scan.hpp"

#include "protocol/bytes.hpp"
#include "storage/defects.hpp"

#include <algorithm>
#include <charconv>
#include <cstdio>

namespace aqueduct::storage {

namespace {

constexpr std::size_t proof_window_bytes = std::size_t{1} << 20;
constexpr std::size_t name_digits = 20;
constexpr std::string_view name_suffix = ".log";

/// First byte that is not zero, or the size.
std::size_t skip_zeros(byte_span bytes, std::size_t from) {
  while (from + 8 <= bytes.size() && load_be<std::uint64_t>(bytes.data() + from) == 0)
    from += 8;
  while (from < bytes.size() && bytes[from] == std::byte{0})
    ++from;
  return from;
}

} // namespace

entry_scanner::entry_scanner(const file& source, std::uint64_t position, std::uint64_t end,
                             std::size_t read_bytes)
    : source_(source),
      position_(position),
      end_(end),
      read_bytes_(read_bytes),
      window_from_(position) {}

result<byte_span> entry_scanner::peek(std::size_t size) {
  const auto left = end_ - std::min(position_, end_);
  size = static_cast<std::size_t>(std::min<std::uint64_t>(size, left));
  const bool in_window =
      position_ >= window_from_ && position_ + size <= window_from_ + window_.size();
  if (!in_window) {
    const auto wanted = std::min<std::uint64_t>(std::max(size, read_bytes_), left);
    window_.resize(static_cast<std::size_t>(wanted));
    window_from_ = position_;
    const auto count = source_.read_at(position_, window_);
    if (!count) {
      window_.clear();
      return count.propagate();
    }
    window_.resize(*count);
    bytes_read_ += *count;
    size = std::min(size, *count);
  }
  return byte_span(window_).subspan(static_cast<std::size_t>(position_ - window_from_), size);
}

result<std::optional<scanned_entry>> entry_scanner::next() {
  const auto head = peek(entry_header_bytes);
  if (!head)
    return head.propagate();
  const auto header = decode_entry_header(*head);
  if (!header || header->size_bytes() > end_ - position_)
    return std::optional<scanned_entry>();
  const auto bytes = peek(header->size_bytes());
  if (!bytes)
    return bytes.propagate();
  if (bytes->size() < header->size_bytes())
    return std::optional<scanned_entry>();
  scanned_entry entry{*header, position_, *bytes};
  position_ = entry.end();
  return std::optional(entry);
}

std::optional<std::string> check_next(const scanned_entry& entry, const log_chain& chain,
                                      std::uint32_t seed) {
  const auto& header = entry.header;
  if (!has_defect(defect::torn_tail_accepted) && !verify_entry(entry.bytes, seed))
    return "the checksum is wrong";
  if (header.index != chain.index + 1)
    return "an entry with index " + std::to_string(header.index) + " stands here";
  if (header.prev_crc != chain.crc)
    return "the entry does not continue the one before";
  if (header.term < chain.term)
    return "the term goes back from " + std::to_string(chain.term) + " to " +
           std::to_string(header.term);
  if (header.kind != entry_kind::records)
    return std::nullopt;
  const auto records = records_of(entry.body());
  if (!records)
    return "the body is not one record batch";
  if (records->base_offset < chain.next_offset)
    return "the offset goes back from " + std::to_string(chain.next_offset.value) + " to " +
           std::to_string(records->base_offset.value);
  return std::nullopt;
}

std::optional<records_range> advance(log_chain& chain, const scanned_entry& entry) {
  chain.index = entry.header.index;
  chain.term = entry.header.term;
  chain.crc = entry.header.crc;
  if (entry.header.kind != entry_kind::records)
    return std::nullopt;
  const auto records = records_of(entry.body());
  if (records)
    chain.next_offset = records->next_offset;
  return records;
}

result<std::optional<entry_header>> find_proof(const file& source, std::uint64_t from,
                                               std::uint64_t end, std::uint64_t lost,
                                               std::uint32_t seed) {
  std::vector<std::byte> window;
  std::vector<std::byte> candidate;
  while (from < end) {
    window.resize(static_cast<std::size_t>(
        std::min<std::uint64_t>(proof_window_bytes + entry_header_bytes, end - from)));
    const auto count = source.read_at(from, window);
    if (!count)
      return count.propagate();
    window.resize(*count);
    if (window.size() < entry_header_bytes)
      break;
    // Header starts in this window; the next one begins behind the last of them.
    const std::size_t starts = window.size() - entry_header_bytes + 1;
    for (std::size_t at = 0; at < starts; ++at) {
      // An entry begins at most three zero bytes before its first other byte: its length.
      if (const auto solid = skip_zeros(window, at); solid > at + 3)
        at = std::min(solid - 3, starts);
      if (at >= starts)
        break;
      const auto header = decode_entry_header(byte_span(window).subspan(at));
      if (!header || header->durable_index < lost || header->size_bytes() > end - from - at)
        continue;
      candidate.resize(header->size_bytes());
      const auto read = source.read_at(from + at, candidate);
      if (!read)
        return read.propagate();
      if (*read == candidate.size() && verify_entry(candidate, seed))
        return std::optional(*header);
    }
    from += starts;
  }
  return std::optional<entry_header>();
}

std::string segment_name(std::uint64_t first_index) {
  char name[name_digits + 1];
  std::snprintf(name, sizeof name, "%020llu", static_cast<unsigned long long>(first_index));
  return std::string(name) + std::string(name_suffix);
}

std::optional<std::uint64_t> parse_segment_name(std::string_view name) {
  if (name.size() != name_digits + name_suffix.size() || !name.ends_with(name_suffix))
    return std::nullopt;
  std::uint64_t first = 0;
  const auto* end = name.data() + name_digits;
  const auto parsed = std::from_chars(name.data(), end, first);
  if (parsed.ec != std::errc() || parsed.ptr != end || first == 0)
    return std::nullopt;
  return first;
}

unexpected damage(const std::string& path, std::uint64_t position, std::uint64_t index,
                  const std::string& why) {
  return unexpected(errc::storage_damaged, path + " is damaged at byte " +
                                               std::to_string(position) + " (entry " +
                                               std::to_string(index) + "): " + why);
}

} // namespace aqueduct::storage
