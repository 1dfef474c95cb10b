#include "apps/aq/record_printer.hpp"

#include "apps/aq/encoding.hpp"
#include "apps/aq/units.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <ctime>

namespace aqueduct::aq {

namespace {

using enum pattern_field;

void append_decimal(std::string& out, std::int64_t number) {
  std::array<char, 24> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  out.append(digits.data(), end);
}

void append_binary(std::string& out, std::uint64_t number, std::size_t bytes, bool is_big) {
  for (std::size_t i = 0; i < bytes; ++i) {
    const auto shift = 8 * (is_big ? bytes - 1 - i : i);
    out += static_cast<char>(number >> shift & 0xff);
  }
}

void append_number(std::string& out, std::int64_t number, pattern_encoding encoding) {
  const auto bits = static_cast<std::uint64_t>(number);
  switch (encoding) {
  case pattern_encoding::hex: {
    std::array<char, 16> digits;
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), bits, 16).ptr;
    out.append(digits.data(), end);
    return;
  }
  case pattern_encoding::big64:
    return append_binary(out, bits, 8, true);
  case pattern_encoding::big32:
    return append_binary(out, bits, 4, true);
  case pattern_encoding::big16:
    return append_binary(out, bits, 2, true);
  case pattern_encoding::little64:
    return append_binary(out, bits, 8, false);
  case pattern_encoding::little32:
    return append_binary(out, bits, 4, false);
  case pattern_encoding::little16:
    return append_binary(out, bits, 2, false);
  case pattern_encoding::byte:
    return append_binary(out, bits, 1, true);
  default:
    return append_decimal(out, number);
  }
}

void append_json_text(std::string& out, const std::optional<std::string_view>& text) {
  if (!text) {
    out += "null";
  } else if (is_utf8(*text)) {
    append_json_string(out, *text);
  } else {
    out += '"';
    append_base64(out, *text);
    out += '"';
  }
}

void append_text(std::string& out, const std::optional<std::string_view>& text,
                 pattern_encoding encoding) {
  if (encoding == pattern_encoding::json)
    return append_json_text(out, text);
  if (!text)
    return;
  if (encoding == pattern_encoding::hex)
    append_hex(out, *text);
  else if (encoding == pattern_encoding::base64)
    append_base64(out, *text);
  else
    out += *text;
}

void append_strftime(std::string& out, std::int64_t ms, const std::string& format) {
  const std::time_t seconds = ms / 1000 - (ms % 1000 < 0 ? 1 : 0);
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  std::array<char, 256> text;
  // 0 is an empty text or one that is too long; neither is worth more than nothing.
  const auto size = std::strftime(text.data(), text.size(), format.c_str(), &parts);
  out.append(text.data(), size);
}

void append_time(std::string& out, std::int64_t ms, const pattern_step& step) {
  if (step.encoding == pattern_encoding::rfc3339)
    out += format_time(timestamp_ms(ms));
  else if (step.encoding == pattern_encoding::strftime)
    append_strftime(out, ms, step.text);
  else
    append_number(out, ms, step.encoding);
}

std::int64_t size_of(const std::optional<std::string_view>& text) {
  return text ? static_cast<std::int64_t>(text->size()) : 0;
}

void append_headers(std::string& out, const pattern_step& step, const record_text& record) {
  record_text inner;
  for (const auto& header : record.headers) {
    inner.key = header.key;
    inner.value = header.value;
    append_record(out, step.inner, inner, 0);
  }
}

void append_member(std::string& out, std::string_view name,
                   const std::optional<std::string_view>& text) {
  out += '"';
  out += name;
  out += "\":";
  append_json_text(out, text);
  if (text && !is_utf8(*text)) {
    out += ",\"";
    out += name;
    out += "_encoding\":\"base64\"";
  }
}

void append_size(std::string& out, std::string_view name, std::int64_t size) {
  out += ",\"";
  out += name;
  out += "\":";
  append_decimal(out, size);
}

} // namespace

void append_record(std::string& out, const std::vector<pattern_step>& steps,
                   const record_text& record, std::uint64_t iteration_number) {
  for (const auto& step : steps) {
    switch (step.field) {
    case literal:
      out += step.text;
      break;
    case topic:
      append_text(out, record.topic, step.encoding);
      break;
    case topic_size:
      append_number(out, static_cast<std::int64_t>(record.topic.size()), step.encoding);
      break;
    case partition:
      append_number(out, record.partition, step.encoding);
      break;
    case offset:
      append_number(out, record.offset, step.encoding);
      break;
    case timestamp:
      append_time(out, record.timestamp, step);
      break;
    case iteration:
      append_number(out, static_cast<std::int64_t>(iteration_number), step.encoding);
      break;
    case key:
      append_text(out, record.key, step.encoding);
      break;
    case key_size:
      append_number(out, size_of(record.key), step.encoding);
      break;
    case pattern_field::value:
      append_text(out, record.value, step.encoding);
      break;
    case value_size:
      append_number(out, size_of(record.value), step.encoding);
      break;
    case headers:
      append_headers(out, step, record);
      break;
    case header_count:
      append_number(out, static_cast<std::int64_t>(record.headers.size()), step.encoding);
      break;
    }
  }
}

void append_record_json(std::string& out, const record_text& record, bool with_payload) {
  out += "{\"topic\":";
  append_json_string(out, record.topic);
  append_size(out, "partition", record.partition);
  append_size(out, "offset", record.offset);
  out += ",\"timestamp\":";
  if (record.timestamp >= 0) {
    out += '"';
    out += format_time(timestamp_ms(record.timestamp));
    out += '"';
  } else {
    out += "null";
  }
  append_size(out, "timestamp_ms", record.timestamp);
  if (with_payload) {
    out += ',';
    append_member(out, "key", record.key);
    out += ',';
    append_member(out, "value", record.value);
    out += ",\"headers\":[";
    for (std::size_t i = 0; i < record.headers.size(); ++i) {
      out += i == 0 ? "{" : ",{";
      append_member(out, "key", record.headers[i].key);
      out += ',';
      append_member(out, "value", record.headers[i].value);
      out += '}';
    }
    out += ']';
  } else {
    append_size(out, "key_bytes", record.key ? size_of(record.key) : -1);
    append_size(out, "value_bytes", record.value ? size_of(record.value) : -1);
    append_size(out, "header_count", static_cast<std::int64_t>(record.headers.size()));
  }
  out += "}\n";
}

result<record_printer> record_printer::make(const choice& options) {
  record_printer printer;
  printer.on_terminal_ = options.on_terminal;
  printer.with_payload_ = !options.meta_only;
  if (options.format == "json" || (options.format.empty() && options.wants_json)) {
    printer.style_ = style::json;
    // Their number is part of what --meta-only tells.
    printer.needs_headers_ = true;
    return printer;
  }
  if (options.format.empty() && !options.meta_only)
    return printer;
  const auto format =
      options.format.empty() ? "%t/%p @ %o  %d{rfc3339}  key %K B  value %V B\\n" : options.format;
  auto steps = compile_pattern(format);
  if (!steps)
    return steps.propagate();
  printer.style_ = style::pattern;
  printer.steps_ = std::move(*steps);
  printer.needs_headers_ = std::ranges::any_of(printer.steps_, [](const pattern_step& step) {
    return step.field == headers || step.field == header_count;
  });
  return printer;
}

void record_printer::append(std::string& out, const record_text& record,
                            std::uint64_t iteration_number) {
  switch (style_) {
  case style::json:
    return append_record_json(out, record, with_payload_);
  case style::pattern:
    return append_record(out, steps_, record, iteration_number);
  case style::values:
    break;
  }
  if (record.value) {
    if (on_terminal_ && !is_printable(*record.value)) {
      out += "base64:";
      append_base64(out, *record.value);
      has_encoded_ = true;
    } else {
      out += *record.value;
    }
  }
  out += '\n';
}

} // namespace aqueduct::aq
