// The native requests about topics, offsets and the cluster.
#pragma once

#include "actors/network/native_call.hpp"
#include "actors/network/services.hpp"

#include <memory>

namespace aqueduct::actors::network {

// Each answers the request, now or later.
void serve(const native_request& request, const front_services& node,
           protocol::metadata_request message);
void serve(const native_request& request, const front_services& node,
           protocol::list_topics_request message);
void serve(const native_request& request, const front_services& node,
           protocol::get_topic_info_request message);
void serve(const native_request& request, const front_services& node,
           protocol::create_topic_request message);
void serve(const native_request& request, const front_services& node,
           protocol::alter_topic_request message);
void serve(const native_request& request, const front_services& node,
           protocol::delete_topic_request message);
void serve(const native_request& request, const front_services& node,
           protocol::list_offsets_request message);
void serve(const native_request& request, const front_services& node,
           protocol::delete_records_request message);
void serve(const native_request& request, const front_services& node,
           protocol::init_producer_id_request message);
void serve(const native_request& request, const front_services& node,
           protocol::controller_discover_request message);

} // namespace aqueduct::actors::network
