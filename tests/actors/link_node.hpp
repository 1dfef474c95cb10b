// What of a node has to do with links: a cluster port, a transport, and somebody who gets what
// arrives. Several may live in one process; sockets and time are real.
#pragma once

#include "actors/logging.hpp"
#include "actors/network/cluster_end.hpp"
#include "actors/peer/peer_transport.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <spdlog/logger.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

namespace aqueduct::actors::test {

/// What happened at a node, to be waited for.
class link_log : public raft_receiver {
public:
  void deliver(std::vector<raft_delivery> messages) override {
    const std::lock_guard lock(mutex_);
    for (auto& message : messages)
      arrived_.push_back(std::move(message));
    changed_.notify_all();
  }

  void changed(raft::node_id node, bool is_up) {
    const std::lock_guard lock(mutex_);
    up_[node.value] = is_up;
    ++changes_[node.value];
    changed_.notify_all();
  }

  void stranger(const protocol::cluster::hello& hello) {
    const std::lock_guard lock(mutex_);
    strangers_.push_back(hello.node);
    changed_.notify_all();
  }

  void wait_for_up(int node, bool is_up = true) {
    wait([&] { return up_[node] == is_up; });
  }
  void wait_for_changes(int node, int count) {
    wait([&] { return changes_[node] >= count; });
  }
  void wait_for_stranger(int node) {
    wait([&] { return std::ranges::find(strangers_, node) != strangers_.end(); });
  }
  /// Waits for so many messages and takes all there are.
  std::vector<raft_delivery> wait_for(std::size_t count) {
    wait([&] { return arrived_.size() >= count; });
    const std::lock_guard lock(mutex_);
    return std::exchange(arrived_, {});
  }
  [[nodiscard]] std::size_t arrived_count() {
    const std::lock_guard lock(mutex_);
    return arrived_.size();
  }

private:
  void wait(const std::function<bool()>& until) {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, std::chrono::seconds(30), until))
      throw std::runtime_error("it did not happen within 30 s");
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<raft_delivery> arrived_;
  std::map<int, bool> up_;
  std::map<int, int> changes_;
  std::vector<std::int32_t> strangers_;
};

/// Answers at once with what was asked, or keeps what says "keep", or drops what says "drop".
class echo_handler : public call_handler {
public:
  void asked(raft::node_id from, call_kind, buffer question,
             std::function<void(result<buffer>)> answer) override {
    if (question.text() == "drop")
      return;
    if (question.text() == "fail") {
      answer(unexpected(errc::conflict, "node " + std::to_string(from.value) + " asked for it"));
    } else if (question.text() == "keep") {
      const std::lock_guard lock(mutex_);
      kept_.push_back(std::move(answer));
      changed_.notify_all();
    } else {
      answer(question);
    }
  }

  /// Waits for so many and takes them.
  std::vector<std::function<void(result<buffer>)>> take_kept(std::size_t count) {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, std::chrono::seconds(30), [&] { return kept_.size() >= count; }))
      throw std::runtime_error("nobody asked within 30 s");
    return std::exchange(kept_, {});
  }

private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::function<void(result<buffer>)>> kept_;
};

/// An answer that is on its way.
class awaited_answer {
public:
  [[nodiscard]] std::function<void(result<buffer>)> taker() {
    return [state = state_](result<buffer> answer) {
      const std::lock_guard lock(state->mutex);
      state->answers.push_back(std::move(answer));
      state->changed.notify_all();
    };
  }

  result<buffer> wait() {
    std::unique_lock lock(state_->mutex);
    if (!state_->changed.wait_for(lock, std::chrono::seconds(30),
                                  [&] { return !state_->answers.empty(); }))
      throw std::runtime_error("no answer within 30 s");
    if (state_->answers.size() != 1)
      throw std::runtime_error("more than one answer");
    return state_->answers.front();
  }

private:
  struct state {
    std::mutex mutex;
    std::condition_variable changed;
    std::vector<result<buffer>> answers;
  };
  std::shared_ptr<state> state_ = std::make_shared<state>();
};

class link_node {
public:
  struct options {
    uuid cluster;
    std::uint64_t incarnation = 1;
    std::int64_t election_timeout_ms = 10'000;
    std::chrono::milliseconds handshake_timeout = std::chrono::seconds(10);
    std::size_t send_window_bytes = std::size_t{32} << 20;
    std::uint16_t port = 0;
    bool answers_calls = true;
  };

  explicit link_node(int id) : link_node(id, options{}) {}
  link_node(int id, const options& opts) : id_(id), system_(config_) {
    network::cluster_end::options port;
    port.listen = {"127.0.0.1", opts.port};
    port.handshake_timeout = opts.handshake_timeout;
    port.frame_bytes_max = frame_bytes_max;
    port.received_bytes_total = std::uint64_t{64} << 20;
    port.log = component_logger("network");
    auto opened = network::cluster_end::open(port);
    if (!opened)
      throw std::runtime_error(opened.error().message);
    end = *opened;
    peer_transport_options links;
    links.us.cluster = opts.cluster;
    links.us.self = {raft::node_id(id), raft::incarnation(opts.incarnation)};
    links.us.software = "test";
    links.us.frame_bytes_max = frame_bytes_max;
    links.election_timeout_ms = opts.election_timeout_ms;
    links.send_window_bytes = opts.send_window_bytes;
    links.env = make_system_environment();
    links.dialler = end;
    links.receiver = log;
    if (opts.answers_calls)
      links.calls = echo;
    links.log = component_logger("network");
    links.changed = [log = log](raft::node_id node, bool is_up) { log->changed(node, is_up); };
    links.stranger = [log = log](const protocol::cluster::hello& hello) { log->stranger(hello); };
    transport = std::make_shared<peer_transport>(system_, std::move(links));
    end->serve(transport);
  }

  ~link_node() {
    transport->stop();
    system_.await_all_actors_done();
    end->stop();
  }

  void meet(const link_node& other) { meet(other.id_, other.end->address().port); }
  void meet(int node, std::uint16_t port, const std::string& host = "127.0.0.1") {
    transport->add_peer(raft::node_id(node), {host, port});
  }
  void send(raft_parcel parcel) {
    std::vector<raft::outgoing> messages;
    messages.push_back({parcel.to, std::move(parcel.body)});
    transport->send(parcel.group, parcel.from, std::move(messages));
  }
  [[nodiscard]] awaited_answer call(int node, buffer question, std::int64_t timeout_ms = 30'000,
                                    call_kind what = call_kind::controller) {
    awaited_answer answer;
    transport->call(raft::node_id(node), what, std::move(question), timeout_ms, answer.taker());
    return answer;
  }
  [[nodiscard]] std::uint16_t port() const { return end->address().port; }

  static constexpr std::uint32_t frame_bytes_max = 8 << 20;

  std::shared_ptr<link_log> log = std::make_shared<link_log>();
  std::shared_ptr<echo_handler> echo = std::make_shared<echo_handler>();
  std::shared_ptr<network::cluster_end> end;

private:
  int id_;
  caf::actor_system_config config_;
  caf::actor_system system_;

public:
  std::shared_ptr<peer_transport> transport;
};

} // namespace aqueduct::actors::test
