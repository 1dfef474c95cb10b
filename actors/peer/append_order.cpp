#include "actors/peer/append_order.hpp"

#include <utility>

namespace aqueduct::actors {

append_order::way append_order::way_of(const group_id& group, std::size_t bytes) const {
  const auto wanted = bytes >= bulk_from_bytes_ ? way::bulk : way::control;
  const auto found = routes_.find(group);
  if (found == routes_.end())
    return wanted;
  if (found->second.at == purpose::bulk)
    return way::bulk;
  return wanted == way::bulk || !found->second.held.empty() ? way::wait : way::control;
}

void append_order::queued(const group_id& group, purpose on) {
  auto& route = routes_[group];
  route.at = on;
  ++route.queued;
}

void append_order::hold(raft_parcel parcel) {
  held_bytes_ += wire_size(parcel.body);
  routes_[parcel.group].held.push_back(std::move(parcel));
}

void append_order::left(purpose on, std::uint64_t frame, const std::vector<group_id>& groups) {
  auto& departures = departures_[static_cast<std::size_t>(on)];
  for (const auto& group : groups) {
    const auto found = routes_.find(group);
    if (found == routes_.end() || found->second.at != on)
      continue;
    --found->second.queued;
    if (found->second.last_frame != frame)
      departures.push_back({frame, group});
    found->second.last_frame = frame;
  }
}

std::vector<raft_parcel> append_order::arrived(purpose on, std::uint64_t frame) {
  auto& departures = departures_[static_cast<std::size_t>(on)];
  std::vector<raft_parcel> released;
  for (; !departures.empty() && departures.front().frame <= frame; departures.pop_front()) {
    const auto found = routes_.find(departures.front().group);
    if (found == routes_.end())
      continue;
    auto& route = found->second;
    if (route.at != on || route.queued > 0 || route.last_frame != departures.front().frame)
      continue;
    for (auto& parcel : route.held) {
      held_bytes_ -= wire_size(parcel.body);
      released.push_back(std::move(parcel));
    }
    routes_.erase(found);
  }
  return released;
}

std::size_t append_order::lost(purpose on) {
  std::size_t dropped = 0;
  for (auto at = routes_.begin(); at != routes_.end();) {
    if (at->second.at != on) {
      ++at;
      continue;
    }
    for (const auto& parcel : at->second.held)
      held_bytes_ -= wire_size(parcel.body);
    dropped += at->second.held.size();
    at = routes_.erase(at);
  }
  departures_[static_cast<std::size_t>(on)].clear();
  return dropped;
}

} // namespace aqueduct::actors
