// Reading records. Finding places in the log is in log_reader_search.cpp.
#include "storage/log_reader.hpp"

#include "storage/log_reader_walk.hpp"
#include "storage/log_scan.hpp"

#include <algorithm>
#include <cstring>

namespace aqueduct::storage {

namespace {

/// Batches up to this size are moved together within the memory they were read into, so that a
/// reply of many small batches has few parts; larger ones stay where they are.
constexpr std::size_t moved_bytes_max = 16 << 10;

/// What to read for so many bytes of bodies: their headers come with them. A guess that is too low
/// makes a reply shorter than it could be.
constexpr std::size_t with_headers(std::size_t bytes) {
  return bytes + 4096 + std::min(bytes / 8, std::size_t{64} << 10);
}

/// Collects batches out of one read buffer.
class batch_collector {
public:
  explicit batch_collector(mutable_buffer memory) : memory_(std::move(memory)) {}

  /// `from` is in the memory, behind everything that was added before.
  void add(std::size_t from, std::size_t size) {
    size_ += size;
    if (from != end_ && size <= moved_bytes_max && end_ > begin_) {
      std::memmove(memory_.data() + end_, memory_.data() + from, size);
      end_ += size;
      return;
    }
    if (from != end_) {
      finish_part();
      begin_ = from;
    }
    end_ = from + size;
  }

  [[nodiscard]] std::size_t size() const { return size_; }

  [[nodiscard]] buffer_chain finish() {
    finish_part();
    return std::move(chain_);
  }

private:
  void finish_part() {
    if (end_ > begin_)
      chain_.append(memory_.slice(begin_, end_ - begin_).freeze());
  }

  mutable_buffer memory_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::size_t size_ = 0;
  buffer_chain chain_;
};

} // namespace

log_reader::log_reader(std::shared_ptr<const log_publication> log, group_id group,
                       std::shared_ptr<file_cache> cache, kv& store,
                       std::size_t index_interval_bytes)
    : log_(std::move(log)),
      group_(group),
      seed_(entry_seed(group)),
      cache_(std::move(cache)),
      store_(store),
      index_(store, group),
      index_interval_bytes_(index_interval_bytes) {}

// -- state ----------------------------------------------------------------------------------------

std::uint64_t log_reader::first_index() const {
  return log_->view()->first_index;
}

std::uint64_t log_reader::last_index() const {
  const auto view = log_->view();
  return view->segments.empty()
             ? view->first_index - 1
             : std::max(view->segments.back()->last_index.load(), view->first_index - 1);
}

log_outline log_reader::outline() const {
  const auto view = log_->view();
  log_outline outline;
  const log_segment* last = nullptr;
  for (const auto& each : view->segments) {
    // Segments without an entry have no bytes on the disk.
    if (each->last_index < each->first_index)
      continue;
    if (last != nullptr && !outline.oldest_closed_ms) {
      const auto newest = last->max_timestamp.load();
      outline.oldest_closed_ms =
          newest < 0 ? last->created.value : std::min(newest, each->created.value);
      outline.oldest_closed_bytes = last->end;
    }
    outline.size_bytes += each->end;
    last = each.get();
  }
  if (last != nullptr) {
    outline.active_since_ms = last->created.value;
    outline.active_newest_ms = last->max_timestamp;
  }
  return outline;
}

offset_t log_reader::start_offset() const {
  return log_->view()->start_offset;
}

offset_t log_reader::next_offset() const {
  return end_offset(*log_->view());
}

// -- records --------------------------------------------------------------------------------------

result<records_read> log_reader::try_read_records(const log_view& view,
                                                  const records_request& request) const {
  const auto end = end_offset(view);
  if (request.from < view.start_offset || request.from > end)
    return unexpected(errc::offset_out_of_range, "offset " + std::to_string(request.from.value) +
                                                     " of " + to_string(group_) + " is not in [" +
                                                     std::to_string(view.start_offset.value) +
                                                     ", " + std::to_string(end.value) + "]");
  records_read nothing;
  nothing.next_offset = request.from;
  if (request.from == end)
    return nothing;
  auto s =
      std::upper_bound(view.segments.begin(), view.segments.end(), request.from,
                       [](offset_t from, const auto& each) { return from < each->base_offset; });
  if (s != view.segments.begin())
    --s;
  for (; s != view.segments.end() && (*s)->first_index < request.end_index; ++s) {
    if (offset_t((*s)->next_offset) <= request.from)
      continue;
    auto read = read_segment(view, **s, request);
    if (!read || !read->batches.empty() || (*s)->last_index + 1 >= request.end_index)
      return read;
    // Something was there and did not fit.
    if (read->last_index != 0)
      break;
  }
  return nothing;
}

result<records_read> log_reader::read_segment(const log_view& view, const log_segment& segment,
                                              const records_request& request) const {
  const auto source = open_segment(segment);
  if (!source)
    return source.propagate();
  const auto start = locate_offset(view, segment, **source, request.from);
  if (!start)
    return start.propagate();
  records_read read;
  read.next_offset = request.from;
  const bool exact = start->offset == request.from;
  walk entries(*this, segment, **source, *start, request.end_index);
  std::size_t read_bytes = with_headers(request.bytes_max) + (exact ? 0 : index_interval_bytes_);
  while (true) {
    // One read, unless what is asked for lies behind more than the index promised.
    auto memory = entries.fill(read_bytes);
    if (!memory)
      return memory.propagate();
    batch_collector batches(*memory);
    bool is_full = false;
    while (!is_full) {
      const auto entry = entries.next();
      if (!entry) {
        // What stands before damage is as good as ever; the next reading begins at it and fails.
        if (batches.size() == 0)
          return entry.propagate();
        is_full = true;
        break;
      }
      if (!*entry)
        break;
      const auto& records = (*entry)->records;
      if (!records || records->next_offset <= request.from)
        continue;
      const auto size = (*entry)->body_bytes;
      const bool fits = batches.size() + size <= request.bytes_max ||
                        (batches.size() == 0 && request.at_least_one);
      if (!fits) {
        entries.step_back(**entry);
        is_full = true;
        break;
      }
      batches.add((*entry)->body_at, size);
      read.next_offset = records->next_offset;
      read.last_index = (*entry)->index;
      ++read.batch_count;
    }
    if (batches.size() > 0 || is_full || entries.is_done()) {
      read.batches = batches.finish();
      if (is_full && read.batches.empty())
        read.last_index = segment.last_index;
      break;
    }
    // The next entry alone is larger than what was read, or lies behind it.
    read_bytes = std::max(read_bytes, entries.needed_bytes());
  }
  entries.heal_index();
  remember(view, segment, entries.here());
  return read;
}

// -- entries --------------------------------------------------------------------------------------

result<std::vector<log_entry>> log_reader::try_read_entries(const log_view& view,
                                                            std::uint64_t from_index,
                                                            std::uint64_t end_index,
                                                            std::size_t bytes_max) const {
  const auto last =
      view.segments.empty() ? view.first_index - 1 : view.segments.back()->last_index.load();
  if (from_index < view.first_index || from_index > last + 1)
    return unexpected(errc::offset_out_of_range, "entry " + std::to_string(from_index) + " of " +
                                                     to_string(group_) + " is not in [" +
                                                     std::to_string(view.first_index) + ", " +
                                                     std::to_string(last + 1) + "]");
  std::vector<log_entry> found;
  if (from_index > last || from_index >= end_index)
    return found;
  const auto& segment = *segment_of_index(view, from_index);
  const auto source = open_segment(segment);
  if (!source)
    return source.propagate();
  const auto start = locate_index(view, segment, **source, from_index);
  if (!start)
    return start.propagate();
  walk entries(*this, segment, **source, *start, end_index);
  std::size_t read_bytes = bytes_max + (start->index == from_index ? 0 : index_interval_bytes_);
  std::size_t bytes = 0;
  while (found.empty()) {
    auto memory = entries.fill(read_bytes);
    if (!memory)
      return memory.propagate();
    const auto shared = memory->freeze();
    while (true) {
      const auto entry = entries.next();
      if (!entry)
        return entry.propagate();
      if (!*entry)
        break;
      const auto& e = **entry;
      if (e.index < from_index)
        continue;
      if (!found.empty() && bytes + e.body_bytes > bytes_max) {
        entries.step_back(e);
        break;
      }
      bytes += e.body_bytes;
      found.push_back({e.index, e.term, e.kind,
                       e.body_bytes == 0 ? buffer() : shared.slice(e.body_at, e.body_bytes)});
    }
    if (entries.is_done())
      break;
    read_bytes = std::max(read_bytes, entries.needed_bytes());
  }
  entries.heal_index();
  remember(view, segment, entries.here());
  return found;
}

} // namespace aqueduct::storage
