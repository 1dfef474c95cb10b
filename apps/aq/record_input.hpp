// Reading records out of a stream of bytes: lines, patterns, JSON lines, pieces of one size, whole
// files. Parsers work on a window of the input and point into it: nothing is copied that need not
// be decoded.
#pragma once

#include "apps/aq/record_pattern.hpp"
#include "apps/aq/record_text.hpp"
#include "protocol/result.hpp"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace aqueduct::aq {

enum class parse_status : std::uint8_t {
  /// A record was taken off the window.
  record,
  /// The window ends within a record.
  need_more,
  /// What is there is not a record; `failure()` says why.
  failed,
};

/// Takes records off the front of a window. Stateful only in its scratch memory.
class record_parser {
public:
  virtual ~record_parser() = default;

  /// Precondition: `window` is not empty. `at_end`: nothing follows the window, so that the parser
  /// never answers need_more. The record is valid until the next call and as long as the window.
  virtual parse_status next(std::string_view& window, bool at_end, record_text& record) = 0;

  [[nodiscard]] const std::string& failure() const { return failure_; }

protected:
  parse_status fail(std::string why) {
    failure_ = std::move(why);
    return parse_status::failed;
  }

private:
  std::string failure_;
};

/// The line at the front of `window`, without its end, taken off; nothing if its end is not there
/// and more may follow (`at_end` is false).
[[nodiscard]] std::optional<std::string_view> take_line(std::string_view& window, bool at_end);

/// One record per line, `key_separator` between key and value if it is not empty. A line without
/// the separator is a value without a key.
[[nodiscard]] std::unique_ptr<record_parser> make_line_parser(std::string key_separator);
/// Records of `size` bytes each; the last one may be shorter. 0: all of the input is one record.
[[nodiscard]] std::unique_ptr<record_parser> make_block_parser(std::size_t size);
/// Lines of JSON as `append_record_json` writes them. A value that is not a string is taken as its
/// JSON text; headers may be an object.
[[nodiscard]] std::unique_ptr<record_parser> make_json_parser();
/// Records as the pattern describes them; invalid_request if it cannot be read by (a field without
/// an end, a field that only the broker decides).
[[nodiscard]] result<std::unique_ptr<record_parser>>
make_pattern_parser(std::vector<pattern_step> steps);

/// `json`, `raw` or a pattern.
[[nodiscard]] result<std::unique_ptr<record_parser>> make_parser(std::string_view format);

/// Feeds a parser from a file descriptor that it does not own.
class record_input {
public:
  /// Bytes a single record may have in the input.
  static constexpr std::size_t record_bytes_max = std::size_t{1} << 30;

  record_input(record_parser& parser, int fd, std::string name);

  /// False at the end of the input, when the read was interrupted by a signal, and on errors.
  [[nodiscard]] result<bool> next(record_text& record);
  /// Whether a signal ended the reading.
  [[nodiscard]] bool interrupted() const { return interrupted_; }
  /// Whether the next record can be read without waiting for input.
  [[nodiscard]] bool has_buffered() const { return !window_.empty(); }

private:
  result<void> fill();

  record_parser& parser_;
  int fd_;
  std::string name_;
  std::unique_ptr<char[]> memory_;
  std::size_t capacity_ = 0;
  /// What was read and not parsed; lies in `memory_`.
  std::string_view window_;
  /// The parser has said that `window_` is not enough.
  bool needs_more_ = true;
  bool at_end_ = false;
  bool interrupted_ = false;
  std::uint64_t records_ = 0;
};

} // namespace aqueduct::aq
