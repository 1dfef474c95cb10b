// Keeping the metadata fresh: one refresh at a time, asked for by errors, by hints, by waiting
// users and by age; answered by whichever broker is first.
#include "protocol/client/internal/cluster_core.hpp"

#include <algorithm>

namespace aqueduct::client {

namespace {

/// A broker that has not answered by then gets company.
constexpr milliseconds stagger{250};
/// So many answers in a row make a topic unknown: one could be from a broker that lags.
constexpr int answers_to_be_unknown = 3;

} // namespace

struct cluster_core::refresh_round {
  explicit refresh_round(boost::asio::io_context& io) : timer(io) {}

  std::vector<std::shared_ptr<broker_link>> candidates;
  std::size_t next = 0;
  int unanswered = 0;
  std::string errors;
  /// Of the first broker that said more than that it cannot be reached.
  errc code = errc::broker_unavailable;
  boost::asio::steady_timer timer;
};

void cluster_core::follow(const std::string& topic, bool auto_create) {
  auto [entry, is_new] = followed_.try_emplace(topic, auto_create);
  entry->second = entry->second || auto_create;
  if (is_new && !known_topic(topic))
    refresh();
}

void cluster_core::refresh() {
  if (round_)
    refresh_again_ = true;
  else
    schedule_refresh(std::max(clock::now(), refresh_not_before_));
}

void cluster_core::schedule_refresh(time_point when) {
  if (when >= refresh_at_)
    return;
  refresh_at_ = when;
  refresh_timer_->expires_at(when);
  refresh_timer_->async_wait([this](boost::system::error_code cancelled) {
    if (cancelled)
      return;
    refresh_at_ = never;
    expire_waiters({errc::timed_out, "no metadata in time"});
    if (!round_)
      return start_refresh();
    for (const auto& waiter : waiters_)
      schedule_refresh(waiter.deadline);
  });
}

void cluster_core::start_refresh() {
  refresh_again_ = false;
  auto round = round_ = std::make_shared<refresh_round>(loop_.context());
  round->candidates = candidates();
  ask_next(round);
}

protocol::metadata_request cluster_core::refresh_request() {
  protocol::metadata_request request;
  request.topics.emplace();
  for (const auto& [name, auto_create] : followed_)
    request.auto_create = request.auto_create || (auto_create && !known_topic(name));
  // Creation is asked for per request: topics that must not be created wait for the next one.
  for (const auto& [name, auto_create] : followed_) {
    if (!request.auto_create || auto_create || known_topic(name))
      request.topics->push_back(name);
    else
      refresh_again_ = true;
  }
  return request;
}

void cluster_core::ask_next(const std::shared_ptr<refresh_round>& round) {
  if (round->next == round->candidates.size())
    return;
  call_options options;
  options.deadline = after(clock::now(), config_.connect_timeout);
  ++round->unanswered;
  const auto to = round->candidates[round->next++];
  to->call(refresh_request(), std::move(options),
           [this, round](answer<protocol::metadata_response> reply) {
             refresh_answered(round, std::move(reply));
           });
  round->timer.expires_after(stagger);
  round->timer.async_wait([this, round](boost::system::error_code cancelled) {
    if (!cancelled && round_ == round)
      ask_next(round);
  });
}

void cluster_core::refresh_answered(const std::shared_ptr<refresh_round>& round,
                                    answer<protocol::metadata_response> reply) {
  --round->unanswered;
  if (round_ != round)
    return;
  if (reply)
    return refresh_done(round, layout_of(std::move(*reply.value)));
  round->errors += (round->errors.empty() ? "" : "; ") + reply.fail.err.message;
  if (reply.fail.err.code == errc::unsupported_version || reply.fail.err.code == errc::unauthorized)
    round->code = reply.fail.err.code;
  if (round->next < round->candidates.size())
    return ask_next(round);
  if (round->unanswered == 0)
    refresh_done(round, unexpected(round->code, round->errors));
}

void cluster_core::refresh_done(const std::shared_ptr<refresh_round>& round,
                                const result<cluster_layout>& outcome) {
  round->timer.cancel();
  const auto now = clock::now();
  if (outcome) {
    {
      const std::lock_guard lock(cache_mutex_);
      cache_.apply(*outcome);
    }
    give_up_stalled();
    settle_waiters(*outcome);
    // Those who still miss something ask again, and are answered after a growing pause.
    tell_listeners();
  }
  round_ = nullptr;
  if (first_contact_)
    std::exchange(first_contact_, nullptr)
        ->put(outcome ? result<void>() : result<void>(outcome.propagate()));
  // While nobody misses anything, the next refresh is that of age.
  const bool is_missed = !outcome || refresh_again_ || !waiters_.empty();
  refresh_not_before_ = after(now, refresh_backoff_.next());
  if (outcome)
    expire_waiters({errc::timed_out, "the topic did not become ready in time"});
  else
    expire_waiters(outcome.error());
  schedule_refresh(is_missed ? refresh_not_before_ : after(now, config_.metadata_age_max));
  for (const auto& waiter : waiters_)
    schedule_refresh(waiter.deadline);
  if (!is_missed)
    refresh_backoff_.reset();
}

/// A broker that does not answer and that, as others say, leads nothing any more is frozen or cut
/// off: what it was asked is asked elsewhere.
void cluster_core::give_up_stalled() {
  std::vector<std::shared_ptr<broker_link>> lost;
  {
    const std::lock_guard lock(cache_mutex_);
    for (const auto& [node, links] : links_)
      for (const auto& each : {links.direct, links.waiting})
        if (each && each->is_stalled() && !cache_.leads(node))
          lost.push_back(each);
  }
  for (const auto& each : lost)
    each->give_up({errc::connection_lost,
                   "the broker did not answer, and another one leads its partitions now"});
}

// -- waiting for a topic --------------------------------------------------------------------------

cluster_core::topic_result cluster_core::wait_for_topic(const std::string& name,
                                                        time_point deadline, bool auto_create) {
  if (auto known = known_topic(name))
    return known;
  if (is_io_thread())
    return unexpected(errc::overloaded, "the partitions of '" + name +
                                            "' are not known yet, and a callback cannot wait");
  auto slot = std::make_shared<sync_slot<topic_result>>();
  const bool posted = post([this, name, deadline, auto_create, slot] {
    waiters_.push_back({name, deadline, 0, slot});
    follow(name, auto_create);
    refresh();
    schedule_refresh(deadline);
  });
  if (!posted)
    return unexpected(errc::cancelled, "the cluster object is closed");
  return slot->take();
}

void cluster_core::settle_waiters(const cluster_layout& news) {
  std::erase_if(waiters_, [&](topic_waiter& waiter) {
    if (auto known = known_topic(waiter.name)) {
      waiter.slot->put(std::move(known));
      return true;
    }
    const auto found = std::ranges::find(news.topics, waiter.name, &topic_layout::name);
    if (found == news.topics.end())
      return false;
    const bool is_unknown =
        found->error == errc::unknown_topic && ++waiter.answers_without >= answers_to_be_unknown;
    const bool is_hopeless = found->error != errc::none && !is_retriable(found->error);
    if (!is_unknown && !is_hopeless)
      return false;
    followed_.erase(waiter.name);
    const auto why =
        found->message.empty() ? std::string(describe(found->error).meaning) : found->message;
    waiter.slot->put(unexpected(found->error, "topic '" + waiter.name + "': " + why));
    return true;
  });
}

void cluster_core::expire_waiters(const error& why) {
  const auto now = clock::now();
  std::erase_if(waiters_, [&](topic_waiter& waiter) {
    if (waiter.deadline > now)
      return false;
    waiter.slot->put(unexpected(why.code, "topic '" + waiter.name + "': " + why.message));
    return true;
  });
}

} // namespace aqueduct::client
