// How consume shows records: chosen once, then applied to each of them.
#pragma once

#include "apps/aq/record_pattern.hpp"
#include "protocol/result.hpp"

#include <string>
#include <string_view>

namespace aqueduct::aq {

class record_printer {
public:
  enum class style : std::uint8_t {
    /// Values, one per line.
    values,
    pattern,
    json,
  };

  struct choice {
    /// A pattern, `json`, or empty for values.
    std::string_view format;
    bool wants_json = false;
    bool meta_only = false;
    /// Bytes that would upset a terminal are shown in base64, unless a pattern says otherwise.
    bool on_terminal = false;
  };

  [[nodiscard]] static result<record_printer> make(const choice& options);

  void append(std::string& out, const record_text& record, std::uint64_t iteration);

  [[nodiscard]] bool needs_headers() const { return needs_headers_; }
  /// Whether a value was shown in base64.
  [[nodiscard]] bool has_encoded() const { return has_encoded_; }

private:
  style style_ = style::values;
  bool with_payload_ = true;
  bool on_terminal_ = false;
  bool needs_headers_ = false;
  bool has_encoded_ = false;
  std::vector<pattern_step> steps_;
};

} // namespace aqueduct::aq
