#include "config/units.hpp"

#include <charconv>
#include <limits>
#include <span>

namespace aqueduct::config {

namespace {

struct unit {
  std::string_view name;
  std::uint64_t factor;
};

// Smallest first: formatting takes the last that divides.
constexpr unit duration_units[] = {
    {"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}};

// Decimal units first, so that formatting prefers the binary ones where both divide.
constexpr unit size_units[] = {{"B", 1},
                               {"KB", 1000},
                               {"MB", 1000'000},
                               {"GB", 1000'000'000},
                               {"TB", 1000'000'000'000},
                               {"KiB", 1ULL << 10},
                               {"MiB", 1ULL << 20},
                               {"GiB", 1ULL << 30},
                               {"TiB", 1ULL << 40}};

constexpr std::uint64_t amount_max = std::numeric_limits<std::int64_t>::max();

/// A whole number and the text behind it; `digits` is 0 when there is no number.
struct amount {
  std::uint64_t number = 0;
  std::size_t digits = 0;
  bool overflow = false;
  std::string_view unit_name;
};

amount split(std::string_view text) {
  amount found;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), found.number);
  found.digits = static_cast<std::size_t>(end - text.data());
  found.overflow = ec == std::errc::result_out_of_range;
  found.unit_name = text.substr(found.digits);
  return found;
}

unexpected bad(std::string why) {
  return {errc::invalid_config, std::move(why)};
}

/// `forms` is the part of the message that shows how it is written.
result<std::uint64_t> parse_amount(std::string_view text, std::span<const unit> units,
                                   std::string_view default_unit, const std::string& forms) {
  auto found = split(text);
  if (found.digits == 0)
    return bad("does not begin with a whole number; " + forms);
  if (found.overflow)
    return bad("is too large to be counted");
  if (found.unit_name.empty())
    found.unit_name = found.number == 0 ? units.front().name : default_unit;
  if (found.unit_name.empty())
    return bad("has no unit; " + forms);
  for (const auto& [name, factor] : units)
    if (name == found.unit_name) {
      if (found.number > amount_max / factor)
        return bad("is too large to be counted");
      return found.number * factor;
    }
  return bad("has the unknown unit '" + std::string(found.unit_name) + "'; " + forms);
}

std::string format_amount(std::uint64_t number, std::span<const unit> units) {
  const unit* best = units.data();
  for (const auto& candidate : units)
    if (number != 0 && number % candidate.factor == 0)
      best = &candidate;
  return std::to_string(number / best->factor).append(best->name);
}

} // namespace

result<std::chrono::milliseconds> parse_duration(std::string_view text) {
  const auto count =
      parse_amount(text, duration_units, "", "write a number with ms, s, m, h or d, such as 10s");
  if (!count)
    return count.propagate();
  return std::chrono::milliseconds(static_cast<std::int64_t>(*count));
}

std::string format_duration(std::chrono::milliseconds duration) {
  return format_amount(static_cast<std::uint64_t>(duration.count()), duration_units);
}

result<byte_size> parse_size(std::string_view text) {
  const auto count =
      parse_amount(text, size_units, "B",
                   "write a number with B, KB, MB, GB, TB, KiB, MiB, GiB or TiB, such as 64KiB");
  if (!count)
    return count.propagate();
  return byte_size{*count};
}

std::string format_size(byte_size size) {
  return format_amount(size.count, size_units);
}

} // namespace aqueduct::config
