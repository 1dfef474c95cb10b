#include "actors/storage_pool/kept_states.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace aqueduct::actors {

namespace {

std::size_t size_of(const storage::kv_pair& row) {
  return row.key.size() + row.value.size();
}

} // namespace

state_piece kept_states::cut(const kept_state& from, std::size_t position) const {
  const auto& rows = from.state.rows;
  state_piece piece;
  piece.mark = from.state.mark;
  piece.snapshot = from.snapshot;
  std::size_t bytes = 0;
  for (; position < rows.size(); ++position) {
    bytes += size_of(rows[position]);
    if (bytes > limits_.piece_bytes && !piece.rows.empty())
      break;
    piece.rows.push_back(rows[position]);
  }
  piece.next = position < rows.size() ? position : 0;
  return piece;
}

state_piece kept_states::begin(std::uint64_t snapshot, storage::group_state state,
                               std::int64_t now_ms) {
  kept_state made;
  made.snapshot = snapshot;
  made.state = std::move(state);
  made.used_ms = now_ms;
  for (const auto& row : made.state.rows)
    made.bytes += size_of(row);
  auto first = cut(made, 0);
  if (first.next == 0)
    return first;
  while (!kept_.empty() &&
         (kept_.size() >= limits_.states_max || bytes_ + made.bytes > limits_.bytes_max))
    drop(kept_.begin());
  bytes_ += made.bytes;
  kept_.push_back(std::move(made));
  return first;
}

result<state_piece> kept_states::next(std::uint64_t snapshot, std::uint64_t position,
                                      std::int64_t now_ms) {
  const auto found = std::ranges::find(kept_, snapshot, &kept_state::snapshot);
  if (found == kept_.end() || position >= found->state.rows.size())
    return unexpected(errc::not_found, "this state is no longer kept; it is to be begun again");
  found->used_ms = now_ms;
  auto piece = cut(*found, position);
  if (piece.next == 0)
    drop(found);
  else
    kept_.splice(kept_.end(), kept_, found);
  return piece;
}

void kept_states::expire(std::int64_t now_ms) {
  while (!kept_.empty() && now_ms - kept_.front().used_ms >= limits_.idle_ms_max)
    drop(kept_.begin());
}

void kept_states::drop(std::list<kept_state>::iterator which) {
  bytes_ -= which->bytes;
  kept_.erase(which);
}

} // namespace aqueduct::actors
