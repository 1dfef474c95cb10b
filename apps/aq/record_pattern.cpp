#include "apps/aq/record_pattern.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

namespace aqueduct::aq {

namespace {

using enum pattern_field;
using steps = std::vector<pattern_step>;

struct field_name {
  char letter;
  pattern_field field;
};

constexpr auto field_names = std::to_array<field_name>({
    {'t', topic},
    {'T', topic_size},
    {'p', partition},
    {'o', offset},
    {'d', timestamp},
    {'i', iteration},
    {'k', key},
    {'K', key_size},
    {'v', pattern_field::value},
    {'V', value_size},
    {'h', headers},
    {'H', header_count},
});

struct encoding_name {
  std::string_view name;
  pattern_encoding encoding;
};

constexpr auto number_encodings = std::to_array<encoding_name>({
    {"ascii", pattern_encoding::plain},
    {"hex", pattern_encoding::hex},
    {"big64", pattern_encoding::big64},
    {"big32", pattern_encoding::big32},
    {"big16", pattern_encoding::big16},
    {"little64", pattern_encoding::little64},
    {"little32", pattern_encoding::little32},
    {"little16", pattern_encoding::little16},
    {"byte", pattern_encoding::byte},
});

constexpr auto text_encodings = std::to_array<encoding_name>({
    {"raw", pattern_encoding::plain},
    {"hex", pattern_encoding::hex},
    {"base64", pattern_encoding::base64},
    {"json", pattern_encoding::json},
});

template <std::size_t N>
std::optional<pattern_encoding> find_encoding(const std::array<encoding_name, N>& names,
                                              std::string_view name) {
  const auto found = std::ranges::find(names, name, &encoding_name::name);
  return found == names.end() ? std::nullopt : std::optional(found->encoding);
}

bool is_text(pattern_field field) {
  return field == topic || field == key || field == pattern_field::value;
}

int hex_digit(char c) {
  constexpr std::string_view digits = "0123456789abcdef";
  const auto at = digits.find(static_cast<char>(c | 0x20));
  const bool is_digit = c >= '0' && c <= '9';
  return at == std::string_view::npos || (at < 10 && !is_digit) ? -1 : static_cast<int>(at);
}

/// Takes a pattern apart from left to right.
class compiler {
public:
  compiler(std::string_view text, bool is_inner) : text_(text), is_inner_(is_inner) {}

  result<steps> run() {
    while (at_ < text_.size()) {
      const char c = text_[at_];
      const auto done = c == '%' ? percent() : c == '\\' ? escape() : plain(c);
      if (!done)
        return done.propagate();
    }
    return std::move(steps_);
  }

private:
  unexpected fail(std::string_view why) const {
    return unexpected(errc::invalid_request,
                      fmt::format("pattern \"{}\", character {}: {}", text_, at_ + 1, why));
  }

  void add_literal(char c) {
    if (steps_.empty() || steps_.back().field != literal)
      steps_.push_back({});
    steps_.back().text += c;
  }

  result<void> plain(char c) {
    add_literal(c);
    ++at_;
    return {};
  }

  result<void> escape() {
    if (at_ + 1 == text_.size())
      return fail("a backslash needs a character after it; write \\\\ for a backslash");
    const char c = text_[at_ + 1];
    if (c == 'x') {
      const int high = at_ + 3 < text_.size() ? hex_digit(text_[at_ + 2]) : -1;
      const int low = high < 0 ? -1 : hex_digit(text_[at_ + 3]);
      if (low < 0)
        return fail("\\x needs two hexadecimal digits");
      add_literal(static_cast<char>(high * 16 + low));
      at_ += 4;
      return {};
    }
    constexpr std::string_view letters = "ntr0\\";
    constexpr std::string_view meanings("\n\t\r\0\\", 5);
    const auto index = letters.find(c);
    if (index == std::string_view::npos)
      return fail(fmt::format("\\{} is not an escape; there are \\n \\t \\r \\0 \\\\ \\xNN", c));
    add_literal(meanings[index]);
    at_ += 2;
    return {};
  }

  result<void> percent() {
    if (at_ + 1 == text_.size())
      return fail("a percent sign needs a letter after it; write %% for a percent sign");
    const char c = text_[at_ + 1];
    if (c == '%' || c == '{' || c == '}') {
      add_literal(c);
      at_ += 2;
      return {};
    }
    const auto found = std::ranges::find(field_names, c, &field_name::letter);
    if (found == field_names.end())
      return fail(fmt::format("%{} is not a field; see `aq help formats`", c));
    const auto field = found->field;
    if (is_inner_ && !(field == key || field == key_size || field == pattern_field::value ||
                       field == value_size))
      return fail(fmt::format("within %h{{...}} there are %k %v %K %V, not %{}", c));
    pattern_step step;
    step.field = field;
    at_ += 2;
    if (at_ < text_.size() && text_[at_] == '{') {
      const auto inside = braces();
      if (!inside)
        return inside.propagate();
      if (auto done = modify(step, *inside); !done)
        return done;
    } else if (field == headers) {
      return fail("%h needs a pattern for each header, as in %h{%k=%v;}");
    }
    steps_.push_back(std::move(step));
    return {};
  }

  /// What stands between the brace at `at_` and the one that closes it; goes behind it.
  result<std::string_view> braces() {
    const auto begin = at_ + 1;
    std::size_t depth = 1;
    std::size_t end = begin;
    for (bool in_brackets = false; end < text_.size(); ++end) {
      const char c = text_[end];
      if (c == '%' && end + 1 < text_.size() && (text_[end + 1] == '{' || text_[end + 1] == '}')) {
        ++end;
        continue;
      }
      if (c == '[' || c == ']')
        in_brackets = c == '[';
      else if (!in_brackets && c == '{')
        ++depth;
      else if (!in_brackets && c == '}' && --depth == 0)
        break;
    }
    if (end >= text_.size())
      return fail("the brace is not closed");
    at_ = end + 1;
    return text_.substr(begin, end - begin);
  }

  result<void> modify(pattern_step& step, std::string_view inside) {
    if (step.field == headers) {
      auto inner = compiler(inside, true).run();
      if (!inner)
        return inner.propagate();
      step.inner = std::move(*inner);
      return {};
    }
    if (is_text(step.field)) {
      if (const auto encoding = find_encoding(text_encodings, inside)) {
        step.encoding = *encoding;
        return {};
      }
      const auto [end, code] =
          std::from_chars(inside.data(), inside.data() + inside.size(), step.fixed_size);
      if (code == std::errc{} && end == inside.data() + inside.size() && step.fixed_size > 0)
        return {};
      return fail(fmt::format("{{{}}} is not a way to write a text; there are hex, base64, json "
                              "and a number of bytes",
                              inside));
    }
    if (const auto encoding = find_encoding(number_encodings, inside)) {
      step.encoding = *encoding;
      return {};
    }
    if (step.field == timestamp)
      return modify_time(step, inside);
    return fail(fmt::format("{{{}}} is not a way to write a number; there are hex, byte, big16, "
                            "big32, big64, little16, little32 and little64",
                            inside));
  }

  result<void> modify_time(pattern_step& step, std::string_view inside) {
    constexpr std::string_view prefix = "strftime[";
    if (inside == "rfc3339") {
      step.encoding = pattern_encoding::rfc3339;
      return {};
    }
    if (!inside.starts_with(prefix) || !inside.ends_with(']'))
      return fail(fmt::format("{{{}}} is not a way to write a time; there are rfc3339, "
                              "strftime[%F %T] and those of numbers",
                              inside));
    step.encoding = pattern_encoding::strftime;
    step.text = inside.substr(prefix.size(), inside.size() - prefix.size() - 1);
    return {};
  }

  std::string_view text_;
  bool is_inner_;
  std::size_t at_ = 0;
  steps steps_;
};

} // namespace

result<steps> compile_pattern(std::string_view text) {
  return compiler(text, false).run();
}

} // namespace aqueduct::aq
