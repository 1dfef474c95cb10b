// The cluster port: takes the connections of other nodes and opens connections to them. One I/O
// thread for all of them; nothing on it waits.
#pragma once

#include "actors/peer/link.hpp"
#include "config/node_config.hpp"
#include "protocol/result.hpp"

#include <cstdint>
#include <memory>

namespace spdlog {
class logger;
}

namespace aqueduct::actors::network {

/// `dial` may be called from any thread, the rest from one. Must outlive the links that it made;
/// when it is stopped before a dial came to an end, its sink hears nothing.
class cluster_end final : public link_dialler {
public:
  struct options {
    config::endpoint listen;
    /// Of a connection that was accepted, until its hello was answered.
    std::chrono::milliseconds handshake_timeout = std::chrono::seconds(10);
    /// Of a frame that was begun.
    std::chrono::milliseconds idle_timeout = std::chrono::minutes(10);
    std::uint64_t frame_bytes_max = 0;
    /// Bytes that were read from all connections and not yet handed over.
    std::uint64_t received_bytes_total = 0;
    std::shared_ptr<spdlog::logger> log;
  };

  /// Binds the port; nothing is accepted before `serve`. Error conflict names the address that is
  /// in use.
  [[nodiscard]] static result<std::shared_ptr<cluster_end>> open(options opts);
  ~cluster_end() override;

  /// The address that was bound, with the port that was taken for port 0.
  [[nodiscard]] const config::endpoint& address() const;
  /// Starts the thread and accepts.
  void serve(std::shared_ptr<link_acceptor> to);
  /// Closes all connections and ends the thread. Nothing may be dialled after it.
  void stop();
  [[nodiscard]] std::size_t connection_count() const;

  [[nodiscard]] std::shared_ptr<link> dial(const config::endpoint& address,
                                           std::shared_ptr<link_sink> sink) override;

private:
  struct impl;
  class dialled_link;
  explicit cluster_end(std::unique_ptr<impl> state);
  std::unique_ptr<impl> impl_;
};

} // namespace aqueduct::actors::network
