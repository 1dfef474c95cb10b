// The ports for clients: accepts connections and runs the I/O threads that own them.
#pragma once

#include "actors/network/services.hpp"
#include "config/node_config.hpp"
#include "protocol/result.hpp"

#include <cstdint>
#include <memory>
#include <vector>

namespace aqueduct::actors::network {

/// Owned by the node; all calls from one thread.
class front_end {
public:
  struct options {
    config::endpoint listen;
    config::network_settings network;
    config::limit_settings limits;
    /// Further ports, by name.
    std::vector<config::named_endpoint> listeners{};
  };

  /// Binds the ports; nothing is accepted before `serve`. Error conflict names the address that is
  /// in use.
  [[nodiscard]] static result<std::unique_ptr<front_end>> open(options opts);
  ~front_end();

  /// The address that was bound, with the port that was taken for port 0.
  [[nodiscard]] const config::endpoint& address() const;
  /// The same of the further ports, in their order.
  [[nodiscard]] std::vector<config::named_endpoint> listeners() const;
  /// Starts the I/O threads and accepts. `of_listeners`: what connections of the further ports are
  /// served with, in their order.
  void serve(std::shared_ptr<const front_services> node,
             std::vector<std::shared_ptr<const front_services>> of_listeners = {});
  /// Connections at a time from now on; those that are open live on. Thread-safe.
  void limit_connections(std::int32_t count);
  /// No new connections from here on; those that are open live on.
  void stop_accepting();
  /// Closes all connections and ends the threads.
  void stop();
  [[nodiscard]] std::size_t connection_count() const;

private:
  struct impl;
  explicit front_end(std::unique_ptr<impl> state);
  std::unique_ptr<impl> impl_;
};

} // namespace aqueduct::actors::network
