// All messages of the Kafka protocol that the codec knows, for tests that go through them.
#pragma once

#include "protocol/kafka/config_messages.hpp"
#include "protocol/kafka/data_messages.hpp"
#include "protocol/kafka/group_messages.hpp"
#include "protocol/kafka/metadata_messages.hpp"
#include "protocol/kafka/offset_messages.hpp"
#include "protocol/kafka/placement_messages.hpp"
#include "protocol/kafka/quota_messages.hpp"
#include "protocol/kafka/topic_messages.hpp"
#include "protocol/kafka/transaction_messages.hpp"

#include <cstddef>
#include <tuple>
#include <utility>

namespace aqueduct::testing {

namespace kafka = protocol::kafka;

using kafka_messages = std::tuple<
    kafka::api_versions_request, kafka::api_versions_response, kafka::metadata_request,
    kafka::metadata_response, kafka::describe_cluster_request, kafka::describe_cluster_response,
    kafka::produce_request, kafka::produce_response, kafka::fetch_request, kafka::fetch_response,
    kafka::list_offsets_request, kafka::list_offsets_response,
    kafka::offset_for_leader_epoch_request, kafka::offset_for_leader_epoch_response,
    kafka::init_producer_id_request, kafka::init_producer_id_response,
    kafka::delete_records_request, kafka::delete_records_response, kafka::find_coordinator_request,
    kafka::find_coordinator_response, kafka::join_group_request, kafka::join_group_response,
    kafka::sync_group_request, kafka::sync_group_response, kafka::heartbeat_request,
    kafka::heartbeat_response, kafka::leave_group_request, kafka::leave_group_response,
    kafka::describe_groups_request, kafka::describe_groups_response, kafka::list_groups_request,
    kafka::list_groups_response, kafka::delete_groups_request, kafka::delete_groups_response,
    kafka::offset_commit_request, kafka::offset_commit_response, kafka::offset_fetch_request,
    kafka::offset_fetch_response, kafka::offset_delete_request, kafka::offset_delete_response,
    kafka::add_partitions_to_txn_request, kafka::add_partitions_to_txn_response,
    kafka::add_offsets_to_txn_request, kafka::add_offsets_to_txn_response, kafka::end_txn_request,
    kafka::end_txn_response, kafka::txn_offset_commit_request, kafka::txn_offset_commit_response,
    kafka::describe_producers_request, kafka::describe_producers_response,
    kafka::describe_transactions_request, kafka::describe_transactions_response,
    kafka::list_transactions_request, kafka::list_transactions_response,
    kafka::create_topics_request, kafka::create_topics_response, kafka::delete_topics_request,
    kafka::delete_topics_response, kafka::create_partitions_request,
    kafka::create_partitions_response, kafka::describe_log_dirs_request,
    kafka::describe_log_dirs_response, kafka::describe_configs_request,
    kafka::describe_configs_response, kafka::alter_configs_request, kafka::alter_configs_response,
    kafka::incremental_alter_configs_request, kafka::incremental_alter_configs_response,
    kafka::elect_leaders_request, kafka::elect_leaders_response,
    kafka::alter_partition_reassignments_request, kafka::alter_partition_reassignments_response,
    kafka::list_partition_reassignments_request, kafka::list_partition_reassignments_response,
    kafka::describe_client_quotas_request, kafka::describe_client_quotas_response,
    kafka::alter_client_quotas_request, kafka::alter_client_quotas_response>;

/// Calls `visit.template operator()<M>()` for every message.
template <class F>
void for_each_kafka_message(F&& visit) {
  [&]<std::size_t... Index>(std::index_sequence<Index...>) {
    (visit.template operator()<std::tuple_element_t<Index, kafka_messages>>(), ...);
  }
  (std::make_index_sequence<std::tuple_size_v<kafka_messages>>());
}

} // namespace aqueduct::testing
