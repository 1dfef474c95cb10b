// Reading values; printing them is in value.cpp.
#include "config/utf8.hpp"
#include "config/value.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <initializer_list>
#include <optional>
#include <string_view>

namespace aqueduct::config {

namespace {

using form = raw_value::form;

unexpected bad(std::string message) {
  return {errc::invalid_config, std::move(message)};
}

/// What was written, fit for one line of a message.
std::string quoted(std::string_view text) {
  constexpr std::size_t shown_max = 80;
  std::string shown(text.substr(0, shown_max));
  std::ranges::replace_if(
      shown, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, '?');
  return fmt::format("'{}{}'", shown, text.size() > shown_max ? "..." : "");
}

std::string form_name(const raw_value& raw) {
  switch (raw.written) {
  case form::plain:
  case form::quoted:
    return "the text " + quoted(raw.text);
  case form::boolean:
    return "the boolean " + raw.text;
  case form::integer:
  case form::real:
    return "the number " + raw.text;
  case form::list:
    return "a list";
  case form::other:
    break;
  }
  return raw.text;
}

template <class T>
std::optional<T> parse_number(std::string_view text) {
  T number{};
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || ec != std::errc() || end != text.data() + text.size())
    return std::nullopt;
  return number;
}

/// Refuses forms that the kind does not take, before its text is looked at.
std::optional<error> wrong_form(const raw_value& raw, std::initializer_list<form> taken,
                                std::string_view wanted) {
  if (std::ranges::find(taken, raw.written) != taken.end())
    return std::nullopt;
  return error{errc::invalid_config, fmt::format("expected {}, found {}", wanted, form_name(raw))};
}

unexpected out_of_range(const kind& wanted, const raw_value& raw) {
  return bad(fmt::format("{} is out of range; allowed: {}", raw.text, kind_range(wanted)));
}

result<value> read(const bool_kind&, const raw_value& raw) {
  if (auto wrong = wrong_form(raw, {form::plain, form::boolean}, "true or false"))
    return unexpected(*wrong);
  if (raw.text != "true" && raw.text != "false")
    return bad(quoted(raw.text) + " is neither true nor false");
  return value(raw.text == "true");
}

result<value> read(const integer_kind& wanted, const raw_value& raw) {
  if (auto wrong = wrong_form(raw, {form::plain, form::integer}, "a whole number"))
    return unexpected(*wrong);
  const auto number = parse_number<std::int64_t>(raw.text);
  if (!number)
    return bad(
        fmt::format("{} is not a whole number; allowed: {}", quoted(raw.text), kind_range(wanted)));
  if (*number < wanted.min || *number > wanted.max)
    return out_of_range(wanted, raw);
  return value(*number);
}

/// The text of an amount with its unit, or nothing when it says "unlimited".
std::optional<std::string> amount_text(bool may_be_unlimited, number_style style,
                                       const raw_value& raw, std::string_view bare_unit) {
  if (may_be_unlimited && raw.text == unlimited_word(style))
    return std::nullopt;
  const bool bare = !raw.text.empty() && raw.text.back() >= '0' && raw.text.back() <= '9';
  return style == number_style::kafka && bare ? raw.text + std::string(bare_unit) : raw.text;
}

result<value> read(const duration_kind& wanted, const raw_value& raw) {
  if (auto wrong = wrong_form(raw, {form::plain, form::quoted, form::integer}, "a duration"))
    return unexpected(*wrong);
  const auto text = amount_text(wanted.may_be_unlimited, wanted.style, raw, "ms");
  if (!text)
    return value();
  const auto duration = parse_duration(*text);
  if (!duration)
    return bad(fmt::format("{} {}; allowed: {}", quoted(raw.text), duration.error().message,
                           kind_range(wanted)));
  if (*duration < wanted.min || *duration > wanted.max)
    return out_of_range(wanted, raw);
  return value(*duration);
}

result<value> read(const size_kind& wanted, const raw_value& raw) {
  if (auto wrong = wrong_form(raw, {form::plain, form::quoted, form::integer}, "a size"))
    return unexpected(*wrong);
  const auto text = amount_text(wanted.may_be_unlimited, wanted.style, raw, "B");
  if (!text)
    return value();
  const auto size = parse_size(*text);
  if (!size)
    return bad(fmt::format("{} {}; allowed: {}", quoted(raw.text), size.error().message,
                           kind_range(wanted)));
  if (size->count < wanted.min || size->count > wanted.max)
    return out_of_range(wanted, raw);
  return value(*size);
}

result<value> read(const ratio_kind& wanted, const raw_value& raw) {
  if (auto wrong = wrong_form(raw, {form::plain, form::quoted, form::integer, form::real},
                              "a share such as 0.25 or 25%"))
    return unexpected(*wrong);
  std::string_view text = raw.text;
  const bool percent = text.ends_with('%');
  if (percent)
    text.remove_suffix(1);
  const auto number = parse_number<double>(text);
  if (!number || !std::isfinite(*number))
    return bad(quoted(raw.text) + " is not a share; write 0.25 or 25%");
  const auto share = percent ? *number / 100 : *number;
  if (share < wanted.min || share > wanted.max)
    return out_of_range(wanted, raw);
  return value(share);
}

result<value> read(const text_kind& wanted, const raw_value& raw) {
  if (auto wrong = wrong_form(raw, {form::plain, form::quoted}, "text in quotes"))
    return unexpected(*wrong);
  if (raw.text.size() < wanted.size_min || raw.text.size() > wanted.size_max)
    return bad(fmt::format("{} has {} characters; allowed: {}", quoted(raw.text), raw.text.size(),
                           kind_range(wanted)));
  if (!is_utf8(raw.text))
    return bad("the text is not UTF-8");
  const auto unprintable = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
  if (std::ranges::any_of(raw.text, unprintable))
    return bad("the text contains control characters; remove them");
  return value(raw.text);
}

result<value> read(const endpoint_kind& wanted, const raw_value& raw) {
  if (auto wrong = wrong_form(raw, {form::plain, form::quoted}, "an address host:port"))
    return unexpected(*wrong);
  if (wanted.may_be_empty && raw.text.empty())
    return value();
  auto address = parse_endpoint(raw.text);
  if (!address)
    return bad(quoted(raw.text) + " " + address.error().message);
  if (address->port == 0 && !wanted.port_may_be_zero)
    return bad(quoted(raw.text) + " has port 0; allowed: 1 to 65535");
  return value(*std::move(address));
}

/// The items of a list, or of plain text with commas.
result<std::vector<raw_value>> read_items(const raw_value& raw, std::string_view wanted) {
  if (auto wrong = wrong_form(raw, {form::plain, form::list}, wanted))
    return unexpected(*wrong);
  if (raw.written == form::list)
    return raw.items;
  std::vector<raw_value> items;
  std::string_view rest = raw.text;
  while (!rest.empty()) {
    const auto comma = rest.find(',');
    items.push_back({form::plain, std::string(rest.substr(0, comma)), {}, raw.line, raw.column});
    rest = comma == std::string_view::npos ? std::string_view() : rest.substr(comma + 1);
  }
  return items;
}

result<value> read(const endpoint_list_kind&, const raw_value& raw) {
  const auto items = read_items(raw, "a list of addresses");
  if (!items)
    return items.propagate();
  std::vector<endpoint> addresses;
  for (const auto& item : *items) {
    const auto address = read(endpoint_kind{}, item);
    if (!address)
      return address.propagate();
    addresses.push_back(std::get<endpoint>(*address));
    if (std::ranges::find(addresses.begin(), addresses.end() - 1, addresses.back()) !=
        addresses.end() - 1)
      return bad(quoted(item.text) + " is in the list twice");
  }
  return value(std::move(addresses));
}

result<value> read(const named_endpoint_list_kind& wanted, const raw_value& raw) {
  const auto items = read_items(raw, "a list of \"name=host:port\"");
  if (!items)
    return items.propagate();
  std::vector<named_endpoint> addresses;
  for (const auto& item : *items) {
    if (auto wrong = wrong_form(item, {form::plain, form::quoted}, "\"name=host:port\""))
      return unexpected(*wrong);
    auto named = parse_named_endpoint(item.text);
    if (!named)
      return bad(quoted(item.text) + " " + named.error().message);
    if (named->address.port == 0 && !wanted.port_may_be_zero)
      return bad(quoted(item.text) + " has port 0; allowed: 1 to 65535");
    if (std::ranges::find(addresses, named->name, &named_endpoint::name) != addresses.end())
      return bad(quoted(named->name) + " is in the list twice");
    addresses.push_back(*std::move(named));
  }
  return value(std::move(addresses));
}

result<value> read(const choice_kind& wanted, const raw_value& raw) {
  if (auto wrong = wrong_form(raw, {form::plain, form::quoted}, kind_range(wanted)))
    return unexpected(*wrong);
  for (const auto& [name, sentence] : wanted.refused)
    if (raw.text == name)
      return bad(quoted(name) + ": " + sentence);
  if (std::ranges::find(wanted.names, raw.text) == wanted.names.end())
    return bad(fmt::format("{} is unknown; allowed: {}", quoted(raw.text), kind_range(wanted)));
  return value(raw.text);
}

result<value> read(const choice_by_name_kind& wanted, const raw_value& raw) {
  const auto items = read_items(raw, "a list of \"name=choice\"");
  if (!items)
    return items.propagate();
  std::vector<std::string> pairs;
  for (const auto& item : *items) {
    if (auto wrong = wrong_form(item, {form::plain, form::quoted}, "\"name=choice\""))
      return unexpected(*wrong);
    const auto equals = item.text.find('=');
    if (equals == std::string::npos || equals == 0)
      return bad(quoted(item.text) + " is not of the form name=choice");
    if (std::ranges::find(wanted.names, item.text.substr(0, equals)) == wanted.names.end())
      return bad(fmt::format("{} begins with an unknown name; allowed: {}", quoted(item.text),
                             kind_range(wanted)));
    if (std::ranges::find(wanted.choices, item.text.substr(equals + 1)) == wanted.choices.end())
      return bad(fmt::format("{} ends in an unknown choice; allowed: {}", quoted(item.text),
                             kind_range(wanted)));
    const auto prefix = item.text.substr(0, equals + 1);
    if (std::ranges::any_of(pairs, [&](const auto& p) { return p.starts_with(prefix); }))
      return bad(quoted(prefix.substr(0, equals)) + " is in the list twice");
    pairs.push_back(item.text);
  }
  std::ranges::sort(pairs);
  return value(std::move(pairs));
}

} // namespace

result<value> read_value(const kind& wanted, const raw_value& raw) {
  return std::visit([&](const auto& concrete) { return read(concrete, raw); }, wanted);
}

} // namespace aqueduct::config
