// Asks the coordinator of one consumer group, wherever it is: finds it, and finds it again when
// another broker has taken over.
#pragma once

#include "protocol/client/internal/cluster_core.hpp"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

namespace aqueduct::client {

/// How long one attempt waits for its answer before the coordinator is looked for again: who was
/// cut off, or stands still, says nothing when another one takes over.
inline constexpr milliseconds coordinator_patience{3'000};

/// For one thread at a time, but for `cancel`. Not for the I/O thread.
class group_caller {
public:
  group_caller(std::shared_ptr<cluster_core> on, std::string group)
      : cluster_(std::move(on)), group_(std::move(group)) {}

  /// Asks until there is an answer that a retry will not change. Only for requests that may be
  /// carried out twice. Errors, besides the coordinator's: cancelled, timed_out.
  template <class Request>
  [[nodiscard]] result<response_of<Request>> ask(const Request& request, time_point deadline,
                                                 lane which = lane::direct) {
    backoff wait(cluster_->config().backoff_min, cluster_->config().backoff_max,
                 static_cast<std::uint64_t>(clock::now().time_since_epoch().count()));
    for (;;) {
      const auto give_up_at = std::min(deadline, after(clock::now(), coordinator_patience));
      auto reply = ask_once(request, give_up_at, which);
      if (reply)
        return std::move(*reply.value);
      const auto code = reply.fail.err.code;
      const auto pause_for = wait.next();
      const bool can_retry = is_transient(code) || code == errc::timed_out;
      if (can_retry || is_out_of_service(code))
        coordinator_.reset();
      if (!can_retry || after(clock::now(), pause_for) >= deadline)
        return unexpected(reply.fail.err);
      if (!pause(pause_for))
        return unexpected(errc::cancelled, "the consumer was closed");
    }
  }

  /// Ends what is asked now, and whatever is asked later, with `cancelled`. Any thread.
  void cancel() {
    const std::lock_guard lock(state_->mutex);
    state_->is_cancelled = true;
    state_->changed.notify_all();
  }

private:
  /// Another broker may have taken over: the next question looks for it. This one is answered, as
  /// it may be what the coordinator fails of.
  [[nodiscard]] static bool is_out_of_service(errc code) {
    return code == errc::storage_failed || code == errc::storage_damaged || code == errc::internal;
  }

  struct shared_state {
    std::mutex mutex;
    std::condition_variable changed;
    bool is_cancelled = false;
  };

  [[nodiscard]] bool pause(milliseconds wait) {
    std::unique_lock lock(state_->mutex);
    return !state_->changed.wait_for(lock, wait, [this] { return state_->is_cancelled; }) &&
           !cluster_->is_closed();
  }

  template <class Request>
  [[nodiscard]] answer<response_of<Request>> ask_once(const Request& request, time_point deadline,
                                                      lane which) {
    if (!coordinator_) {
      protocol::find_coordinator_request question;
      question.group = group_;
      auto found = wait_for<protocol::find_coordinator_request>(std::nullopt, question, deadline,
                                                                lane::direct);
      // A broker may not hear of it for long, though another one knows.
      ask_next_ = found ? cluster_core::choice::connected : cluster_core::choice::everybody;
      if (!found)
        return {{}, found.fail};
      coordinator_ = node_id(found.value->node);
      cluster_->learn(*coordinator_, {found.value->host, found.value->port});
    }
    return wait_for<Request>(coordinator_, request, deadline, which);
  }

  template <class Request>
  [[nodiscard]] answer<response_of<Request>>
  wait_for(std::optional<node_id> node, const Request& request, time_point deadline, lane which) {
    using outcome = answer<response_of<Request>>;
    const auto reply = std::make_shared<std::optional<outcome>>();
    const auto state = state_;
    const bool posted = cluster_->post(
        [core = cluster_, node, request, deadline, which, reply, state, among = ask_next_] {
          const auto put = [reply, state](outcome got) {
            const std::lock_guard lock(state->mutex);
            *reply = std::move(got);
            state->changed.notify_all();
          };
          const auto to = node ? core->link(*node, which) : core->any_link(among);
          if (!to)
            return put({{}, failure::of(errc::broker_unavailable, "no address is known")});
          call_options options;
          options.deadline = deadline;
          options.close_on_timeout = false;
          options.if_reachable = node.has_value();
          if (which == lane::direct)
            options.stalled_at = after(clock::now(), answer_patience);
          to->call(request, std::move(options), put);
        });
    if (!posted)
      return {{}, failure::of(errc::cancelled, "the cluster object is closed")};
    std::unique_lock lock(state->mutex);
    state->changed.wait(lock, [&] { return reply->has_value() || state->is_cancelled; });
    if (!reply->has_value())
      return {{}, failure::of(errc::cancelled, "the consumer was closed")};
    return std::move(**reply);
  }

  std::shared_ptr<cluster_core> cluster_;
  std::string group_;
  std::optional<node_id> coordinator_;
  /// For the coordinator.
  cluster_core::choice ask_next_ = cluster_core::choice::connected;
  std::shared_ptr<shared_state> state_ = std::make_shared<shared_state>();
};

} // namespace aqueduct::client
