#include "actors/controller/stuck_moves.hpp"

#include <utility>

namespace aqueduct::actors {

std::vector<cancel_move_command> stuck_moves::due(const std::vector<cancel_move_command>& waiting,
                                                  std::int64_t now_ms) {
  const auto before = std::exchange(since_, {});
  std::vector<cancel_move_command> over;
  for (const auto& move : waiting) {
    const key which{move.id, move.partition, move.changes};
    const auto known = before.find(which);
    const auto since = known == before.end() ? now_ms : known->second;
    since_.emplace(which, since);
    if (now_ms - since >= timeout_ms_)
      over.push_back(move);
  }
  return over;
}

} // namespace aqueduct::actors
