// Printing values and describing kinds; reading them is in value_reader.cpp.
#include "config/value.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <type_traits>

namespace aqueduct::config {

namespace {

template <class... Cases>
struct overloaded : Cases... {
  using Cases::operator()...;
};
template <class... Cases>
overloaded(Cases...) -> overloaded<Cases...>; // clang 14 does not deduce aggregates

std::string joined(const std::vector<std::string>& words, std::string_view separator = ", ") {
  return fmt::format("{}", fmt::join(words, separator));
}

std::string print_duration(std::chrono::milliseconds duration, number_style style) {
  return style == number_style::kafka ? std::to_string(duration.count())
                                      : format_duration(duration);
}

std::string print_size(byte_size size, number_style style) {
  return style == number_style::kafka ? std::to_string(size.count) : format_size(size);
}

/// A basic TOML string.
std::string toml_string(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\')
      out.append({'\\', c});
    else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
      out += fmt::format("\\u{:04X}", static_cast<unsigned char>(c));
    else
      out.push_back(c);
  }
  return out.append("\"");
}

number_style style_of(const kind& of) {
  if (const auto* duration = std::get_if<duration_kind>(&of))
    return duration->style;
  if (const auto* size = std::get_if<size_kind>(&of))
    return size->style;
  return number_style::with_unit;
}

template <class T>
constexpr bool is_list_of_addresses =
    std::is_same_v<T, std::vector<endpoint>> || std::is_same_v<T, std::vector<named_endpoint>>;

/// Precondition: it is a list.
std::vector<std::string> print_items(const value& held) {
  std::vector<std::string> items;
  std::visit(
      [&](const auto& list) {
        using T = std::remove_cvref_t<decltype(list)>;
        if constexpr (is_list_of_addresses<T>)
          std::ranges::transform(list, std::back_inserter(items),
                                 [](const auto& address) { return to_string(address); });
        else if constexpr (std::is_same_v<T, std::vector<std::string>>)
          items = list;
      },
      held);
  return items;
}

} // namespace
std::string_view unlimited_word(number_style style) {
  return style == number_style::kafka ? "-1" : "unlimited";
}

std::string print_value(const kind& of, const value& held) {
  return std::visit(
      overloaded{
          [&](std::monostate) {
            return std::string(
                std::holds_alternative<endpoint_kind>(of) ? "" : unlimited_word(style_of(of)));
          },
          [](bool flag) { return std::string(flag ? "true" : "false"); },
          [](std::int64_t number) { return std::to_string(number); },
          [](double share) { return fmt::format("{}", share); },
          [&](std::chrono::milliseconds time) { return print_duration(time, style_of(of)); },
          [&](byte_size size) { return print_size(size, style_of(of)); },
          [](const std::string& text) { return text; },
          [](const endpoint& address) { return to_string(address); },
          [&](const auto&) { return joined(print_items(held), ","); },
      },
      held);
}

std::string print_toml_value(const kind& of, const value& held) {
  const bool bare = std::holds_alternative<bool>(held) ||
                    std::holds_alternative<std::int64_t>(held) ||
                    std::holds_alternative<double>(held);
  if (bare)
    return print_value(of, held);
  const bool is_list = std::holds_alternative<std::vector<endpoint>>(held) ||
                       std::holds_alternative<std::vector<named_endpoint>>(held) ||
                       std::holds_alternative<std::vector<std::string>>(held);
  if (!is_list)
    return toml_string(print_value(of, held));
  auto items = print_items(held);
  std::ranges::transform(items, items.begin(), toml_string);
  return "[" + joined(items) + "]";
}

std::string kind_name(const kind& of) {
  return std::visit(overloaded{
                        [](const bool_kind&) { return "boolean"; },
                        [](const integer_kind&) { return "integer"; },
                        [](const duration_kind&) { return "duration"; },
                        [](const size_kind&) { return "size"; },
                        [](const ratio_kind&) { return "share"; },
                        [](const text_kind&) { return "text"; },
                        [](const endpoint_kind&) { return "address"; },
                        [](const endpoint_list_kind&) { return "list of addresses"; },
                        [](const named_endpoint_list_kind&) { return "list of name=address"; },
                        [](const choice_kind&) { return "choice"; },
                        [](const choice_by_name_kind&) { return "list of name=choice"; },
                    },
                    of);
}

std::string kind_range(const kind& of) {
  const auto or_unlimited = [](bool allowed, number_style style) {
    return allowed ? fmt::format(", or {}", unlimited_word(style)) : std::string();
  };
  return std::visit(
      overloaded{
          [](const bool_kind&) { return std::string("true or false"); },
          [](const integer_kind& k) { return fmt::format("{} to {}", k.min, k.max); },
          [&](const duration_kind& k) {
            return fmt::format("{} to {}{}", print_duration(k.min, k.style),
                               print_duration(k.max, k.style),
                               or_unlimited(k.may_be_unlimited, k.style));
          },
          [&](const size_kind& k) {
            return fmt::format("{} to {}{}", print_size({k.min}, k.style),
                               print_size({k.max}, k.style),
                               or_unlimited(k.may_be_unlimited, k.style));
          },
          [](const ratio_kind& k) { return fmt::format("{} to {}", k.min, k.max); },
          [](const text_kind& k) {
            return fmt::format("{} to {} characters", k.size_min, k.size_max);
          },
          [](const endpoint_kind& k) {
            return fmt::format("host:port{}{}", k.port_may_be_zero ? ", port 0 for a free one" : "",
                               k.may_be_empty ? ", or empty" : "");
          },
          [](const endpoint_list_kind&) { return std::string("host:port each"); },
          [](const named_endpoint_list_kind& k) {
            return fmt::format("name=host:port each{}",
                               k.port_may_be_zero ? ", port 0 for a free one" : "");
          },
          [](const choice_kind& k) { return "one of " + joined(k.names); },
          [](const choice_by_name_kind& k) {
            return fmt::format("name=choice each, the name one of {}, the choice one of {}",
                               joined(k.names), joined(k.choices));
          },
      },
      of);
}

} // namespace aqueduct::config
