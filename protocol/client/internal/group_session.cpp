#include "protocol/client/internal/group_session.hpp"

#include <algorithm>
#include <map>
#include <random>

namespace aqueduct::client {

using namespace std::chrono_literals;

namespace {

std::vector<topic_partition> from_wire(const std::vector<protocol::named_partitions>& topics) {
  std::vector<topic_partition> all;
  for (const auto& topic : topics)
    for (const auto partition : topic.partitions)
      all.push_back({topic.topic, partition_id(partition)});
  return all;
}

std::vector<protocol::named_partitions> to_wire(const std::vector<topic_partition>& partitions) {
  std::map<std::string, std::vector<std::int32_t>> topics;
  for (const auto& tp : partitions)
    topics[tp.topic].push_back(tp.partition.value);
  std::vector<protocol::named_partitions> wire;
  for (auto& [topic, numbers] : topics)
    wire.push_back({topic, std::move(numbers)});
  return wire;
}

} // namespace

group_session::group_session(std::shared_ptr<cluster_core> on, const group_consumer_config& config,
                             std::function<void()> told)
    : cluster_(std::move(on)),
      config_(config),
      told_(std::move(told)),
      caller_(cluster_, config.group),
      polled_at_(clock::now()),
      join_backoff_(cluster_->config().backoff_min, cluster_->config().backoff_max,
                    std::hash<std::string>{}(config.group)) {
  for (const auto& pattern : config_.patterns)
    patterns_.emplace_back(pattern);
  thread_ = std::thread([this] { live(); });
}

group_session::~group_session() {
  leave();
}

// -- the user's thread ----------------------------------------------------------------------------

std::optional<group_session::news> group_session::take_news() {
  const std::lock_guard lock(mutex_);
  if (news_.empty())
    return std::nullopt;
  auto oldest = std::move(news_.front());
  news_.pop_front();
  return oldest;
}

void group_session::done(std::vector<topic_partition> owned) {
  const std::lock_guard lock(mutex_);
  awaited_ -= awaited_ > 0 ? 1 : 0;
  has_given_up_ = owned.empty();
  owned_ = std::move(owned);
  changed_.notify_all();
}

bool group_session::wants_to_join() const {
  const std::lock_guard lock(mutex_);
  return must_join_;
}

void group_session::polled() {
  const std::lock_guard lock(mutex_);
  polled_at_ = clock::now();
  changed_.notify_all();
}

group_session::identity group_session::who() const {
  const std::lock_guard lock(mutex_);
  return known_identity();
}

group_session::identity group_session::who_after_join(time_point deadline) {
  locked lock(mutex_);
  changed_.wait_until(lock, deadline, [this] { return !is_joining_ || is_ending_; });
  return known_identity();
}

void group_session::leave() {
  if (!thread_.joinable())
    return;
  {
    const std::lock_guard lock(mutex_);
    is_ending_ = true;
    changed_.notify_all();
  }
  caller_.cancel();
  thread_.join();
  if (!config_.instance_id.empty() || member_.empty())
    return;
  // Also if it has not heard yet that it is a member.
  group_caller last(cluster_, config_.group);
  protocol::leave_group_request request;
  request.group = config_.group;
  request.members = {{member_, ""}};
  (void)last.ask(request, after(clock::now(), 2s));
}

group_session::identity group_session::known_identity() const {
  return {is_member_ ? member_ : std::string(), generation_};
}

// -- the session's thread -------------------------------------------------------------------------

void group_session::live() {
  locked lock(mutex_);
  while (!is_ending_ && !cluster_->is_closed()) {
    const auto now = clock::now();
    if (now >= after(polled_at_, config_.poll_interval_max)) {
      if (is_member_)
        lose(true);
    } else if (awaited_ == 0 && must_join_ && now >= not_before_) {
      // What another member may get is let go of first.
      if (!is_cooperative() && !has_given_up_)
        put_news({news::kind::give_up});
      else
        join(lock);
      continue;
    } else if (is_member_ && now >= next_beat_) {
      beat(lock);
      continue;
    } else if (is_member_ && !patterns_.empty() && now >= next_topics_) {
      look_at_topics(lock);
      continue;
    }
    changed_.wait_until(lock, next_wake());
  }
}

time_point group_session::next_wake() const {
  auto wake = after(clock::now(), 1s);
  if (is_member_)
    wake = std::min(wake, next_beat_);
  if (awaited_ == 0 && must_join_)
    wake = std::min(wake, std::max(not_before_, after(clock::now(), 1ms)));
  return wake;
}

bool group_session::is_cooperative() const {
  return assignor_.empty() ? config_.assignors.front() == "cooperative-sticky"
                           : assignor_ == "cooperative-sticky";
}

void group_session::put_news(news what) {
  awaited_ += what.what == news::kind::refused ? 0 : 1;
  // One that nobody has heard of yet is enough.
  if (what.what == news::kind::refused)
    std::erase_if(news_, [](const news& each) { return each.what == news::kind::refused; });
  news_.push_back(std::move(what));
  told_();
}

void group_session::lose(bool forgets_id) {
  const auto left = std::exchange(member_, forgets_id ? std::string() : member_);
  is_member_ = false;
  generation_ = -1;
  must_join_ = true;
  put_news({news::kind::lost});
  if (!forgets_id || left.empty() || !config_.instance_id.empty())
    return;
  // So that the others need not wait for the session's end. It may fail.
  protocol::leave_group_request request;
  request.group = config_.group;
  request.members = {{left, ""}};
  mutex_.unlock();
  (void)caller_.ask(request, after(clock::now(), config_.session_timeout));
  mutex_.lock();
}

std::string group_session::new_id(const std::string& client) {
  std::random_device device;
  uuid id;
  for (auto& byte : id.bytes)
    byte = static_cast<std::uint8_t>(device());
  return client + "-" + to_string(id);
}

protocol::join_group_request group_session::join_request() const {
  protocol::join_group_request request;
  request.group = config_.group;
  request.member_id = member_;
  request.instance_id = config_.instance_id;
  request.client_id = cluster_->config().client_id;
  request.subscription = config_.topics;
  for (const auto& topic : matched_)
    if (std::ranges::find(config_.topics, topic) == config_.topics.end())
      request.subscription.push_back(topic);
  request.assignors = config_.assignors;
  request.session_timeout_ms = static_cast<std::int32_t>(config_.session_timeout.count());
  request.rebalance_timeout_ms = static_cast<std::int32_t>(config_.poll_interval_max.count());
  request.user_data = buffer::copy_of(std::string_view(config_.user_data));
  request.owned = to_wire(owned_);
  request.generation = generation_;
  return request;
}

void group_session::join(locked& lock) {
  if (!patterns_.empty())
    look_at_topics(lock);
  if (is_ending_)
    return;
  if (member_.empty())
    member_ = new_id(cluster_->config().client_id);
  const auto request = join_request();
  must_join_ = false;
  is_joining_ = true;
  lock.unlock();
  // A rebalance waits for the slowest member.
  const auto deadline = after(clock::now(), config_.poll_interval_max + config_.session_timeout);
  auto answer = caller_.ask(request, deadline, lane::waiting);
  lock.lock();
  is_joining_ = false;
  changed_.notify_all();
  if (is_ending_)
    return;
  if (answer)
    joined(std::move(*answer));
  else
    join_failed(answer.error());
}

void group_session::joined(protocol::join_group_response answer) {
  join_backoff_.reset();
  is_member_ = true;
  member_ = std::move(answer.member_id);
  generation_ = answer.generation;
  assignor_ = std::move(answer.assignor);
  next_beat_ = after(clock::now(), config_.heartbeat_interval);
  auto given = from_wire(answer.assignment);
  std::ranges::sort(given);
  // What it had to let go of is shared out in the next rebalance, which it asks for by joining.
  must_join_ = is_cooperative() && std::ranges::any_of(owned_, [&](const topic_partition& tp) {
                 return !std::ranges::binary_search(given, tp);
               });
  put_news({news::kind::assigned, std::move(given)});
}

void group_session::join_failed(const error& why) {
  must_join_ = true;
  not_before_ = after(clock::now(), join_backoff_.next());
  switch (why.code) {
  case errc::unknown_member:
    lose(false);
    member_.clear();
    break;
  case errc::generation_mismatch:
    lose(false);
    break;
  case errc::rebalance_in_progress:
  case errc::timed_out:
    break;
  default:
    if (is_transient(why.code))
      break;
    if (why.code == errc::fenced_member)
      member_.clear();
    if (is_member_)
      lose(false);
    put_news({news::kind::refused, {}, why});
    // It may be put right, and the user wants to hear of it more than once, but not all the time.
    not_before_ = std::max(not_before_, after(clock::now(), config_.heartbeat_interval));
  }
}

void group_session::beat(locked& lock) {
  next_beat_ = after(clock::now(), config_.heartbeat_interval);
  protocol::heartbeat_request request;
  request.group = config_.group;
  request.member_id = member_;
  request.instance_id = config_.instance_id;
  request.generation = generation_;
  lock.unlock();
  const auto answer = caller_.ask(request, after(clock::now(), config_.session_timeout));
  lock.lock();
  if (answer || is_ending_)
    return;
  switch (answer.error().code) {
  case errc::rebalance_in_progress:
    must_join_ = true;
    break;
  case errc::unknown_member:
  case errc::generation_mismatch:
  case errc::fenced_member:
    join_failed(answer.error());
    break;
  default:
    break;
  }
}

void group_session::look_at_topics(locked& lock) {
  next_topics_ = after(clock::now(), config_.topics_interval);
  lock.unlock();
  protocol::list_topics_request request;
  const auto answer =
      cluster_->ask_any(request, after(clock::now(), config_.session_timeout), true);
  lock.lock();
  if (!answer || is_ending_)
    return;
  std::set<std::string> matched;
  for (const auto& topic : answer->topics)
    if (std::ranges::any_of(patterns_, [&](const std::regex& pattern) {
          return std::regex_match(topic.name, pattern);
        }))
      matched.insert(topic.name);
  if (matched == matched_)
    return;
  matched_ = std::move(matched);
  must_join_ = true;
}

} // namespace aqueduct::client
