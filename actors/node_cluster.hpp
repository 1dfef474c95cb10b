// How a node belongs to a cluster: its links to other nodes, what arrives over them, and how it
// finds out which cluster that is.
#pragma once

#include "actors/discovery/discovery.hpp"
#include "actors/discovery/etcd_discovery.hpp"
#include "actors/discovery/memory_registry.hpp"
#include "actors/messages.hpp"
#include "actors/network/http_client.hpp"
#include "actors/peer/call_router.hpp"
#include "actors/peer/node_links.hpp"
#include "actors/replica/group_registry.hpp"
#include "config/node_config.hpp"
#include "storage/data_directory.hpp"

#include <caf/fwd.hpp>

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace aqueduct::actors {

/// Owned by the node; all calls from its thread. Must outlive the actor system's actors.
class node_cluster {
public:
  /// Binds the cluster port. `process`: where nodes of this process find each other; empty: nobody
  /// else looks for them there. Error conflict: it is in use.
  [[nodiscard]] static result<std::unique_ptr<node_cluster>>
  open(const config::node_config& settings, std::shared_ptr<memory_registry> process);

  /// Where other nodes are told to connect.
  [[nodiscard]] config::endpoint advertised() const;
  [[nodiscard]] const config::endpoint& address() const { return links_->address(); }

  /// Takes connections from here on.
  void serve(caf::actor_system& system, const storage::data_directory& data,
             const std::string& software, std::shared_ptr<environment> env);

  /// Finds out which cluster a node without one belongs to; waits for other nodes as long as it
  /// takes, and looks for nodes that moved from then on. `knows`: the node belongs to a cluster, or
  /// began to found one. Errors: shutting_down: `interrupted` said so; conflict: the nodes of this
  /// process have founded another cluster than the one that this node began to found.
  [[nodiscard]] result<survey_outcome> find(bool knows, const std::function<bool()>& interrupted);
  /// The node belongs to this cluster from here on, whatever happens.
  void join(const uuid& cluster);

  [[nodiscard]] const std::shared_ptr<peer_transport>& transport() const { return transport_; }
  [[nodiscard]] const std::shared_ptr<group_registry>& registry() const { return registry_; }
  [[nodiscard]] const std::shared_ptr<call_router>& calls() const { return calls_; }
  /// Other nodes that can be asked now. Thread-safe.
  [[nodiscard]] std::function<std::vector<raft::node_id>()> contacts() const;

  /// Ends the links: their actors end. Then `close`, when all actors are gone.
  void stop();
  void close();

private:
  node_cluster(const config::node_config& settings, std::unique_ptr<node_links> links,
               std::shared_ptr<memory_registry> process)
      : settings_(settings), links_(std::move(links)), process_(std::move(process)) {}

  config::node_config settings_;
  std::unique_ptr<node_links> links_;
  std::shared_ptr<memory_registry> process_;
  /// Only with `discovery.kind` memory, while the node is there.
  std::shared_ptr<memory_registry::seat> seat_;
  caf::actor_system* system_ = nullptr;
  std::shared_ptr<environment> env_;
  std::shared_ptr<group_registry> registry_;
  std::shared_ptr<peer_transport> transport_;
  /// Only with etcd.
  std::shared_ptr<network::http_client> http_;
  std::shared_ptr<call_router> calls_ = std::make_shared<call_router>();
  using discovered = std::function<void(const survey_outcome&)>;
  /// Takes a seat among the nodes of this process.
  [[nodiscard]] result<void> enter_process(bool knows);
  /// Begins to look for nodes, in the way of `discovery.kind`.
  void look_by_seeds(discovered decided);
  void look_in_etcd(discovered decided);

  /// What looks for nodes, whichever kind it is. Strangers come from any thread.
  struct shared_discovery {
    std::mutex mutex;
    std::function<void(const protocol::cluster::hello&)> stranger;
    std::function<void(const uuid&)> joined;
    std::function<void()> stop;
  };
  std::shared_ptr<shared_discovery> discovery_ = std::make_shared<shared_discovery>();
};

} // namespace aqueduct::actors
