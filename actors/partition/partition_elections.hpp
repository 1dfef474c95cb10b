// Those who want the preferred replica of a partition to lead, until it does or it is known that it
// cannot: pure. Owned by the actor of one replica, which hands the office over if it has it.
#pragma once

#include "actors/partition/partition_membership.hpp"
#include "protocol/cluster/election_messages.hpp"
#include "raft/types.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace aqueduct::actors {

/// Takes what came of elections; `slot` tells them apart. One that is dropped without an answer
/// answers for itself. Thread-safe.
class election_sink {
public:
  virtual ~election_sink() = default;
  virtual void decided(std::uint32_t slot, protocol::cluster::election_outcome outcome) = 0;
};

/// The replica on a node is to lead, which is the preferred one as far as who asks knows.
struct partition_elect {
  std::shared_ptr<election_sink> sink;
  std::uint32_t slot = 0;
  std::int32_t to = 0;
  /// Steady clock, milliseconds: when to answer whatever has come of it.
  std::int64_t deadline_ms = 0;
};

class partition_elections {
public:
  /// `leader` is the node that leads as far as this replica knows, -1: nobody. Returns to whom the
  /// office is to be handed now; what comes of that is told by `led_by` or `not_taken`.
  [[nodiscard]] std::optional<raft::replica_id>
  ask(partition_elect wish, const partition_membership& members, std::int32_t leader);
  /// That node leads from now on, or nobody that is known. Returns the same as `ask`.
  [[nodiscard]] std::optional<raft::replica_id> led_by(std::int32_t leader,
                                                       const partition_membership& members);
  /// The office was not handed over.
  void not_taken(raft::replica_id by);
  void expire(std::int64_t steady_ms);
  /// This replica is of no use any more: somebody else is to be asked.
  void close();

  [[nodiscard]] std::size_t waiting() const { return waiting_.size(); }

private:
  struct waiter {
    partition_elect wish;
    /// The office is on its way to whom it is wanted for.
    bool is_begun = false;
  };

  [[nodiscard]] std::optional<raft::replica_id>
  judge(waiter who, const partition_membership& members, std::int32_t leader);

  std::vector<waiter> waiting_;
};

} // namespace aqueduct::actors
