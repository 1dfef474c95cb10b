// What the verbs over the admin port share: the connection, orders with --dry-run, and the names of
// Raft groups.
#pragma once

#include "apps/aq/admin_client.hpp"
#include "apps/aq/document.hpp"
#include "apps/aq/session.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace aqueduct::aq {

/// To the node that --admin names, with the patience of --timeout, or 15 seconds: a node asks the
/// controller for up to ten. Errors: those of admin_client::connect.
[[nodiscard]] result<admin_client> connect_admin(const session& on);

/// What became of an order; `was_done` is false after --dry-run.
[[nodiscard]] document order_document(std::string_view action, const std::string& address,
                                      bool was_done);

/// Something that a node is told to do; `what` names it for --dry-run, which asks nobody.
exit_code tell_admin(session& on, std::string_view action, const std::string& what,
                     const std::function<result<void>(admin_client&)>& order);

/// The name of the group of the cluster's metadata, where a topic's name would be.
inline constexpr std::string_view controller_group_name = "controller";

struct group_name {
  /// Empty: all.
  std::string topic;
  /// -1: all of the topic; of the controller's group, which has no other.
  std::int32_t partition = -1;

  [[nodiscard]] bool is_controller() const { return topic == controller_group_name; }
};

/// TOPIC, TOPIC:PARTITION or nothing. invalid_request says what is wrong.
[[nodiscard]] result<group_name> parse_group_name(const std::string& text);
/// TOPIC:PARTITION. invalid_request.
[[nodiscard]] result<group_name> parse_partition_name(const std::string& text);
/// "orders:3", "orders" or "controller".
[[nodiscard]] std::string to_string(const group_name& name);

} // namespace aqueduct::aq
