// The native requests about consumer groups.
#pragma once

#include "actors/network/native_admin_calls.hpp"

namespace aqueduct::actors::network {

// Each answers the request, now or later.
void serve(const native_request& request, const front_services& node,
           protocol::find_coordinator_request message);
void serve(const native_request& request, const front_services& node,
           protocol::join_group_request message);
void serve(const native_request& request, const front_services& node,
           protocol::leave_group_request message);
void serve(const native_request& request, const front_services& node,
           protocol::heartbeat_request message);
void serve(const native_request& request, const front_services& node,
           protocol::fetch_assignment_request message);
void serve(const native_request& request, const front_services& node,
           protocol::commit_offset_request message);
void serve(const native_request& request, const front_services& node,
           protocol::fetch_offset_request message);
void serve(const native_request& request, const front_services& node,
           protocol::delete_offsets_request message);
void serve(const native_request& request, const front_services& node,
           protocol::list_groups_request message);
void serve(const native_request& request, const front_services& node,
           protocol::describe_group_request message);
void serve(const native_request& request, const front_services& node,
           protocol::delete_group_request message);

} // namespace aqueduct::actors::network
