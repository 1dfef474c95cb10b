// What a setting can hold, apart from which setting it is: the kinds of values with their ranges,
// reading a value from what a file, a variable or an argument says, and printing it.
#pragma once

#include "config/endpoint.hpp"
#include "config/units.hpp"
#include "protocol/result.hpp"

#include <chrono>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace aqueduct::config {

/// A checked value. `monostate` is "not set" or "unlimited", where the kind allows it.
using value = std::variant<std::monostate, bool, std::int64_t, double, std::chrono::milliseconds,
                           byte_size, std::string, endpoint, std::vector<endpoint>,
                           std::vector<named_endpoint>, std::vector<std::string>>;

/// A value as it was written, before anyone knows which kind is wanted.
struct raw_value {
  enum class form : std::uint8_t {
    /// Text whose source has no types: a variable, an argument, a plain YAML scalar.
    plain,
    /// Text in quotes.
    quoted,
    boolean,
    integer,
    real,
    list,
    /// A table, a date, a null: what no setting takes.
    other,
  };

  form written = form::plain;
  /// The spelling; for `other`, what it is ("a table").
  std::string text;
  std::vector<raw_value> items;
  /// Position in the file, from 1; 0 when there is none.
  std::uint32_t line = 0;
  std::uint32_t column = 0;
};

// -- kinds: ranges are closed on both ends -----------------------------------

/// How durations and sizes are spelled.
enum class number_style : std::uint8_t {
  /// "7d", "64KiB"; none is "unlimited".
  with_unit,
  /// Milliseconds or bytes as bare numbers; none is "-1". Units are understood too.
  kafka,
};

struct bool_kind {};
struct integer_kind {
  std::int64_t min = 0;
  std::int64_t max = std::numeric_limits<std::int64_t>::max();
};
struct duration_kind {
  std::chrono::milliseconds min{0};
  std::chrono::milliseconds max = std::chrono::milliseconds::max();
  bool may_be_unlimited = false;
  number_style style = number_style::with_unit;
};
struct size_kind {
  std::uint64_t min = 0;
  std::uint64_t max = std::numeric_limits<std::int64_t>::max();
  bool may_be_unlimited = false;
  number_style style = number_style::with_unit;
};
/// A share: "0.25" or "25%".
struct ratio_kind {
  double min = 0;
  double max = 1;
};
struct text_kind {
  std::size_t size_min = 0;
  std::size_t size_max = 255;
};
struct endpoint_kind {
  /// 0 stands for any free port.
  bool port_may_be_zero = false;
  /// Empty stands for "not set".
  bool may_be_empty = false;
};
struct endpoint_list_kind {};
/// A list of "name=host:port", each name once.
struct named_endpoint_list_kind {
  /// 0 stands for any free port.
  bool port_may_be_zero = false;
};
struct choice_kind {
  std::vector<std::string> names;
  /// Names that someone may expect, each with the sentence why it is refused.
  std::vector<std::pair<std::string, std::string>> refused;
};
/// A list of "name=choice", each name once.
struct choice_by_name_kind {
  std::vector<std::string> names;
  std::vector<std::string> choices;
};

using kind = std::variant<bool_kind, integer_kind, duration_kind, size_kind, ratio_kind, text_kind,
                          endpoint_kind, endpoint_list_kind, named_endpoint_list_kind, choice_kind,
                          choice_by_name_kind>;

/// Reads a value of kind `wanted`. The error (`invalid_config`) names what was written, what is
/// wrong with it and what is allowed.
[[nodiscard]] result<value> read_value(const kind& wanted, const raw_value& raw);

/// The canonical spelling: what `read_value` reads from plain text.
[[nodiscard]] std::string print_value(const kind& of, const value& held);
/// The value as TOML: what `read_value` reads from a TOML file.
[[nodiscard]] std::string print_toml_value(const kind& of, const value& held);

/// How the absence of a limit is spelled.
[[nodiscard]] std::string_view unlimited_word(number_style style);
/// "duration", "size", "choice", ...
[[nodiscard]] std::string kind_name(const kind& of);
/// What is allowed: "10ms to 1h", "one of commit, interval, os".
[[nodiscard]] std::string kind_range(const kind& of);

} // namespace aqueduct::config
