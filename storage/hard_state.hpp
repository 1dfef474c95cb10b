// Term and vote of a group on disk: two checksummed copies, of which the newer readable one counts.
#pragma once

#include "protocol/ids.hpp"
#include "protocol/result.hpp"
#include "storage/kv.hpp"

#include <cstdint>
#include <optional>

namespace aqueduct::storage {

/// A replica: a node in one life of its disk.
struct voted_replica {
  node_id node{};
  std::uint64_t incarnation = 0;

  friend bool operator==(const voted_replica&, const voted_replica&) = default;
};

/// What must survive a crash before a vote or an acknowledgement leaves (Raft paper, figure 2).
struct hard_state {
  std::uint64_t term = 0;
  std::optional<voted_replica> vote;

  friend bool operator==(const hard_state&, const hard_state&) = default;
};

/// Adds both copies.
void put_hard_state(write_batch& batch, const group_id& group, const hard_state& state);
void remove_hard_state(write_batch& batch, const group_id& group);
/// Nothing if none was ever written. Error storage_damaged if no copy is readable (S3: who does not
/// know what it promised must not vote).
[[nodiscard]] result<std::optional<hard_state>> load_hard_state(const kv& store,
                                                                const group_id& group);

} // namespace aqueduct::storage
