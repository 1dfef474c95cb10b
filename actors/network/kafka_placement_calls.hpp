// Requests of the Kafka protocol about where replicas are, and which of them lead.
#pragma once

#include "actors/network/kafka_call.hpp"
#include "actors/network/services.hpp"
#include "protocol/kafka/placement_messages.hpp"

namespace aqueduct::actors::network {

// Each answers the request, now or later.

/// Has the preferred replicas lead; answers when they do, or cannot, or time is over. Any broker
/// may be asked.
void serve_kafka(const kafka_request& request, const front_services& node,
                 protocol::kafka::elect_leaders_request message);
/// Answers when the moves are decided, or taken back; they are made in the background.
void serve_kafka(const kafka_request& request, const front_services& node,
                 protocol::kafka::alter_partition_reassignments_request message);
/// Partitions of which replicas come or go, those on their way back among them.
void serve_kafka(const kafka_request& request, const front_services& node,
                 protocol::kafka::list_partition_reassignments_request message);

} // namespace aqueduct::actors::network
