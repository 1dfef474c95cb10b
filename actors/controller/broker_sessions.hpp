// Which brokers are there, as far as the leading controller hears, and what room they have: pure. A
// broker counts as gone when nothing was heard of it for a session timeout. Lives in memory of the
// leader only: a new leader gives every broker a whole timeout, and knows nothing of their disks
// until they say so.
#pragma once

#include "actors/controller/commands.hpp"
#include "actors/controller/disk_room.hpp"

#include <cstdint>
#include <map>
#include <vector>

namespace aqueduct::actors {

class broker_sessions {
public:
  explicit broker_sessions(std::int64_t timeout_ms) : timeout_ms_(timeout_ms) {}

  /// This node begins to lead.
  void begin(std::int64_t now_ms) {
    heard_.clear();
    disks_.clear();
    began_ms_ = now_ms;
  }
  void heard(std::int32_t node, std::int64_t now_ms) { heard_[node] = now_ms; }
  /// What a broker says of its disk.
  void told(std::int32_t node, const disk_room& disk) { disks_[node] = disk; }
  [[nodiscard]] const std::map<std::int32_t, disk_room>& disks() const { return disks_; }
  /// Heard of within the timeout, in this leadership.
  [[nodiscard]] bool is_alive(std::int32_t node, std::int64_t now_ms) const;
  /// What the cluster's state should say differently of the brokers.
  [[nodiscard]] std::vector<fence_broker_command>
  changes(const std::map<std::int32_t, broker_record>& brokers, std::int64_t now_ms) const;

private:
  std::int64_t timeout_ms_;
  std::int64_t began_ms_ = 0;
  std::map<std::int32_t, std::int64_t> heard_;
  std::map<std::int32_t, disk_room> disks_;
};

} // namespace aqueduct::actors
