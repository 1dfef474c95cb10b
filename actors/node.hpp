// One broker: claims its data directory, opens the stores, spawns the actors, serves the ports, and
// takes all of it down again. The only place that knows all rooms.
#pragma once

#include "actors/discovery/memory_registry.hpp"
#include "config/node_config.hpp"
#include "protocol/result.hpp"

#include <functional>
#include <memory>
#include <string>

namespace aqueduct::actors {

/// Owned by `main`; all calls from one thread.
class node {
public:
  struct options {
    config::node_config config;
    /// Name and version, told to clients.
    std::string software;
    /// Called from any thread when an operator asks the node to shut down.
    std::function<void()> shutdown_requested;
    /// Asked again and again while `start` waits for other nodes: true ends it with shutting_down.
    /// May be empty.
    std::function<bool()> interrupted;
    /// With `discovery.kind` memory, where the nodes of one cluster that run in this process find
    /// each other: the same for all of them. Empty: the node finds none.
    std::shared_ptr<memory_registry> process;
  };

  /// Everything up to serving; the ports are taken before the data directory is touched. A node
  /// that belongs to a cluster of several waits until it is registered there. Errors:
  /// conflict (port or data directory in use, data of another node), unsupported_version,
  /// invalid_config, storage_*, internal (the machine has no thread or descriptor left); each with
  /// a sentence.
  [[nodiscard]] static result<std::unique_ptr<node>> start(options opts);
  ~node();

  /// The addresses that were bound.
  [[nodiscard]] const config::endpoint& client_address() const;
  [[nodiscard]] const config::endpoint& admin_address() const;
  [[nodiscard]] const config::endpoint& cluster_address() const;

  /// Takes over those of the settings, read again, that may change while the node runs, and logs
  /// which others would need a restart. If they are an error, or do not go together with those that
  /// stay, nothing changes and the log says why.
  void reload(const result<config::node_config>& settings);

  /// Drains and stops. False if that took longer than `shutdown.timeout`; then the process should
  /// end at once: what was acknowledged is safe in any case.
  [[nodiscard]] bool stop();

private:
  struct impl;
  explicit node(std::unique_ptr<impl> state);
  std::unique_ptr<impl> impl_;
};

} // namespace aqueduct::actors
