// The settings model: one row per setting, from which settings are loaded, checked, printed and
// documented. `model<C>` binds rows to the fields of a plain struct `C`; the default of a setting
// is what a value-initialised `C` holds. A row is written once, in node_model.cpp or
// topic_config.cpp.
#pragma once

#include "config/document.hpp"
#include "config/value.hpp"
#include "protocol/invariant.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <concepts>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace aqueduct::config {

// -- fields and values --------------------------------------------------------

/// The spelling of an enumeration in settings: specialise with a
/// `static constexpr std::array<std::pair<E, std::string_view>, N> names`.
template <class E>
struct spelling;

template <class E>
requires std::is_enum_v<E>
[[nodiscard]] std::string_view to_string(E choice) {
  for (const auto& [value, name] : spelling<E>::names)
    if (value == choice)
      return name;
  return "unknown";
}

template <class E>
[[nodiscard]] choice_kind choice_of() {
  choice_kind kind;
  for (const auto& [value, name] : spelling<E>::names)
    kind.names.emplace_back(name);
  return kind;
}

/// Precondition: `name` is one of the spellings, as `read_value` made sure.
template <class E>
[[nodiscard]] E choice_named(std::string_view name) {
  const auto* row =
      std::ranges::find(spelling<E>::names, name, &std::pair<E, std::string_view>::second);
  AQUEDUCT_INVARIANT(row != std::end(spelling<E>::names), std::string(name));
  return row->first;
}

/// How a field of type `T` is held in a `value`.
template <class T>
struct field_codec {
  static value wrap(const T& field) { return field; }
  static T unwrap(const value& held) { return std::get<T>(held); }
};

template <>
struct field_codec<std::int32_t> {
  static value wrap(std::int32_t field) { return std::int64_t{field}; }
  static std::int32_t unwrap(const value& held) {
    return static_cast<std::int32_t>(std::get<std::int64_t>(held));
  }
};

template <>
struct field_codec<std::uint64_t> {
  static value wrap(std::uint64_t field) { return byte_size{field}; }
  static std::uint64_t unwrap(const value& held) { return std::get<byte_size>(held).count; }
};

template <>
struct field_codec<std::filesystem::path> {
  static value wrap(const std::filesystem::path& field) { return field.string(); }
  static std::filesystem::path unwrap(const value& held) { return std::get<std::string>(held); }
};

template <class T>
struct field_codec<std::optional<T>> {
  static value wrap(const std::optional<T>& field) {
    return field ? field_codec<T>::wrap(*field) : value();
  }
  static std::optional<T> unwrap(const value& held) {
    if (std::holds_alternative<std::monostate>(held))
      return std::nullopt;
    return field_codec<T>::unwrap(held);
  }
};

template <class E>
requires std::is_enum_v<E>
struct field_codec<E> {
  static value wrap(E field) { return std::string(to_string(field)); }
  static E unwrap(const value& held) { return choice_named<E>(std::get<std::string>(held)); }
};

template <class E>
struct field_codec<std::map<std::string, E>> {
  static value wrap(const std::map<std::string, E>& field) {
    std::vector<std::string> pairs;
    for (const auto& [name, choice] : field)
      pairs.push_back(name + "=" + std::string(to_string(choice)));
    return pairs;
  }
  static std::map<std::string, E> unwrap(const value& held) {
    std::map<std::string, E> field;
    for (const auto& pair : std::get<std::vector<std::string>>(held)) {
      const auto equals = pair.find('=');
      field.emplace(pair.substr(0, equals), choice_named<E>(pair.substr(equals + 1)));
    }
    return field;
  }
};

// -- rows ---------------------------------------------------------------------

/// Whether a running node takes a new value when it reads its settings again.
enum class reload : std::uint8_t { no, yes };
/// Whether a value may be shown.
enum class visibility : std::uint8_t { shown, secret };

/// What a setting is, apart from the field that it fills.
struct setting_info {
  /// `section.name`, or `name` for what belongs to no section.
  std::string key;
  kind type;
  /// Sentences: what it does, and what choosing it costs.
  std::string documentation;
  reload reloading = reload::no;
  visibility visible = visibility::shown;
};

template <class C>
struct setting : setting_info {
  std::function<value(const C&)> read;
  std::function<void(C&, const value&)> write;
};

/// The part of a key before its last dot; empty for what belongs to no section.
[[nodiscard]] std::string_view section_of(std::string_view key);

/// Which settings were given where; what is not in here has its default.
using origins = std::map<std::string, origin, std::less<>>;

/// One message per problem, each with its place.
using problems = std::vector<std::string>;

/// "place: key: message", without the parts that are empty.
[[nodiscard]] std::string problem_text(const origin& where, std::string_view key,
                                       std::string_view message);
/// What is wrong with a key that no row has; names the nearest that one has.
[[nodiscard]] std::string unknown_key_text(std::string_view key,
                                           std::span<const std::string> known);
/// The name of `known` that is nearest to `word` by edit distance, or nothing when none is near.
[[nodiscard]] std::optional<std::string> nearest(std::string_view word,
                                                 std::span<const std::string> known);
/// All problems as one error, a line each. Precondition: there is one.
[[nodiscard]] unexpected refused(const problems& all);

/// One line of `--print-config`: a setting as TOML, its key without the section.
[[nodiscard]] std::string toml_line(const setting_info& info, const value& held,
                                    std::string_view comment);

template <class C>
class model {
public:
  explicit model(std::vector<setting<C>> rows) : rows_(std::move(rows)) {
    for (const auto& row : rows_)
      keys_.push_back(row.key);
  }

  [[nodiscard]] const std::vector<setting<C>>& rows() const { return rows_; }
  [[nodiscard]] const std::vector<std::string>& keys() const { return keys_; }

  [[nodiscard]] const setting<C>* find(std::string_view key) const {
    const auto row = std::ranges::find(rows_, key, &setting<C>::key);
    return row == rows_.end() ? nullptr : &*row;
  }

  /// Puts the entries of one source on top of what `config` holds, and says in `given` where each
  /// came from. Unknown keys, keys given twice and bad values become problems.
  void apply(const std::vector<entry>& source, C& config, origins& given, problems& found) const {
    origins seen;
    for (const auto& one : source) {
      const auto* row = find(one.key);
      if (!row) {
        if (!is_empty_section(one))
          found.push_back(problem_text(one.where, one.key, unknown_key_text(one.key, keys_)));
        continue;
      }
      if (const auto [first, fresh] = seen.try_emplace(one.key, one.where); !fresh) {
        const auto& place = first->second;
        found.push_back(problem_text(
            one.where, one.key,
            "is given twice" + (place.name.empty() ? "" : ", first at " + to_string(place))));
        continue;
      }
      auto read = read_value(row->type, one.raw);
      if (!read) {
        found.push_back(problem_text(place_of(one), one.key,
                                     row->visible == visibility::secret
                                         ? "is not valid; allowed: " + kind_range(row->type)
                                         : read.error().message));
        continue;
      }
      row->write(config, *read);
      given.insert_or_assign(one.key, one.where);
    }
  }

  /// A TOML document with every setting and, as a comment, where its value came from. It loads to
  /// the same values; only secrets are left out.
  [[nodiscard]] std::string print(const C& config, const origins& given) const {
    std::string text;
    std::string_view section;
    for (const auto& row : rows_) {
      if (const auto own = section_of(row.key); own != section) {
        section = own;
        text.append("\n[").append(section).append("]\n");
      }
      const auto where = given.find(row.key);
      text += toml_line(row, row.read(config),
                        to_string(where == given.end() ? origin() : where->second)) +
              "\n";
    }
    return text;
  }

private:
  /// `[section]` without a key, of a section that exists, sets nothing.
  [[nodiscard]] bool is_empty_section(const entry& one) const {
    return one.raw.written == raw_value::form::other &&
           std::ranges::any_of(keys_, [&](const auto& k) { return section_of(k) == one.key; });
  }

  static origin place_of(const entry& one) {
    auto where = one.where;
    if (one.raw.line != 0) {
      where.line = one.raw.line;
      where.column = one.raw.column;
    }
    return where;
  }

  std::vector<setting<C>> rows_;
  std::vector<std::string> keys_;
};

/// Collects rows. `field` is a generic lambda from a `C` to one of its fields: one that gives a
/// const reference for a const `C` and a reference otherwise.
template <class C>
class model_builder {
public:
  template <class Field>
  model_builder& add(std::string key, kind type, Field field, std::string documentation,
                     reload reloading = reload::no, visibility visible = visibility::shown) {
    using T = std::remove_cvref_t<decltype(field(std::declval<C&>()))>;
    setting<C> row;
    row.key = std::move(key);
    row.type = std::move(type);
    row.documentation = std::move(documentation);
    row.reloading = reloading;
    row.visible = visible;
    row.read = [field](const C& config) { return field_codec<T>::wrap(field(config)); };
    row.write = [field](C& config, const value& held) {
      field(config) = field_codec<T>::unwrap(held);
    };
    rows_.push_back(std::move(row));
    return *this;
  }

  [[nodiscard]] model<C> build() { return model<C>(std::move(rows_)); }

private:
  std::vector<setting<C>> rows_;
};

} // namespace aqueduct::config

/// The field of a settings struct that a row fills: AQUEDUCT_FIELD(storage.flush).
#define AQUEDUCT_FIELD(path)                                                                       \
  [](auto& config) -> auto& {                                                                      \
    return config.path;                                                                            \
  }
