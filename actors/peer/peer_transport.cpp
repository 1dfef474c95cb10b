#include "actors/peer/peer_transport.hpp"

#include "protocol/native/codec.hpp"

#include <caf/send.hpp>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <iterator>
#include <mutex>
#include <utility>

namespace aqueduct::actors {

namespace {

namespace wire = protocol::cluster;

constexpr std::size_t control_window_min = std::size_t{1} << 20;

void tell(const peer_actor& peer, auto event) {
  caf::anon_send(peer, peer_event{std::move(event)});
}

} // namespace

/// A connection that has not introduced itself.
class peer_transport::incoming : public link_sink {
public:
  incoming(std::weak_ptr<peer_transport> transport, std::shared_ptr<link> from)
      : transport_(std::move(transport)), from_(std::move(from)) {}

  void opened() override {}

  void arrived(link_frames frames) override {
    if (!next_ && from_) {
      const auto transport = transport_.lock();
      const auto from = std::exchange(from_, nullptr);
      if (transport)
        next_ = transport->greet(from, frames.frames.front());
      else
        from->close(false);
      frames.frames.erase(frames.frames.begin());
    }
    if (next_ && !frames.frames.empty())
      next_->arrived(std::move(frames));
  }

  void sent() override {
    if (next_)
      next_->sent();
  }

  void closed(const error& why) override {
    from_.reset();
    if (next_)
      next_->closed(why);
  }

private:
  std::weak_ptr<peer_transport> transport_;
  /// Until the first frame came.
  std::shared_ptr<link> from_;
  /// Whoever took the connection.
  std::shared_ptr<link_sink> next_;
};

peer_transport::peer_transport(caf::actor_system& system, peer_transport_options options)
    : system_(system), options_(std::move(options)) {
  options_.us.session = options_.env->random();
}

peer_transport::~peer_transport() {
  stop();
}

// -- peers ----------------------------------------------------------------------------------------

void peer_transport::add_peer(raft::node_id node, const config::endpoint& address) {
  const std::unique_lock lock(mutex_);
  if (stopped_ || node == options_.us.self.node)
    return;
  if (const auto known = peers_.find(node); known != peers_.end()) {
    tell(known->second.actor, peer_readdress{address});
    return;
  }
  peer_config config;
  config.core.us = options_.us;
  config.core.peer = node;
  config.core.election_timeout_ms = options_.election_timeout_ms;
  config.core.bulk_window_bytes = options_.send_window_bytes;
  config.core.control_window_bytes = std::max(options_.send_window_bytes / 8, control_window_min);
  config.core.seed = options_.env->random();
  config.address = address;
  config.env = options_.env;
  config.dialler = options_.dialler;
  config.receiver = options_.receiver;
  config.calls = options_.calls;
  config.log = options_.log;
  config.changed = options_.changed;
  config.inbox =
      std::make_shared<peer_inbox>(options_.send_window_bytes, config.core.calls.calls_max);
  config.board = std::make_shared<peer_board>();
  peer_status unknown;
  unknown.peer = node;
  config.board->write(unknown);
  route to{peer_actor{}, config.inbox, config.board};
  to.actor = spawn_peer(system_, std::move(config));
  peers_.emplace(node, std::move(to));
}

void peer_transport::remove_peer(raft::node_id node) {
  const std::unique_lock lock(mutex_);
  const auto known = peers_.find(node);
  if (known == peers_.end())
    return;
  tell(known->second.actor, peer_stop{});
  peers_.erase(known);
}

void peer_transport::join(const uuid& cluster) {
  const std::unique_lock lock(mutex_);
  options_.us.cluster = cluster;
  for (const auto& [node, peer] : peers_)
    tell(peer.actor, peer_join{cluster});
}

void peer_transport::stop() {
  const std::unique_lock lock(mutex_);
  stopped_ = true;
  for (const auto& [node, peer] : peers_)
    tell(peer.actor, peer_stop{});
  peers_.clear();
}

node_identity peer_transport::identity() const {
  const std::shared_lock lock(mutex_);
  return options_.us;
}

std::vector<peer_status> peer_transport::status() const {
  std::vector<peer_status> all;
  {
    const std::shared_lock lock(mutex_);
    for (const auto& [node, peer] : peers_) {
      all.push_back(peer.board->read());
      all.back().dropped_full += peer.inbox->dropped();
    }
  }
  std::ranges::sort(all, {}, [](const peer_status& s) { return s.peer.value; });
  return all;
}

// -- messages -------------------------------------------------------------------------------------

void peer_transport::send(const group_id& group, raft::replica_id from,
                          std::vector<raft::outgoing> messages) {
  const std::shared_lock lock(mutex_);
  // Messages to one node follow each other, most often.
  for (auto at = messages.begin(); at != messages.end();) {
    const auto node = at->to.node;
    std::vector<raft_parcel> parcels;
    for (; at != messages.end() && at->to.node == node; ++at)
      parcels.push_back({group, from, at->to, std::move(at->body)});
    const auto peer = peers_.find(node);
    if (peer != peers_.end() && peer->second.inbox->push(std::move(parcels)))
      tell(peer->second.actor, peer_wake{});
  }
}

// -- calls ----------------------------------------------------------------------------------------

void peer_transport::call(raft::node_id to, call_kind what, buffer question,
                          std::int64_t timeout_ms, std::function<void(result<buffer>)> answered) {
  // Answers by itself should the actor end in any other way than by being stopped.
  auto once = answer_once(std::move(answered),
                          {errc::shutting_down, "the link ended before the answer came"});
  const auto peer = find(to);
  if (!peer) {
    const bool is_self = to == options_.us.self.node;
    once(unexpected(is_self ? errc::invalid_request : errc::broker_unavailable,
                    "node " + std::to_string(to.value) +
                        (is_self ? " does not call itself" : " is not known here")));
    return;
  }
  const auto wait_ms = std::clamp<std::int64_t>(timeout_ms, 0, call_timeout_ms_max);
  outgoing_call call{what, std::move(question), options_.env->steady_ms() + wait_ms, once};
  switch (peer->inbox->push(call)) {
  case peer_inbox::outcome::taken_wake:
    tell(peer->actor, peer_wake{});
    break;
  case peer_inbox::outcome::taken:
    break;
  case peer_inbox::outcome::full:
    once(unexpected(errc::overloaded,
                    "too many calls to node " + std::to_string(to.value) + " are under way"));
    break;
  case peer_inbox::outcome::closed:
    once(unexpected(errc::shutting_down, "this node closes the link"));
    break;
  }
}

// -- connections that others open -----------------------------------------------------------------

std::shared_ptr<link_sink> peer_transport::accepted(std::shared_ptr<link> from) {
  return std::make_shared<incoming>(weak_from_this(), std::move(from));
}

std::optional<peer_transport::route> peer_transport::find(raft::node_id node) const {
  const std::shared_lock lock(mutex_);
  const auto known = peers_.find(node);
  return known == peers_.end() ? std::nullopt : std::optional(known->second);
}

void peer_transport::refuse(link& from, const hello_refusal& why) {
  node_identity us;
  bool is_news = false;
  {
    const std::unique_lock lock(mutex_);
    us = options_.us;
    is_news = std::exchange(last_refusal_, why.message) != why.message;
  }
  // A node that tries again and again does not fill the log.
  options_.log->log(is_news ? spdlog::level::warn : spdlog::level::debug, "{}: refused ({}): {}",
                    from.name(), wire::to_string(why.why), why.message);
  answer(from, make_refusal(us, why));
}

void peer_transport::answer(link& from, const wire::hello_answer& answer) {
  (void)from.write(protocol::encode_frame(
      {0, protocol::frame_kind::response, wire::hello_key, wire::hello_version, errc::none, 0},
      answer));
  from.close(true);
}

std::shared_ptr<link_sink> peer_transport::greet(const std::shared_ptr<link>& from,
                                                 const link_frame& first) {
  const auto hello = read_hello(first.header, first.payload);
  if (!hello) {
    refuse(*from, {hello.error().code == errc::unsupported_version ? wire::refusal::unknown_version
                                                                   : wire::refusal::malformed,
                   hello.error().message});
    return nullptr;
  }
  const auto us = identity();
  if (hello->connection == wire::purpose::probe) {
    if (options_.stranger && hello->node != us.self.node.value && !find(raft::node_id(hello->node)))
      options_.stranger(*hello);
    answer(*from, make_answer(us, *hello));
    return nullptr;
  }
  if (const auto refused = judge(us, *hello)) {
    refuse(*from, *refused);
    return nullptr;
  }
  const auto peer = find(raft::node_id(hello->node));
  if (!peer) {
    refuse(*from, {wire::refusal::unknown_node,
                   "node " + std::to_string(hello->node) + " is not a node of this cluster"});
    if (options_.stranger)
      options_.stranger(*hello);
    return nullptr;
  }
  const auto id = first_accepted + accepted_count_++;
  tell(peer->actor, peer_accepted{id, from, *hello});
  return make_peer_sink(peer->actor, id);
}

} // namespace aqueduct::actors
