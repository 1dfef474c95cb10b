// The inside of a cluster object: the I/O thread, the links to the brokers, the metadata and its
// refreshing. Producers, consumers and admins work through it.
#pragma once

#include "protocol/client/cluster.hpp"
#include "protocol/client/internal/broker_link.hpp"
#include "protocol/client/internal/io_loop.hpp"
#include "protocol/client/internal/metadata_cache.hpp"
#include "protocol/client/internal/sync_call.hpp"

#include <map>
#include <mutex>
#include <set>

namespace aqueduct::client {

/// Requests that may be parked by the broker have a connection of their own.
enum class lane : std::uint8_t { direct, waiting };

/// Can a retry, elsewhere or a little later, help, without anything being changed by hand?
[[nodiscard]] bool is_transient(errc code);
/// Does the error say that the leader is another or unknown?
[[nodiscard]] bool is_about_leader(errc code);

class cluster_core : public std::enable_shared_from_this<cluster_core> {
public:
  [[nodiscard]] static result<std::shared_ptr<cluster_core>> open(cluster_config config);
  ~cluster_core();

  // -- any thread ---------------------------------------------------------------------------------

  [[nodiscard]] const cluster_config& config() const { return config_; }
  /// False, and nothing happens, after `close`.
  bool post(std::function<void()> task) { return loop_.post(std::move(task)); }
  [[nodiscard]] bool is_io_thread() const { return loop_.is_current(); }
  void close();
  [[nodiscard]] bool is_closed() const {
    const std::lock_guard lock(close_mutex_);
    return is_closed_;
  }

  [[nodiscard]] std::shared_ptr<const topic_layout> known_topic(std::string_view name) const;

  using topic_result = result<std::shared_ptr<const topic_layout>>;
  /// Waits until the topic is known to serve. A topic that several answers in a row do not know is
  /// unknown_topic. Not for the I/O thread (invalid_request).
  [[nodiscard]] topic_result wait_for_topic(const std::string& name, time_point deadline,
                                            bool auto_create);

  /// Asks the broker, or any if none is named, and waits. Not for the I/O thread.
  template <class Request>
  [[nodiscard]] answer<response_of<Request>> ask(std::optional<node_id> node, Request request,
                                                 time_point deadline);

  /// Same, and asks again, elsewhere if need be, until there is an answer that a retry will not
  /// change. `is_repeatable`: also if the broker may have acted on the request.
  template <class Request>
  [[nodiscard]] result<response_of<Request>> ask_any(const Request& request, time_point deadline,
                                                     bool is_repeatable);

  /// Blocks for `wait`, or until `close`. False if closed.
  [[nodiscard]] bool pause(milliseconds wait);

  // -- the I/O thread -----------------------------------------------------------------------------

  [[nodiscard]] boost::asio::io_context& context() { return loop_.context(); }
  /// The link to a broker; nullptr if nobody named its address yet.
  [[nodiscard]] std::shared_ptr<broker_link> link(node_id node, lane which);
  /// Who is asked what any broker may know.
  enum class choice : std::uint8_t {
    /// Who is connected, if anybody is.
    connected,
    /// Everybody in turn, as those that are connected have no answer; last who is in back-off.
    everybody,
  };
  /// A link to whoever is there; nullptr only while closing.
  [[nodiscard]] std::shared_ptr<broker_link> any_link(choice among = choice::connected);
  [[nodiscard]] std::optional<node_id> leader(const topic_partition& tp) const;
  /// Somebody named the address of a broker that the metadata does not have yet.
  void learn(node_id node, const endpoint& address);
  /// Whom to read from who need not lead, by the rack of this client; see `metadata_cache`.
  [[nodiscard]] std::vector<node_id> nearest_replicas(const topic_partition& tp) const;
  /// Uses what an answer said, and asks for metadata where it did not help.
  void leader_failed(const topic_partition& tp, const failure& why);
  /// The topic is in use: keep its metadata fresh.
  void follow(const std::string& topic, bool auto_create = false);
  /// Asks for metadata, soon.
  void refresh();

  using listener = std::function<void()>;
  /// Called on the I/O thread after each change of the metadata.
  std::uint64_t add_listener(listener told);
  void remove_listener(std::uint64_t id) { listeners_.erase(id); }
  [[nodiscard]] std::uint64_t random() { return random_.next(); }

private:
  struct node_links {
    endpoint address;
    std::shared_ptr<broker_link> direct;
    std::shared_ptr<broker_link> waiting;
  };
  struct topic_waiter {
    std::string name;
    time_point deadline;
    int answers_without = 0;
    std::shared_ptr<sync_slot<topic_result>> slot;
  };
  /// One refresh: asks brokers one after the other, the next one early if one is slow.
  struct refresh_round;

  explicit cluster_core(cluster_config config);

  [[nodiscard]] std::shared_ptr<broker_link> make_link(const endpoint& to);
  [[nodiscard]] std::vector<std::shared_ptr<broker_link>>
  candidates(choice among = choice::connected);
  [[nodiscard]] result<void> reach_first_broker();
  void shut_down();
  void retire(const std::shared_ptr<broker_link>& old, const error& why);
  [[nodiscard]] protocol::metadata_request refresh_request();

  void start_refresh();
  void ask_next(const std::shared_ptr<refresh_round>& round);
  void refresh_answered(const std::shared_ptr<refresh_round>& round,
                        answer<protocol::metadata_response> reply);
  void refresh_done(const std::shared_ptr<refresh_round>& round,
                    const result<cluster_layout>& outcome);
  void give_up_stalled();
  void settle_waiters(const cluster_layout& news);
  void expire_waiters(const error& why);
  void schedule_refresh(time_point when);
  void tell_listeners();

  cluster_config config_;
  std::vector<endpoint> bootstrap_;
  link_settings link_settings_;
  jitter_source random_;

  mutable std::mutex cache_mutex_;
  metadata_cache cache_;

  mutable std::mutex close_mutex_;
  std::condition_variable closing_;
  bool is_closed_ = false;

  // Owned by the I/O thread.
  std::map<node_id, node_links> links_;
  std::vector<std::shared_ptr<broker_link>> bootstrap_links_;
  std::size_t cursor_ = 0;
  /// Topics in use, and whether asking for them may create them.
  std::map<std::string, bool> followed_;
  std::vector<topic_waiter> waiters_;
  std::map<std::uint64_t, listener> listeners_;
  std::uint64_t next_listener_ = 1;
  std::shared_ptr<refresh_round> round_;
  /// Something asked for a refresh after the running one had begun.
  bool refresh_again_ = false;
  backoff refresh_backoff_;
  time_point refresh_not_before_{};
  time_point refresh_at_ = never;
  std::shared_ptr<sync_slot<result<void>>> first_contact_;

  /// After everything that its thread uses, so that the thread ends first.
  io_loop loop_;
  std::unique_ptr<boost::asio::steady_timer> refresh_timer_;
};

template <class Request>
answer<response_of<Request>> cluster_core::ask(std::optional<node_id> node, Request request,
                                               time_point deadline) {
  using outcome = answer<response_of<Request>>;
  if (is_io_thread())
    return {{},
            failure::of(errc::invalid_request,
                        "this function waits and cannot be called from a callback")};
  auto slot = std::make_shared<sync_slot<outcome>>();
  const bool posted = post([this, node, request = std::move(request), deadline, slot]() mutable {
    const auto to = node ? link(*node, lane::direct) : any_link();
    if (!to)
      return slot->put({{}, failure::of(errc::broker_unavailable, "no address is known")});
    call_options options;
    options.deadline = deadline;
    options.close_on_timeout = false;
    to->call(std::move(request), std::move(options),
             [slot](outcome reply) { slot->put(std::move(reply)); });
  });
  if (!posted)
    return {{}, failure::of(errc::cancelled, "the cluster object is closed")};
  return slot->take();
}

template <class Request>
result<response_of<Request>> cluster_core::ask_any(const Request& request, time_point deadline,
                                                   bool is_repeatable) {
  backoff wait(config_.backoff_min, config_.backoff_max, clock::now().time_since_epoch().count());
  std::optional<node_id> node;
  for (;;) {
    auto reply = ask(node, request, deadline);
    if (reply)
      return std::move(*reply.value);
    const auto& fail = reply.fail;
    const bool again = is_transient(fail.err.code) && (is_repeatable || !fail.uncertain);
    const auto pause_for = wait.next();
    if (!again || after(clock::now(), pause_for) >= deadline)
      return unexpected(fail.err);
    node = fail.leader;
    if (node && !fail.leader_address.empty())
      post([this, leader = *node, address = fail.leader_address] {
        if (auto parsed = parse_endpoint(address)) {
          const std::lock_guard lock(cache_mutex_);
          cache_.learn(leader, *parsed);
        }
      });
    if (!pause(pause_for))
      return unexpected(errc::cancelled, "the cluster object was closed");
  }
}

} // namespace aqueduct::client
