// Bytes as text and back: hexadecimal and base64 (RFC 4648), UTF-8 validity, JSON string escapes.
#pragma once

#include <string>
#include <string_view>

namespace aqueduct::aq {

/// Appends two lower-case digits per byte.
void append_hex(std::string& out, std::string_view bytes);
/// Appends the decoded bytes. False, with nothing appended, when `text` is not hexadecimal.
[[nodiscard]] bool append_from_hex(std::string& out, std::string_view text);

/// Appends base64 with padding.
void append_base64(std::string& out, std::string_view bytes);
/// Appends the decoded bytes. False, with nothing appended, when `text` is not base64; padding may
/// be left out.
[[nodiscard]] bool append_from_base64(std::string& out, std::string_view text);

/// Whether `bytes` are well-formed UTF-8 (RFC 3629): no overlong forms, no surrogates.
[[nodiscard]] bool is_utf8(std::string_view bytes);
/// Whether `bytes` can be shown as text: UTF-8 without control characters but tab and line ends.
[[nodiscard]] bool is_printable(std::string_view bytes);

/// Appends `text` as a JSON string with its quotes. Precondition: UTF-8.
void append_json_string(std::string& out, std::string_view text);

/// `text` with control characters as `\xNN` and broken UTF-8 as U+FFFD: safe on a terminal.
[[nodiscard]] std::string sanitized(std::string_view text);

} // namespace aqueduct::aq
