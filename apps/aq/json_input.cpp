// Reading records from lines of JSON.
#include "apps/aq/encoding.hpp"
#include "apps/aq/record_input.hpp"
#include "apps/aq/units.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdint>
#include <deque>

namespace aqueduct::aq {

namespace {

using nlohmann::json;

/// What recurses into a value must not run out of stack.
constexpr std::ptrdiff_t nesting_max = 1000;

/// Whether brackets, those within strings left out, are nested more than `nesting_max` deep.
bool is_nested_too_deeply(std::string_view line) {
  // Nearly all lines have fewer brackets than that.
  if (std::ranges::count(line, '[') + std::ranges::count(line, '{') <= nesting_max)
    return false;
  std::ptrdiff_t depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < line.size() && depth <= nesting_max; ++i) {
    const char c = line[i];
    if (c == '"')
      in_string = !in_string;
    else if (in_string)
      i += c == '\\' ? 1 : 0;
    else if (c == '[' || c == '{')
      ++depth;
    else if (c == ']' || c == '}')
      --depth;
  }
  return depth > nesting_max;
}

class json_parser : public record_parser {
public:
  parse_status next(std::string_view& window, bool at_end, record_text& record) override {
    const auto line = take_line(window, at_end);
    if (!line)
      return parse_status::need_more;
    texts_.clear();
    if (is_nested_too_deeply(*line))
      return fail(fmt::format("JSON is nested more than {} levels deep", nesting_max));
    object_ = json::parse(line->begin(), line->end(), nullptr, false);
    if (object_.is_discarded())
      return fail("not JSON");
    if (!object_.is_object())
      return fail("not a JSON object, as in {\"key\":\"k\",\"value\":\"v\"}");
    return read(record);
  }

private:
  parse_status read(record_text& record) {
    record.key.reset();
    record.value.reset();
    record.partition = -1;
    record.timestamp = -1;
    if (!text_of(object_, "key", record.key) || !text_of(object_, "value", record.value))
      return parse_status::failed;
    std::optional<std::int64_t> number;
    if (!number_of("partition", INT32_MAX, number))
      return parse_status::failed;
    if (number)
      record.partition = static_cast<std::int32_t>(*number);
    number.reset();
    if (!number_of("timestamp_ms", INT64_MAX, number))
      return parse_status::failed;
    if (number) {
      record.timestamp = *number;
    } else if (const auto text = object_.find("timestamp");
               text != object_.end() && text->is_string()) {
      const auto time = parse_time(text->get_ref<const std::string&>());
      if (!time)
        return fail(time.error().message);
      record.timestamp = time->value;
    }
    const auto headers = object_.find("headers");
    return headers == object_.end() ? parse_status::record : read_headers(*headers, record);
  }

  /// The member as a number from -1 (not said) to `most`; false after `fail`.
  bool number_of(const std::string& name, std::int64_t most, std::optional<std::int64_t>& number) {
    const auto at = object_.find(name);
    if (at == object_.end() || at->is_null())
      return true;
    const bool fits = at->is_number_unsigned()
                          ? at->get<std::uint64_t>() <= static_cast<std::uint64_t>(most)
                          : at->is_number_integer() && at->get<std::int64_t>() == -1;
    if (fits)
      number = at->get<std::int64_t>();
    else
      fail(fmt::format("\"{}\" is not a number from 0 to {}", name, most));
    return fits;
  }

  parse_status read_headers(const json& headers, record_text& record) {
    if (headers.is_object()) {
      for (const auto& [name, content] : headers.items()) {
        std::optional<std::string_view> value;
        if (!text_of(headers, name, value))
          return parse_status::failed;
        record.headers.push_back({texts_.emplace_back(name), value});
      }
      return parse_status::record;
    }
    if (!headers.is_array())
      return fail("\"headers\" is neither an object nor a list");
    for (const auto& each : headers) {
      std::optional<std::string_view> key;
      std::optional<std::string_view> value;
      if (!each.is_object() || !text_of(each, "key", key) || !text_of(each, "value", value))
        return fail("a header is not an object with \"key\" and \"value\"");
      record.headers.push_back({key.value_or(std::string_view()), value});
    }
    return parse_status::record;
  }

  /// The member as bytes; false after `fail`. Strings count as they are, or decoded if
  /// `<name>_encoding` says so; anything else counts as its JSON text.
  bool text_of(const json& object, const std::string& name, std::optional<std::string_view>& text) {
    const auto at = object.find(name);
    if (at == object.end() || at->is_null())
      return true;
    if (!at->is_string()) {
      text = texts_.emplace_back(at->dump());
      return true;
    }
    const auto& plain = at->get_ref<const std::string&>();
    const auto encoding = object.find(name + "_encoding");
    if (encoding == object.end() || !encoding->is_string()) {
      text = plain;
      return true;
    }
    auto& decoded = texts_.emplace_back();
    const bool is_decoded = (*encoding == "base64" && append_from_base64(decoded, plain)) ||
                            (*encoding == "hex" && append_from_hex(decoded, plain));
    text = decoded;
    if (!is_decoded)
      fail(fmt::format("\"{}\" is not in the encoding that \"{}_encoding\" names", name, name));
    return is_decoded;
  }

  json object_;
  /// Texts that are not in `object_` as they are. A deque, so that none moves.
  std::deque<std::string> texts_;
};

} // namespace

std::unique_ptr<record_parser> make_json_parser() {
  return std::make_unique<json_parser>();
}

} // namespace aqueduct::aq
