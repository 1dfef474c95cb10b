// The port for operators: bound when the node starts, before anything of its data is touched, and
// handed to CAF once there is an actor to answer on it.
#pragma once

#include "actors/admin_interface.hpp"
#include "config/endpoint.hpp"
#include "protocol/result.hpp"

#include <caf/fwd.hpp>

#include <memory>

namespace aqueduct::actors {

/// Owned by the node; all calls from one thread.
class admin_port {
public:
  /// Binds the address of `admin.listen`. Errors as of network::listen_on.
  [[nodiscard]] static result<std::unique_ptr<admin_port>> open(const config::endpoint& address);
  ~admin_port();

  /// The address that was bound, with the port that was taken for port 0.
  [[nodiscard]] const config::endpoint& address() const;
  /// From here on CAF owns the socket and `admin` answers; call once. Blocks until that is done.
  [[nodiscard]] result<void> publish(caf::actor_system& system, const admin_actor& admin);

private:
  struct impl;
  explicit admin_port(std::unique_ptr<impl> state);
  std::unique_ptr<impl> impl_;
};

} // namespace aqueduct::actors
