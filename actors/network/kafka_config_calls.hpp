// Requests of the Kafka protocol that read and change settings.
#pragma once

#include "actors/network/kafka_call.hpp"
#include "actors/network/services.hpp"
#include "protocol/kafka/config_messages.hpp"

namespace aqueduct::actors::network {

// Each answers the request, now or later. Settings of topics can be read and changed, those of
// brokers read.

void serve_kafka(const kafka_request& request, const front_services& node,
                 protocol::kafka::describe_configs_request message);
void serve_kafka(const kafka_request& request, const front_services& node,
                 protocol::kafka::alter_configs_request message);
void serve_kafka(const kafka_request& request, const front_services& node,
                 protocol::kafka::incremental_alter_configs_request message);

} // namespace aqueduct::actors::network
