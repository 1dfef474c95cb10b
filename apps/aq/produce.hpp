// aq produce: options and the run, apart from the command line.
#pragma once

#include "apps/aq/record_input.hpp"
#include "apps/aq/session.hpp"
#include "protocol/client/types.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace aqueduct::aq {

struct produce_options {
  std::string topic;
  /// Empty or "-": standard input.
  std::vector<std::string> files;
  std::string key_separator;
  std::optional<std::string> key;
  std::vector<std::string> headers;
  std::optional<std::int32_t> partition;
  std::string codec = "none";
  std::optional<int> level;
  std::string acks = "all";
  std::string rate;
  bool empty_is_null = false;
  std::string format;
  std::uint64_t record_size = 0;
  std::string timestamp;
  bool keep_partitions = false;
};

/// The parser that the options ask for; invalid_request when they contradict each other.
[[nodiscard]] result<std::unique_ptr<record_parser>>
make_input_parser(const produce_options& options);

/// `all`, `leader`, `none`, or Kafka's numbers for them.
[[nodiscard]] std::optional<client::acks> parse_acks(std::string_view text);

/// Text with the escapes of patterns (`\t`, `\x1f`) as it is meant.
[[nodiscard]] result<std::string> unescape(std::string_view text);

exit_code produce(session& on, const produce_options& options);

} // namespace aqueduct::aq
