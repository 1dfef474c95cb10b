// Moves of replicas that wait for a broker that is gone, and for how long they have: pure. Lives in
// memory of the leading controller only: under a new leader every move waits a whole timeout again.
#pragma once

#include "actors/controller/commands.hpp"

#include <cstdint>
#include <map>
#include <tuple>
#include <vector>

namespace aqueduct::actors {

class stuck_moves {
public:
  explicit stuck_moves(std::int64_t timeout_ms) : timeout_ms_(timeout_ms) {}

  /// This node begins to lead.
  void begin() { since_.clear(); }
  /// Those of the moves that wait now that have done so, without a pause, for a timeout.
  [[nodiscard]] std::vector<cancel_move_command>
  due(const std::vector<cancel_move_command>& waiting, std::int64_t now_ms);

private:
  /// Topic, partition and decision: a move that is decided anew waits anew.
  using key = std::tuple<uuid, std::int32_t, std::int32_t>;

  std::int64_t timeout_ms_;
  std::map<key, std::int64_t> since_;
};

} // namespace aqueduct::actors
