// A value or an error. The surface is that of std::expected, so that it can be replaced by it.
#pragma once

#include "protocol/error.hpp"

#include <optional>
#include <type_traits>
#include <utility>
#include <variant>

namespace aqueduct {

/// Wraps an error on its way into a `result`.
struct unexpected {
  aqueduct::error err;

  explicit unexpected(aqueduct::error e) : err(std::move(e)) {}
  unexpected(errc code, std::string message) : err{code, std::move(message)} {}
};

/// Either a `T` or an `error`. Reading the side that is not there is a programming error and throws
/// std::bad_variant_access.
template <class T>
class [[nodiscard]] result {
public:
  using value_type = T;

  template <class U = T>
  requires std::is_constructible_v<T, U&&> &&(!std::is_same_v<std::remove_cvref_t<U>, result>)&&(
      !std::is_same_v<std::remove_cvref_t<U>, unexpected>)result(U&& value)
      : state_(std::in_place_index<0>, std::forward<U>(value)) {}
  result(unexpected e) : state_(std::in_place_index<1>, std::move(e.err)) {}

  [[nodiscard]] bool has_value() const { return state_.index() == 0; }
  explicit operator bool() const { return has_value(); }

  T& value() & { return std::get<0>(state_); }
  const T& value() const& { return std::get<0>(state_); }
  T&& value() && { return std::get<0>(std::move(state_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  aqueduct::error& error() & { return std::get<1>(state_); }
  const aqueduct::error& error() const& { return std::get<1>(state_); }
  aqueduct::error&& error() && { return std::get<1>(std::move(state_)); }

  /// The error, ready to be returned from a function with another value type.
  [[nodiscard]] unexpected propagate() const { return unexpected(error()); }

private:
  std::variant<T, aqueduct::error> state_;
};

/// Success without a value, or an error.
template <>
class [[nodiscard]] result<void> {
public:
  using value_type = void;

  result() = default;
  result(unexpected e) : error_(std::move(e.err)) {}

  [[nodiscard]] bool has_value() const { return !error_; }
  explicit operator bool() const { return has_value(); }

  const aqueduct::error& error() const { return error_.value(); }
  [[nodiscard]] unexpected propagate() const { return unexpected(error()); }

private:
  std::optional<aqueduct::error> error_;
};

} // namespace aqueduct
