#include "actors/peer/call_router.hpp"

#include "protocol/error.hpp"

#include <string>

namespace aqueduct::actors {

void call_router::route(call_kind what, std::shared_ptr<call_handler> handler) {
  const std::lock_guard lock(mutex_);
  if (handler)
    handlers_[what] = std::move(handler);
  else
    handlers_.erase(what);
}

void call_router::asked(raft::node_id from, call_kind what, buffer question,
                        std::function<void(result<buffer>)> answer) {
  std::shared_ptr<call_handler> to;
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = handlers_.find(what); found != handlers_.end())
      to = found->second;
  }
  if (to)
    to->asked(from, what, std::move(question), std::move(answer));
  else
    answer(unexpected(errc::broker_unavailable, "nobody here answers questions of kind " +
                                                    std::to_string(static_cast<unsigned>(what)) +
                                                    " now"));
}

} // namespace aqueduct::actors
