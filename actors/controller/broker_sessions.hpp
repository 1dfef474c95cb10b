// Which brokers are there, as far as the leading controller hears: pure. A broker counts as gone
// when nothing was heard of it for a session timeout. Lives in memory of the leader only: a new
// leader gives every broker a whole timeout.
#pragma once

#include "actors/controller/commands.hpp"

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
    began_ms_ = now_ms;
  }
  void heard(std::int32_t node, std::int64_t now_ms) { heard_[node] = now_ms; }
  /// Heard of within the timeout, in this leadership.
  [[nodiscard]] bool is_alive(std::int32_t node, std::int64_t now_ms) const;
  /// What the cluster's state should say differently of the brokers.
  [[nodiscard]] std::vector<fence_broker_command>
  changes(const std::map<std::int32_t, broker_record>& brokers, std::int64_t now_ms) const;

private:
  std::int64_t timeout_ms_;
  std::int64_t began_ms_ = 0;
  std::map<std::int32_t, std::int64_t> heard_;
};

} // namespace aqueduct::actors
