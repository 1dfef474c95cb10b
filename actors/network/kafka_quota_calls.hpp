// Requests of the Kafka protocol about quotas of clients, of which there are none.
#pragma once

#include "actors/network/kafka_call.hpp"
#include "actors/network/services.hpp"
#include "protocol/kafka/quota_messages.hpp"

namespace aqueduct::actors::network {

/// Answers that no quota is set.
void serve_kafka(const kafka_request& request, const front_services& node,
                 const protocol::kafka::describe_client_quotas_request& message);
/// Refuses each entry, with the reason.
void serve_kafka(const kafka_request& request, const front_services& node,
                 protocol::kafka::alter_client_quotas_request message);

} // namespace aqueduct::actors::network
