// The client of a node's admin actor. The only part of `aq` that knows CAF; its actor system starts
// with the first connection and ends with the client.
#pragma once

#include "actors/admin_interface.hpp"
#include "protocol/result.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

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

  [[nodiscard]] result<actors::admin_brokers> brokers();
  /// What the replicas on this node know. Topic and partition as in `admin_groups_request`.
  [[nodiscard]] result<actors::admin_groups> groups(const std::string& topic,
                                                    std::int32_t partition);
  /// Success: the leader, which is this node, has begun to hand over. Errors: not_leader, and those
  /// of what is named.
  [[nodiscard]] result<void> transfer(const std::string& topic, std::int32_t partition,
                                      std::int32_t to);
  /// Success: the state of the replica on this node is durable, and the controller's log shorter.
  [[nodiscard]] result<void> snapshot(const std::string& topic, std::int32_t partition);
  /// `change`: drain, evacuate, shrink, undrain or remove. Errors: as the controller judges.
  [[nodiscard]] result<void> change_broker(std::int32_t node, const std::string& change);
  /// The move that is made or, with `dry_run`, would be. Errors: as the controller judges.
  [[nodiscard]] result<std::vector<actors::admin_move>> move(const std::string& topic,
                                                             std::int32_t partition,
                                                             const std::vector<std::int32_t>& to,
                                                             bool dry_run);
  /// The move that takes the replicas back. Errors: as the controller judges.
  [[nodiscard]] result<std::vector<actors::admin_move>>
  cancel_move(const std::string& topic, std::int32_t partition, bool dry_run);
  /// Moves that spread everything evenly; without `dry_run` they have begun.
  [[nodiscard]] result<std::vector<actors::admin_move>> rebalance(bool dry_run);
  /// Moves that would take everything off the broker; with `shrink`, what no other broker can take
  /// would be given up.
  [[nodiscard]] result<std::vector<actors::admin_move>> plan_evacuation(std::int32_t node,
                                                                        bool shrink);

private:
  struct connection;

  explicit admin_client(std::unique_ptr<connection> to);

  std::unique_ptr<connection> connection_;
};

} // namespace aqueduct::aq
