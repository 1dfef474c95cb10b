// Reading records by a pattern.
#include "apps/aq/encoding.hpp"
#include "apps/aq/record_input.hpp"
#include "apps/aq/units.hpp"

#include <fmt/format.h>

#include <charconv>
#include <optional>

namespace aqueduct::aq {

namespace {

using enum pattern_field;
using steps = std::vector<pattern_step>;

/// Bytes of a number in a binary encoding; 0 for the others.
std::size_t binary_size(pattern_encoding encoding) {
  switch (encoding) {
  case pattern_encoding::big64:
  case pattern_encoding::little64:
    return 8;
  case pattern_encoding::big32:
  case pattern_encoding::little32:
    return 4;
  case pattern_encoding::big16:
  case pattern_encoding::little16:
    return 2;
  case pattern_encoding::byte:
    return 1;
  default:
    return 0;
  }
}

bool is_little(pattern_encoding encoding) {
  return encoding == pattern_encoding::little64 || encoding == pattern_encoding::little32 ||
         encoding == pattern_encoding::little16;
}

std::int64_t binary_number(std::string_view bytes, bool little) {
  std::uint64_t number = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i)
    number = number << 8 | static_cast<std::uint8_t>(bytes[little ? bytes.size() - 1 - i : i]);
  return static_cast<std::int64_t>(number);
}

/// Whether the step's bytes tell themselves where they end.
bool is_delimited_by_itself(const pattern_step& step, bool has_size) {
  return step.field == literal || step.field == headers || step.fixed_size > 0 || has_size ||
         binary_size(step.encoding) > 0;
}

/// Whether each field of a pattern can be read, and has an end.
result<void> check(const steps& pattern, bool is_inner) {
  bool key_has_size = false;
  bool value_has_size = false;
  bool has_count = false;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    const auto& step = pattern[i];
    const auto bad = [](std::string_view why) {
      return unexpected(errc::invalid_request, fmt::format("this pattern cannot be read: {}", why));
    };
    if (step.field == topic || step.field == topic_size || step.field == offset ||
        step.field == iteration)
      return bad("%t, %T, %o and %i are only for printing");
    if (step.encoding == pattern_encoding::strftime)
      return bad("a time can be read as a number or {rfc3339}, not by strftime");
    key_has_size |= step.field == key_size;
    value_has_size |= step.field == value_size;
    has_count |= step.field == header_count;
    if (step.field == headers) {
      if (!has_count)
        return bad("%h needs the number of headers, %H, before it");
      if (auto inner = check(step.inner, true); !inner)
        return inner;
    }
    const bool has_size =
        (step.field == key && key_has_size) || (step.field == value && value_has_size);
    const bool is_last = i + 1 == pattern.size();
    if (is_delimited_by_itself(step, has_size) || (is_last && !is_inner))
      continue;
    if (is_last || pattern[i + 1].field != literal)
      return bad("a field needs a text after it, a size before it (%K, %V) or in it ({N})");
  }
  return {};
}

class pattern_parser : public record_parser {
public:
  explicit pattern_parser(steps pattern) : steps_(std::move(pattern)) {
    // Decoded texts must not move while the record is in use.
    scratch_.reserve(scratch_texts_max);
  }

  parse_status next(std::string_view& window, bool at_end, record_text& record) override {
    rest_ = window;
    at_end_ = at_end;
    scratch_used_ = 0;
    header_count_ = 0;
    record.key.reset();
    record.value.reset();
    record.partition = -1;
    record.timestamp = -1;
    const auto status = run(steps_, record, nullptr);
    if (status == parse_status::record)
      window = rest_;
    return status;
  }

private:
  /// A record has at most key, value and its headers to decode; more of them are refused.
  static constexpr std::size_t scratch_texts_max = 4096;

  parse_status run(const steps& pattern, record_text& record, header_text* header) {
    std::optional<std::size_t> key_bytes;
    std::optional<std::size_t> value_bytes;
    for (std::size_t i = 0; i < pattern.size(); ++i) {
      const auto& step = pattern[i];
      const bool is_last = i + 1 == pattern.size();
      const std::string_view end_text = is_last ? std::string_view() : pattern[i + 1].text;
      if (step.field == literal) {
        if (const auto status = skip(step.text, is_last && header == nullptr);
            status != parse_status::record)
          return status;
        continue;
      }
      if (step.field == headers) {
        if (const auto status = read_headers(step, record); status != parse_status::record)
          return status;
        continue;
      }
      const auto size = step.fixed_size > 0   ? std::optional(step.fixed_size)
                        : step.field == key   ? key_bytes
                        : step.field == value ? value_bytes
                                              : std::nullopt;
      const auto status = take(step, size, end_text);
      if (status != parse_status::record)
        return status;
      switch (step.field) {
      case key:
        (header != nullptr ? header->key : record.key.emplace()) = text_;
        break;
      case value:
        (header != nullptr ? header->value : record.value) = text_;
        break;
      case key_size:
        key_bytes = static_cast<std::size_t>(number_);
        break;
      case value_size:
        value_bytes = static_cast<std::size_t>(number_);
        break;
      case header_count:
        header_count_ = static_cast<std::size_t>(number_);
        break;
      case partition:
        record.partition = static_cast<std::int32_t>(number_);
        break;
      case timestamp:
        record.timestamp = number_;
        break;
      default:
        break;
      }
    }
    return parse_status::record;
  }

  parse_status too_short() {
    return at_end_ ? fail("the input ends within the record") : parse_status::need_more;
  }

  /// Takes a literal. At the end of the input the last one may be missing, as the newline of the
  /// last line often is.
  parse_status skip(std::string_view text, bool may_be_missing) {
    if (rest_.starts_with(text)) {
      rest_.remove_prefix(text.size());
      return parse_status::record;
    }
    if (text.starts_with(rest_)) {
      if (!at_end_)
        return parse_status::need_more;
      if (may_be_missing && rest_.empty())
        return parse_status::record;
    }
    std::string wanted;
    append_json_string(wanted, text);
    return fail(fmt::format("the text {} is missing", wanted));
  }

  /// The bytes of a field, to `raw`.
  parse_status cut(std::optional<std::size_t> size, std::string_view end_text,
                   std::string_view& raw) {
    if (size) {
      if (*size > record_input::record_bytes_max)
        return fail(fmt::format("a size of {} bytes is beyond reason", *size));
      if (rest_.size() < *size)
        return too_short();
      raw = rest_.substr(0, *size);
    } else if (end_text.empty()) {
      if (!at_end_)
        return parse_status::need_more;
      raw = rest_;
    } else {
      const auto end = rest_.find(end_text);
      if (end == std::string_view::npos && !at_end_)
        return parse_status::need_more;
      raw = rest_.substr(0, end);
    }
    rest_.remove_prefix(raw.size());
    return parse_status::record;
  }

  parse_status take(const pattern_step& step, std::optional<std::size_t> size,
                    std::string_view end_text) {
    const bool is_number = step.field != key && step.field != value;
    if (is_number && binary_size(step.encoding) > 0)
      size = binary_size(step.encoding);
    std::string_view raw;
    if (const auto status = cut(size, end_text, raw); status != parse_status::record)
      return status;
    return is_number ? decode_number(step, raw) : decode_text(step, raw);
  }

  parse_status decode_number(const pattern_step& step, std::string_view raw) {
    if (binary_size(step.encoding) > 0) {
      number_ = binary_number(raw, is_little(step.encoding));
    } else if (step.encoding == pattern_encoding::rfc3339) {
      const auto time = parse_time(raw);
      if (!time)
        return fail(time.error().message);
      number_ = time->value;
    } else {
      const int base = step.encoding == pattern_encoding::hex ? 16 : 10;
      const auto end = raw.data() + raw.size();
      const auto [at, code] = std::from_chars(raw.data(), end, number_, base);
      if (code != std::errc{} || at != end)
        return fail(fmt::format("\"{}\" is not a number", sanitized(raw.substr(0, 40))));
    }
    const bool may_be_negative = step.field == timestamp || step.field == partition;
    const std::int64_t most = step.field == partition ? INT32_MAX : INT64_MAX;
    if ((number_ < 0 && !may_be_negative) || number_ > most || number_ < -1)
      return fail(fmt::format("the number {} is out of range", number_));
    return parse_status::record;
  }

  parse_status decode_text(const pattern_step& step, std::string_view raw) {
    text_ = raw;
    if (step.encoding == pattern_encoding::plain)
      return parse_status::record;
    if (step.encoding == pattern_encoding::json)
      return fail("a text in {json} cannot be read by a pattern; use -f json");
    if (scratch_used_ == scratch_texts_max)
      return fail("too many encoded texts in one record");
    if (scratch_used_ == scratch_.size())
      scratch_.emplace_back();
    auto& decoded = scratch_[scratch_used_++];
    decoded.clear();
    const bool is_hex = step.encoding == pattern_encoding::hex;
    if (!(is_hex ? append_from_hex(decoded, raw) : append_from_base64(decoded, raw)))
      return fail(fmt::format("\"{}\" is not {}", sanitized(raw.substr(0, 40)),
                              is_hex ? "hexadecimal" : "base64"));
    text_ = decoded;
    return parse_status::record;
  }

  parse_status read_headers(const pattern_step& step, record_text& record) {
    // A header takes at least a byte of input, so that a wrong count allocates nothing.
    if (header_count_ > record_input::record_bytes_max)
      return fail(fmt::format("{} headers are beyond reason", header_count_));
    record.headers.clear();
    for (std::size_t i = 0; i < header_count_; ++i) {
      header_text header;
      const auto before = rest_.size();
      if (const auto status = run(step.inner, record, &header); status != parse_status::record)
        return status;
      if (rest_.size() == before)
        return fail("the pattern of a header takes no input");
      record.headers.push_back(header);
    }
    return parse_status::record;
  }

  steps steps_;
  std::vector<std::string> scratch_;
  std::size_t scratch_used_ = 0;

  // What the field that was taken last holds, and where the input goes on.
  std::string_view rest_;
  std::string_view text_;
  std::int64_t number_ = 0;
  std::size_t header_count_ = 0;
  bool at_end_ = false;
};

} // namespace

result<std::unique_ptr<record_parser>> make_pattern_parser(std::vector<pattern_step> pattern) {
  if (pattern.empty())
    return unexpected(errc::invalid_request, "the pattern is empty");
  if (auto checked = check(pattern, false); !checked)
    return checked.propagate();
  return std::unique_ptr<record_parser>(std::make_unique<pattern_parser>(std::move(pattern)));
}

} // namespace aqueduct::aq
