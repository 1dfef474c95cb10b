#include "tests/simulation/sim_network.hpp"

#include "tests/simulation/sim_environment.hpp"

namespace aqueduct::actors::test {

class sim_network::life final : public raft_transport {
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
  void end() { network_ = nullptr; }

private:
  sim_network* network_;
  std::int32_t node_;
};

sim_network::sim_network(std::uint64_t seed)
    : chance_(std::make_shared<virtual_environment>(seed)) {}

sim_network::~sim_network() {
  for (auto& [node, ends] : nodes_)
    ends.first->end();
}

std::shared_ptr<raft_transport> sim_network::join(std::int32_t node,
                                                  std::shared_ptr<raft_receiver> receiver) {
  leave(node);
  auto made = std::make_shared<life>(*this, node);
  nodes_[node] = {made, std::move(receiver)};
  return made;
}

void sim_network::leave(std::int32_t node) {
  const auto found = nodes_.find(node);
  if (found == nodes_.end())
    return;
  found->second.first->end();
  nodes_.erase(found);
  std::erase_if(under_way_, [node](const auto& each) { return each.second.to.node.value == node; });
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

void sim_network::take(std::int32_t from, std::vector<raft_delivery> messages) {
  for (auto& message : messages) {
    ++sent_;
    if (draw(1000) < faults_.loss || cuts_.contains({from, message.to.node.value})) {
      ++lost_;
      continue;
    }
    const auto spread = static_cast<std::uint64_t>(faults_.delay_ms_max - faults_.delay_ms_min + 1);
    const auto due = [&] {
      return now_ms_ + faults_.delay_ms_min + static_cast<std::int64_t>(draw(spread));
    };
    if (draw(1000) < faults_.repeat)
      under_way_.emplace(due(), message);
    under_way_.emplace(due(), std::move(message));
  }
}

void sim_network::advance(std::int64_t now_ms) {
  now_ms_ = now_ms;
  while (!under_way_.empty() && under_way_.begin()->first <= now_ms_) {
    auto message = std::move(under_way_.extract(under_way_.begin()).mapped());
    const auto to = nodes_.find(message.to.node.value);
    // A cut also loses what is under way.
    if (to == nodes_.end() || cuts_.contains({message.from.node.value, message.to.node.value})) {
      ++lost_;
      continue;
    }
    ++delivered_;
    to->second.second->deliver({std::move(message)});
  }
}

} // namespace aqueduct::actors::test
