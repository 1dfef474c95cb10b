// State machines: what of their state another replica may take over, and taking it over here.
#include "storage/group_state.hpp"
#include "storage/log_store.hpp"

#include <algorithm>

namespace aqueduct::storage {

namespace {

/// The log holds this very entry, or begins right after it.
bool has(const segment_log& log, std::uint64_t index, std::uint64_t term) {
  return log.term_at(index) == term;
}

} // namespace

result<void> log_store::finish_installation(segment_log& log, const group_id& group,
                                            std::uint64_t hard_term) const {
  const auto installed = read_installed(store_, group);
  if (!installed)
    return installed.propagate();
  if (!*installed)
    return {};
  const auto& base = (*installed)->base;
  // A log that has the entry continues the state. One that begins behind it did at some time.
  if (log.base().index >= base.index || has(log, base.index, base.term))
    return {};
  if (base.term > hard_term)
    return unexpected(errc::storage_damaged,
                      "the state that was installed for " + to_string(group) + " is of term " +
                          std::to_string(base.term) + ", but its hard state is of term " +
                          std::to_string(hard_term));
  return log.reset(base);
}

result<std::uint64_t> log_store::applied_in_log(const segment_log& log, const group_id& group,
                                                std::uint64_t applied) const {
  const auto installed = read_installed(store_, group);
  if (!installed)
    return installed.propagate();
  const bool is_newest = *installed && (*installed)->applied_index == applied;
  if (!is_newest || has(log, applied, (*installed)->applied_term))
    return applied;
  // What the log has above the base of that state may be somebody's who was overruled.
  return std::max((*installed)->base.index, log.base().index);
}

result<group_state> log_store::read_state(const group_id& group, const state_place& place) const {
  const auto* open = find(group);
  if (open == nullptr)
    return unexpected(errc::not_found, to_string(group) + " is not open");
  const auto applied = read_applied_index(store_, group);
  if (!applied)
    return applied.propagate();
  group_state state;
  state.mark.base = open->log->base();
  state.mark.applied_index = *applied;
  const auto term = open->log->term_at(*applied);
  if (state.mark.base.index == 0 || *applied < state.mark.base.index || !term)
    return unexpected(errc::conflict, "the state of " + to_string(group) + " stands at entry " +
                                          std::to_string(*applied) + ", its log is from " +
                                          std::to_string(state.mark.base.index) + " to " +
                                          std::to_string(open->log->last_index()));
  state.mark.applied_term = *term;
  std::size_t bytes = 0;
  const auto scanned = store_.scan(place.in, place.prefix, end_of_prefix(place.prefix),
                                   [&](std::string_view key, std::string_view value) {
                                     const auto row = key.substr(place.prefix.size());
                                     if (is_own_key(row))
                                       return true;
                                     bytes += row.size() + value.size();
                                     if (bytes > group_state_bytes_max)
                                       return false;
                                     state.rows.push_back({std::string(row), std::string(value)});
                                     return true;
                                   });
  if (!scanned)
    return scanned.propagate();
  if (bytes > group_state_bytes_max)
    return unexpected(errc::message_too_large, "the state of " + to_string(group) +
                                                   " has more than " +
                                                   std::to_string(group_state_bytes_max) +
                                                   " bytes, the most that a replica takes over");
  return state;
}

result<void> log_store::install_state(const group_id& group, const state_place& place,
                                      const group_state& state) {
  auto* open = find(group);
  if (open == nullptr)
    return unexpected(errc::not_found, to_string(group) + " is not open");
  if (open->log->is_poisoned())
    return unexpected(errc::storage_failed,
                      to_string(group) + " is out of service until it is opened again");
  const auto applied = read_applied_index(store_, group);
  if (!applied)
    return applied.propagate();
  const auto& mark = state.mark;
  const auto term = open->hard ? open->hard->term : 0;
  if (mark.base.index == 0 || mark.applied_index < mark.base.index ||
      mark.applied_index <= *applied || std::max(mark.base.term, mark.applied_term) > term)
    return unexpected(errc::invalid_request,
                      "a state at entry " + std::to_string(mark.applied_index) + " of term " +
                          std::to_string(mark.applied_term) + " does not fit " + to_string(group) +
                          ", which has applied " + std::to_string(*applied) + " and is in term " +
                          std::to_string(term));
  // Whether it is there cannot be said after a failure, so nothing may be built on it.
  if (auto written = store_.write(installation_of(group, place, state), durability::synced);
      !written) {
    open->log->take_out_of_service(written.error());
    return unexpected(errc::storage_failed, written.error().message);
  }
  return {};
}

} // namespace aqueduct::storage
