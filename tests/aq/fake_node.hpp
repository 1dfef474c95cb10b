// The admin port of a node that says what a test wants, asked over a real connection.
#pragma once

#include "actors/admin_interface.hpp"

#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace aqueduct::aq::test {

/// What the node says, and what it was asked.
struct fake_cluster {
  actors::admin_brokers brokers;
  actors::admin_partitions partitions;
  actors::admin_groups groups;
  /// Of orders, in their order; when one is left it is the answer to all that follow.
  std::vector<actors::admin_done> done{{}};
  /// Where the replicas of the partition that is asked about are.
  std::vector<std::int32_t> placed;
  /// Of plans, in their order, likewise.
  std::vector<actors::admin_moves> plans{{}};
  /// "drain 2", "transfer orders:0 2", "move orders:0 1,2", "plan", "evacuate? 2", ...
  std::vector<std::string> asked;
};

class fake_node {
public:
  fake_node();
  ~fake_node();
  fake_node(const fake_node&) = delete;
  fake_node& operator=(const fake_node&) = delete;

  /// "127.0.0.1:PORT".
  [[nodiscard]] const std::string& address() const { return address_; }
  /// Changes what it says, and shows what it was asked.
  template <class Use>
  auto with(const Use& use) {
    const std::lock_guard lock(shared_->mutex);
    return use(shared_->says);
  }

  struct shared {
    std::mutex mutex;
    fake_cluster says;
  };

private:
  struct actor_side;

  std::shared_ptr<shared> shared_ = std::make_shared<shared>();
  std::unique_ptr<actor_side> actors_;
  std::string address_;
};

} // namespace aqueduct::aq::test
