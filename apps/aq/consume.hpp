// aq consume: options and the run, apart from the command line.
#pragma once

#include "apps/aq/session.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace aqueduct::aq {

struct consume_options {
  std::vector<std::string> topics;
  /// Consumes as a member of this group, which remembers how far; empty: on its own.
  std::string group;
  std::string offsets = "start";
  /// 0: no limit.
  std::uint64_t count = 0;
  bool exit_at_end = false;
  std::string partitions;
  std::string format;
  bool meta_only = false;
  std::string grep;
  std::string grep_key;
  /// As parse_read_source takes it; nothing: as the settings say.
  std::optional<std::string> follower_read;
};

exit_code consume(session& on, const consume_options& options);

} // namespace aqueduct::aq
