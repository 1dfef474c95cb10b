// Keeps the appends of a group in order though a link has two connections. An append with much
// payload goes over bulk; as long as the receiver may not have got it, later ones of its group
// follow it there. The other way round it waits until the earlier ones have arrived over control. A
// ping that was answered proves what has arrived: it is answered behind everything before it.
#pragma once

#include "actors/peer/raft_wire.hpp"
#include "protocol/cluster/messages.hpp"

#include <array>
#include <cstdint>
#include <deque>
#include <unordered_map>
#include <vector>

namespace aqueduct::actors {

using protocol::cluster::purpose;

class append_order {
public:
  /// Appends of at least `bulk_from_bytes` go over bulk.
  explicit append_order(std::size_t bulk_from_bytes) : bulk_from_bytes_(bulk_from_bytes) {}

  enum class way : std::uint8_t { control, bulk, wait };

  /// Where the next append of `group` goes. With `wait` it goes to `hold`, and those behind it too.
  [[nodiscard]] way way_of(const group_id& group, std::size_t bytes) const;
  /// An append was queued on a connection.
  void queued(const group_id& group, purpose on);
  void hold(raft_parcel parcel);
  [[nodiscard]] std::size_t held_bytes() const { return held_bytes_; }

  /// Appends of these groups left in a frame with this number, once for each append.
  void left(purpose on, std::uint64_t frame, const std::vector<group_id>& groups);
  /// Frames up to this one have arrived. Returns what no longer has to wait, to be queued on bulk
  /// in this order.
  [[nodiscard]] std::vector<raft_parcel> arrived(purpose on, std::uint64_t frame);
  /// The connection is gone, and with it the order on it. Returns how many held appends went too.
  std::size_t lost(purpose on);

private:
  struct route {
    purpose at = purpose::control;
    std::size_t queued = 0;
    std::uint64_t last_frame = 0;
    std::vector<raft_parcel> held;
  };
  struct departure {
    std::uint64_t frame;
    group_id group;
  };

  std::size_t bulk_from_bytes_;
  std::size_t held_bytes_ = 0;
  /// Groups with appends that are queued or may be on their way. Those with held ones are at
  /// control.
  std::unordered_map<group_id, route> routes_;
  std::array<std::deque<departure>, 2> departures_;
};

} // namespace aqueduct::actors
