// Commands in a partition's log. They carry the leader's decisions, its time among them, so that
// every replica applies the same.
#pragma once

#include "protocol/buffer.hpp"
#include "protocol/result.hpp"

#include <cstdint>
#include <optional>
#include <variant>

namespace aqueduct::actors {

/// Records before `log_start` are gone; readers get offset_out_of_range from then on.
struct trim_command {
  std::int64_t log_start = 0;

  friend bool operator==(const trim_command&, const trim_command&) = default;
};

/// The leader looks at its producers: who wrote since the last look was there at `now_ms` (its
/// clock), and who was last there before `before_ms` is forgotten.
struct check_producers_command {
  std::int64_t now_ms = 0;
  std::int64_t before_ms = 0;

  friend bool operator==(const check_producers_command&, const check_producers_command&) = default;
};

/// What earlier builds wrote to forget producers by the time of their records, which was wrong:
/// where a log has it, it does nothing.
struct expire_producers_command {
  std::int64_t before_ms = 0;

  friend bool operator==(const expire_producers_command&,
                         const expire_producers_command&) = default;
};

using partition_command =
    std::variant<trim_command, check_producers_command, expire_producers_command>;

[[nodiscard]] buffer encode(const partition_command& command);
/// storage_damaged if the bytes are none of the commands of this version.
[[nodiscard]] result<partition_command> decode_partition_command(byte_span bytes);

/// What a partition knows beyond its log's entries, as of one applied index.
struct partition_summary {
  std::uint64_t applied_index = 0;
  std::uint64_t applied_term = 0;
  std::int64_t log_start = 0;
  std::int64_t high_watermark = 0;

  friend bool operator==(const partition_summary&, const partition_summary&) = default;
};

[[nodiscard]] buffer encode(const partition_summary& summary);
[[nodiscard]] result<partition_summary> decode_partition_summary(byte_span bytes);

} // namespace aqueduct::actors
