// What operators see and change of the cluster by way of one node. From the admin actor's thread,
// which may wait.
#pragma once

#include "actors/admin.hpp"
#include "actors/admin_interface.hpp"
#include "protocol/result.hpp"

namespace aqueduct::actors {

[[nodiscard]] admin_brokers describe_brokers(const admin_services& node);
[[nodiscard]] admin_groups describe_groups(const admin_services& node,
                                           const admin_groups_request& request);
/// Errors: unknown_topic; not_leader: the group is not led here; invalid_request: the node has no
/// vote in it.
[[nodiscard]] result<void> transfer_leadership(const admin_services& node,
                                               const admin_transfer_request& request);
/// Returns when the state is durable. Errors also: shutting_down, timed_out, storage_failed.
[[nodiscard]] result<void> take_snapshot(const admin_services& node,
                                         const admin_snapshot_request& request);
/// Errors: invalid_request, and those of controller_core.
[[nodiscard]] result<void> change_broker(const admin_services& node,
                                         const admin_broker_change_request& request);
[[nodiscard]] admin_moves move_replicas(const admin_services& node,
                                        const admin_move_request& request);
/// The moves that take the replicas back.
[[nodiscard]] admin_moves cancel_move(const admin_services& node,
                                      const admin_cancel_move_request& request);
[[nodiscard]] admin_moves plan_moves(const admin_services& node, const admin_plan_request& request);

} // namespace aqueduct::actors
