#include "tests/simulation/sim_network.hpp"

#include "tests/simulation/sim_environment.hpp"

#include <algorithm>
#include <iterator>

namespace aqueduct::actors::test {

class sim_network::life final : public raft_transport, public node_caller {
public:
  life(sim_network& network, std::int32_t node) : network_(&network), node_(node) {}

  void send(const group_id& group, raft::replica_id from,
            std::vector<raft::outgoing> messages) override {
    if (network_ == nullptr)
      return;
    std::vector<raft_delivery> sent;
    for (auto& message : messages)
      sent.push_back({group, from, message.to, std::move(message.body)});
    network_->take(node_, std::move(sent));
  }
  void call(raft::node_id to, call_kind what, buffer question, std::int64_t timeout_ms,
            std::function<void(result<buffer>)> answered) override {
    if (network_ == nullptr)
      answered(unexpected(errc::shutting_down, "this life is over"));
    else
      network_->begin_call({node_, to.value, what, std::move(question), std::move(answered)},
                           timeout_ms);
  }
  void end() { network_ = nullptr; }

private:
  sim_network* network_;
  std::int32_t node_;
};

sim_network::sim_network(std::uint64_t seed)
    : chance_(std::make_shared<virtual_environment>(seed)) {}

sim_network::~sim_network() {
  for (auto& [node, ends] : nodes_)
    ends.self->end();
}

std::shared_ptr<raft_transport> sim_network::join(std::int32_t node,
                                                  std::shared_ptr<raft_receiver> receiver,
                                                  std::shared_ptr<call_handler> handler) {
  leave(node);
  auto made = std::make_shared<life>(*this, node);
  nodes_[node] = {made, std::move(receiver), std::move(handler)};
  return made;
}

std::shared_ptr<node_caller> sim_network::caller(std::int32_t node) {
  return nodes_.at(node).self;
}

void sim_network::leave(std::int32_t node) {
  const auto found = nodes_.find(node);
  if (found == nodes_.end())
    return;
  found->second.self->end();
  nodes_.erase(found);
  std::vector<std::uint64_t> ended;
  for (const auto& [number, call] : calls_)
    if (call.from == node || call.to == node)
      ended.push_back(number);
  for (const auto number : ended)
    end_call(number, unexpected(errc::connection_lost, "a node is gone"));
  std::erase_if(under_way_, [node](const auto& each) { return each.second.to.node.value == node; });
  for (auto& [link, waiting] : held_)
    if (link.second == node)
      waiting.clear();
}

void sim_network::unclog(std::int32_t from, std::int32_t to) {
  auto link = held_.extract({from, to});
  if (link.empty())
    return;
  let_go_ += link.mapped().size();
  std::ranges::move(link.mapped(), std::back_inserter(released_));
}

void sim_network::heal() {
  cuts_.clear();
  while (!held_.empty()) {
    const auto link = held_.begin()->first;
    unclog(link.first, link.second);
  }
}

bool sim_network::hold(std::int32_t from, std::int32_t to, std::function<void()> arrive) {
  const auto clogged = held_.find({from, to});
  if (clogged == held_.end())
    return false;
  clogged->second.push_back(std::move(arrive));
  return true;
}

void sim_network::isolate(std::int32_t node) {
  for (const auto& [other, ends] : nodes_)
    if (other != node) {
      cut(node, other);
      cut(other, node);
    }
}

std::uint64_t sim_network::draw(std::uint64_t bound) {
  return chance_->random() % bound;
}

bool sim_network::is_lost(std::int32_t from, std::int32_t to) {
  return draw(1000) < faults_.loss || cuts_.contains({from, to});
}

std::int64_t sim_network::due() {
  const auto spread = static_cast<std::uint64_t>(faults_.delay_ms_max - faults_.delay_ms_min + 1);
  return now_ms_ + faults_.delay_ms_min + static_cast<std::int64_t>(draw(spread));
}

void sim_network::take(std::int32_t from, std::vector<raft_delivery> messages) {
  for (auto& message : messages) {
    ++sent_;
    if (is_lost(from, message.to.node.value)) {
      ++lost_;
      continue;
    }
    if (draw(1000) < faults_.repeat)
      under_way_.emplace(due(), message);
    under_way_.emplace(due(), std::move(message));
  }
}

void sim_network::advance(std::int64_t now_ms) {
  now_ms_ = now_ms;
  for (const auto& arrive : std::exchange(released_, {}))
    arrive();
  while (!under_way_.empty() && under_way_.begin()->first <= now_ms_) {
    auto message = std::move(under_way_.extract(under_way_.begin()).mapped());
    const auto from = message.from.node.value;
    const auto to = message.to.node.value;
    if (held_.contains({from, to}))
      (void)hold(from, to, [this, message] { deliver(message); });
    else
      deliver(std::move(message));
  }
  while (!call_events_.empty() && call_events_.begin()->first <= now_ms_)
    call_events_.extract(call_events_.begin()).mapped()();
}

void sim_network::deliver(raft_delivery message) {
  const auto to = nodes_.find(message.to.node.value);
  // A cut also loses what is under way.
  if (to == nodes_.end() || cuts_.contains({message.from.node.value, message.to.node.value})) {
    ++lost_;
    return;
  }
  ++delivered_;
  offers_ += std::holds_alternative<raft::snapshot_offer>(message.body) ? 1 : 0;
  to->second.receiver->deliver({std::move(message)});
}

// -- calls ----------------------------------------------------------------------------------------

bool sim_network::is_calling(std::int32_t node) const {
  return std::ranges::any_of(calls_, [node](const auto& each) { return each.second.from == node; });
}

void sim_network::begin_call(open_call call, std::int64_t timeout_ms) {
  const auto number = ++calls_made_;
  const auto from = call.from;
  const auto to = call.to;
  calls_.emplace(number, std::move(call));
  if (!nodes_.contains(to) || cuts_.contains({from, to})) {
    end_call(number, unexpected(errc::broker_unavailable, "no connection"));
    return;
  }
  if (is_lost(from, to))
    break_call(number);
  else
    call_events_.emplace(due(), [this, number] { deliver_question(number); });
  call_events_.emplace(now_ms_ + timeout_ms, [this, number] {
    end_call(number, unexpected(errc::timed_out, "no answer in time"));
  });
}

void sim_network::deliver_question(std::uint64_t number) {
  const auto call = calls_.find(number);
  if (call == calls_.end())
    return;
  if (hold(call->second.from, call->second.to, [this, number] { deliver_question(number); }))
    return;
  const auto to = nodes_.find(call->second.to);
  if (to == nodes_.end() || cuts_.contains({call->second.from, call->second.to})) {
    break_call(number);
    return;
  }
  if (!to->second.handler) {
    end_call(number, unexpected(errc::unsupported_api, "it answers no calls"));
    return;
  }
  to->second.handler->asked(
      raft::node_id(call->second.from), call->second.what, call->second.question,
      [this, number](result<buffer> answer) { take_answer(number, std::move(answer)); });
}

void sim_network::take_answer(std::uint64_t number, result<buffer> answer) {
  const auto call = calls_.find(number);
  if (call == calls_.end())
    return;
  if (is_lost(call->second.to, call->second.from)) {
    break_call(number);
    return;
  }
  auto arrive = [this, number, answer = std::move(answer), from = call->second.from,
                 to = call->second.to] {
    const auto end = [this, number, answer] {
      calls_answered_ += calls_.contains(number) ? 1 : 0;
      end_call(number, answer);
    };
    if (!hold(to, from, end))
      end();
  };
  if (holds_answers_)
    held_answers_.emplace_back(std::move(arrive));
  else
    call_events_.emplace(due(), std::move(arrive));
}

void sim_network::hold_answers(bool held) {
  holds_answers_ = held;
  if (!held)
    for (auto& arrive : std::exchange(held_answers_, {}))
      call_events_.emplace(due(), std::move(arrive));
}

/// The link is noticed to be gone after a while.
void sim_network::break_call(std::uint64_t number) {
  call_events_.emplace(now_ms_ + 10 + static_cast<std::int64_t>(draw(100)), [this, number] {
    end_call(number, unexpected(errc::connection_lost, "the link ended"));
  });
}

void sim_network::end_call(std::uint64_t number, result<buffer> answer) {
  auto call = calls_.extract(number);
  if (!call.empty())
    call.mapped().answered(std::move(answer));
}

} // namespace aqueduct::actors::test
