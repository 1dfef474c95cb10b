// Requests of the Kafka protocol about records and metadata: each becomes a request of the native
// protocol, goes the way of those, and its answer is translated back. The native protocol has none
// for the ends of epochs and for producers: those are asked of the partitions.
#pragma once

#include "actors/directory.hpp"
#include "actors/network/deadline_queue.hpp"
#include "actors/network/kafka_call.hpp"
#include "actors/network/produce_intake.hpp"
#include "actors/network/services.hpp"
#include "protocol/kafka/data_messages.hpp"
#include "protocol/kafka/metadata_messages.hpp"
#include "protocol/kafka/transaction_messages.hpp"

#include <memory>

namespace aqueduct::actors::network {

// Each answers the request, now or later. Messages are as they came; `request` was charged for.

void serve_kafka(const kafka_request& request, const front_services& node,
                 protocol::kafka::metadata_request message);
void serve_kafka(const kafka_request& request, const front_services& node,
                 protocol::kafka::list_offsets_request message);
void serve_kafka(const kafka_request& request, const front_services& node,
                 protocol::kafka::offset_for_leader_epoch_request message);
void serve_kafka(const kafka_request& request, const front_services& node,
                 protocol::kafka::init_producer_id_request message);
/// Of partitions that are led here.
void serve_kafka(const kafka_request& request, const front_services& node,
                 protocol::kafka::describe_producers_request message);

/// The batches wait in `intake`, in the order of the requests.
void produce_kafka(const kafka_request& request, produce_intake& intake,
                   protocol::kafka::produce_request message);
/// The wait is over at its deadline, or with those of `owner`.
void fetch_kafka(kafka_request& request, const front_services& node,
                 protocol::kafka::fetch_request message,
                 const std::shared_ptr<deadline_queue>& deadlines, const void* owner);

} // namespace aqueduct::actors::network
