#include "actors/discovery/memory_registry.hpp"

namespace aqueduct::actors {

std::unique_ptr<memory_registry::seat> memory_registry::enter(std::int32_t node,
                                                              const config::endpoint& address) {
  const std::lock_guard lock(mutex_);
  const auto number = ++last_seat_;
  present_.emplace(number, address);
  return std::unique_ptr<seat>(new seat(shared_from_this(), number, node));
}

void memory_registry::seat::leave() {
  const std::lock_guard lock(registry_->mutex_);
  registry_->present_.erase(number_);
}

std::vector<config::endpoint> memory_registry::seat::addresses() const {
  const std::lock_guard lock(registry_->mutex_);
  std::vector<config::endpoint> all;
  for (const auto& [number, address] : registry_->present_)
    all.push_back(address);
  return all;
}

bool memory_registry::seat::may_found() {
  const std::lock_guard lock(registry_->mutex_);
  if (!registry_->cluster_.is_nil())
    return false;
  if (!registry_->founder_)
    registry_->founder_ = node_;
  return registry_->founder_ == node_;
}

void memory_registry::seat::belongs_to(const uuid& cluster) {
  const std::lock_guard lock(registry_->mutex_);
  registry_->cluster_ = cluster;
}

} // namespace aqueduct::actors
