// The client of a node's admin actor. The only part of `aq` that knows CAF; its actor system starts
// with the first connection and ends with the client.
#pragma once

#include "actors/admin_interface.hpp"
#include "protocol/result.hpp"

#include <chrono>
#include <memory>
#include <string>

namespace aqueduct::aq {

/// One node. Not thread-safe. Errors of every call: timed_out, connection_lost.
class admin_client {
public:
  /// `address` is HOST:PORT. Errors: invalid_request (no such address), broker_unavailable,
  /// unsupported_version (what listens there speaks something else).
  [[nodiscard]] static result<admin_client> connect(const std::string& address,
                                                    std::chrono::milliseconds timeout);
  ~admin_client();
  admin_client(admin_client&&) noexcept;
  admin_client& operator=(admin_client&&) noexcept;

  [[nodiscard]] result<actors::admin_status> status();
  [[nodiscard]] result<actors::admin_partitions> partitions(const std::string& topic);
  [[nodiscard]] result<void> change_log_level(const std::string& component,
                                              const std::string& level);
  [[nodiscard]] result<void> flush();
  [[nodiscard]] result<void> drain();
  [[nodiscard]] result<void> shut_down();
  /// An empty topic is everything on the node, partition -1 all of the topic. Success: it runs.
  [[nodiscard]] result<void> scrub(const std::string& topic, std::int32_t partition);
  [[nodiscard]] result<void> stop_scrub();
  [[nodiscard]] result<actors::admin_scrub_status> scrub_status();

private:
  struct connection;

  explicit admin_client(std::unique_ptr<connection> to);

  std::unique_ptr<connection> connection_;
};

} // namespace aqueduct::aq
