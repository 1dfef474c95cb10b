// The %-patterns of `-f`, which print records and read them with one grammar:
//
//   %t topic      %p partition   %o offset     %d timestamp (ms)   %i number of the record, from 1
//   %k key        %v value       %h{...} headers, each by the inner pattern with its own %k %v
//   %T %K %V      sizes of topic, key and value in bytes           %H number of headers
//   %% %{ %}      the characters themselves    \n \t \r \0 \\ \xNN
//
//   texts:   {hex} {base64} {json}; when reading also {N}, exactly N bytes
//   numbers: {big64} {big32} {big16} {little64} {little32} {little16} {byte} {hex}
//   time:    {rfc3339} {strftime[%F %T]} (UTC)
//
// A pattern is checked and taken apart once; after that a record costs no allocation.
#pragma once

#include "apps/aq/record_text.hpp"
#include "protocol/result.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace aqueduct::aq {

enum class pattern_field : std::uint8_t {
  literal,
  topic,
  topic_size,
  partition,
  offset,
  timestamp,
  iteration,
  key,
  key_size,
  value,
  value_size,
  headers,
  header_count,
};

enum class pattern_encoding : std::uint8_t {
  plain,
  hex,
  base64,
  json,
  big64,
  big32,
  big16,
  little64,
  little32,
  little16,
  byte,
  rfc3339,
  strftime,
};

/// One piece of a pattern.
struct pattern_step {
  pattern_field field = pattern_field::literal;
  pattern_encoding encoding = pattern_encoding::plain;
  /// The literal, or the format of strftime.
  std::string text;
  /// Reading: exactly this many bytes; 0 is no fixed size.
  std::size_t fixed_size = 0;
  /// The inner pattern of %h.
  std::vector<pattern_step> inner;
};

/// Takes `text` apart. invalid_request says at which character it is wrong, and why.
[[nodiscard]] result<std::vector<pattern_step>> compile_pattern(std::string_view text);

/// Appends what the pattern says about a record. `iteration` is what %i prints.
void append_record(std::string& out, const std::vector<pattern_step>& steps,
                   const record_text& record, std::uint64_t iteration);

/// Appends one line of JSON with all of the record. Keys and values that are not UTF-8 come in
/// base64 and `key_encoding` and `value_encoding` say so. `with_payload` false leaves out key,
/// value and headers but tells their sizes.
void append_record_json(std::string& out, const record_text& record, bool with_payload);

} // namespace aqueduct::aq
