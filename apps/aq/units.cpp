#include "apps/aq/units.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>

namespace aqueduct::aq {

namespace {

using std::chrono::milliseconds;

struct unit {
  std::string_view name;
  double factor;
};

constexpr auto duration_units = std::to_array<unit>({
    {"ms", 1},
    {"s", 1e3},
    {"m", 60e3},
    {"h", 3600e3},
    {"d", 86400e3},
    {"w", 7 * 86400e3},
});

constexpr double kibi = 1024.0;

constexpr auto size_units = std::to_array<unit>({
    {"", 1},
    {"k", 1e3},
    {"K", 1e3},
    {"M", 1e6},
    {"G", 1e9},
    {"T", 1e12},
    {"Ki", kibi},
    {"Mi", kibi* kibi},
    {"Gi", kibi* kibi* kibi},
    {"Ti", kibi* kibi* kibi* kibi},
});

constexpr auto rate_periods = std::to_array<unit>({{"s", 1}, {"m", 60}, {"h", 3600}});

std::optional<double> factor_of(std::span<const unit> units, std::string_view name) {
  const auto found = std::ranges::find(units, name, &unit::name);
  return found == units.end() ? std::nullopt : std::optional(found->factor);
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/// Takes a decimal number without sign or exponent off the front.
std::optional<double> take_number(std::string_view& text) {
  const auto size = static_cast<std::size_t>(
      std::ranges::find_if(text, [](char c) { return !is_digit(c) && c != '.'; }) - text.begin());
  double number = 0;
  const auto end = text.data() + size;
  const auto [at, code] = std::from_chars(text.data(), end, number, std::chars_format::fixed);
  if (size == 0 || code != std::errc{} || at != end)
    return std::nullopt;
  text.remove_prefix(size);
  return number;
}

std::string_view take_letters(std::string_view& text) {
  const auto size = static_cast<std::size_t>(
      std::ranges::find_if(text, [](char c) { return is_digit(c) || c == '.'; }) - text.begin());
  const auto letters = text.substr(0, size);
  text.remove_prefix(size);
  return letters;
}

unexpected bad(std::string_view what, std::string_view text, std::string_view forms) {
  return unexpected(errc::invalid_request,
                    fmt::format("\"{}\" is not {}; write {}", text, what, forms));
}

/// Exactly `digits` digits at `from`, as a number; -1 if there are none.
int digits_at(std::string_view text, std::size_t from, std::size_t digits) {
  if (from + digits > text.size())
    return -1;
  int number = 0;
  for (const char c : text.substr(from, digits)) {
    if (!is_digit(c))
      return -1;
    number = number * 10 + (c - '0');
  }
  return number;
}

/// `Z`, `+02:00`, `-0530` or nothing, in minutes.
std::optional<int> zone_minutes(std::string_view text) {
  if (text.empty() || text == "Z" || text == "z")
    return 0;
  if (text.front() != '+' && text.front() != '-')
    return std::nullopt;
  const bool has_colon = text.size() == 6 && text[3] == ':';
  if (!has_colon && text.size() != 5)
    return std::nullopt;
  const int hours = digits_at(text, 1, 2);
  const int minutes = digits_at(text, has_colon ? 4 : 3, 2);
  if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59)
    return std::nullopt;
  const int total = hours * 60 + minutes;
  return text.front() == '-' ? -total : total;
}

/// `12:00[:05[.250]]` and a zone, in milliseconds since the day's beginning in UTC.
std::optional<std::int64_t> time_of_day(std::string_view text) {
  const int hours = digits_at(text, 0, 2);
  const int minutes = text.size() > 2 && text[2] == ':' ? digits_at(text, 3, 2) : -1;
  if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59)
    return std::nullopt;
  std::int64_t ms = (hours * 60 + minutes) * 60'000LL;
  text.remove_prefix(5);
  if (!text.empty() && text.front() == ':') {
    const int seconds = digits_at(text, 1, 2);
    if (seconds < 0 || seconds > 60)
      return std::nullopt;
    ms += seconds * 1000LL;
    text.remove_prefix(3);
    if (!text.empty() && text.front() == '.') {
      std::size_t count = 1;
      for (std::int64_t weight = 100; count < text.size() && is_digit(text[count]); ++count) {
        ms += (text[count] - '0') * weight;
        weight /= 10;
      }
      if (count == 1)
        return std::nullopt;
      text.remove_prefix(count);
    }
  }
  const auto zone = zone_minutes(text);
  return zone ? std::optional(ms - *zone * 60'000LL) : std::nullopt;
}

std::optional<std::int64_t> parse_civil(std::string_view text) {
  using namespace std::chrono;
  const int y = digits_at(text, 0, 4);
  if (y < 0 || text.size() < 10 || text[4] != '-' || text[7] != '-')
    return std::nullopt;
  const int m = digits_at(text, 5, 2);
  const int d = digits_at(text, 8, 2);
  if (m < 0 || d < 0)
    return std::nullopt;
  const year_month_day date{year(y), month(static_cast<unsigned>(m)),
                            day(static_cast<unsigned>(d))};
  if (!date.ok())
    return std::nullopt;
  const auto midnight = sys_days(date).time_since_epoch() / milliseconds(1);
  text.remove_prefix(10);
  if (text.empty())
    return midnight;
  if (text.front() != 'T' && text.front() != ' ')
    return std::nullopt;
  const auto within = time_of_day(text.substr(1));
  return within ? std::optional(midnight + *within) : std::nullopt;
}

} // namespace

result<milliseconds> parse_duration(std::string_view text) {
  constexpr std::string_view forms = "a number and a unit: 250ms, 5s, 10m, 1h30m, 2d or 1w";
  double total = 0;
  for (auto rest = text; !rest.empty() || text.empty();) {
    const auto number = take_number(rest);
    const auto factor = factor_of(duration_units, take_letters(rest));
    if (!number || !factor)
      return bad("a duration", text, forms);
    total += *number * *factor;
  }
  // Beyond this the sum with a present time would overflow.
  if (total > 1e15)
    return bad("a duration within reason", text, forms);
  return milliseconds(static_cast<std::int64_t>(std::llround(total)));
}

result<std::uint64_t> parse_size(std::string_view text) {
  constexpr std::string_view forms = "bytes or a number with k, M, G, T or Ki, Mi, Gi, Ti";
  auto rest = text;
  const auto number = take_number(rest);
  if (rest.ends_with('B'))
    rest.remove_suffix(1);
  const auto factor = factor_of(size_units, rest);
  if (!number || !factor || *number * *factor > 9e18)
    return bad("a size", text, forms);
  return static_cast<std::uint64_t>(std::llround(*number * *factor));
}

result<rate> parse_rate(std::string_view text) {
  constexpr std::string_view forms = "records as in 1k/s or 600/m, or bytes as in 50MB/s";
  const auto slash = text.find('/');
  const auto amount_text = text.substr(0, slash);
  const auto period = slash == std::string_view::npos
                          ? std::optional(1.0)
                          : factor_of(rate_periods, text.substr(slash + 1));
  const auto amount = parse_size(amount_text);
  if (!period || !amount || *amount == 0)
    return bad("a rate", text, forms);
  return rate{static_cast<double>(*amount) / *period, amount_text.ends_with('B')};
}

result<timestamp_ms> parse_time(std::string_view text) {
  if (!text.empty() && std::ranges::all_of(text, is_digit) && text.size() >= 9 &&
      text.size() <= 15) {
    std::int64_t number = 0;
    std::from_chars(text.data(), text.data() + text.size(), number);
    return timestamp_ms(text.size() >= 12 ? number : number * 1000);
  }
  constexpr auto forms = "2026-01-31, 2026-01-31T12:00:00Z, or milliseconds since the epoch";
  const auto civil = parse_civil(text);
  if (!civil)
    return bad("a time", text, forms);
  if (*civil < 0)
    return bad("a time since 1970-01-01T00:00:00Z", text, forms);
  return timestamp_ms(*civil);
}

std::string format_time(timestamp_ms time) {
  using namespace std::chrono;
  constexpr sys_time<milliseconds> first = sys_days(year(0) / January / 1);
  constexpr sys_time<milliseconds> last = sys_days(year(10000) / January / 1) - milliseconds(1);
  const sys_time<milliseconds> point{milliseconds(time.value)};
  if (point < first || point > last)
    return std::to_string(time.value);
  const auto midnight = floor<days>(point);
  const year_month_day date(midnight);
  const hh_mm_ss clock(point - midnight);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     clock.hours().count(), clock.minutes().count(), clock.seconds().count(),
                     clock.subseconds().count());
}

std::string format_bytes(std::uint64_t bytes) {
  if (bytes < 1024)
    return fmt::format("{} B", bytes);
  constexpr auto names = std::to_array<std::string_view>({"KiB", "MiB", "GiB", "TiB", "PiB"});
  auto amount = static_cast<double>(bytes) / kibi;
  std::size_t unit = 0;
  // 1023.5 would print as "1024".
  while (amount >= 1023.5 && unit + 1 < names.size()) {
    amount /= kibi;
    ++unit;
  }
  return amount < 9.95 ? fmt::format("{:.1f} {}", amount, names[unit])
                       : fmt::format("{:.0f} {}", amount, names[unit]);
}

std::string format_duration(milliseconds duration) {
  const auto count = duration.count();
  // The smallest number has no positive counterpart.
  if (count < 0)
    return "-" + format_duration(milliseconds(-std::max(count, -milliseconds::max().count())));
  const auto ms = static_cast<std::uint64_t>(count);
  if (ms < 1000)
    return fmt::format("{}ms", ms);
  if (ms < 59'950)
    return ms % 1000 == 0 ? fmt::format("{}s", ms / 1000)
                          : fmt::format("{:.1f}s", static_cast<double>(ms) / 1000);
  const auto two_units = [](std::uint64_t large, char large_unit, std::uint64_t small,
                            char small_unit) {
    return small == 0 ? fmt::format("{}{}", large, large_unit)
                      : fmt::format("{}{}{}{}", large, large_unit, small, small_unit);
  };
  const auto seconds = (ms + 500) / 1000;
  if (seconds < 3600)
    return two_units(seconds / 60, 'm', seconds % 60, 's');
  if (seconds < 86400)
    return two_units(seconds / 3600, 'h', seconds % 3600 / 60, 'm');
  return two_units(seconds / 86400, 'd', seconds % 86400 / 3600, 'h');
}

std::string format_count(std::uint64_t count) {
  auto digits = std::to_string(count);
  for (auto at = digits.size(); at > 3;) {
    at -= 3;
    digits.insert(at, ",");
  }
  return digits;
}

} // namespace aqueduct::aq
