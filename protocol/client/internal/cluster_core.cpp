#include "protocol/client/internal/cluster_core.hpp"

#include <algorithm>
#include <random>

namespace aqueduct::client {

bool is_transient(errc code) {
  switch (code) {
  case errc::broker_unavailable:
  case errc::not_leader:
  case errc::topic_not_ready:
  case errc::overloaded:
  case errc::quota_exceeded:
  case errc::shutting_down:
  case errc::connection_lost:
  case errc::not_coordinator:
  case errc::coordinator_loading:
    return true;
  default:
    return false;
  }
}

bool is_about_leader(errc code) {
  switch (code) {
  case errc::not_leader:
  case errc::unknown_topic:
  case errc::unknown_partition:
  case errc::topic_not_ready:
  case errc::broker_unavailable:
  case errc::connection_lost:
  case errc::shutting_down:
  case errc::storage_failed:
  case errc::timed_out:
    return true;
  default:
    return false;
  }
}

namespace {

std::uint64_t random_seed() {
  std::random_device device;
  return (static_cast<std::uint64_t>(device()) << 32) ^ device();
}

} // namespace

cluster_core::cluster_core(cluster_config config)
    : config_(std::move(config)),
      link_settings_{config_.client_id,
                     config_.rack,
                     config_.connect_timeout,
                     config_.backoff_min,
                     config_.backoff_max,
                     config_.idle_timeout,
                     config_.frame_bytes_max,
                     config_.in_flight_bytes_max,
                     {}},
      random_(random_seed()),
      refresh_backoff_(config_.backoff_min, config_.backoff_max, random_.next()),
      refresh_timer_(std::make_unique<boost::asio::steady_timer>(loop_.context())) {
  link_settings_.stalled = [this] { refresh(); };
}

cluster_core::~cluster_core() {
  close();
}

result<std::shared_ptr<cluster_core>> cluster_core::open(cluster_config config) {
  if (auto valid = config.validate(); !valid)
    return valid.propagate();
  const std::shared_ptr<cluster_core> core(new cluster_core(std::move(config)));
  for (const auto& text : core->config_.brokers)
    core->bootstrap_.push_back(*parse_endpoint(text));
  if (auto reached = core->reach_first_broker(); !reached)
    return reached.propagate();
  return core;
}

result<void> cluster_core::reach_first_broker() {
  auto slot = std::make_shared<sync_slot<result<void>>>();
  post([this, slot] {
    first_contact_ = slot;
    for (const auto& address : bootstrap_)
      bootstrap_links_.push_back(make_link(address));
    start_refresh();
  });
  return slot->take();
}

void cluster_core::close() {
  {
    const std::lock_guard lock(close_mutex_);
    is_closed_ = true;
  }
  closing_.notify_all();
  loop_.stop([this] { shut_down(); });
}

void cluster_core::shut_down() {
  const error why{errc::cancelled, "the cluster object was closed"};
  refresh_timer_->cancel();
  round_ = nullptr;
  for (auto& [node, links] : std::exchange(links_, {}))
    for (const auto& each : {links.direct, links.waiting})
      if (each)
        each->shut_down(why);
  for (const auto& each : std::exchange(bootstrap_links_, {}))
    each->shut_down(why);
  for (auto& waiter : std::exchange(waiters_, {}))
    waiter.slot->put(unexpected(why));
  if (first_contact_)
    std::exchange(first_contact_, nullptr)->put(unexpected(why));
  // What listens must learn that there will be nothing more.
  for (const auto& [id, told] : std::exchange(listeners_, {}))
    told();
}

bool cluster_core::pause(milliseconds wait) {
  std::unique_lock lock(close_mutex_);
  return !closing_.wait_for(lock, wait, [this] { return is_closed_; });
}

// -- links ----------------------------------------------------------------------------------------

std::shared_ptr<broker_link> cluster_core::make_link(const endpoint& to) {
  return std::make_shared<broker_link>(loop_.context(), link_settings_, to, random_.next());
}

std::shared_ptr<broker_link> cluster_core::link(node_id node, lane which) {
  std::optional<endpoint> address;
  {
    const std::lock_guard lock(cache_mutex_);
    address = cache_.address(node);
  }
  if (!address)
    return nullptr;
  auto& links = links_[node];
  if (links.address != *address) {
    const auto old = std::exchange(links, node_links{*address, {}, {}});
    for (const auto& each : {old.direct, old.waiting})
      retire(each, {errc::connection_lost, "the broker has moved to " + to_string(*address)});
  }
  auto& wanted = which == lane::direct ? links.direct : links.waiting;
  if (!wanted && which == lane::direct)
    for (const auto& first : bootstrap_links_)
      if (first->peer() == *address)
        wanted = first;
  if (!wanted)
    wanted = make_link(*address);
  return wanted;
}

void cluster_core::retire(const std::shared_ptr<broker_link>& old, const error& why) {
  // A link that the user's list names stays: whoever listens there may be needed again.
  if (old && std::ranges::find(bootstrap_links_, old) == bootstrap_links_.end())
    old->shut_down(why);
}

std::vector<std::shared_ptr<broker_link>> cluster_core::candidates(choice among) {
  std::vector<std::shared_ptr<broker_link>> known = bootstrap_links_;
  std::vector<node_id> nodes;
  {
    const std::lock_guard lock(cache_mutex_);
    for (const auto& [node, address] : cache_.brokers())
      nodes.push_back(node);
  }
  for (const auto node : nodes)
    if (auto to = link(node, lane::direct); std::ranges::find(known, to) == known.end())
      known.push_back(std::move(to));
  if (known.empty())
    return known;
  std::ranges::rotate(known, known.begin() + static_cast<std::ptrdiff_t>(cursor_++ % known.size()));
  const bool is_any_stalled = std::ranges::any_of(links_, [](const auto& each) {
    const auto& [node, links] = each;
    return (links.direct && links.direct->is_stalled()) ||
           (links.waiting && links.waiting->is_stalled());
  });
  // Who owes an answer may be cut off, and believe what is no longer so: everybody has a turn then,
  // whoever is connected.
  std::ranges::stable_sort(known, {}, [&](const auto& each) {
    if (is_any_stalled)
      return each->is_stalled() ? 1 : 0;
    if (among == choice::everybody)
      return each->is_waiting() ? 1 : 0;
    return each->is_ready() ? 0 : each->is_waiting() ? 2 : 1;
  });
  return known;
}

std::shared_ptr<broker_link> cluster_core::any_link(choice among) {
  const auto known = candidates(among);
  return known.empty() ? nullptr : known.front();
}

void cluster_core::learn(node_id node, const endpoint& address) {
  const std::lock_guard lock(cache_mutex_);
  if (!cache_.address(node))
    cache_.learn(node, address);
}

std::optional<node_id> cluster_core::leader(const topic_partition& tp) const {
  const std::lock_guard lock(cache_mutex_);
  return cache_.leader(tp);
}

std::vector<node_id> cluster_core::nearest_replicas(const topic_partition& tp) const {
  const std::lock_guard lock(cache_mutex_);
  return cache_.nearest_replicas(tp, config_.rack);
}

void cluster_core::leader_failed(const topic_partition& tp, const failure& why) {
  const auto address = parse_endpoint(why.leader_address);
  bool is_helped = false;
  if (why.leader) {
    const std::lock_guard lock(cache_mutex_);
    if (address)
      cache_.learn(*why.leader, *address);
    is_helped = cache_.address(*why.leader).has_value();
    if (is_helped)
      cache_.hint(tp, *why.leader);
  }
  // A hint is used at once, but it may be stale: the metadata decides a little later.
  if (is_helped)
    tell_listeners();
  if (is_about_leader(why.err.code))
    refresh();
}

std::shared_ptr<const topic_layout> cluster_core::known_topic(std::string_view name) const {
  const std::lock_guard lock(cache_mutex_);
  return cache_.topic(name);
}

std::uint64_t cluster_core::add_listener(listener told) {
  const auto id = next_listener_++;
  listeners_.emplace(id, std::move(told));
  return id;
}

void cluster_core::tell_listeners() {
  const auto told = listeners_;
  for (const auto& [id, each] : told)
    if (listeners_.contains(id))
      each();
}

} // namespace aqueduct::client
