// Gives the questions of other nodes to whoever answers their kind.
#pragma once

#include "actors/peer/node_calls.hpp"

#include <map>
#include <memory>
#include <mutex>

namespace aqueduct::actors {

/// Thread-safe.
class call_router final : public call_handler {
public:
  /// Questions of that kind go to `handler` from here on; nothing: nobody answers them.
  void route(call_kind what, std::shared_ptr<call_handler> handler);
  void asked(raft::node_id from, call_kind what, buffer question,
             std::function<void(result<buffer>)> answer) override;

private:
  std::mutex mutex_;
  std::map<call_kind, std::shared_ptr<call_handler>> handlers_;
};

} // namespace aqueduct::actors
