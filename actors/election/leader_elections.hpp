// Has partitions led by their preferred replicas, on behalf of clients: asks the node that leads
// each to hand it over, and waits for what comes of it. Any node may be asked.
//
//   client -- ElectLeaders --> this node -- call elect --> the node that leads -- transfer -->
//   preferred
//                                  ^                              |
//                                  '---- elected, or why not -----'
#pragma once

#include "actors/directory.hpp"
#include "actors/environment.hpp"
#include "actors/peer/node_calls.hpp"
#include "protocol/cluster/election_messages.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

namespace aqueduct::actors {

/// A partition that its preferred replica is to lead.
struct election_order {
  group_id group;
  /// As this node sees it.
  std::shared_ptr<partition_route> route;
  /// The nodes that have a replica, the preferred one first.
  std::vector<std::int32_t> replicas;
};

/// Thread-safe, never blocks.
class leader_elections {
public:
  using outcome = protocol::cluster::election_outcome;

  /// `caller` may be null: there are no other nodes.
  leader_elections(std::int32_t node, std::shared_ptr<environment> env,
                   std::shared_ptr<node_caller> caller)
      : node_(node), env_(std::move(env)), caller_(std::move(caller)) {}

  /// `done` is called once, from any thread, with what came of each order, `elsewhere` never. It
  /// may be called a second after `wait_ms`: that is how long a node that is asked may be silent.
  void hold(std::vector<election_order> orders, std::int64_t wait_ms,
            std::function<void(std::vector<outcome>)> done) const;

private:
  std::int32_t node_;
  std::shared_ptr<environment> env_;
  std::shared_ptr<node_caller> caller_;
};

/// Answers the other nodes: calls of kind elect; all others are refused.
[[nodiscard]] std::shared_ptr<call_handler>
make_election_server(std::shared_ptr<const topic_directory> directory,
                     std::shared_ptr<environment> env);

} // namespace aqueduct::actors
