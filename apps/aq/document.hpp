// What a verb found out, before anyone decided how it looks: fields and tables of typed values.
// Verbs build documents, render.hpp prints them.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace aqueduct::aq {

/// A value of a document. Numbers are signed 64-bit; monostate is "not known", null in JSON.
struct value {
  using list = std::vector<value>;
  using object = std::vector<std::pair<std::string, value>>;

  std::variant<std::monostate, bool, std::int64_t, double, std::string, list, object> data;

  value() = default;
  value(bool v) : data(v) {}
  value(int v) : data(std::int64_t{v}) {}
  value(unsigned v) : data(std::int64_t{v}) {}
  value(std::int64_t v) : data(v) {}
  value(std::uint64_t v) : data(static_cast<std::int64_t>(v)) {}
  value(double v) : data(v) {}
  value(const char* v) : data(std::string(v)) {}
  value(std::string_view v) : data(std::string(v)) {}
  value(std::string v) : data(std::move(v)) {}
  value(list v) : data(std::move(v)) {}
  value(object v) : data(std::move(v)) {}
  template <class T>
  value(const std::optional<T>& v) {
    if (v)
      *this = value(*v);
  }

  [[nodiscard]] bool is_null() const { return std::holds_alternative<std::monostate>(data); }
  friend bool operator==(const value&, const value&) = default;
};

/// How a value is shown to people. Scripts get the plain number.
enum class kind : std::uint8_t {
  text,
  number,
  /// A number of bytes.
  bytes,
  /// Milliseconds since the epoch; -1 is none. JSON has it twice: `<key>` in RFC 3339, `<key>_ms`.
  time,
  /// Milliseconds; the key ends in `_ms`.
  duration,
};

struct column {
  /// snake_case; the key in JSON and YAML, and what --columns and --sort take.
  std::string key;
  /// The heading, upper case.
  std::string title;
  aq::kind kind = kind::text;
  /// Shown by `--output wide` only; always part of JSON, YAML and CSV.
  bool wide = false;
};

struct table {
  /// The key of the list in JSON and YAML.
  std::string key;
  std::vector<column> columns;
  /// Each row has one value per column. The first column is what `--output name` prints.
  std::vector<std::vector<value>> rows;
};

/// A fact that stands alone.
struct fact {
  column label;
  value content;
};

struct document {
  std::vector<fact> facts;
  /// The first one is what CSV, `name`, `jsonl`, --columns and --sort are about.
  std::vector<table> tables;

  void add(std::string key, std::string title, value content, kind how = kind::text) {
    facts.push_back({{std::move(key), std::move(title), how}, std::move(content)});
  }
};

/// `content` as people read it: sanitised, with units. Nothing is "-".
[[nodiscard]] std::string to_display(const value& content, kind how);

} // namespace aqueduct::aq
