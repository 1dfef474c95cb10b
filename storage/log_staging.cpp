// See log_staging.hpp.
#include "storage/log_staging.hpp"

#include <cstring>

namespace aqueduct::storage {

namespace {

/// Bodies up to this size are copied.
constexpr std::size_t copied_bytes_max = 1024;
/// Scratch memory that is kept between writes.
constexpr std::size_t scratch_kept_max = 1 << 20;

} // namespace

void segment_log::staging::begin(std::span<const log_entry> entries, bool with_segment_header) {
  std::size_t needed = with_segment_header ? segment_header_bytes : 0;
  for (const auto& entry : entries)
    needed += entry_header_bytes +
              (entry.body.size() <= copied_bytes_max ? entry.body.size() : std::size_t{0});
  if (scratch_.size() < needed || (scratch_.size() > scratch_kept_max && needed < scratch_kept_max))
    scratch_ = std::vector<std::byte>(needed);
  scratch_used_ = 0;
  parts_.clear();
  crcs_.clear();
  size_ = 0;
}

std::byte* segment_log::staging::add_scratch(std::size_t size) {
  auto* at = scratch_.data() + scratch_used_;
  scratch_used_ += size;
  size_ += size;
  if (!parts_.empty() && parts_.back().data() + parts_.back().size() == at)
    parts_.back() = {parts_.back().data(), parts_.back().size() + size};
  else
    parts_.emplace_back(at, size);
  return at;
}

std::uint32_t segment_log::staging::add(const log_entry& entry, const entry_context& context) {
  const auto crc = encode_entry_header(add_scratch(entry_header_bytes), entry, context);
  crcs_.push_back(crc);
  const auto body = entry.body.bytes();
  if (body.empty())
    return crc;
  if (body.size() <= copied_bytes_max) {
    std::memcpy(add_scratch(body.size()), body.data(), body.size());
  } else {
    parts_.push_back(body);
    size_ += body.size();
  }
  return crc;
}

} // namespace aqueduct::storage
