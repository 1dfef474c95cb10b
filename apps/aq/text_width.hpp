// How many columns of a terminal a text takes. UTF-8 whatever the locale says.
#pragma once

#include <string>
#include <string_view>

namespace aqueduct::aq {

/// Columns of `text`; combining marks take none, East Asian wide characters and emoji two.
[[nodiscard]] std::size_t display_width(std::string_view text);

/// Appends `text` and blanks up to `width` columns; blanks first if `right` is set.
void append_padded(std::string& out, std::string_view text, std::size_t width, bool right);

} // namespace aqueduct::aq
