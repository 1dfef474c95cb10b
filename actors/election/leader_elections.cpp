#include "actors/election/leader_elections.hpp"

#include "actors/election/election_batch.hpp"
#include "actors/election/election_search.hpp"
#include "protocol/native/codec.hpp"

#include <caf/send.hpp>

#include <algorithm>
#include <map>
#include <mutex>
#include <utility>

namespace aqueduct::actors {

namespace {

namespace wire = protocol::cluster;
using wire::election_outcome;
using wire::election_verdict;

/// How long the way to another node and back may take.
constexpr std::int64_t way_ms_max = 1000;

/// The elections that one client asked for.
class election_call : public std::enable_shared_from_this<election_call> {
public:
  election_call(std::int32_t node, std::shared_ptr<environment> env,
                std::shared_ptr<node_caller> caller, std::vector<election_order> orders,
                std::int64_t wait_ms, std::function<void(std::vector<election_outcome>)> done)
      : node_(node),
        env_(std::move(env)),
        caller_(std::move(caller)),
        deadline_ms_(env_->steady_ms() + wait_ms),
        orders_(std::move(orders)),
        outcomes_(orders_.size()),
        left_(orders_.size()),
        done_(std::move(done)) {
    for (const auto& order : orders_)
      searches_.emplace_back(order.replicas, order.route->handle ? order.route->leader.load() : -1);
  }

  void start() {
    std::vector<std::size_t> all(orders_.size());
    for (std::size_t i = 0; i < all.size(); ++i)
      all[i] = i;
    go_on(all);
  }

private:
  using numbers = std::vector<std::size_t>;

  /// Asks somebody else about these orders, or gives them up.
  void go_on(const numbers& which) {
    std::map<std::int32_t, numbers> asked;
    std::function<void(std::vector<election_outcome>)> done;
    {
      const std::lock_guard lock(mutex_);
      for (const auto i : which) {
        if (env_->steady_ms() > deadline_ms_)
          end(i, {election_verdict::timed_out, -1, "it was not found in time who leads"});
        else if (const auto node = searches_[i].next())
          asked[*node].push_back(i);
        else
          end(i, {election_verdict::refused, -1,
                  "the node that leads the partition cannot be asked: " + outcomes_[i].message});
      }
      done = left_ == 0 ? std::exchange(done_, nullptr) : nullptr;
    }
    if (done)
      done(std::move(outcomes_));
    for (auto& [node, orders] : asked)
      ask(node, orders);
  }

  /// Precondition: mutex_ is held, or nobody else has this call yet.
  void end(std::size_t order, election_outcome outcome) {
    outcomes_[order] = std::move(outcome);
    --left_;
  }

  void ask(std::int32_t node, const numbers& orders) {
    for (std::size_t at = 0; at < orders.size(); at += wire::election_question::wishes_max) {
      const auto count = std::min(orders.size() - at, wire::election_question::wishes_max);
      const auto first = orders.begin() + static_cast<std::ptrdiff_t>(at);
      numbers some(first, first + static_cast<std::ptrdiff_t>(count));
      if (node == node_)
        ask_here(std::move(some));
      else
        ask_there(node, std::move(some));
    }
  }

  void ask_here(numbers orders) {
    const auto batch = std::make_shared<election_batch>(
        orders.size(), [self = shared_from_this(), orders](std::vector<election_outcome> outcomes) {
          self->came(orders, std::move(outcomes));
        });
    for (std::uint32_t slot = 0; slot < orders.size(); ++slot) {
      const auto& order = orders_[orders[slot]];
      if (order.route->handle)
        caf::anon_send(
            order.route->handle,
            partition_control{partition_elect{batch, slot, order.replicas.front(), deadline_ms_}});
      else
        batch->decided(slot, {election_verdict::elsewhere, -1, "no replica is here"});
    }
  }

  void ask_there(std::int32_t node, numbers orders) {
    const auto size = orders.size();
    const auto came_back = [self = shared_from_this(), orders](const result<buffer>& reply) {
      self->came(orders, read_answer(reply, orders.size()));
    };
    if (!caller_) {
      came_back(unexpected(errc::broker_unavailable, "this node has no links to others"));
      return;
    }
    wire::election_question question;
    question.wait_ms = std::clamp<std::int64_t>(deadline_ms_ - env_->steady_ms(), 0,
                                                wire::election_question::wait_ms_max);
    question.wishes.reserve(size);
    for (const auto i : orders)
      question.wishes.push_back(
          {orders_[i].group.topic, orders_[i].group.partition, orders_[i].replicas.front()});
    caller_->call(raft::node_id(node), call_kind::elect, protocol::encode(question),
                  question.wait_ms + way_ms_max, came_back);
  }

  static std::vector<election_outcome> read_answer(const result<buffer>& reply, std::size_t size) {
    auto answer = reply ? protocol::decode<wire::election_answer>(*reply)
                        : result<wire::election_answer>(reply.propagate());
    if (answer)
      if (auto sane = wire::check(*answer); !sane)
        answer = sane.propagate();
    if (answer && answer->outcomes.size() != size)
      answer = unexpected(errc::invalid_request, "another number of elections was answered");
    if (answer)
      return std::move(answer->outcomes);
    // What has begun goes on, but nobody knows of it: whoever is asked next finds out.
    return std::vector<election_outcome>(size,
                                         {election_verdict::elsewhere, -1, answer.error().message});
  }

  void came(const numbers& orders, std::vector<election_outcome> outcomes) {
    numbers elsewhere;
    std::function<void(std::vector<election_outcome>)> done;
    {
      const std::lock_guard lock(mutex_);
      for (std::size_t k = 0; k < orders.size(); ++k) {
        const auto i = orders[k];
        if (outcomes[k].verdict != election_verdict::elsewhere) {
          end(i, std::move(outcomes[k]));
          continue;
        }
        searches_[i].told(outcomes[k].leader);
        outcomes_[i] = std::move(outcomes[k]);
        elsewhere.push_back(i);
      }
      done = left_ == 0 ? std::exchange(done_, nullptr) : nullptr;
    }
    if (done)
      done(std::move(outcomes_));
    else if (!elsewhere.empty())
      go_on(elsewhere);
  }

  const std::int32_t node_;
  const std::shared_ptr<environment> env_;
  const std::shared_ptr<node_caller> caller_;
  /// Steady clock.
  const std::int64_t deadline_ms_;
  const std::vector<election_order> orders_;
  std::mutex mutex_;
  // Guarded by mutex_.
  std::vector<election_search> searches_;
  /// Where it is not decided yet: what the last node said.
  std::vector<election_outcome> outcomes_;
  std::size_t left_;
  std::function<void(std::vector<election_outcome>)> done_;
};

class election_server final : public call_handler {
public:
  election_server(std::shared_ptr<const topic_directory> directory,
                  std::shared_ptr<environment> env)
      : directory_(std::move(directory)), env_(std::move(env)) {}

  void asked(raft::node_id, call_kind what, buffer question,
             std::function<void(result<buffer>)> answer) override {
    if (what != call_kind::elect) {
      answer(unexpected(errc::unsupported_api, "only elections are asked for here"));
      return;
    }
    const auto asked = protocol::decode<wire::election_question>(question);
    if (!asked) {
      answer(asked.propagate());
      return;
    }
    if (const auto sane = wire::check(*asked); !sane) {
      answer(sane.propagate());
      return;
    }
    std::map<uuid, std::shared_ptr<const topic_route>> topics;
    for (auto& topic : directory_->all())
      topics.emplace(topic->record.id, std::move(topic));
    const auto deadline = env_->steady_ms() + asked->wait_ms;
    const auto batch = std::make_shared<election_batch>(
        asked->wishes.size(), [answer = std::move(answer)](std::vector<election_outcome> outcomes) {
          answer(protocol::encode(wire::election_answer{std::move(outcomes)}));
        });
    for (std::uint32_t slot = 0; slot < asked->wishes.size(); ++slot) {
      const auto& wish = asked->wishes[slot];
      const auto topic = topics.find(wish.topic);
      const auto number = static_cast<std::size_t>(wish.partition);
      if (topic != topics.end() && number < topic->second->partitions.size() &&
          topic->second->partitions[number]->handle)
        caf::anon_send(topic->second->partitions[number]->handle,
                       partition_control{partition_elect{batch, slot, wish.to, deadline}});
      else
        batch->decided(slot, {election_verdict::elsewhere, -1, "no replica is there"});
    }
  }

private:
  std::shared_ptr<const topic_directory> directory_;
  std::shared_ptr<environment> env_;
};

} // namespace

void leader_elections::hold(std::vector<election_order> orders, std::int64_t wait_ms,
                            std::function<void(std::vector<outcome>)> done) const {
  if (orders.empty()) {
    done({});
    return;
  }
  std::make_shared<election_call>(node_, env_, caller_, std::move(orders), wait_ms, std::move(done))
      ->start();
}

std::shared_ptr<call_handler> make_election_server(std::shared_ptr<const topic_directory> directory,
                                                   std::shared_ptr<environment> env) {
  return std::make_shared<election_server>(std::move(directory), std::move(env));
}

} // namespace aqueduct::actors
