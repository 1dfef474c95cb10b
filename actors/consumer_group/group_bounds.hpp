// How much groups may be told, and for how long they are remembered: what keeps the entries of a
// coordinator's log small, whoever asks.
#pragma once

#include "actors/consumer_group/group_calls.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace aqueduct::actors {

struct group_limits {
  std::int32_t session_ms_min = 1000;
  std::int32_t session_ms_max = 1'800'000;
  /// How long the first rebalance of a group waits for more members.
  std::int32_t initial_delay_ms = 200;
  std::size_t members_max = 5000;
  /// Of one member: everything that it says about itself.
  std::size_t member_bytes_max = 256 * 1024;
  /// The same of all members of a group.
  std::size_t members_bytes_max = std::size_t{4} << 20;
  /// What the members of a group are assigned, all together.
  std::size_t assignments_bytes_max = std::size_t{4} << 20;
  std::size_t offset_metadata_bytes_max = 4096;
  /// How long an offset is kept after the group's last member left and after its commit.
  std::int64_t retention_ms = std::int64_t{7} * 24 * 3600 * 1000;
  /// Of the offsets in one entry of the log, and so in one commit, or one removal of offsets.
  std::size_t offsets_bytes_max = std::size_t{1} << 20;

  /// Keeps entries of the log to half of a frame between nodes.
  void fit_frames(std::uint64_t frame_bytes) {
    for (auto* bytes : {&members_bytes_max, &assignments_bytes_max, &offsets_bytes_max})
      *bytes = static_cast<std::size_t>(std::min<std::uint64_t>(*bytes, frame_bytes / 4));
  }
};

/// Bytes in an entry of the log, about.
[[nodiscard]] std::size_t bytes_of(const group_offsets& commit);
[[nodiscard]] std::size_t bytes_of(const remove_offsets_command& removal);
/// What a member says about itself.
[[nodiscard]] std::size_t bytes_of(const member_record& member);
[[nodiscard]] std::size_t bytes_of(const join_call& call);

[[nodiscard]] group_answer check_offsets(const group_limits& bounds, std::size_t bytes);
[[nodiscard]] group_answer check_assigned(const group_limits& bounds, std::size_t bytes);
/// Whether a member may say so much, where the others of its group have said `others_bytes`.
[[nodiscard]] group_answer check_said(const group_limits& bounds, const join_call& call,
                                      std::size_t others_bytes);

} // namespace aqueduct::actors
