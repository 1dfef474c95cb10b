// Finding where the entries of a term end. Terms never fall along a log: segments are halved by
// their first entries, then the segment by the entries that its index names.
#include "storage/log_reader.hpp"
#include "storage/log_reader_walk.hpp"
#include "storage/log_scan.hpp"

#include <algorithm>

namespace aqueduct::storage {

namespace {

constexpr std::size_t search_read_bytes = 256 << 10;

} // namespace

result<std::uint64_t> log_reader::term_of(const log_segment& segment, const file& source,
                                          const place& at) const {
  walk entries(*this, segment, source, at, at.index + 1);
  while (!entries.is_done()) {
    if (auto memory = entries.fill(entries.needed_bytes()); !memory)
      return memory.propagate();
    const auto entry = entries.next();
    if (!entry)
      return entry.propagate();
    if (*entry)
      return (*entry)->term;
  }
  return damage(segment.path, at.position, at.index, "no entry begins here");
}

result<term_end> log_reader::try_find_term_end(const log_view& view, std::uint64_t term,
                                               std::uint64_t end_index) const {
  const auto holds_some = [&](const auto& segment) {
    return segment->last_index >= segment->first_index && segment->first_index < end_index;
  };
  std::size_t low = 0;
  auto high = static_cast<std::size_t>(std::ranges::count_if(view.segments, holds_some));
  while (low < high) {
    const auto middle = low + (high - low) / 2;
    const auto& segment = *view.segments[middle];
    const auto source = open_segment(segment);
    if (!source)
      return source.propagate();
    const auto first = term_of(segment, **source,
                               {segment_header_bytes, segment.first_index, segment.base_offset});
    if (!first)
      return first.propagate();
    if (*first <= term)
      low = middle + 1;
    else
      high = middle;
  }
  term_end found{term, view.start_offset};
  if (low > 0) {
    auto inside = find_term_end_in(view, *view.segments[low - 1], term, end_index);
    if (!inside)
      return inside;
    found = *inside;
  }
  found.offset = std::max(found.offset, view.start_offset);
  return found;
}

result<term_end> log_reader::find_term_end_in(const log_view& view, const log_segment& segment,
                                              std::uint64_t term, std::uint64_t end_index) const {
  const auto source = open_segment(segment);
  if (!source)
    return source.propagate();
  // Everything up to `begin` is of a term that is small enough, nothing from `larger` on is.
  place begin{segment_header_bytes, segment.first_index, segment.base_offset};
  auto larger = std::min<std::uint64_t>(segment.last_index + 1, end_index);
  for (auto unknown = segment.first_index + 1; unknown < larger;) {
    const auto middle = unknown + (larger - unknown) / 2;
    const auto at = locate_index(view, segment, **source, middle);
    if (!at)
      return at.propagate();
    if (at->index < unknown) {
      // The index names nothing from here to the middle.
      unknown = middle + 1;
      continue;
    }
    const auto here = term_of(segment, **source, *at);
    if (!here)
      return here.propagate();
    if (*here > term) {
      larger = at->index;
    } else {
      begin = *at;
      unknown = middle + 1;
    }
  }
  term_end found;
  walk entries(*this, segment, **source, begin, larger);
  while (!entries.is_done()) {
    if (auto memory = entries.fill(search_read_bytes); !memory)
      return memory.propagate();
    while (true) {
      const auto entry = entries.next();
      if (!entry)
        return entry.propagate();
      if (!*entry)
        break;
      if ((*entry)->term > term) {
        found.offset = (*entry)->at.offset;
        return found;
      }
      found.term = (*entry)->term;
    }
  }
  entries.heal_index();
  found.offset = entries.here().offset;
  return found;
}

} // namespace aqueduct::storage
