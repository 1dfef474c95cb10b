// The network between simulated nodes: messages of replicas in virtual time, lost, repeated,
// delayed and overtaken as the seed says, between nodes that are cut off from each other or not.
#pragma once

#include "actors/environment.hpp"
#include "actors/peer/transport.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <utility>

namespace aqueduct::actors::test {

/// How bad it is. Chances are out of 1000.
struct network_faults {
  std::uint32_t loss = 0;
  std::uint32_t repeat = 0;
  std::int64_t delay_ms_min = 0;
  std::int64_t delay_ms_max = 1;
};

class sim_network {
public:
  explicit sim_network(std::uint64_t seed);
  ~sim_network();

  void set_faults(const network_faults& faults) { faults_ = faults; }

  /// A life of a node: what it sends, and who takes what is sent to it. Ends with `leave`: what it
  /// sends later is lost, as is what is under way to it.
  [[nodiscard]] std::shared_ptr<raft_transport> join(std::int32_t node,
                                                     std::shared_ptr<raft_receiver> receiver);
  void leave(std::int32_t node);

  /// Messages from one to the other no longer arrive. One way.
  void cut(std::int32_t from, std::int32_t to) { cuts_.insert({from, to}); }
  /// `node` and the others no longer hear each other.
  void isolate(std::int32_t node);
  void heal() { cuts_.clear(); }

  /// Delivers what is due.
  void advance(std::int64_t now_ms);
  [[nodiscard]] std::uint64_t sent() const { return sent_; }
  [[nodiscard]] std::uint64_t lost() const { return lost_; }
  [[nodiscard]] std::uint64_t delivered() const { return delivered_; }

private:
  class life;

  void take(std::int32_t from, std::vector<raft_delivery> messages);
  [[nodiscard]] std::uint64_t draw(std::uint64_t bound);

  std::shared_ptr<environment> chance_;
  network_faults faults_;
  std::int64_t now_ms_ = 0;
  std::map<std::int32_t, std::pair<std::shared_ptr<life>, std::shared_ptr<raft_receiver>>> nodes_;
  std::set<std::pair<std::int32_t, std::int32_t>> cuts_;
  /// Under way, by when they are due; equal times in the order of sending.
  std::multimap<std::int64_t, raft_delivery> under_way_;
  std::uint64_t sent_ = 0;
  std::uint64_t lost_ = 0;
  std::uint64_t delivered_ = 0;
};

} // namespace aqueduct::actors::test
