#include "actors/controller/broker_sessions.hpp"

namespace aqueduct::actors {

bool broker_sessions::is_alive(std::int32_t node, std::int64_t now_ms) const {
  const auto last = heard_.find(node);
  return last != heard_.end() && now_ms - last->second < timeout_ms_;
}

std::vector<fence_broker_command>
broker_sessions::changes(const std::map<std::int32_t, broker_record>& brokers,
                         std::int64_t now_ms) const {
  std::vector<fence_broker_command> wanted;
  for (const auto& [node, broker] : brokers) {
    const bool alive = is_alive(node, now_ms);
    const bool gone = !alive && now_ms - began_ms_ >= timeout_ms_;
    if ((alive && broker.fenced) || (gone && !broker.fenced))
      wanted.push_back({node, broker.incarnation, gone});
  }
  return wanted;
}

} // namespace aqueduct::actors
