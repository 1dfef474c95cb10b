// Where the nodes of one process find each other (`discovery.kind = memory`): the addresses of
// those that are there, and which of them founds their cluster. Whoever starts the nodes makes one
// registry for each cluster and gives it to them; it remembers for as long as it lives, also when
// all nodes have left, and is gone with the process.
#pragma once

#include "config/endpoint.hpp"
#include "protocol/ids.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

namespace aqueduct::actors {

/// Thread-safe.
class memory_registry : public std::enable_shared_from_this<memory_registry> {
public:
  /// A node that is there until it leaves, or this object goes. It keeps its registry alive.
  class seat {
  public:
    ~seat() { leave(); }
    seat(const seat&) = delete;
    seat& operator=(const seat&) = delete;

    /// Where the nodes that are there now serve other nodes, this one among them; in the order in
    /// which they came.
    [[nodiscard]] std::vector<config::endpoint> addresses() const;
    /// Whether this node, which has no cluster, may found one: none was founded, and no other node
    /// got leave to. A node keeps its leave, also when it stops and comes back, since it may have
    /// founded without having said so.
    [[nodiscard]] bool may_found();
    /// The node belongs to that cluster: nobody founds another one.
    void belongs_to(const uuid& cluster);
    /// The node is not to be found any more.
    void leave();

  private:
    friend class memory_registry;
    seat(std::shared_ptr<memory_registry> registry, std::uint64_t number, std::int32_t node)
        : registry_(std::move(registry)), number_(number), node_(node) {}

    std::shared_ptr<memory_registry> registry_;
    std::uint64_t number_;
    std::int32_t node_;
  };

  [[nodiscard]] static std::shared_ptr<memory_registry> make() {
    return std::shared_ptr<memory_registry>(new memory_registry());
  }

  /// A node is there. Two of one id are the survey's to find.
  [[nodiscard]] std::unique_ptr<seat> enter(std::int32_t node, const config::endpoint& address);

private:
  memory_registry() = default;

  mutable std::mutex mutex_;
  std::uint64_t last_seat_ = 0;
  std::map<std::uint64_t, config::endpoint> present_;
  /// Who got leave to found the cluster; a cluster that a node belonged to.
  std::optional<std::int32_t> founder_;
  uuid cluster_;
};

} // namespace aqueduct::actors
