#include "actors/storage_pool/unwritten_states.hpp"

#include <algorithm>

namespace aqueduct::actors {

namespace {

/// What a row takes besides its bytes, about.
constexpr std::size_t row_overhead_bytes = 128;

std::size_t size_of(const std::string& key, const std::optional<std::string>& value) {
  return row_overhead_bytes + key.size() + (value ? value->size() : 0);
}

} // namespace

void unwritten_states::waiting_state::put(row_key key, std::optional<std::string> value) {
  const auto [at, is_new] = rows.try_emplace(std::move(key));
  if (!is_new)
    bytes -= size_of(at->first.second, at->second);
  at->second = std::move(value);
  bytes += size_of(at->first.second, at->second);
}

void unwritten_states::waiting_state::clear(row_key from, const std::string& to) {
  const auto is_inside = [&](const row_key& key) {
    return key.first == from.first && (to.empty() || key.second < to);
  };
  for (auto it = rows.lower_bound(from); it != rows.end() && is_inside(it->first);) {
    bytes -= size_of(it->first.second, it->second);
    it = rows.erase(it);
  }
  const auto [at, is_new] = cleared.try_emplace(std::move(from), to);
  if (is_new)
    bytes += size_of(at->first.second, to);
  else if (!at->second.empty() && (to.empty() || at->second < to))
    at->second = to;
}

void unwritten_states::waiting_state::forget_rows() {
  cleared.clear();
  rows.clear();
  bytes = 0;
}

bool unwritten_states::add(const storage_write_state& write) {
  auto& state = groups_[write.group];
  if (state.is_given_up)
    return true;
  state.generation = write.generation;
  if (write.trim_before) {
    state.trim_before = write.trim_before;
    state.from = write.from;
  }
  bytes_ -= state.bytes;
  using kind = storage::write_batch::operation::kind;
  for (const auto& op : write.batch.operations()) {
    if (op.what == kind::remove_range)
      state.clear({op.in, op.key}, op.value);
    else
      state.put({op.in, op.key},
                op.what == kind::put ? std::optional(op.value) : std::optional<std::string>());
  }
  if (bytes_ + state.bytes > bytes_max_) {
    state.forget_rows();
    state.is_given_up = true;
    return false;
  }
  bytes_ += state.bytes;
  return true;
}

std::optional<storage_write_state> unwritten_states::find(const group_id& group) const {
  const auto found = groups_.find(group);
  if (found == groups_.end() || found->second.is_given_up)
    return std::nullopt;
  const auto& state = found->second;
  storage_write_state write;
  write.group = group;
  write.generation = state.generation;
  write.trim_before = state.trim_before;
  write.from = state.from;
  for (const auto& [from, to] : state.cleared)
    write.batch.remove_range(from.first, from.second, to);
  for (const auto& [key, value] : state.rows) {
    if (value)
      write.batch.put(key.first, key.second, *value);
    else
      write.batch.remove(key.first, key.second);
  }
  return write;
}

void unwritten_states::drop(const group_id& group) {
  const auto found = groups_.find(group);
  if (found == groups_.end())
    return;
  bytes_ -= found->second.bytes;
  groups_.erase(found);
}

bool unwritten_states::empty() const {
  return std::ranges::all_of(groups_, [](const auto& entry) { return entry.second.is_given_up; });
}

std::vector<group_id> unwritten_states::groups() const {
  std::vector<group_id> waiting;
  for (const auto& [group, state] : groups_)
    if (!state.is_given_up)
      waiting.push_back(group);
  return waiting;
}

} // namespace aqueduct::actors
