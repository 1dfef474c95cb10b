#include "apps/aq/offsets.hpp"

#include "apps/aq/units.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace aqueduct::aq {

namespace {

using anchor = position::anchor;

unexpected bad_offsets(std::string_view text) {
  return unexpected(errc::invalid_request,
                    fmt::format("\"{}\" is not an offset; write start, end, 47, +5, -10, @TIME, "
                                "or a range as in 10:20, :end or @-1h:end",
                                text));
}

std::optional<std::int64_t> parse_number(std::string_view text) {
  std::int64_t number = 0;
  const auto end = text.data() + text.size();
  const auto [at, code] = std::from_chars(text.data(), end, number);
  if (text.empty() || code != std::errc{} || at != end || number < 0)
    return std::nullopt;
  return number;
}

std::optional<position> named_position(std::string_view text) {
  if (text == "start" || text == "oldest" || text == "earliest" || text == "beginning")
    return position{anchor::start, 0};
  if (text == "end" || text == "newest" || text == "latest")
    return position{anchor::end, 0};
  return std::nullopt;
}

/// The inside of `@...`: a time, or a duration before now.
std::optional<position> time_position(std::string_view text, timestamp_ms now) {
  if (const auto named = named_position(text))
    return named;
  if (text.starts_with('-')) {
    const auto before = parse_duration(text.substr(1));
    if (!before)
      return std::nullopt;
    return position{anchor::time, std::max<std::int64_t>(0, now.value - before->count())};
  }
  const auto time = parse_time(text);
  return time ? std::optional(position{anchor::time, time->value}) : std::nullopt;
}

std::optional<position> plain_position(std::string_view text, timestamp_ms now) {
  if (const auto named = named_position(text))
    return named;
  if (text.starts_with('@'))
    return time_position(text.substr(1), now);
  const bool is_relative = text.starts_with('+') || text.starts_with('-');
  const auto number = parse_number(is_relative ? text.substr(1) : text);
  if (!number)
    return std::nullopt;
  if (!is_relative)
    return position{anchor::absolute, *number};
  return position{text.starts_with('+') ? anchor::start : anchor::end, *number};
}

/// The right side of `@A:B`, which may leave out its own @ and may be as long as `1h`.
std::optional<position> time_range_end(const position& begin, std::string_view text,
                                       timestamp_ms now) {
  if (text.starts_with('@'))
    text.remove_prefix(1);
  if (const auto place = time_position(text, now))
    return place;
  const auto length = parse_duration(text);
  if (!length || begin.from != anchor::time)
    return std::nullopt;
  return position{anchor::time, begin.number + length->count()};
}

std::optional<offset_range> split_range(std::string_view text, std::size_t colon,
                                        timestamp_ms now) {
  const auto left = text.substr(0, colon);
  const auto right = text.substr(colon + 1);
  const auto begin = left.empty() || left == "@" ? position{} : plain_position(left, now);
  if (!begin || (left.empty() && right.empty()))
    return std::nullopt;
  if (right.empty())
    return offset_range{*begin, std::nullopt};
  const auto end =
      left.starts_with('@') ? time_range_end(*begin, right, now) : plain_position(right, now);
  return end ? std::optional(offset_range{*begin, *end}) : std::nullopt;
}

} // namespace

result<position> parse_position(std::string_view text, timestamp_ms now) {
  if (const auto place = plain_position(text, now))
    return *place;
  return bad_offsets(text);
}

result<offset_range> parse_offsets(std::string_view text, timestamp_ms now) {
  // A time holds colons of its own: the text is one place if it can be, else the last colon that
  // leaves a place on both sides divides it.
  if (const auto place = plain_position(text, now))
    return offset_range{*place, std::nullopt};
  for (auto colon = text.rfind(':'); colon != std::string_view::npos;
       colon = colon == 0 ? std::string_view::npos : text.rfind(':', colon - 1))
    if (const auto range = split_range(text, colon, now)) {
      const auto& [begin, end] = *range;
      const bool is_backwards =
          end && begin.from == end->from && begin.from != anchor::end && end->number < begin.number;
      if (is_backwards)
        return unexpected(errc::invalid_request, fmt::format("\"{}\" ends before it begins", text));
      return *range;
    }
  return bad_offsets(text);
}

std::optional<std::int64_t> resolve(const position& where, const partition_bounds& bounds) {
  // Distances are cut before they are added, so that no number overflows.
  const auto distance = std::min(where.number, bounds.end - bounds.start);
  switch (where.from) {
  case anchor::start:
    return bounds.start + distance;
  case anchor::end:
    return bounds.end - distance;
  case anchor::absolute:
    return std::max(where.number, bounds.start);
  case anchor::time:
    break;
  }
  return std::nullopt;
}

} // namespace aqueduct::aq
