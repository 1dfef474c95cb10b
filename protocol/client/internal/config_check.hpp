// Range checks of the configuration structs: the first setting out of range is the error.
#pragma once

#include "protocol/client/types.hpp"

#include <concepts>
#include <string>

namespace aqueduct::client {

class config_check {
public:
  config_check& range(std::string_view name, milliseconds value, milliseconds min,
                      milliseconds max) {
    return check(name, value.count(), min.count(), max.count(), " ms");
  }
  template <std::integral T>
  config_check& range(std::string_view name, T value, T min, T max, std::string_view unit = {}) {
    return check(name, value, min, max, unit);
  }
  config_check& require(bool holds, std::string_view rule) {
    if (!holds && outcome_)
      outcome_ = unexpected(errc::invalid_config, std::string(rule));
    return *this;
  }
  [[nodiscard]] result<void> done() const { return outcome_; }

private:
  template <class T>
  config_check& check(std::string_view name, T value, T min, T max, std::string_view unit) {
    if (outcome_ && (value < min || value > max)) {
      std::string text(name);
      text.append(" is ").append(std::to_string(value)).append(unit);
      text.append("; it must be from ").append(std::to_string(min)).append(unit);
      text.append(" to ").append(std::to_string(max)).append(unit);
      outcome_ = unexpected(errc::invalid_config, std::move(text));
    }
    return *this;
  }

  result<void> outcome_;
};

} // namespace aqueduct::client
