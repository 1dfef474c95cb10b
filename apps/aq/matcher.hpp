// Extended regular expressions (POSIX) on bytes of any kind and length.
#pragma once

#include "protocol/result.hpp"

#include <memory>
#include <string>
#include <string_view>

namespace aqueduct::aq {

class matcher {
public:
  /// invalid_request with the reason if `expression` is not a regular expression.
  [[nodiscard]] static result<matcher> compile(const std::string& expression);

  [[nodiscard]] bool matches(std::string_view text) const;

private:
  struct compiled;

  explicit matcher(std::shared_ptr<const compiled> expression)
      : expression_(std::move(expression)) {}

  std::shared_ptr<const compiled> expression_;
};

} // namespace aqueduct::aq
