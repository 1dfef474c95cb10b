// Messages on their way from the replicas of this node to a peer actor: bounded in bytes, which a
// mailbox is not, and with one wake-up for all that come before the actor looks.
#pragma once

#include "actors/peer/raft_wire.hpp"

#include <cstdint>
#include <mutex>
#include <utility>
#include <vector>

namespace aqueduct::actors {

/// Thread-safe.
class peer_inbox {
public:
  explicit peer_inbox(std::size_t bytes_max) : bytes_max_(bytes_max) {}

  /// Takes what fits and drops the rest. True: the actor must be woken.
  [[nodiscard]] bool push(std::vector<raft_parcel> parcels) {
    const std::lock_guard lock(mutex_);
    const bool was_empty = parcels_.empty();
    for (auto& parcel : parcels) {
      const auto size = wire_size(parcel.body);
      if (bytes_ + size > bytes_max_ && bytes_ > 0) {
        ++dropped_;
        continue;
      }
      bytes_ += size;
      parcels_.push_back(std::move(parcel));
    }
    return was_empty && !parcels_.empty();
  }

  [[nodiscard]] std::vector<raft_parcel> take() {
    const std::lock_guard lock(mutex_);
    bytes_ = 0;
    return std::exchange(parcels_, {});
  }

  [[nodiscard]] std::uint64_t dropped() const {
    const std::lock_guard lock(mutex_);
    return dropped_;
  }

private:
  std::size_t bytes_max_;
  mutable std::mutex mutex_;
  std::vector<raft_parcel> parcels_;
  std::size_t bytes_ = 0;
  std::uint64_t dropped_ = 0;
};

} // namespace aqueduct::actors
