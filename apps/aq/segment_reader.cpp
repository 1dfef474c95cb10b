#include "apps/aq/segment_reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>

namespace aqueduct::aq {

namespace {

constexpr std::size_t window_bytes = std::size_t{4} << 20;

std::optional<group_id> make_group(std::string_view topic, std::string_view partition) {
  group_id group;
  const auto end = partition.data() + partition.size();
  const auto [at, code] = std::from_chars(partition.data(), end, group.partition);
  if (partition.empty() || code != std::errc{} || at != end || group.partition < 0 ||
      !parse_uuid(topic, group.topic))
    return std::nullopt;
  return group;
}

} // namespace

std::string_view to_string(storage::entry_kind kind) {
  switch (kind) {
  case storage::entry_kind::noop:
    return "noop";
  case storage::entry_kind::records:
    return "records";
  case storage::entry_kind::command:
    return "command";
  case storage::entry_kind::membership:
    return "membership";
  }
  return "unknown";
}

std::optional<group_id> parse_group(std::string_view text) {
  if (text == "controller")
    return controller_group;
  const auto slash = text.find('/');
  return slash == std::string_view::npos
             ? std::nullopt
             : make_group(text.substr(0, slash), text.substr(slash + 1));
}

std::optional<group_id> group_of_directory(const std::string& directory) {
  std::error_code ignored;
  auto path = std::filesystem::absolute(directory, ignored).lexically_normal();
  if (!path.has_filename())
    path = path.parent_path();
  if (path.filename() == "controller")
    return controller_group;
  return make_group(path.parent_path().filename().string(), path.filename().string());
}

std::optional<group_id> group_of_path(const std::string& file) {
  std::error_code ignored;
  return group_of_directory(
      std::filesystem::absolute(file, ignored).lexically_normal().parent_path().string());
}

result<segment_reader> segment_reader::open(storage::disk& files, const std::string& path,
                                            const group_id& group) {
  segment_reader reader;
  reader.path_ = path;
  auto opened = files.open(path, storage::open_mode::read);
  if (!opened)
    return opened.propagate();
  reader.file_ = std::move(*opened);
  const auto size = reader.file_->size();
  if (!size)
    return size.propagate();
  reader.size_ = *size;
  const auto bytes = reader.load(0, std::min<std::uint64_t>(*size, storage::segment_header_bytes));
  if (!bytes)
    return bytes.propagate();
  if (bytes->size() < storage::segment_header_bytes)
    return reader.damaged("the file is shorter than the header of a segment");
  const auto header = storage::decode_segment_header(*bytes, group);
  if (!header)
    return unexpected(header.error().code, fmt::format("{}: {}", path, header.error().message));
  reader.header_ = *header;
  reader.seed_ = storage::entry_seed(group);
  reader.position_ = storage::segment_header_bytes;
  reader.next_index_ = header->first_index;
  reader.term_ = header->prev_term;
  reader.prev_crc_ = header->prev_crc;
  reader.next_offset_ = header->base_offset;
  return reader;
}

unexpected segment_reader::damaged(std::string_view why) const {
  return unexpected(errc::storage_damaged, fmt::format("{}, position {}, index {}: {}", path_,
                                                       position_, next_index_, why));
}

result<byte_span> segment_reader::load(std::uint64_t position, std::size_t count) {
  const bool is_there =
      position >= window_position_ && position + count <= window_position_ + window_size_;
  if (!is_there) {
    const auto wanted = std::max(count, window_bytes);
    if (window_.size() < wanted)
      window_.resize(wanted);
    const auto read = file_->read_at(position, std::span(window_).first(wanted));
    if (!read)
      return read.propagate();
    window_position_ = position;
    window_size_ = *read;
  }
  const auto from = static_cast<std::size_t>(position - window_position_);
  return byte_span(window_).subspan(from, std::min(count, window_size_ - from));
}

result<bool> segment_reader::is_blank_from(std::uint64_t position) {
  while (position < size_) {
    const auto bytes = load(position, std::min<std::uint64_t>(size_ - position, window_bytes));
    if (!bytes)
      return bytes.propagate();
    if (bytes->empty())
      break;
    if (std::ranges::any_of(*bytes, [](std::byte b) { return b != std::byte{0}; }))
      return false;
    position += bytes->size();
  }
  return true;
}

result<std::optional<segment_entry>> segment_reader::next() {
  const auto head = load(position_, storage::entry_header_bytes);
  if (!head)
    return head.propagate();
  const auto header = storage::decode_entry_header(*head);
  if (!header) {
    const auto blank = is_blank_from(position_);
    if (!blank)
      return blank.propagate();
    if (*blank)
      return std::optional<segment_entry>();
    return damaged(fmt::format("no entry begins here, and {} bytes follow", size_ - position_));
  }
  const auto whole = load(position_, header->size_bytes());
  if (!whole)
    return whole.propagate();
  if (whole->size() < header->size_bytes())
    return damaged(
        fmt::format("an entry of {} bytes is cut after {}", header->size_bytes(), whole->size()));
  if (!storage::verify_entry(*whole, seed_))
    return damaged("the checksum of the entry is wrong");
  segment_entry entry{position_, *header, whole->subspan(storage::entry_header_bytes),
                      std::nullopt};
  if (header->kind == storage::entry_kind::records) {
    const auto batch = protocol::validate_batch(
        entry.body, {storage::entry_body_bytes_max, protocol::batch_origin::log});
    if (!batch)
      return damaged(fmt::format("the record batch is wrong: {}", batch.error().message));
    entry.batch = *batch;
  }
  if (auto checked = check(entry); !checked)
    return checked.propagate();
  position_ += header->size_bytes();
  next_index_ = header->index + 1;
  term_ = header->term;
  prev_crc_ = header->crc;
  if (entry.batch)
    next_offset_ = entry.batch->next_offset();
  return std::optional(entry);
}

result<void> segment_reader::check(const segment_entry& entry) {
  const auto& header = entry.header;
  if (header.index != next_index_)
    return damaged(fmt::format("the entry has index {}", header.index));
  if (header.term < term_)
    return damaged(fmt::format("the entry has term {} after term {}", header.term, term_));
  if (header.prev_crc != prev_crc_)
    return damaged("the entry does not follow the one before it (checksum chain)");
  if (entry.batch && entry.batch->base_offset < next_offset_)
    return damaged(fmt::format("the batch begins at offset {}, the one before ended at {}",
                               entry.batch->base_offset.value, next_offset_.value));
  return {};
}

} // namespace aqueduct::aq
