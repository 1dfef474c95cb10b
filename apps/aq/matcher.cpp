#include "apps/aq/matcher.hpp"

#include <fmt/format.h>

#include <regex.h>

#include <array>

namespace aqueduct::aq {

// std::regex recurses once per character and ends the process on a long text; the C library's
// matcher does not, and takes bytes with zeros among them (REG_STARTEND).
struct matcher::compiled {
  regex_t expression{};
  /// Without special characters a search is enough.
  std::string literal;

  compiled() = default;
  ~compiled() {
    if (literal.empty())
      ::regfree(&expression);
  }
  compiled(const compiled&) = delete;
  compiled& operator=(const compiled&) = delete;
};

result<matcher> matcher::compile(const std::string& expression) {
  auto made = std::make_shared<compiled>();
  if (!expression.empty() && expression.find_first_of("\\^$.[]|()*+?{}") == std::string::npos) {
    made->literal = expression;
    return matcher(std::move(made));
  }
  const int code = ::regcomp(&made->expression, expression.c_str(), REG_EXTENDED | REG_NOSUB);
  if (code != 0) {
    std::array<char, 256> why{};
    ::regerror(code, &made->expression, why.data(), why.size());
    return unexpected(errc::invalid_request, fmt::format("\"{}\" is not a regular expression: {}",
                                                         expression, why.data()));
  }
  return matcher(std::move(made));
}

bool matcher::matches(std::string_view text) const {
  if (!expression_->literal.empty())
    return text.find(expression_->literal) != std::string_view::npos;
  regmatch_t whole{};
  whole.rm_so = 0;
  whole.rm_eo = static_cast<regoff_t>(text.size());
  const char* data = text.empty() ? "" : text.data();
  return ::regexec(&expression_->expression, data, 1, &whole, REG_STARTEND) == 0;
}

} // namespace aqueduct::aq
