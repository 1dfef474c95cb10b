// Finding the record with the largest timestamp.
#include "protocol/record_reader.hpp"
#include "storage/log_reader.hpp"
#include "storage/log_reader_walk.hpp"

#include <algorithm>
#include <functional>
#include <utility>

namespace aqueduct::storage {

namespace {

constexpr std::size_t search_read_bytes = 256 << 10;
constexpr timestamp_ms no_time{-1};

/// The largest timestamp of the records of a batch from `start` on; -1 if there is none.
result<timestamp_ms> newest_of(byte_span body, offset_t start) {
  const protocol::batch_view batch(body);
  if (batch.is_control() || batch.next_offset() <= start)
    return no_time;
  if (batch.base_offset() >= start)
    return batch.max_timestamp();
  auto newest = no_time;
  protocol::record_reader records;
  records.open(batch);
  for (protocol::record_view record; records.next(record);)
    if (record.offset >= start)
      newest = std::max(newest, record.timestamp);
  if (auto read = records.status(); !read)
    return unexpected(read.error());
  return newest;
}

} // namespace

result<std::optional<time_found>>
log_reader::try_find_newest(const log_view& view, std::uint64_t end_index, offset_t start) const {
  start = std::max(start, view.start_offset);
  // What a segment says of itself is never too small; records that do not count are counted there.
  std::vector<std::pair<std::int64_t, const log_segment*>> candidates;
  for (const auto& segment : view.segments)
    if (segment->first_index < end_index && segment->last_index >= view.first_index &&
        segment->max_timestamp >= 0)
      candidates.emplace_back(segment->max_timestamp, segment.get());
  std::ranges::stable_sort(candidates, std::ranges::greater(),
                           [](const auto& c) { return c.first; });
  std::optional<time_found> best;
  for (const auto& [at_most, segment] : candidates) {
    if (best && at_most < best->timestamp.value)
      break;
    auto found = find_newest_in(*segment, timestamp_ms(at_most), end_index, start);
    if (!found)
      return found;
    if (*found && (!best || (*found)->timestamp > best->timestamp ||
                   ((*found)->timestamp == best->timestamp && (*found)->offset < best->offset)))
      best = **found;
  }
  return best;
}

result<std::optional<time_found>> log_reader::find_newest_in(const log_segment& segment,
                                                             timestamp_ms at_most,
                                                             std::uint64_t end_index,
                                                             offset_t start) const {
  if (auto found = find_time_in(segment, at_most, end_index, start); !found || *found)
    return found;
  const auto source = open_segment(segment);
  if (!source)
    return source.propagate();
  auto newest = no_time;
  walk entries(*this, segment, **source,
               place{segment_header_bytes, segment.first_index, segment.base_offset}, end_index);
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
      if (!e.records || e.records->max_timestamp <= newest)
        continue;
      const auto here =
          newest_of(byte_span(memory->bytes()).subspan(e.body_at, e.body_bytes), start);
      if (!here)
        return here.propagate();
      newest = std::max(newest, *here);
    }
  }
  entries.heal_index();
  if (newest == no_time)
    return std::optional<time_found>();
  return find_time_in(segment, newest, end_index, start);
}

} // namespace aqueduct::storage
