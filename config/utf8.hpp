// Whether bytes are text: TOML and JSON hold nothing but UTF-8.
#pragma once

#include <string_view>

namespace aqueduct::config {

/// True for well-formed UTF-8 (Unicode 15, table 3-7): no overlong form, no surrogate.
[[nodiscard]] bool is_utf8(std::string_view text);

} // namespace aqueduct::config
