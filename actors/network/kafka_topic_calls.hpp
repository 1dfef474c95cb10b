// Requests of the Kafka protocol with which operators change and measure topics.
#pragma once

#include "actors/network/kafka_call.hpp"
#include "actors/network/services.hpp"
#include "protocol/kafka/data_messages.hpp"
#include "protocol/kafka/metadata_messages.hpp"
#include "protocol/kafka/topic_messages.hpp"

namespace aqueduct::actors::network {

// Each answers the request, now or later. Any broker may be asked: what the controller decides is
// passed on to it.

void serve_kafka(const kafka_request& request, const front_services& node,
                 protocol::kafka::create_topics_request message);
void serve_kafka(const kafka_request& request, const front_services& node,
                 protocol::kafka::delete_topics_request message);
void serve_kafka(const kafka_request& request, const front_services& node,
                 protocol::kafka::create_partitions_request message);
void serve_kafka(const kafka_request& request, const front_services& node,
                 protocol::kafka::delete_records_request message);
/// What this broker has.
void serve_kafka(const kafka_request& request, const front_services& node,
                 protocol::kafka::describe_log_dirs_request message);
void serve_kafka(const kafka_request& request, const front_services& node,
                 protocol::kafka::describe_cluster_request message);

} // namespace aqueduct::actors::network
